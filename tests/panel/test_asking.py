"""The worker's questions: made once, they answer as the rows that they stand for would."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests.support_panel import hosted, live, organisation

from trinco.panel.asking import Question
from trinco.panel.certificates import services as certificates
from trinco.panel.checks import label_hosts, publishing, schedule, status
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies import gate, imports, kept, rounds
from trinco.panel.reports import copies, digest, recipients
from trinco.panel.webhooks import outbox, turns

QUESTIONS = {
    "ahead": gate._SOME_AHEAD,
    "announce": rounds._SOME,
    "asked": recipients._SOME,
    "certificates": certificates._SOME,
    "copies": copies._SOME,
    "digest": digest._SOME,
    "gone": kept._SOME_GONE,
    "hosts": schedule._SOME_HOSTS,
    "imports": imports._SOME,
    "label hosts": label_hosts._SOME,
    "levels": status._SOME,
    "look": schedule._SOME,
    "occurred": outbox._OCCURRED,
    "overtaken": rounds._SOME_OVERTAKEN,
    "texts": publishing._SOME,
    "unread": outbox._UNREAD,
    "webhooks": turns._SOME,
}
NOW = timezone.now()
MOMENTS = [NOW + timedelta(hours=hours) for hours in (-1000, -26, -3, -1, 0, 1, 3, 26, 1000)]


def rows(now: datetime) -> QuerySet[HostedDomain]:
    moving = HostedDomain.objects.everywhere().filter(check_due_at__lte=now, created_at__gt=now - timedelta(days=1))
    return moving.exclude(state=State.GONE).order_by("name")


@pytest.mark.django_db
class TestQuestions:
    """A statement that is made once says at every moment what one that is made for it says."""

    @pytest.mark.parametrize("name", QUESTIONS)
    def test_they_answer_as_their_rows_do(self, name: str) -> None:
        ours = organisation()
        asked = QUESTIONS[name]
        for step in (lambda: None, lambda: hosted(ours, "a.example"), lambda: live(ours, "b.example")):
            step()
            assert [asked.holds(each) for each in MOMENTS] == [asked._ask(each).exists() for each in MOMENTS]

    def test_what_moves_with_the_time_moves(self) -> None:
        domain = hosted(organisation(), "a.example")
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(created_at=NOW, check_due_at=NOW)
        asked = Question(rows)
        away = [timedelta(microseconds=-1), timedelta(0), timedelta(days=1, microseconds=-1), timedelta(days=1)]
        assert [asked.holds(NOW + each) for each in away] == [False, True, True, False]

    def test_it_is_made_once_and_costs_one_query(self) -> None:
        calls: list[datetime] = []

        def asked(now: datetime) -> QuerySet[Any]:
            calls.append(now)
            return rows(now)

        question = Question(asked)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert [question.holds(NOW) for _ in range(5)] == [False] * 5
        assert (len(calls), len(queries)) == (2, 5)

    @pytest.mark.parametrize(
        ("ask", "error"),
        [
            (lambda now: rows(now).filter(revision__gt=now.year), TypeError),
            (lambda now: rows(now).filter(verified_at__lt=now.replace(day=1)), ValueError),
        ],
    )
    def test_what_moves_otherwise_is_refused(self, ask: Any, error: type[Exception]) -> None:
        with pytest.raises(error):
            Question(ask).holds(NOW)
