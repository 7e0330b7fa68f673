"""The pages of the TLS reports: what failed and what to do, who reports, what is counted, and who may see it."""

from __future__ import annotations

import html
import re
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests import support_charts, support_panel, support_web
from tests.support_charts import Failure, report

from trinco.core.tlsrpt import parse, results
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.reports.models import Applied, Trust
from trinco.panel.web import meanings

BY_RESULT, BY_SOURCE, DOMAIN = "/reports/", "/reports/sources/", "/domains/correio.example/"
EXPIRED = Failure("certificate-expired", 7, "mx2.correio.example")


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


@pytest.fixture
def day() -> date:
    return support_charts.today() - timedelta(days=3)


def text(person: Client, page: str) -> str:
    answer = person.get(page)
    assert answer.status_code == 200
    return support_web.text_of(answer)


def rows(person: Client, page: str) -> dict[str, tuple[str, str]]:
    """The days of the table behind the chart: succeeded and failed, as a program reads them."""
    found = re.findall(r'<tr data-day="([^"]+)">(.*?)</tr>', person.get(page).content.decode(), re.DOTALL)
    told = {day: re.findall(r'data-value="(\d+)"', cells) for day, cells in found}
    return {day: (values[0], values[1]) for day, values in told.items() if values}


class TestByResult:
    """UX: each result type has a sentence, a likely cause, a fix, a severity, and whose side it is on."""

    def test_the_sentence_the_fix_and_the_server(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 93, EXPIRED)
        said = text(person, BY_RESULT)
        wanted = results.RESULT_TYPES["certificate-expired"]
        assert [
            part for part in (wanted.meaning, wanted.action, "Serious", "mx2.correio.example") if part not in said
        ] == []
        assert "Sessions, 30 days 100 Encrypted and verified 93.00 %" in said

    def test_worst_first_with_its_share(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 90, Failure("starttls-not-supported", 1), Failure("certificate-expired", 9))
        said = text(person, BY_RESULT)
        assert said.index("certificate-expired") < said.index("starttls-not-supported")
        assert "90\N{NO-BREAK SPACE}%" in person.get(BY_RESULT).content.decode()

    def test_two_policy_types_are_two_rows_and_never_added(
        self, domain: HostedDomain, person: Client, day: date
    ) -> None:
        """RFC 8460 section 4.4: several policies may have been applied to the same sessions."""
        for policy_type in ("sts", "tlsa"):
            report(domain, day, 10, EXPIRED, policy_type=policy_type)
        said = text(person, BY_RESULT)
        assert "MTA-STS and DANE are listed apart: these may be the same sessions" in said
        assert person.get(BY_RESULT).content.decode().count('data-value="7"') == 2

    def test_one_alone_says_nothing_of_that(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 10, EXPIRED)
        assert "listed apart" not in text(person, BY_RESULT)

    def test_details_that_do_not_add_up(self, domain: HostedDomain, person: Client, day: date) -> None:
        made = report(domain, day, 10, EXPIRED)
        totals = support_charts.DailyTotal.objects.everywhere().filter(
            domain=made.domain, policy_type="", result_type=""
        )
        totals.update(failed_session_count=5)
        assert "The details add up to 7 failures, the summaries to 5: one session can fail" in text(person, BY_RESULT)
        totals.update(failed_session_count=9)
        assert "the summaries to 9: senders give details of some only" in text(person, BY_RESULT)

    def test_a_word_that_the_standard_does_not_have(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 1, Failure("x-teapot", 2), policy_type="x-tea")
        said = text(person, BY_RESULT)
        assert "x-teapot x-tea This result type is not one of the standard." in said

    def test_no_failure(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 5)
        assert "No failure was reported." in text(person, BY_RESULT)
        assert "No report was received about this day." in text(person, f"{BY_RESULT}?day={day + timedelta(days=1)}")


