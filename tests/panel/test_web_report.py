"""One report in plain words: what happened, who vouches, whether it counts, the sender's cache, the raw text."""

from __future__ import annotations

import json
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_reports import STS, arrival, detail, digested, mail, policy, report_json, reported

from trinco.core.mtasts.policy import Mode
from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies import services
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.reports.models import Applied, PolicyRow, RawReport, Report, Trust
from trinco.panel.web.presenters.received import history_link


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    return support_web.ready(ours)


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def text(person: Client, report: Report) -> str:
    return support_web.text_of(person.get(f"/reports/{report.pk}/"))


class TestWhatHappened:
    """UX, page 5: one report, in plain words."""

    def test_who_when_and_about_what(self, domain: HostedDomain, person: Client) -> None:
        day = timezone.now().date() - timedelta(days=1)
        said = text(person, reported(domain, day=day, report_id="2026_7"))
        assert f"Report of Google Inc. {day.day} {day:%B %Y} (UTC)" in said
        assert "Sender Google Inc. Submitter google.com Contact smtp-tls-reporting@google.com Report id 2026_7" in said
        assert "10 sessions, and none failed." in said

    def test_each_failure_with_cause_fix_and_side(self, domain: HostedDomain, person: Client) -> None:
        failing = policy(
            successful=990,
            details=[
                detail("certificate-expired", 7, receiving_mx_hostname="mx2.correio.example", receiving_ip="192.0.2.2"),
                detail("validation-failure", 3, failure_reason_code="MX_HOSTS_MISMATCH"),
            ],
        )
        said = text(person, reported(domain, failing))
        assert "10 of 1,000 sessions failed." in said
        assert "certificate-expired 7 sessions Your mail server The mail server's certificate has expired." in said
        assert "mx2.correio.example 192.0.2.2" in said
        assert "validation-failure 3 sessions The policy" in said
        assert "MX_HOSTS_MISMATCH : An MX record names a host that no mx line of the policy covers." in said

    def test_the_types_are_never_added(self, domain: HostedDomain, person: Client) -> None:
        said = text(person, reported(domain, policy(successful=2), policy(policy_type="tlsa", successful=2)))
        assert "MTA-STS · correio.example" in said
        assert "DANE · correio.example" in said
        assert "do not add them up" in said

    def test_a_domain_that_the_mail_alone_names(self, domain: HostedDomain, person: Client) -> None:
        row = digested(arrival(mail(report_json(policy(None))), domain))[0]
        assert "The domain stands in the mail’s header; the report does not say it." in text(person, row)

    def test_it_costs_a_handful_of_questions(self, domain: HostedDomain, person: Client) -> None:
        many = [policy(details=[detail(f"kind-{n}", 1) for n in range(30)]) for _ in range(10)]
        row = reported(domain, *many)
        with CaptureQueriesContext(connection) as asked:
            text(person, row)
        assert len(asked) <= 16


class TestBelief:
    """PROTOCOL 5: a trust level per report; what nobody vouches for moves no figure."""

    @pytest.mark.parametrize(
        ("trust", "sentence"),
        [
            (Trust.DKIM, "Signed by google.com: the signature was verified when the mail came. Counted in the totals"),
            (Trust.OPERATOR, "Imported by whoever runs this installation, who vouches for it. Counted in the totals"),
            (Trust.HTTPS, "nobody signed it. Not counted: this domain does not count reports that come by HTTPS."),
            (Trust.NONE, "anybody may have written it. Why: the mail is not signed. Not counted: it is kept and shown"),
        ],
    )
    def test_who_vouches_and_whether_it_counts(
        self, domain: HostedDomain, person: Client, trust: Trust, sentence: str
    ) -> None:
        assert sentence in text(person, reported(domain, trust=trust))

    def test_https_counts_where_its_owner_says_so(self, domain: HostedDomain, person: Client) -> None:
        row = reported(domain, trust=Trust.HTTPS)
        HostedDomain.objects.everywhere().update(trust_https=True)
        assert "nobody signed it. Counted in the totals" in text(person, row)

    def test_another_one_counts_in_its_place(self, domain: HostedDomain, person: Client) -> None:
        first = reported(domain, policy(successful=5), report_id="same")
        second = reported(domain, policy(successful=6), report_id="same")
        counted, other = (first, second) if Report.objects.everywhere().get(pk=first.pk).counted else (second, first)
        page = person.get(f"/reports/{other.pk}/")
        assert "another report with the same sender, period and id is counted in its place" in support_web.text_of(page)
        assert f'href="/reports/{counted.pk}/"' in page.content.decode()

    def test_copies(self, domain: HostedDomain, person: Client) -> None:
        body = report_json(report_id="same")
        row = digested(arrival(body, domain), arrival(body, domain), arrival(body, domain))[0]
        assert "It came 3 times, always the same." in text(person, row)


