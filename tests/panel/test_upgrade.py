"""Upgrades: the tables change first, while the version of before still reads and writes them."""

from __future__ import annotations

import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any, ClassVar

import psycopg
import pytest
from django.db import connection, migrations, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from tests.support_backup import Place

from trinco.panel import migrating

LOADER = MigrationLoader(None)
OURS = sorted(
    (key for key, migration in LOADER.disk_migrations.items() if migration.__module__.startswith("trinco.panel.")),
    key=lambda key: (key[1], key[0]),
)
LATER = [key for key in OURS if not LOADER.disk_migrations[key].initial]
TAKES_AWAY = (
    migrations.RemoveField,
    migrations.RenameField,
    migrations.DeleteModel,
    migrations.RenameModel,
    migrations.AlterModelTable,
)
OUT_OF_USE: dict[str, str] = {}
"""`app.model.field` or `app.model` that a migration may take away, with the version that stopped using it: the one of
before the version that takes it away, or an earlier one."""
_numbers = itertools.count(1)


def operations(migration: Migration) -> Iterator[Any]:
    """All of them, also those that are for the state or the database alone."""
    for operation in migration.operations:
        if isinstance(operation, migrations.SeparateDatabaseAndState):
            yield from operation.database_operations
        else:
            yield operation


def fault(key: tuple[str, str], operation: Any) -> str | None:
    """Why the version of before could not go on beside this operation."""
    if isinstance(operation, migrations.AddField) and not _fills_itself(operation.field):
        return f"{operation.model_name}.{operation.name} is new and has neither null=True nor a db_default"
    if isinstance(operation, migrations.AlterField) and not _wider(key, operation):
        return f"{operation.model_name}.{operation.name} takes no NULL any more, and has no db_default"
    if isinstance(operation, TAKES_AWAY) and _named(key[0], operation) not in OUT_OF_USE:
        return f"{_named(key[0], operation)} goes away while the version of before uses it"
    return None


def _fills_itself(field: models.Field[Any, Any]) -> bool:
    return field.null or field.many_to_many or field.has_db_default()  # type: ignore[attr-defined]


def _wider(key: tuple[str, str], operation: migrations.AlterField) -> bool:
    """Whether the version of before still may leave it empty, if it did."""
    app = key[0]
    before = LOADER.project_state(key, at_end=False).models[app, operation.model_name_lower].fields[operation.name]
    return not before.null or _fills_itself(operation.field)


def _named(app: str, operation: Any) -> str:
    model = getattr(operation, "model_name", None) or getattr(operation, "old_name", None) or operation.name
    field = getattr(operation, "old_name", operation.name) if hasattr(operation, "model_name") else ""
    return ".".join(filter(None, (app, model.lower(), field)))


class TestLint:
    """RELIABILITY 3, Upgrade: old code + new schema runs (Boulder's rule)."""

    @pytest.mark.parametrize("key", LATER, ids=".".join)
    def test_the_version_of_before_goes_on(self, key):
        assert [why for each in operations(LOADER.disk_migrations[key]) if (why := fault(key, each))] == []

    def test_there_are_some(self):
        assert len(LATER) >= 4
        assert {app for app, _ in OURS} >= {"accounts", "certificates", "domains", "policies", "reports"}

    @pytest.mark.parametrize(
        ("operation", "why"),
        [
            (migrations.AddField("Domain", "x", models.IntegerField(default=1)), "neither null=True nor a db_default"),
            (migrations.AddField("Domain", "x", models.IntegerField(null=True)), None),
            (migrations.AddField("Domain", "x", models.IntegerField(db_default=1)), None),
            (migrations.RemoveField("Domain", "x"), "accounts.domain.x goes away"),
            (migrations.RenameField("Domain", "x", "y"), "accounts.domain.x goes away"),
            (migrations.DeleteModel("Domain"), "accounts.domain goes away"),
            (migrations.RenameModel("Domain", "Other"), "accounts.domain goes away"),
        ],
    )
    def test_what_it_finds(self, operation, why):
        found = fault(("accounts", "0001_initial"), operation)
        assert found is None if why is None else why in str(found)