class TestUnfolding:
    """What a row unfolds to, with and without script."""

    MORE = (
        ("receiving_ip", "192.0.2.25"),
        ("sending_mta_ip", "198.51.100.7"),
        ("failure_reason_code", "MX_HOSTS_MISMATCH"),
        ("additional_information", "https://sender.example/why?a=1"),
    )

    @pytest.fixture
    def page(self, domain: HostedDomain, day: date) -> str:
        version = PolicyVersion.objects.everywhere().get(domain=domain)
        failure = Failure("validation-failure", 3, "mx9.correio.example", self.MORE)
        report(domain, day, 5, failure, applied=Applied.CURRENT, version=version)
        return f"{BY_RESULT}?policy=sts&result=validation-failure"

    def test_everything_that_the_sender_tells(self, person: Client, page: str) -> None:
        said = text(person, page)
        told = [value for _name, value in self.MORE]
        wanted = [
            *told,
            "mx9.correio.example",
            "google.com",
            "Testing",
            results.REASON_CODES["MX_HOSTS_MISMATCH"].meaning,
        ]
        assert [part for part in wanted if part not in said] == []

    def test_a_link_is_followed_by_nobody_unasked(self, person: Client, page: str) -> None:
        text = person.get(page).content.decode()
        assert '<a href="https://sender.example/why?a=1" rel="noopener nofollow noreferrer">' in text

    def test_htmx_gets_the_part_alone(self, person: Client, page: str) -> None:
        part = person.get(page, headers={"HX-Request": "true"}).content.decode()
        assert (part.startswith("<table"), "<html" in part, "mx9.correio.example" in part) == (True, False, True)

    def test_a_page_without_script_leads_there(self, person: Client, page: str) -> None:
        assert f'href="{html.escape(page)}"' in person.get(BY_RESULT).content.decode()

    @pytest.mark.parametrize(
        "link", ["javascript:alert(1)", "data:text/html,x", "//x.example", "https://a:b@x.example/"]
    )
    def test_other_links_are_text(self, domain: HostedDomain, person: Client, day: date, link: str) -> None:
        report(domain, day, 5, Failure("tlsa-invalid", 1, "", (("additional_information", link),)))
        page = person.get(f"{BY_RESULT}?policy=sts&result=tlsa-invalid").content.decode()
        assert (html.escape(link) in page, f'href="{html.escape(link)}"' in page) == (True, False)


class TestBySource:
    def test_a_sender(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 990, Failure("certificate-expired", 10), organization_name="Google Inc.")
        assert "G Google Inc. google.com 1,000 10 99.00 %" in text(person, BY_SOURCE)

    def test_the_policy_it_applied(self, domain: HostedDomain, person: Client, day: date) -> None:
        """Issue 3: current / older (which, since when) / never ours."""
        version = PolicyVersion.objects.everywhere().get(domain=domain)
        PolicyVersion.objects.everywhere().update(created_at="2026-11-03T10:00:00Z")
        for submitter, applied in zip(
            "abcd", (Applied.CURRENT, Applied.OLDER, Applied.NEVER, Applied.UNTOLD), strict=True
        ):
            told = {"applied": applied, "version": version if applied in (Applied.CURRENT, Applied.OLDER) else None}
            report(domain, day, 5, submitter=f"{submitter}.example", organization_name=submitter, **told)
        said = text(person, BY_SOURCE)
        assert "applies the current policy" in said
        assert "still applies the policy of 3 November 2026 correio.example" in said
        assert "still applies the policy of 3 November 2026 correio" not in text(person, DOMAIN)
        assert "applies a policy that was never ours" in said
        assert "does not say" in said

    def test_it_unfolds_to_domains_and_results(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 5, EXPIRED)
        said = text(person, f"{BY_SOURCE}?open=google.com")
        assert "correio.example MTA-STS certificate-expired mx2.correio.example" in said

    def test_a_sender_without_contact(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 5, EXPIRED, submitter="", organization_name="")
        said = text(person, f"{BY_SOURCE}?open=")
        assert "A sender without a name" in said
        assert "certificate-expired" in said


class TestFilters:
    @pytest.fixture(autouse=True)
    def told(self, domain: HostedDomain, day: date) -> None:
        report(domain, day, 50, EXPIRED)
        report(domain, day - timedelta(days=40), 20, submitter="microsoft.com")
        other = support_panel.announced(domain.organisation, "outra.example")
        report(other, day - timedelta(days=1), 30, Failure("starttls-not-supported", 4))

    def test_a_domain(self, person: Client) -> None:
        assert "starttls-not-supported" in text(person, BY_RESULT)
        assert "starttls-not-supported" not in text(person, f"{BY_RESULT}?domain=correio.example")

    def test_a_day_narrows_the_tables_and_not_the_chart(self, person: Client, day: date) -> None:
        page = f"{BY_RESULT}?day={day}"
        said = text(person, page)
        assert ("certificate-expired" in said, "starttls-not-supported" in said) == (True, False)
        assert rows(person, page) == rows(person, BY_RESULT)
        assert "Show all 30 days" in said

    @pytest.mark.parametrize(("days", "sums"), [(7, 91), (30, 91), (90, 111), (365, 111)])
    def test_a_range(self, person: Client, days: int, sums: int) -> None:
        page = f"{BY_RESULT}?range={days}"
        assert person.get(page).content.decode().count('<tr data-day="') == days
        assert sum(int(count) for both in rows(person, page).values() for count in both) == sums

    def test_dates_of_ones_own(self, person: Client, day: date) -> None:
        assert list(rows(person, f"{BY_RESULT}?from={day}&to={day}")) == [day.isoformat()]

    def test_a_sender(self, person: Client) -> None:
        said = text(person, f"{BY_SOURCE}?range=90&sender=microsoft.com")
        assert ("Only reports of microsoft.com" in said, "google.com" in said) == (True, False)

    def test_ten_years_are_months(self, person: Client) -> None:
        page = f"{BY_RESULT}?from=2017-01-01"
        assert 110 < person.get(page).content.decode().count('<tr data-day="') < 130
        assert "TLS sessions per month" in text(person, page)

    @pytest.mark.parametrize(
        "asked", ["range=abc", "from=x&to=y", "day=9999", "range=30&range=7", "sender=%00", "trust=<b>", "result=%00"]
    )
    def test_nonsense_is_left_aside(self, person: Client, asked: str) -> None:
        assert [person.get(f"{page}?{asked}").status_code for page in (BY_RESULT, BY_SOURCE, DOMAIN)] == [200] * 3


