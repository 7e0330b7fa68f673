"""Which days the pages of reports are about, and with which they are compared."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from tests import support_charts, support_web
from tests.support_charts import report

from trinco.panel.domains.models import HostedDomain

BY_RESULT, DOMAIN = "/reports/", "/domains/correio.example/"


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def text(person: Client, page: str) -> str:
    return support_web.text_of(person.get(page))


class TestRanges:
    """A number says what it counts."""

    def test_thirty_days_are_the_same_thirty_on_every_page(self, domain: HostedDomain, person: Client) -> None:
        """They end with the day that is over, and with today once somebody has told of it."""
        today = support_charts.today()
        report(domain, today - timedelta(days=30), 1_000)
        report(domain, today - timedelta(days=29), 200)
        for sessions in ("1,200", "203"):
            assert f"Sessions, 30 days {sessions} " in text(person, BY_RESULT)
            assert f"Sessions, 30 days {sessions} " in text(person, DOMAIN)
            assert f" {sessions} 100.00 % " in text(person, "/")
            report(domain, today, 3)

    @pytest.mark.parametrize(("began", "compared"), [(33, False), (55, True), (66, True)])
    def test_days_before_are_compared_with_where_there_were_reports_all_the_time(
        self, domain: HostedDomain, person: Client, began: int, compared: bool
    ) -> None:
        for ago in (began, 32):
            report(domain, support_charts.today() - timedelta(days=ago), 50)
        report(domain, support_charts.today() - timedelta(days=3), 120)
        assert ("on the 30 days before" in text(person, BY_RESULT)) == compared