def made(model: type[models.Model]) -> models.Model:
    """A row of this model as the version that has it writes one: with that version's columns, and no others."""
    values = {
        field.name: value(field)
        for field in model._meta.concrete_fields
        if not (field.has_default() or field.has_db_default() or field.null or field.primary_key)
    }
    return model._default_manager.create(**values)


def value(field: Any) -> Any:
    if field.is_relation:
        return made(field.related_model)
    number = next(_numbers)
    by_type = {
        "BinaryField": b"octets",
        "BooleanField": False,
        "DateField": timezone.now().date(),
        "DateTimeField": timezone.now(),
        "JSONField": [],
    }
    kind = field.get_internal_type()
    if kind in by_type:
        return by_type[kind]
    if field.choices:
        return field.choices[0][0]
    return number if "Integer" in kind else str(number)[: field.max_length]


@pytest.mark.django_db
class TestOldCodeOnNewTables:
    """The state of the tables is this version's; who writes knows the columns of before, and no others."""

    @pytest.mark.parametrize("key", LATER, ids=".".join)
    def test_it_writes_reads_and_changes_every_table_that_it_knows(self, key):
        app, _ = key
        before = LOADER.project_state(key, at_end=False).apps
        for model in before.get_app_config(app).get_models():
            row = made(model)
            again = model._default_manager.get(pk=row.pk)
            again.save()
            assert model._default_manager.filter(pk=row.pk).count() == 1
        connection.check_constraints()


KILLED = """
import os, sys
from django.db.migrations.recorder import MigrationRecorder
real = MigrationRecorder.record_applied
MigrationRecorder.record_applied = lambda *given: os._exit(9) if given[1:] == {step} else real(*given)
from trinco.cli.main import main
sys.argv = ["trinco", "migrate"]
main()
"""


class TestWhole:
    """What a migration does, and that it is done, are one transaction: the next run begins where a kill ended this."""

    def test_killed_before_it_is_written_down(self, tmp_path):
        place = Place(tmp_path / "data")
        command = [sys.executable, "-c", KILLED.format(step=("account", "0001_initial"))]
        assert subprocess.run(command, env=place.environment, cwd=tmp_path, check=False).returncode == 9
        assert place.trinco("migrate")[0] == 0


class Dropping(Migration):
    operations: ClassVar = [migrations.RunSQL("DROP TABLE beside_readers")]


class TestBesideWhoReads:
    """RELIABILITY 3, Upgrade: what is running goes on meanwhile, also while a backup reads for long."""

    def test_who_reads_a_table_that_is_to_change_is_not_kept_waiting(self, transactional_db, monkeypatch, capsys):
        if connection.vendor != "postgresql":
            return  # SQLite's readers never wait
        rests = []

        def rest(seconds: float) -> None:
            rests.append(seconds)
            page.execute("SELECT * FROM beside_readers")
            if len(rests) == 2:
                backup.rollback()

        monkeypatch.setattr(time, "sleep", rest)
        with connection.cursor() as cursor:
            cursor.execute("CREATE TABLE beside_readers ()")
        parameters = {**connection.get_connection_params(), "cursor_factory": None}
        with psycopg.connect(**parameters) as backup, psycopg.connect(**parameters, autocommit=True) as page:
            backup.execute("SELECT * FROM beside_readers")
            migrating.WholeExecutor(connection).apply_migration(LOADER.project_state(), Dropping("beside", "reports"))
        MigrationRecorder(connection).record_unapplied("reports", "beside")
        assert rests == [migrating.PAUSE] * 2
        assert capsys.readouterr().err.count("waiting until it is free") == 1
        assert "beside_readers" not in connection.introspection.table_names()


@pytest.mark.slow
class TestKilled:
    """RELIABILITY 3, Upgrade: kill -9 in migrate."""

    def test_the_next_one_goes_on_where_it_was_killed(self, tmp_path):
        place = Place(tmp_path / "data")
        for step in range(1, 9):
            process = place.start("migrate")
            time.sleep(0.4 + step * 0.15)
            process.kill()
            process.communicate(timeout=300)
        assert place.trinco("migrate")[0] == 0
        assert place.trinco("migrate", "--check") == (0, "The tables are up to date: nothing to do\n")
        assert place.rows("PRAGMA integrity_check") == [("ok",)]