class TestTheSendersCache:
    """Issue 3: the policy that a sender says it applied is compared with the ledger: current, older, never ours."""

    def applied(self, row: Report, applied: Applied, version: PolicyVersion | None) -> None:
        PolicyRow.objects.everywhere().filter(report=row).update(applied=applied, version=version)

    def test_the_current_one(self, domain: HostedDomain, person: Client) -> None:
        row = reported(domain, policy(strings=STS))
        self.applied(row, Applied.CURRENT, domain.versions.get())
        assert "The sender applied the policy that was current: version 1 of" in text(person, row)

    def test_an_older_one_with_the_way_to_it(self, domain: HostedDomain, person: Client) -> None:
        row, before = reported(domain, policy(strings=STS)), domain.versions.get()
        services.publish(domain=domain, policy=services.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA)
        self.applied(row, Applied.OLDER, before)
        page = person.get(f"/reports/{row.pk}/")
        today = timezone.now()
        said = support_web.text_of(page)
        assert (
            f"still applied an older policy of yours: version 1 of {today.day} {today:%B %Y}, from its cache." in said
        )
        assert 'href="/domains/correio.example/history/#v1"' in page.content.decode()
        assert 'id="v1"' in person.get("/domains/correio.example/history/").content.decode()

    def test_a_version_of_long_ago_is_on_a_later_page(self, domain: HostedDomain) -> None:
        version = PolicyVersion(number=7)
        assert history_link(domain, version, 120) == "/domains/correio.example/history/?page=3#v7"
        assert history_link(domain, version, 56) == "/domains/correio.example/history/#v7"

    def test_never_ours(self, domain: HostedDomain, person: Client) -> None:
        row = reported(domain, policy(strings=["version: STSv1", "mode: none", "max_age: 1"]))
        self.applied(row, Applied.NEVER, None)
        assert "The sender applied a policy that was never yours" in text(person, row)

    def test_what_is_not_told_is_not_said(self, domain: HostedDomain, person: Client) -> None:
        row = reported(domain)
        self.applied(row, Applied.UNTOLD, None)
        assert "The sender applied the domain's MTA-STS policy." in text(person, row)
        assert "/history/" not in person.get(f"/reports/{row.pk}/").content.decode()

    def test_the_lines_are_one_click_away(self, domain: HostedDomain, person: Client) -> None:
        row = reported(domain, policy(strings=STS))
        assert "The policy that the sender says it applied Testing version: STSv1 mode: testing" in text(person, row)


