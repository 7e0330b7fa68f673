"""What the API answers, whole; one report as it came; pages of a list."""

from __future__ import annotations

import pytest
from tests import support_api, support_panel, support_web
from tests.support_api import MAIL, RANGE, Program, key_of, report

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import RawReport, Report, Trust


@pytest.fixture
def told(domain: HostedDomain) -> Report:
    """One report about `correio.example`, with its totals."""
    return support_api.counted(domain)


@pytest.fixture
def owner(ours: Organisation) -> Program:
    return Program(key_of(support_web.owner_of(ours)))


class TestAnswers:
    def test_domains(self, told: Report, owner: Program) -> None:
        support_panel.hosted(told.organisation, "câmara.example")
        row = {
            "name": "correio.example",
            "unicode": "correio.example",
            "state": "live",
            "mode": "testing",
            "level": "setup",
            "tags": [],
        }
        other = {
            "name": "xn--cmara-3qa.example",
            "unicode": "câmara.example",
            "state": "setup",
            "mode": None,
            "level": "setup",
            "tags": [],
        }
        assert owner.json("/domains") == {"rows": [row, other], "next": None}

    def test_by_result(self, told: Report, owner: Program) -> None:
        about = {
            "table": "by-result",
            "domain": None,
            "from": "2026-11-19",
            "to": "2026-11-20",
            "sender": None,
            "trust": "counted",
        }
        row = {
            "policy_type": "sts",
            "result_type": "certificate-expired",
            "failed_session_count": 1,
            "mx": [{"mx": "mx1.correio.example", "failed_session_count": 1}],
            "mx_count": 1,
            "domains": 1,
            "submitters": 1,
            "first": "2026-11-20",
            "last": "2026-11-20",
        }
        assert owner.json(f"/reports/by-result{RANGE}") == {**about, "rows": [row]}

    def test_by_day(self, told: Report, owner: Program) -> None:
        empty = {"day": "2026-11-19", "successful_session_count": 0, "failed_session_count": 0, "reports": 0}
        full = {"day": "2026-11-20", "successful_session_count": 7, "failed_session_count": 1, "reports": 1}
        found = owner.json(f"/reports/by-day{RANGE}&domain=CORREIO.example&sender=Google.com")
        assert (found["domain"], found["sender"], found["rows"]) == ("correio.example", "google.com", [empty, full])

    def test_by_source(self, told: Report, owner: Program) -> None:
        [row] = owner.json(f"/reports/by-source{RANGE}")["rows"]
        assert row == {
            "submitter": "google.com",
            "organization_name": "Google <b>",
            "successful_session_count": 7,
            "failed_session_count": 1,
            "reports": 1,
            "last": "2026-11-20",
            "applied": "current",
            "policy_id": told.domain.standing.current.policy_id,
            "policy_mode": "testing",
        }

    def test_by_mx_and_details(self, told: Report, owner: Program) -> None:
        [mx] = owner.json(f"/reports/by-mx{RANGE}")["rows"]
        assert (mx["mx"], mx["results"]) == (
            "mx1.correio.example",
            [{"result_type": "certificate-expired", "failed_session_count": 1}],
        )
        [detail] = owner.json(f"/reports/details{RANGE}&mx=mx1.correio.example&result_type=certificate-expired")["rows"]
        assert (detail["domain"], detail["failed_session_count"], detail["first"]) == (
            "correio.example",
            1,
            "2026-11-20",
        )
        assert owner.json(f"/reports/details{RANGE}&policy_type=tlsa")["rows"] == []

    def test_one_report(self, told: Report, owner: Program) -> None:
        found = owner.json(f"/reports/{told.pk}")
        [policy] = found["policies"]
        assert (found["id"], found["trust"], found["counted"], found["raw"]) == (told.pk, "dkim", True, True)
        assert (policy["policy_type"], policy["policy_id"]) == ("sts", told.domain.standing.current.policy_id)
        assert policy["failure_details"] == [
            {
                "result_type": "certificate-expired",
                "sending_mta_ip": "",
                "receiving_mx_hostname": "mx1.correio.example",
                "receiving_mx_helo": "",
                "receiving_ip": "",
                "failed_session_count": 1,
                "additional_information": "",
                "failure_reason_code": "",
            }
        ]


class TestRaw:
    """RELIABILITY 2, row 21: a raw file is never shown across tenants; a stranger's octets are never taken for a page."""

    def test_as_it_came(self, told: Report, owner: Program) -> None:
        answer = owner.get(f"/reports/{told.pk}/raw")
        assert answer.content == MAIL
        headers = {name: answer[name] for name in ("Content-Type", "Content-Disposition", "X-Content-Type-Options")}
        assert headers == {
            "Content-Type": "application/octet-stream",
            "Content-Disposition": f'attachment; filename="report-{told.pk}"',
            "X-Content-Type-Options": "nosniff",
        }

    def test_mixed(self, told: Report, owner: Program) -> None:
        RawReport.objects.everywhere().update(mixed=True)
        assert owner.problem(f"/reports/{told.pk}/raw") == (409, "Conflict", None)
        assert owner.json(f"/reports/{told.pk}")["raw"] is False

    def test_it_came_to_somebody_else(self, told: Report, owner: Program, theirs: Organisation) -> None:
        RawReport.objects.everywhere().update(organisation=theirs)
        assert owner.problem(f"/reports/{told.pk}/raw") == (409, "Conflict", None)

    def test_removed_by_retention(self, told: Report, owner: Program) -> None:
        RawReport.objects.everywhere().all().delete()
        assert owner.problem(f"/reports/{told.pk}/raw") == (404, "Not Found", None)


class TestPaging:
    """UX: cursor paging; what comes in meanwhile moves nothing."""

    def test_reports(self, told: Report, owner: Program) -> None:
        made = [told, *(report(told.domain, number) for number in range(2, 8))]
        seen, cursor = [], ""
        for page in range(4):
            found = owner.json(f"/reports{RANGE}&limit=2{cursor}")
            seen += [row["id"] for row in found["rows"]]
            cursor = f"&cursor={found['next']}"
            report(told.domain, 100 + page)
        assert seen == [row.pk for row in reversed(made)]
        assert found["next"] is None

    def test_domains(self, told: Report, owner: Program) -> None:
        for number in range(4):
            support_panel.hosted(told.organisation, f"d{number}.example")
        first = owner.json("/domains?limit=3")
        support_panel.hosted(told.organisation, "a.example")
        rest = owner.json(f"/domains?limit=3&cursor={first['next']}")
        names = [row["name"] for row in [*first["rows"], *rest["rows"]]]
        assert (names, rest["next"]) == (["correio.example", *(f"d{n}.example" for n in range(4))], None)

    def test_what_is_counted_and_what_is_not(self, told: Report, owner: Program) -> None:
        report(told.domain, 2, trust=Trust.NONE)
        report(told.domain, 3, counted=False)
        by_https = report(told.domain, 4, trust=Trust.HTTPS)
        assert [row["id"] for row in owner.json(f"/reports{RANGE}")["rows"]] == [told.pk]
        everything = owner.json(f"/reports{RANGE}&trust=all")["rows"]
        assert [row["counted"] for row in everything] == [False, False, False, True]
        HostedDomain.objects.everywhere().update(trust_https=True)
        assert [row["id"] for row in owner.json(f"/reports{RANGE}")["rows"]] == [by_https.pk, told.pk]
