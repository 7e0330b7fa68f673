"""Rows of what is counted without its name: what they unfold to."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from tests import support_charts, support_reports, support_web
from tests.support_charts import Failure, report

from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import totals
from trinco.panel.reports.models import Report

BY_RESULT = "/reports/"


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def text(person: Client, page: str) -> str:
    return support_web.text_of(person.get(page))


class TestTooManyKinds:
    """The totals name the first 200 kinds of failure of a report: what the row of the others unfolds to is true."""

    def test_says_how_many_and_leads_to_the_report(self, domain: HostedDomain, person: Client) -> None:
        day = support_charts.today() - timedelta(days=3)
        failures = [Failure(f"kind-{number}", 1, "mx2.correio.example") for number in range(230)]
        report(domain, day, 93, *failures)
        totals.recompute(domain.pk, [day])
        page = f"{BY_RESULT}?policy=sts&result=-"
        said = text(person, page)
        assert "tells of 230 kinds of failure. The table names the first 200; the others are counted here." in said
        assert "no longer kept" not in said
        key = Report.objects.everywhere().get().pk
        assert f'href="/reports/{key}/"' in person.get(page).content.decode()

    def test_so_it_does_of_policy_types(self, domain: HostedDomain, person: Client) -> None:
        failed = [support_reports.detail("certificate-expired")]
        kinds = [support_reports.policy(domain.name, f"type-{number}", details=failed) for number in range(20)]
        told = support_reports.reported(domain, *kinds)
        page = f"{BY_RESULT}?policy=-&result=certificate-expired"
        said = text(person, page)
        assert "tells of 20 policy types. The table names the first 16; the others are counted here." in said
        assert "no longer kept" not in said
        assert f'href="/reports/{told.pk}/"' in person.get(page).content.decode()
        assert "policy types. The table" not in text(person, page + "&domain=correio.example&sender=other.example")