class TestTrust:
    """RFC 8460 section 5.3 / RELIABILITY: what nobody vouches for moves no figure, and is not hidden either."""

    def test_what_is_left_out_is_said(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 50)
        report(domain, day, 999_999, EXPIRED, trust=Trust.NONE)
        said = text(person, BY_RESULT)
        assert "1 report of this range is not counted" in said
        assert "999,999" not in said
        everything = text(person, f"{BY_RESULT}?trust=all")
        assert "Reports that nobody vouches for are counted here as well" in everything
        assert "1,000,056" in everything

    def test_it_is_said_where_nothing_else_is_there(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 5, trust=Trust.HTTPS)
        said = text(person, BY_RESULT)
        assert "1 report of this range is not counted" in said
        assert "No report that is counted in this range" in said


class TestTheFirstReport:
    """UX 9: empty states teach: who sends reports, that 24-48 hours are normal, how to test oneself."""

    def test_they_teach(self, person: Client) -> None:
        for page in (BY_RESULT, BY_SOURCE, DOMAIN):
            said = text(person, page)
            wanted = (
                "Wait for 24 to 48 hours",
                "Google, Microsoft and mail.ru",
                "curl --data-binary",
                "trinco report show",
            )
            assert [part for part in wanted if part not in said] == []

    def test_the_command_is_a_report_about_the_domain(self, domain: HostedDomain, person: Client) -> None:
        said = html.unescape(person.get(BY_RESULT).content.decode())
        door = f"/v1/tlsrpt/{domain.label} <<'END'\n"
        [body] = re.findall(re.escape(door) + r"(\{.*\})\nEND", said)
        [read] = parse.reports(body.encode())
        assert [(one.policy_domain, one.successful_session_count) for one in read.policies] == [("correio.example", 1)]

    def test_in_the_playground_it_goes_there(self, settings: Any, person: Client) -> None:
        made_up = {"playground": True, "policy_listen": (("127.0.0.1", 8443),)}
        settings.CONFIG = replace(settings.CONFIG, **made_up)
        way = f"curl --cacert {settings.DATA}/ca.pem --connect-to ::127.0.0.1:8443 --data-binary @- "
        assert way in html.unescape(person.get(BY_RESULT).content.decode())

    def test_no_command_before_it_is_served(self, domain: HostedDomain, person: Client) -> None:
        HostedDomain.objects.of(domain.organisation).update(state=State.SETUP)
        assert "curl" not in text(person, BY_RESULT)

    def test_nobody_is_asked(self, domain: HostedDomain, person: Client) -> None:
        HostedDomain.objects.of(domain.organisation).update(tlsrpt=False)
        assert "Nobody is asked for reports about correio.example" in text(person, BY_RESULT)

    def test_not_in_this_range(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 5)
        said = text(person, f"{BY_RESULT}?from=2026-01-01&to=2026-01-31")
        assert ("No report in this range" in said, "Wait for 24" in said) == (True, False)

    def test_without_a_domain(self, theirs: Organisation) -> None:
        stranger = support_web.browser(support_web.owner_of(theirs))
        assert "Wait for 24 to 48 hours" in text(stranger, BY_RESULT)


