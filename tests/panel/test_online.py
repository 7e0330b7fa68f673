"""Indexes that are made beside what goes on."""

from __future__ import annotations

from typing import ClassVar

import pytest
from django.db import connection, models
from django.db.migrations import Migration
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder

from trinco.panel import migrating
from trinco.panel.online import AddIndexOnline

NAME = "log_for_a_test"
HALF = "UPDATE pg_index SET indisvalid = false WHERE indexrelid = to_regclass(%s)"
WHOLE = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%s)"


class Adding(Migration):
    atomic = False
    operations: ClassVar = [
        AddIndexOnline("auditentry", models.Index(fields=["organisation", "-token", "at"], name=NAME))
    ]


def added() -> None:
    state = MigrationLoader(None).project_state()
    migrating.WholeExecutor(connection).apply_migration(state, Adding("online", "accounts"))
    MigrationRecorder(connection).record_unapplied("accounts", "online")


def columns() -> list[str] | None:
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, "accounts_auditentry").get(NAME)
    return found and found["columns"]


@pytest.mark.django_db(transaction=True)
class TestIndexOnline:
    """RELIABILITY 3, Upgrade: what a kill left half made, the next run makes whole."""

    def test_it_is_made_once_and_found_there_the_next_time(self) -> None:
        assert columns() is None
        added()
        added()
        assert columns() == ["organisation_id", "token", "at"]
        self._gone()

    def test_what_a_kill_left_is_made_again(self) -> None:
        if connection.vendor != "postgresql":
            return  # SQLite's are there whole, or not at all
        added()
        with connection.cursor() as cursor:
            cursor.execute(HALF, [NAME])
            added()
            cursor.execute(WHOLE, [NAME])
            assert cursor.fetchone() == (True,)
        self._gone()

    def _gone(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP INDEX {NAME}")
