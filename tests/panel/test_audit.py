"""The audit log: append-only, chained, and a change within it is found."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import DatabaseError, connection, models, transaction
from tests.support_panel import ANA, organisation

from trinco.panel.accounts import audit, chain
from trinco.panel.accounts.append_only import AppendOnly
from trinco.panel.accounts.models import AuditEntry, AuditHead, Organisation
from trinco.panel.accounts.services import entry, record, record_all


def written(whose: Organisation, count: int = 5) -> list[AuditEntry]:
    """So many lines."""
    facts = {"organisation": whose, "actor": ANA, "action": "domain.added"}
    return [record(**facts, subject=f"d{number}.example", after={"n": number}) for number in range(count)]


def raw() -> models.QuerySet[AuditEntry]:
    """As somebody reaches the table who goes around the program, and around PostgreSQL's trigger."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            cursor.execute("ALTER TABLE accounts_auditentry DISABLE TRIGGER trinco_audit_stays")
    return models.QuerySet(AuditEntry)


def broken(whose: Organisation) -> tuple[int, str] | None:
    found = audit.verify(whose).broken
    return found and (found.number, found.why)


class TestDigest:
    """The digest covers all that a line says, and is the same in every version."""

    LINE = SimpleNamespace(
        organisation_id=1,
        number=1,
        previous="",
        at=datetime(2026, 11, 24, 12, 0, 0, 5, UTC),
        actor="ana@example.com",
        source="192.0.2.7",
        provider="",
        token="",
        action="domain.added",
        subject="a.example",
        before={},
        after={"é": 1},
        override=False,
    )

    def test_canonical(self) -> None:
        assert chain.canonical(self.LINE) == (
            '{"action":"domain.added","actor":"ana@example.com","after":{"\\u00e9":1},'
            '"at":"2026-11-24T12:00:00.000005+00:00","before":{},"number":1,"organisation":1,"override":false,'
            '"provider":"","source":"192.0.2.7","subject":"a.example","token":""}'
        )

    @pytest.mark.parametrize("name", sorted(vars(LINE)))
    def test_every_part_counts(self, name: str) -> None:
        other = datetime(2026, 11, 24, tzinfo=UTC) if name == "at" else 7
        changed = SimpleNamespace(**{**vars(self.LINE), name: other})
        assert chain.digest(changed) != chain.digest(self.LINE)


@pytest.mark.django_db
class TestChain:
    """RELIABILITY 2, row 40: append-only log: who, what, before/after, source; hash chain. Tamper test."""

    def test_lines_follow_each_other(self, ours: Organisation, theirs: Organisation) -> None:
        lines = written(ours)
        written(theirs, 2)
        assert [line.number for line in lines] == [1, 2, 3, 4, 5]
        assert [line.previous for line in lines] == ["", *(line.digest for line in lines[:-1])]
        kept = audit.verify(ours)
        assert (kept.lines, kept.loose, kept.broken, broken(theirs)) == (5, 0, None, None)

    def test_many_of_two_organisations_at_once(self, ours: Organisation, theirs: Organisation) -> None:
        record_all(
            [entry(organisation=each, actor=ANA, action="domain.added", subject="x") for each in (ours, theirs) * 3]
        )
        assert [(audit.verify(each).lines, broken(each)) for each in (ours, theirs)] == [(3, None), (3, None)]

    @pytest.mark.parametrize(
        "changes",
        [{"actor": "rui"}, {"after": {"n": 9}}, {"override": True}, {"token": "x"}, {"source": "x"}, {"subject": "x"}],
        ids=lambda changes: next(iter(changes)),
    )
    def test_a_changed_line_is_named(self, ours: Organisation, changes: dict[str, Any]) -> None:
        line = written(ours)[2]
        raw().filter(pk=line.pk).update(**changes)
        assert broken(ours) == (3, "what it says was changed")

    def test_a_changed_line_with_its_digest_made_anew(self, ours: Organisation) -> None:
        line = written(ours)[2]
        line.actor = "rui"
        raw().filter(pk=line.pk).update(actor="rui", digest=chain.digest(line))
        assert broken(ours) == (4, "it does not follow the line before")

    @pytest.mark.parametrize("number", [1, 3, 5])
    def test_a_line_taken_out(self, ours: Organisation, number: int) -> None:
        raw().filter(pk=written(ours)[number - 1].pk).delete()
        assert broken(ours) == (number, "the line is missing")

    def test_a_line_put_behind_the_end(self, ours: Organisation) -> None:
        written(ours)
        AuditEntry.objects.everywhere().bulk_create([AuditEntry(organisation=ours, actor="rui", number=6)])
        assert broken(ours) == (6, "it was put behind the end")

    def test_the_last_line_made_anew(self, ours: Organisation) -> None:
        line = written(ours)[-1]
        line.actor = "rui"
        raw().filter(pk=line.pk).update(actor="rui", digest=chain.digest(line))
        assert broken(ours) == (5, "it is not the line that was written last")

    def test_a_deed_that_is_taken_back_leaves_no_line(self, ours: Organisation) -> None:
        written(ours, 1)
        with transaction.atomic():
            written(ours, 2)
            transaction.set_rollback(True)
        assert [line.number for line in written(ours, 1)] == [2]
        assert broken(ours) is None


