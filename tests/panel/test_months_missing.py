"""Months that have totals and no row in the table of months: what was there before that table."""

from __future__ import annotations

import importlib
import threading
from datetime import UTC, date, datetime

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
from tests.support_panel import announced

from trinco.panel.reports import charts, months, summing
from trinco.panel.reports.charts import Scope
from trinco.panel.reports.models import DailyTotal, Trust
from trinco.panel.reports.month_models import SummedMonth

LATER = datetime(2027, 6, 1, tzinfo=UTC)
JANUARY, MAY = date(2026, 1, 1), date(2026, 5, 31)


def written(domain, day, *, told):
    if told:
        months.stale([(domain.pk, day)])
    DailyTotal.objects.everywhere().create(
        organisation=domain.organisation, domain=domain, day=day, trust=Trust.DKIM, submitter="google.com",
        successful_session_count=10, reports=1,
    )  # fmt: skip


def sessions(domain):
    scope = Scope(organisation=domain.organisation, first=JANUARY, last=MAY)
    return charts.sums(scope).successful_session_count


def summed():
    while summing.sum_due(LATER):
        pass


@pytest.fixture
def old(domain, monkeypatch):
    """The totals of one domain are told of and added up, and those of another are older than that."""
    monkeypatch.setattr(summing, "_complete", threading.Event())
    other = announced(domain.organisation, "outro.example")
    for month in (2, 3):
        written(domain, date(2026, month, 9), told=True)
    summed()
    written(other, date(2026, 2, 7), told=False)
    written(other, date(2026, 2, 28), told=False)
    return domain


class TestMissing:
    """A month without a row is no month without totals."""

    def test_the_migration_notes_them(self, old):
        migration = importlib.import_module("trinco.panel.reports.migrations.0006_missing_months")
        state = MigrationLoader(None).project_state(("reports", "0005_month_failures"))
        for _ in range(2):
            migration.missing(state.apps, connection.schema_editor())
        due = SummedMonth.objects.everywhere().filter(due_at__lte=timezone.now())
        assert list(due.values_list("domain__name", "month")) == [("outro.example", date(2026, 2, 1))]
        assert sessions(old) == 40
        summed()
        assert sessions(old) == 40

    def test_a_worker_notes_what_the_version_of_before_wrote_beside_it(self, old, monkeypatch):
        monkeypatch.setattr(summing, "_complete", threading.Event())
        summed()
        assert sessions(old) == 40
        assert months.complete() == 0

    def test_a_domain_alone_without_a_row_is_read_day_by_day(self, old):
        other = SummedMonth.objects.everywhere().get(month=date(2026, 3, 1)).domain
        SummedMonth.objects.everywhere().all().delete()
        assert months.usable(Scope(organisation=other.organisation, first=JANUARY, last=MAY, domain=other)) == set()
        assert sessions(old) == 40