class TestRaw:
    """UX, page 5: the raw text; RELIABILITY 2: of a report about several owners each sees their own part."""

    def raw(self, person: Client, row: Report) -> Any:
        return person.get(f"/reports/{row.pk}/raw/")

    def test_as_it_came(self, domain: HostedDomain, person: Client) -> None:
        row = reported(domain)
        answer = self.raw(person, row)
        assert row.raw is not None
        assert answer.content == zlib.decompress(row.raw.body)
        assert answer.content.startswith(b"From: noreply@google.com")
        names = ("Content-Type", "X-Content-Type-Options", "Content-Disposition", "Content-Security-Policy")
        assert [answer[name] for name in names] == [
            "application/octet-stream",
            "nosniff",
            f'attachment; filename="report-{row.pk}.eml"',
            "default-src 'none'; sandbox",
        ]

    @pytest.mark.parametrize(
        ("start", "suffix"), [(b"{}", "json"), (b"\x1f\x8b\x08", "json.gz"), (b"PK\x03\x04", "zip")]
    )
    def test_its_name_fits_what_it_is(self, domain: HostedDomain, person: Client, start: bytes, suffix: str) -> None:
        row = reported(domain, trust=Trust.HTTPS)
        RawReport.objects.everywhere().update(body=zlib.compress(start))
        assert self.raw(person, row)["Content-Disposition"].endswith(f'report-{row.pk}.{suffix}"')

    def test_of_several_owners_each_has_their_part(
        self, domain: HostedDomain, theirs: Organisation, person: Client
    ) -> None:
        rival = support_web.ready(theirs, "rival.example")
        mixed = report_json(policy(successful=1), policy("rival.example", successful=987_654))
        rows = digested(arrival(mixed, domain))
        mine = next(row for row in rows if row.domain_id == domain.pk)
        other = next(row for row in rows if row.domain_id == rival.pk)
        answer = self.raw(person, mine)
        assert answer["Content-Type"] == "application/json"
        told = json.loads(answer.content)["policies"]
        assert [one["policy"]["policy-domain"] for one in told] == ["correio.example"]
        page = text(person, mine)
        assert "rival" not in page + answer.content.decode()
        assert "987" not in page
        assert "This domain’s part" in page
        stranger = support_web.browser(support_web.owner_of(theirs))
        assert [stranger.get(f"/reports/{row.pk}/raw/").status_code for row in (mine, other)] == [404, 200]
        assert "correio" not in self.raw(stranger, other).content.decode()

    def test_a_report_that_came_with_somebody_elses_token(
        self, domain: HostedDomain, theirs: Organisation, person: Client
    ) -> None:
        rival = support_web.ready(theirs, "rival.example")
        row = digested(arrival(report_json(policy("correio.example")), rival))[0]
        answer = self.raw(person, row)
        assert (answer["Content-Type"], row.organisation_id) == ("application/json", domain.organisation_id)

    def test_after_retention_the_rows_are_left(self, domain: HostedDomain, person: Client) -> None:
        row = reported(domain, policy(successful=3, details=[detail("certificate-expired", 2)]))
        Report.objects.everywhere().update(raw=None)
        RawReport.objects.everywhere().all().delete()
        [told] = json.loads(self.raw(person, row).content)["policies"]
        assert told["summary"] == {"total-successful-session-count": 3, "total-failure-session-count": 2}
        assert told["failure-details"] == [{"result-type": "certificate-expired", "failed-session-count": 2}]
        assert "Nobody vouches" not in text(person, row)

    def test_long_texts_are_whole_in_the_part(self, domain: HostedDomain, theirs: Organisation, person: Client) -> None:
        support_web.ready(theirs, "rival.example")
        told = policy(details=[detail(failure_reason_code="x" * 2000)])
        rows = digested(arrival(report_json(told, policy("rival.example")), domain))
        mine = next(row for row in rows if row.domain_id == domain.pk)
        assert "x" * 2000 in self.raw(person, mine).content.decode()


class TestHostile:
    def test_markup_and_turned_characters(self, domain: HostedDomain, person: Client) -> None:
        evil = "<script>alert(1)</script>\u202e"
        told = policy(details=[detail("odd", 1, failure_reason_code=evil, additional_information=evil)], strings=[evil])
        row = reported(domain, told, organization_name=evil)
        page = person.get(f"/reports/{row.pk}/").content.decode()
        assert "<script>alert" not in page
        assert "\u202e" not in page

    def test_a_domain_that_is_gone_keeps_its_reports(self, domain: HostedDomain, person: Client) -> None:
        row = reported(domain, policy(strings=STS), trust=Trust.HTTPS)
        PolicyRow.objects.everywhere().update(applied=Applied.OLDER, version=domain.versions.get())
        HostedDomain.objects.everywhere().update(state=State.GONE)
        page = person.get(f"/reports/{row.pk}/")
        assert page.status_code == 200
        assert 'href="/domains/correio.example/' not in page.content.decode()

    def test_what_came_by_https_says_so(self, domain: HostedDomain, person: Client) -> None:
        row = digested(arrival(report_json(), domain, channel=Channel.HTTPS))[0]
        assert ", by HTTPS" in text(person, row)
