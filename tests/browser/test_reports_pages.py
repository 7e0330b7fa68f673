"""The pages of the reports in a real browser: the chart, the tables, what unfolds, and on paper."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests import support_charts, support_web
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
    "sources": "/reports/sources/",
    "sources-open": "/reports/sources/?open=google.com",
}


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    """A month with an incident."""
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
            visitor.go(path.format(day=support_charts.today()))
            visitor.picture(f"{name}-{dress}")
            found[name] = visitor.faults()
        assert {name: faults for name, faults in found.items() if faults} == {}
