"""The pages of the reports in a real browser: the chart, the tables, what unfolds, and on paper."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from tests import support_charts, support_panel, support_web
from tests.support_browser import Visitor

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain

PAGES = {
    "reports": "/reports/",
    "reports-day": "/reports/?day={day}",
    "reports-year": "/reports/?range=365",
    "reports-90": "/reports/?range=90",
    "reports-7": "/reports/?range=7",
    "reports-open": "/reports/?policy=sts&result=certificate-expired",
    "domain-reports": "/domains/correio.example/",
    "domain-reports-day": "/domains/correio.example/?day={day}",
    "domain-first": "/domains/novo.example/",
    "reports-none": "/reports/?domain=novo.example",
    "reports-empty-range": "/reports/?from=2026-01-01&to=2026-01-31",
    "sources": "/reports/sources/",
    "sources-open": "/reports/sources/?open=google.com",
}


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    """A month with an incident."""
    support_panel.announced(ours, "novo.example")
    domain = support_web.ready(ours)
    support_charts.weeks(domain)
    return domain


@pytest.mark.parametrize(
    ("dress", "wishes"),
    [("1360", {}), ("390-dark-pt", {"width": 390, "dark": True, "language": "pt"})],
)
class TestEveryReportPage:
    """UX: no fault that axe finds, no console error, nothing clipped, light and dark, in both languages."""

    def test_no_fault(
        self, domain: HostedDomain, visit: Callable[..., Visitor], dress: str, wishes: dict[str, object]
    ) -> None:
        visitor, found = visit(**wishes).sign_in(), {}
        for name, path in PAGES.items():
            visitor.go(path.format(day=support_charts.today() - timedelta(days=9)))
            visitor.picture(f"{name}-{dress}")
            found[name] = visitor.faults()
        assert {name: faults for name, faults in found.items() if faults} == {}