class TestTheDomainsPage:
    def test_figures_chart_and_tables_of_this_domain_alone(
        self, domain: HostedDomain, person: Client, day: date
    ) -> None:
        other = support_panel.announced(domain.organisation, "outra.example")
        report(other, day, 30, Failure("starttls-not-supported", 4))
        report(domain, day, 93, EXPIRED)
        said = text(person, DOMAIN)
        assert ("certificate-expired" in said, "starttls-not-supported" in said) == (True, False)
        assert rows(person, DOMAIN) == {day.isoformat(): ("93", "7")}
        assert "Your mail servers" in said

    def test_its_rows_lead_to_the_reports_of_this_domain(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 93, EXPIRED)
        page = html.unescape(person.get(DOMAIN).content.decode())
        assert "/reports/?domain=correio.example&policy=sts&result=certificate-expired" in page
        assert "/reports/export/by-result.csv?domain=correio.example" in page

    def test_a_bounded_number_of_questions(self, domain: HostedDomain, person: Client) -> None:
        support_charts.weeks(domain, 12)
        with CaptureQueriesContext(connection) as asked:
            person.get(DOMAIN)
        assert len(asked) <= 40
        for page in (BY_RESULT, BY_SOURCE):
            with CaptureQueriesContext(connection) as asked:
                person.get(page)
            assert len(asked) <= 20


class TestMistyped:
    """A name that nobody has is told as that, with those that look like it, on a page of its own."""

    @pytest.mark.parametrize("page", [BY_RESULT, BY_SOURCE])
    def test_leads_to_the_one_that_was_meant(self, domain: HostedDomain, person: Client, page: str) -> None:
        answer = person.get(f"{page}?range=7&domain=coreio.example")
        assert answer.status_code == 404
        said = support_web.text_of(answer)
        assert "No such domain None of your domains is called coreio.example ." in said
        assert 'href="?domain=correio.example&amp;range=7"' in answer.content.decode()

    def test_a_stranger_is_told_of_none_of_ours(self, domain: HostedDomain, theirs: Organisation) -> None:
        stranger = support_web.browser(support_web.owner_of(theirs))
        said = support_web.text_of(stranger.get(f"{BY_RESULT}?domain=coreio.example"))
        assert "correio" not in said


class TestStrangers:
    """RELIABILITY 2, row 29: a stranger finds nothing; a name of somebody else's does not exist."""

    def test_they_see_nothing_of_ours(self, domain: HostedDomain, theirs: Organisation, day: date) -> None:
        report(domain, day, 50, EXPIRED)
        stranger = support_web.browser(support_web.owner_of(theirs))
        for page in (
            BY_RESULT,
            BY_SOURCE,
            f"{BY_RESULT}?policy=sts&result=certificate-expired",
            f"{BY_SOURCE}?open=google.com",
        ):
            said = stranger.get(page).content.decode()
            assert [word for word in ("mx2.correio", "google.com</bdi>", "correio.example") if word in said] == []
        assert stranger.get(f"{BY_RESULT}?domain=correio.example").status_code == 404


class TestMarkup:
    """RELIABILITY row 24: organisation, reason and link are a stranger's: they stay text."""

    EVIL = '"><img src=x onerror=alert(1)><script>alert(1)</script>\u202e'

    def test_in_every_field(self, domain: HostedDomain, person: Client, day: date) -> None:
        fields = ("receiving_ip", "sending_mta_ip", "failure_reason_code", "additional_information")
        failure = Failure(self.EVIL[:64], 3, self.EVIL, tuple((name, self.EVIL[:64]) for name in fields))
        report(domain, day, 5, failure, submitter=self.EVIL, organization_name=self.EVIL, policy_type=self.EVIL[:60])
        opened = f"{BY_RESULT}?policy={self.EVIL[:60]}&result={self.EVIL[:64]}"
        for page in (
            BY_RESULT,
            opened,
            BY_SOURCE,
            f"{BY_SOURCE}?open={self.EVIL}",
            DOMAIN,
            f"{BY_RESULT}?sender={self.EVIL}",
        ):
            answer = person.get(page)
            assert [part for part in ("<img", "<script>") if part in answer.content.decode()] == []
            assert "\u202e" not in support_web.text_of(answer)


class TestWords:
    """Issue 3: every explanation has its Portuguese."""

    def test_every_severity_and_side_has_its_word(self) -> None:
        assert set(meanings.SIDES) == set(results.Side)
        assert set(meanings.LOOKS) == set(results.Severity)

    def test_in_portuguese(self, domain: HostedDomain, person: Client, day: date) -> None:
        report(domain, day, 93, EXPIRED)
        person.cookies["trinco_language"] = "pt-pt"
        said = text(person, BY_RESULT)
        assert "O certificado do servidor de correio expirou." in said
        assert "Grave" in said
