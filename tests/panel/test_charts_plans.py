"""How the sums of an organisation with many domains are found: by its days, from one index that holds them all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from tests import support_wall

from trinco.panel import wall
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import charts
from trinco.panel.reports.models import DailyTotal, Trust
from trinco.panel.reports.scope import Scope
from trinco.panel.web import overview

LAST = date(2026, 7, 20)
DAYS = "reports_organisationday"
POSTGRESQL = connection.vendor == "postgresql"
Question = Callable[[Scope], object]
QUESTIONS: list[Question] = [charts.sums, charts.by_day, charts.by_source]


@pytest.fixture
def asked(domain: HostedDomain) -> Scope:
    facts = {"trust": Trust.DKIM, "submitter": "google.com", "successful_session_count": 9, "reports": 1}
    DailyTotal.objects.everywhere().create(organisation=domain.organisation, domain=domain, day=LAST, **facts)
    return Scope(organisation=domain.organisation, first=LAST - timedelta(days=29), last=LAST)


def statements(question: Callable[[], object]) -> list[str]:
    """Those that read days of an organisation."""
    with CaptureQueriesContext(connection) as found:
        question()
    return [str(each["sql"]) for each in found if DAYS in each["sql"]]


@contextmanager
def behind_the_wall(organisation: Organisation) -> Iterator[None]:
    """As a request asks on PostgreSQL; the table is small, and would be read as a whole."""
    if not POSTGRESQL:
        yield
        return
    support_wall.built()
    with wall.within([organisation.pk]), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT set_config(name, 'off', true) FROM unnest(ARRAY['enable_seqscan', 'enable_sort']) AS name"
        )
        yield


def plan(statement: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {'' if POSTGRESQL else 'QUERY PLAN '}{statement}")
        return [str(row[0 if POSTGRESQL else 3]) for row in cursor.fetchall()]


def looks(lines: list[str]) -> list[str]:
    """At the table of days."""
    return [line for line in lines if DAYS in line and ("Scan" in line or line.startswith(("SCAN", "SEARCH")))]


class TestSessionsOfAnOrganisation:
    """PERFORMANCE: a page of reports with 10,000 domains takes less than 400 ms on the server's side."""

    @pytest.mark.parametrize("question", QUESTIONS)
    def test_are_read_from_their_index_alone(self, asked: Scope, question: Question) -> None:
        found = statements(lambda: question(asked))
        assert found
        for statement in found:
            with behind_the_wall(asked.organisation):
                lines = looks(plan(statement))
                grouped = [line for line in plan(statement) if "TEMP B-TREE FOR GROUP BY" in line]
            words = "Index Only Scan using" if POSTGRESQL else "COVERING INDEX"
            assert [f"{words} days_of_organisation" in line for line in lines] == [True], lines
            assert len(grouped) <= (question is charts.by_source), "the rows come in the order of their groups"

    def test_are_read_once_for_the_sums(self, asked: Scope) -> None:
        """With what nobody vouches for: it takes no statement of its own."""
        assert len(statements(lambda: charts.sums(asked))) == 1

    def test_the_newest_day_is_the_end_of_the_index(self, asked: Scope) -> None:
        [statement] = statements(lambda: overview.last_reported(asked.organisation))
        with behind_the_wall(asked.organisation):
            lines: list[Any] = looks(plan(statement))
        assert len(lines) == 1
        assert "days_of_organisation" in lines[0]