@pytest.mark.django_db
class TestAppendOnly:
    """Nothing changes or removes a line."""

    def test_by_the_program(self, ours: Organisation) -> None:
        [line] = written(ours, 1)
        rows = AuditEntry.objects.of(ours)
        deeds = (rows.delete, lambda: rows.update(actor="x"), lambda: rows.bulk_update([line], ["actor"]))
        for deed in (*deeds, line.delete, line.save):
            with pytest.raises(AppendOnly):
                deed()
        with pytest.raises(models.ProtectedError):
            ours.delete()
        assert broken(ours) is None

    def test_by_somebody_at_the_database(self, ours: Organisation) -> None:
        if connection.vendor != "postgresql":
            return
        written(ours, 1)
        for deed in (models.QuerySet(AuditEntry).delete, lambda: models.QuerySet(AuditEntry).update(actor="x")):
            with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
                deed()


@pytest.mark.django_db
class TestLoose:
    """What the version of before wrote, or had written, is taken in."""

    def loose(self, whose: Organisation, count: int) -> None:
        facts = {"organisation": whose, "actor": "ana", "action": "domain.added", "subject": "x"}
        AuditEntry.objects.everywhere().bulk_create([AuditEntry(**facts) for _ in range(count)])

    def test_by_whoever_writes_next(self, ours: Organisation) -> None:
        self.loose(ours, 3)
        assert (audit.verify(ours).loose, broken(ours)) == (3, None)
        assert [line.number for line in written(ours, 2)] == [4, 5]
        assert (audit.verify(ours).lines, audit.verify(ours).loose, broken(ours)) == (5, 0, None)

    def test_by_the_migration_however_many_and_where_it_was_stopped(
        self, ours: Organisation, theirs: Organisation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        migration = import_module("trinco.panel.accounts.migrations.0004_audit_chain")
        monkeypatch.setattr(migration, "AT_ONCE", 4)
        self.loose(ours, 10)
        self.loose(theirs, 1)
        plain = SimpleNamespace(get_model=lambda _app, name: _Plain(apps.get_model("accounts", name)))
        migration._some(_Plain(AuditEntry), AuditHead, ours.pk)
        assert (audit.verify(ours).lines, audit.verify(ours).loose) == (4, 6)
        migration.take_in(plain, None)
        assert [(audit.verify(each).lines, broken(each)) for each in (ours, theirs)] == [(10, None), (1, None)]


class _Plain:
    """A model as a migration sees it: with the plain manager."""

    def __init__(self, model: type[models.Model]) -> None:
        self.objects = models.QuerySet(model)
        self.model = model

    def __call__(self, **facts: Any) -> models.Model:
        return self.model(**facts)


def test_an_organisation_without_lines_is_whole(db: None) -> None:
    assert audit.verify(organisation()).broken is None


class TestAsTheDatabaseHasIt:
    """What is written is checked as it comes back."""

    @pytest.mark.parametrize("told", [{1: 1, 10: 2, 9: 3}, {"t": (1, 2)}, {"é": "\u2028"}])
    def test_tuples_and_keys(self, ours: Organisation, told: dict[Any, Any]) -> None:
        record(organisation=ours, actor=ANA, action="x", subject="s", after=told)
        assert broken(ours) is None

    @pytest.mark.parametrize(("number", "kept"), [(1.0, "1.0"), (1e20, "1e+20"), (-0.0, "-0.0")])
    def test_a_fraction_is_text(self, ours: Organisation, number: float, kept: str) -> None:
        line = record(organisation=ours, actor=ANA, action="x", subject="s", after={"n": number})
        line.refresh_from_db()
        assert (line.after, broken(ours)) == ({"n": kept}, None)

    def test_a_line_that_is_written_meanwhile(self, ours: Organisation, monkeypatch: pytest.MonkeyPatch) -> None:
        written(ours, 2)
        end = audit._head_of

        def busy(whose: Organisation) -> int:
            written(whose, 1)
            return end(whose)

        monkeypatch.setattr(audit, "_head_of", busy)
        assert broken(ours) is None
