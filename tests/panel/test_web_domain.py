"""A domain's page: one sentence on top, and everything below it as it stands now."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_checks_rows import certified

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import Finding, HostedDomain, MxSighting, Starttls
from trinco.panel.policies import services
from trinco.panel.policies.models import PolicyVersion

PAGE = "/domains/correio.example/"


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    return support_web.ready(ours)


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def enforce(domain: HostedDomain) -> None:
    services.publish(domain=domain, policy=services.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA)


def text(person: Client, page: str = PAGE) -> str:
    return support_web.text_of(person.get(page))


class TestTheSentence:
    """UX, page 3: one sentence on top with one action."""

    def test_ready_to_enforce(self, person: Client) -> None:
        view = person.get(PAGE).context["view"]
        assert (view.status.sentence, view.action.href) == ("Ready to enforce", f"{PAGE}policy/?mode=enforce")

    def test_a_server_that_is_not_in_the_policy(self, domain: HostedDomain, person: Client) -> None:
        support_panel.sight_mx(domain, "mx1.correio.example", "mx9.correio.example")
        view = person.get(PAGE).context["view"]
        assert view.status.sentence == "mx9.correio.example is in DNS, but not in the policy"
        assert (view.status.look, view.action.href) == ("warn", f"{PAGE}mail-servers/")

    def test_the_same_is_critical_in_enforce(self, domain: HostedDomain, person: Client) -> None:
        enforce(domain)
        support_panel.sight_mx(domain, "mx1.correio.example", "mx9.correio.example")
        status = person.get(PAGE).context["view"].status
        assert (status.look, status.advice[:45]) == ("bad", "Senders that honour MTA-STS do not deliver th")

    def test_a_lost_record(self, domain: HostedDomain, person: Client) -> None:
        support_panel.sight(domain, Finding.ELSEWHERE)
        assert "The record mta-sts.correio.example no longer points here" in text(person)


class TestOverdue:
    """A green sentence holds only as long as somebody looks."""

    @pytest.mark.parametrize(("hours", "told"), [(1, False), (3, True)])
    def test_a_look_that_is_overdue_is_told(self, domain: HostedDomain, person: Client, hours: int, told: bool) -> None:
        looked = timezone.now() - timedelta(hours=hours)
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(checked_at=looked)
        said = f"DNS and mail servers were last looked at {hours} h ago"
        assert [said in text(person, page) for page in (PAGE, "/")] == [told, told]


class TestTheParts:
    def test_the_mail_servers(self, domain: HostedDomain, person: Client) -> None:
        MxSighting.objects.of(domain.organisation).create(
            domain=domain,
            host="mx2.correio.example",
            preference=20,
            starttls=Starttls.BAD_CERTIFICATE,
            problem="expired",
        )
        said = text(person)
        assert "mx1.correio.example priority 0 TLS 1.3 Yes 60 days until" in said
        assert "mx2.correio.example priority 20 Certificate not valid expired No —" in said

    def test_patterns_that_match_nothing_in_dns(self, domain: HostedDomain, person: Client) -> None:
        support_panel.sight_mx(domain, "mx9.correio.example")
        assert "In the policy, but not in DNS: mx1.correio.example" in text(person)

    def test_the_checks_before_enforce(self, person: Client) -> None:
        assert "Ready to enforce? 5 of 5 Passed: The three DNS records point here" in text(person)

    def test_the_checks_are_gone_once_it_enforces(self, domain: HostedDomain, person: Client) -> None:
        enforce(domain)
        assert "Ready to enforce?" not in text(person)

    def test_the_certificate(self, domain: HostedDomain, person: Client) -> None:
        certified(domain, timezone.now() + timedelta(days=41, hours=1))
        assert "Certificate of the policy host mta-sts.correio.example Certificate: 41 days" in text(person)

    def test_the_file_as_it_is_served(self, person: Client) -> None:
        body = "version: STSv1\r\nmode: testing\r\nmx: mx1.correio.example\r\nmax_age: 86400\r\n"
        assert person.get(PAGE).context["view"].body == body


class TestPublishBeforeAnnounce:
    """DESIGN 3: the file is on every live edge before DNS says its id; the page shows which of both it is."""

    def test_on_its_way_and_announced(self, domain: HostedDomain, person: Client) -> None:
        before = PolicyVersion.objects.of(domain.organisation).get().policy_id
        enforce(domain)
        said = text(person)
        assert "The file is on its way to every edge; DNS announces it after that" in said
        assert f"DNS still says {before}" in said
        support_web.settled(domain)
        assert "Served by every edge, announced in DNS" in text(person, f"{PAGE}live/")

    def test_the_page_asks_faster_while_it_is_under_way(self, domain: HostedDomain, person: Client) -> None:
        assert 'hx-trigger="every 10s"' in person.get(PAGE).content.decode()
        enforce(domain)
        assert 'hx-trigger="every 500ms"' in person.get(PAGE).content.decode()

    def test_until_when_senders_may_hold_the_old_one(self, domain: HostedDomain, person: Client) -> None:
        enforce(domain)
        support_web.settled(domain)
        services.publish(domain=domain, policy=services.proposed(domain, Mode.TESTING), actor=support_panel.ANA)
        support_web.settled(domain)
        until = timezone.now() + timedelta(days=7, seconds=300)
        expected = f"Until {until.day} {until:%B %Y} some senders may still hold the old policy."
        assert expected in text(person)


class TestHistory:
    def test_each_version_with_its_difference(self, domain: HostedDomain, person: Client) -> None:
        enforce(domain)
        versions = person.get(PAGE).context["versions"]
        assert [(row.version.number, row.first, len(row.diff)) for row in versions] == [(2, False, 6), (1, True, 4)]

    def test_all_of_them_on_a_page_of_their_own(self, domain: HostedDomain, person: Client) -> None:
        for number in range(6):
            mode = Mode.TESTING if number % 2 else Mode.ENFORCE
            services.publish(domain=domain, policy=services.proposed(domain, mode), actor=support_panel.ANA)
        assert [row.version.number for row in person.get(PAGE).context["versions"]] == [7, 6, 5, 4, 3]
        assert [row.version.number for row in person.get(f"{PAGE}history/").context["versions"]] == list(
            range(7, 0, -1)
        )


class TestSwitches:
    def test_the_reporting_record_off_and_on(self, domain: HostedDomain, person: Client) -> None:
        person.post(f"{PAGE}tls-reporting/", {"on": ""})
        assert "The name answers with no record: senders send no reports." in text(person)
        person.post(f"{PAGE}tls-reporting/", {"on": "1"})
        assert f"v=TLSRPTv1; rua=mailto:{domain.label}@reports.trinco.example" in text(person)

    def test_check_now_makes_the_worker_look(self, domain: HostedDomain, person: Client) -> None:
        HostedDomain.objects.of(domain.organisation).update(check_due_at=timezone.now() + timedelta(hours=1))
        assert "We are looking." in support_web.text_of(person.post(f"{PAGE}check/", follow=True))
        assert HostedDomain.objects.of(domain.organisation).get().check_due_at <= timezone.now()

    def test_twice_in_a_row_is_once(self, domain: HostedDomain, person: Client) -> None:
        HostedDomain.objects.of(domain.organisation).update(checked_at=timezone.now())
        assert "That was looked at a moment ago." in support_web.text_of(person.post(f"{PAGE}check/", follow=True))


class TestBounds:
    def test_the_page_asks_a_bounded_number_of_questions(self, domain: HostedDomain, person: Client) -> None:
        for number in range(2, 40):
            MxSighting.objects.of(domain.organisation).create(domain=domain, host=f"mx{number}.x.example", preference=5)
        with CaptureQueriesContext(connection) as asked:
            person.get(PAGE)
        assert len(asked) <= 30
