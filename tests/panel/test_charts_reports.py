"""The questions behind the charts, asked of reports that came in and were digested."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from tests import support_reports
from tests.support_reports import detail, policy, reported

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import charts
from trinco.panel.reports.charts import Day, ResultRow, Scope, Sums
from trinco.panel.reports.models import Applied, Trust


def scope(organisation: Organisation, **more: Any) -> Scope:
    return Scope(**{"organisation": organisation, **more})


class TestWhatIsAdded:
    """DESIGN 3: `sts` and `tlsa` of one report cover the same sessions and are never added up; details may exceed the
    summary."""

    def test_a_report_with_both(self, domain: HostedDomain) -> None:
        failed = detail(failed=2, receiving_mx_hostname="mx1.correio.example")
        more = detail("validation-failure", failed=1)
        day = support_reports.yesterday()
        reported(
            domain,
            policy(successful=8, failed=2, details=[failed, more]),
            policy(policy_type="tlsa", successful=8, failed=2, details=[failed]),
            day=day,
        )
        wanted = scope(domain.organisation, first=day, last=day)
        assert charts.sums(wanted) == Sums(8, 2, 1, 1, day, 0)
        assert charts.by_day(wanted) == [Day(day, 8, 2, 1)]
        host = ("mx1.correio.example", 2)
        assert charts.by_result(wanted) == [
            ResultRow("sts", "certificate-expired", 2, (host,), 1, 1, 1, day, day),
            ResultRow("tlsa", "certificate-expired", 2, (host,), 1, 1, 1, day, day),
            ResultRow("sts", "validation-failure", 1, (("", 1),), 1, 1, 1, day, day),
        ]


class TestSenders:
    """What a sender calls itself and which policy it applied is what its newest report says."""

    def test_the_newest_report_speaks(self, domain: HostedDomain) -> None:
        day = support_reports.yesterday()
        reported(domain, day=day - timedelta(days=1), organization_name="Old name")
        domain.versions.update(served_from=domain.created_at - timedelta(days=9))  # served before it was reported on
        current = bytes(domain.standing.current.body).decode().splitlines()  # type: ignore[attr-defined]
        reported(domain, policy(strings=current), day=day, organization_name="Google")
        [found] = charts.by_source(scope(domain.organisation, first=day - timedelta(days=6), last=day))
        assert (found.submitter, found.organization_name, found.last, found.reports) == ("google.com", "Google", day, 2)
        assert found.applied is not None
        assert (found.applied.applied, found.applied.seen) == (Applied.CURRENT, day)
        assert found.applied.version == domain.standing.current  # type: ignore[attr-defined]

    def test_an_unverified_report_does_not_name_a_verified_sender(self, domain: HostedDomain) -> None:
        day = support_reports.yesterday()
        reported(domain, day=day, organization_name="Google")
        reported(domain, day=day, organization_name="Forged", trust=Trust.NONE)
        wanted = scope(domain.organisation, first=day, last=day)
        assert [each.organization_name for each in charts.by_source(wanted)] == ["Google"]
        assert charts.sums(wanted).uncounted_reports == 1


class TestDetails:
    """Single failure details, those that say the same added up, the worst first."""

    def test_grouped(self, domain: HostedDomain) -> None:
        day = support_reports.yesterday()
        one = detail(failed=2, receiving_mx_hostname="mx1.correio.example", failure_reason_code="x")
        other = detail("validation-failure", failed=3)
        for ago in (1, 0):
            reported(domain, policy(details=[one, one, other]), day=day - timedelta(days=ago))
        wanted = scope(domain.organisation, first=day - timedelta(days=3), last=day)
        found = charts.details(wanted)
        assert [(each.result_type, each.failed_session_count, each.first, each.last) for each in found] == [
            ("certificate-expired", 8, day - timedelta(days=1), day),
            ("validation-failure", 6, day - timedelta(days=1), day),
        ]
        assert [found[0]] == charts.details(wanted, mx="mx1.correio.example", result_type="certificate-expired")
        assert charts.details(wanted, mx="mx1.correio.example", policy_type="tlsa") == []
        assert charts.details(wanted, limit=1) == found[:1]

    def test_what_nobody_vouches_for(self, domain: HostedDomain) -> None:
        day = support_reports.yesterday()
        reported(domain, policy(details=[detail()]), day=day, trust=Trust.NONE)
        wanted = scope(domain.organisation, first=day, last=day)
        assert charts.details(wanted) == []
        assert len(charts.details(scope(domain.organisation, first=day, last=day, everything=True))) == 1

    def test_of_many_failures_the_newest_days(self, domain: HostedDomain, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("trinco.panel.reports.drill.ENOUGH", 1)
        day = support_reports.yesterday()
        for ago in (1, 0):
            reported(domain, policy(details=[detail(failed=1 + ago)]), day=day - timedelta(days=ago))
        found = charts.details(scope(domain.organisation, first=day - timedelta(days=3), last=day))
        assert [(each.failed_session_count, each.first) for each in found] == [(1, day)]
