"""The reports that came: newest first, filtered, paged; and what could not be read, with another try."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests import support_web
from tests.support_reports import arrival, detail, digested, policy, report_json, reported

from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import services
from trinco.panel.reports.models import RawReport, RawState, Report, Trust

LIST = "/reports/received/"
NO_REPORT = b"From: a@b.example\r\nSubject: hello\r\n\r\nhello\r\n"


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    return support_web.ready(ours)


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def senders(person: Client, **asked: str) -> list[str]:
    """The organisations of the list, in their order."""
    return re.findall(r"<a href=\"/reports/\d+/\"><bdi>([^<]+)</bdi>", person.get(LIST, asked).content.decode())


class TestList:
    def test_newest_first_with_who_vouches(self, domain: HostedDomain, person: Client) -> None:
        today = timezone.now().date()
        reported(domain, day=today - timedelta(days=3), organization_name="Old", trust=Trust.NONE)
        reported(domain, policy(details=[detail(failed=4)]), organization_name="New")
        assert senders(person) == ["New", "Old"]
        said = support_web.text_of(person.get(LIST))
        assert "New google.com correio.example" in said
        assert "Verified by DKIM 10 4" in said
        assert "Not verified not counted 10 0" in said

    @pytest.mark.parametrize(
        ("asked", "found"),
        [
            ({"domain": "correio.example"}, ["B", "A"]),
            ({"domain": "outro"}, ["C"]),
            ({"domain": "example"}, ["C", "B", "A"]),
            ({"domain": "nothing.example"}, []),
            ({"sender": "microsoft"}, ["B"]),
            ({"sender": "c"}, ["C", "B"]),
            ({"trust": "none"}, ["B"]),
            ({"trust": "nonsense"}, ["C", "B", "A"]),
            ({"state": "failed"}, ["A"]),
            ({"state": "uncounted"}, ["C", "B"]),
            ({"state": "uncounted", "trust": "https"}, ["C"]),
            ({"state": "nonsense"}, ["C", "B", "A"]),
        ],
    )
    def test_filters(self, domain: HostedDomain, person: Client, asked: dict[str, str], found: list[str]) -> None:
        other = support_web.ready(domain.organisation, "outro.correio.example")
        reported(domain, policy(details=[detail()]), organization_name="A", submitter="google.example")
        reported(domain, organization_name="B", submitter="microsoft.example", trust=Trust.NONE)
        reported(other, organization_name="C", submitter="mail.example", trust=Trust.HTTPS)
        assert senders(person, **asked) == found

    def test_https_is_counted_where_its_owner_says_so(self, domain: HostedDomain, person: Client) -> None:
        reported(domain, trust=Trust.HTTPS)
        HostedDomain.objects.everywhere().update(trust_https=True)
        assert senders(person, state="uncounted") == []
        assert "not counted</small>" not in person.get(LIST).content.decode()

    def test_of_two_with_one_identity_one_is_not_counted(self, domain: HostedDomain, person: Client) -> None:
        reported(domain, policy(successful=5), report_id="same", organization_name="A")
        reported(domain, policy(successful=6), report_id="same", organization_name="B")
        assert len(senders(person, state="uncounted")) == 1

    def test_pages_are_the_servers(self, domain: HostedDomain, person: Client) -> None:
        row = reported(domain)
        rows = [
            Report(
                organisation=row.organisation, domain=domain, received_at=row.received_at, channel="mail",
                trust=Trust.DKIM, start=row.start, end=row.end, day=row.day, content=str(number), identity=str(number),
                organization_name=f"N{number}",
            )
            for number in range(60)
        ]  # fmt: skip
        Report.objects.everywhere().bulk_create(rows)
        assert senders(person) == [f"N{number}" for number in range(59, 9, -1)]
        assert senders(person, page="2", trust="dkim") == [
            *(f"N{number}" for number in range(9, -1, -1)),
            "Google Inc.",
        ]
        with CaptureQueriesContext(connection) as asked:
            person.get(LIST)
        assert len(asked) <= 12

    def test_an_organisation_without_a_name(self, domain: HostedDomain, person: Client) -> None:
        reported(domain, organization_name="")
        assert senders(person) == ["An organisation without a name"]

    def test_an_empty_list_teaches(self, person: Client) -> None:
        said = support_web.text_of(person.get(LIST))
        assert "No report yet Senders such as Google and Microsoft send one a day" in said
        assert "No report fits this filter." in support_web.text_of(person.get(LIST, {"sender": "x"}))

    def test_a_strangers_name_is_text(self, domain: HostedDomain, person: Client) -> None:
        reported(domain, organization_name="<b>\u202eevil</b>")
        page = person.get(LIST).content.decode()
        assert "&lt;b&gt;?evil&lt;/b&gt;" in page

    def test_others_see_none_of_it(self, domain: HostedDomain, theirs: Organisation) -> None:
        reported(domain)
        digested(arrival(NO_REPORT, domain))
        stranger = support_web.browser(support_web.owner_of(theirs))
        assert senders(stranger) == []
        assert "Could not be read 0" in support_web.text_of(stranger.get(LIST))
        assert "There is none." in support_web.text_of(stranger.get(LIST, {"state": "parked"}))


class TestParked:
    """Issue 3: a report that cannot be digested is parked with the reason, shown to the owner, never dropped."""

    def test_with_its_reason(self, domain: HostedDomain, person: Client) -> None:
        digested(arrival(NO_REPORT, domain))
        digested(arrival(report_json(policy("elsewhere.example")), domain, channel=Channel.HTTPS))
        assert "Reports Could not be read 1 About other domains 1" in support_web.text_of(person.get(LIST))
        said = support_web.text_of(person.get(LIST, {"state": "parked"}))
        assert (
            "noreply@google.com by mail, to the address of correio.example no part of this mail is a report 44" in said
        )
        said = support_web.text_of(person.get(LIST, {"state": "foreign"}))
        assert "192.0.2.25 by HTTPS, to the address of correio.example about elsewhere.example" in said

    def test_what_waits_is_said(self, domain: HostedDomain, person: Client) -> None:
        services.take([arrival(NO_REPORT, domain)])
        assert "1 more is being read" in support_web.text_of(person.get(LIST))

    def test_another_try(self, domain: HostedDomain, person: Client) -> None:
        digested(arrival(NO_REPORT, domain))
        raw = RawReport.objects.of(domain.organisation).get()
        assert f'action="{LIST}{raw.pk}/retry/"' in person.get(LIST, {"state": "parked"}).content.decode()
        answer = person.post(f"{LIST}{raw.pk}/retry/", follow=True)
        assert "It is read once more within seconds." in support_web.text_of(answer)
        raw.refresh_from_db()
        assert (raw.state, raw.reason) == (RawState.PENDING, "")
        assert AuditEntry.objects.of(domain.organisation).filter(action="report.retried").count() == 1
        answer = person.post(f"{LIST}{raw.pk}/retry/", follow=True)
        assert "It was read meanwhile, or waits to be read." in support_web.text_of(answer)

    def test_a_domain_that_was_added_since(self, domain: HostedDomain, person: Client) -> None:
        digested(arrival(report_json(policy("elsewhere.example")), domain))
        support_web.ready(domain.organisation, "elsewhere.example")
        raw = RawReport.objects.of(domain.organisation).get()
        answer = person.post(f"{LIST}{raw.pk}/retry/")
        assert answer["Location"] == f"{LIST}?state=foreign"
        services.digest_due(timezone.now())
        assert Report.objects.of(domain.organisation).get().domain.name == "elsewhere.example"

    def test_a_viewer_is_not_offered_it(self, domain: HostedDomain) -> None:
        digested(arrival(NO_REPORT, domain))
        viewer = support_web.browser(support_web.person("eva@example.com", domain.organisation, "viewer"))  # type: ignore[arg-type]
        assert "Try again" not in support_web.text_of(viewer.get(LIST, {"state": "parked"}))

    def test_the_tabs_say_where_one_is(self, person: Client) -> None:
        page = person.get(LIST).content.decode()
        assert re.findall(r'<a href="(/reports/[^"]*)"(?: aria-current="(page)")?>', page)[-3:] == [
            ("/reports/", ""),
            ("/reports/sources/", ""),
            (LIST, "page"),
        ]
