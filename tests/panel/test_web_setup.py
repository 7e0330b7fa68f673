"""Setting a domain up: the three records, what stands in their way, the mail servers, and what follows by itself."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db.models import F
from django.test import Client
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_checks_rows import certified

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import Finding, HostedDomain, RecordName, RecordSighting
from trinco.panel.policies.models import PolicyVersion

SETUP = "/domains/correio.example/setup/"


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    """Just added."""
    return support_panel.hosted(ours)


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def seen(domain: HostedDomain, finding: Finding, what: str) -> None:
    """All three were found but `_mta-sts`."""
    support_panel.sight(domain)
    sighting = RecordSighting.objects.of(domain.organisation).filter(record=RecordName.STS_TXT)
    sighting.update(finding=finding, seen=what)


class TestInstructions:
    """DESIGN 4: three CNAMEs into our zone, one hop, under one label."""

    def test_fields(self, domain: HostedDomain, person: Client) -> None:
        text = support_web.text_of(person.get(SETUP))
        targets = [f"{domain.label}.{part}.trinco.example" for part in ("policy", "mta-sts", "tlsrpt")]
        assert [target in text for target in targets] == [True, True, True]

    def test_zone_file(self, domain: HostedDomain, person: Client) -> None:
        text = person.get(f"{SETUP}?as=zone").context["text"]
        assert text == (
            f"mta-sts.correio.example. 3600 IN CNAME {domain.label}.policy.trinco.example.\n"
            f"_mta-sts.correio.example. 3600 IN CNAME {domain.label}.mta-sts.trinco.example.\n"
            f"_smtp._tls.correio.example. 3600 IN CNAME {domain.label}.tlsrpt.trinco.example.\n"
        )

    def test_terraform(self, domain: HostedDomain, person: Client) -> None:
        text = person.get(f"{SETUP}?as=terraform").context["text"]
        first, _, third = text.split("\n\n")
        assert first == (
            'resource "dns_cname_record" "mta_sts_correio_example" {\n'
            '  zone  = "correio.example."\n  name  = "mta-sts"\n'
            f'  cname = "{domain.label}.policy.trinco.example."\n  ttl   = 3600\n}}'
        )
        assert third.startswith('resource "dns_cname_record" "smtp_tls_correio_example" {')

    def test_octodns(self, domain: HostedDomain, person: Client) -> None:
        text = person.get(f"{SETUP}?as=octodns").context["text"]
        assert text.startswith(
            f"_mta-sts:\n  ttl: 3600\n  type: CNAME\n  value: {domain.label}.mta-sts.trinco.example.\n"
        )

    def test_another_form_shows_the_fields(self, person: Client) -> None:
        assert person.get(f"{SETUP}?as=nonsense").context["format"] == "fields"

    def test_the_domain_page_leads_here_until_it_is_live(self, person: Client) -> None:
        assert person.get("/domains/correio.example/")["Location"] == SETUP


class TestFindings:
    """UX, page 2: what is in the way is told apart, and what to do is said."""

    @pytest.mark.parametrize(
        ("finding", "what", "said"),
        [
            (Finding.FOUND, "", "Found Name _mta-sts"),
            (Finding.MISSING, "", "Not found yet Name _mta-sts"),
            (Finding.ELSEWHERE, "old.example", "It now points to old.example"),
            (Finding.TXT_IN_THE_WAY, "v=STSv1; id=1", "delete it first. There is v=STSv1; id=1"),
            (Finding.WILDCARD, "192.0.2.1", "publish the CNAME at exactly this name. It answers 192.0.2.1"),
            (Finding.PROXIED, "192.0.2.1", "Turn the proxy off for this record (“DNS only”)"),
            (Finding.CAA_FORBIDS, "correio.example CAA 0 issue x", "There is correio.example CAA 0 issue x"),
            (Finding.UNKNOWN, "", "The name servers of the domain did not answer. We go on asking."),
        ],
    )
    def test_each_is_said(self, domain: HostedDomain, person: Client, finding: Finding, what: str, said: str) -> None:
        seen(domain, finding, what)
        assert said in support_web.text_of(person.get(SETUP))

    def test_the_count_and_when(self, domain: HostedDomain, person: Client) -> None:
        seen(domain, Finding.MISSING, "")
        HostedDomain.objects.of(domain.organisation).update(checked_at=timezone.now() - timedelta(seconds=3))
        assert "2 of 3 found checked 3 s ago at the authoritative servers" in support_web.text_of(person.get(SETUP))

    def test_what_a_stranger_wrote_into_dns_is_not_obeyed(self, domain: HostedDomain, person: Client) -> None:
        seen(domain, Finding.TXT_IN_THE_WAY, "<script>alert(1)</script>")
        assert "<script>alert" not in person.get(SETUP).content.decode()


class TestMailServers:
    """DESIGN 3: MX records seen in DNS are a suggestion to a person; they never become a policy by themselves."""

    def test_the_form_waits_until_they_are_read(self, person: Client) -> None:
        assert "Reading the MX records…" in support_web.text_of(person.get(SETUP))
        assert person.get(f"{SETUP}mx/").status_code == 204

    def test_what_was_read_is_offered(self, domain: HostedDomain, person: Client) -> None:
        support_panel.sight_mx(domain, "mx1.correio.example", "mx2.correio.example")
        page = person.get(f"{SETUP}mx/").content.decode()
        assert "mx1.correio.example\nmx2.correio.example</textarea>" in page
        assert PolicyVersion.objects.of(domain.organisation).count() == 0

    def test_the_person_confirms_an_edited_list(self, domain: HostedDomain, person: Client) -> None:
        typed = "MX1.correio.example.\r\n\r\n*.hoster.example, mx1.correio.example"
        answer = person.post("/domains/correio.example/mail-servers/", {"mx": typed})
        version = PolicyVersion.objects.of(domain.organisation).get()
        assert answer["Location"] == SETUP
        assert (version.mode, version.mx, version.max_age) == (
            "testing",
            ["mx1.correio.example", "*.hoster.example"],
            86_400,
        )

    @pytest.mark.parametrize("typed", ["", "mx_1.example", "a.*.example", "192.0.2.1", "mx1.example\u2028mode: none"])
    def test_what_is_no_list_is_refused(self, domain: HostedDomain, person: Client, typed: str) -> None:
        answer = person.post("/domains/correio.example/mail-servers/", {"mx": typed})
        assert (answer.status_code, PolicyVersion.objects.of(domain.organisation).count()) == (200, 0)

    def test_confirming_twice_changes_nothing(self, domain: HostedDomain, person: Client) -> None:
        for host in ("mx1.correio.example", "mx2.correio.example"):
            person.post("/domains/correio.example/mail-servers/", {"mx": host})
        assert [version.mx for version in PolicyVersion.objects.of(domain.organisation)] == [["mx1.correio.example"]]


class TestProgress:
    """The page follows by itself: records, certificate, file on every edge, announced."""

    def states(self, person: Client) -> tuple[int, list[str]]:
        answer = person.get(f"{SETUP}live/")
        return answer.status_code, [step.state for step in answer.context["steps"]]

    def test_each_step_in_its_turn(self, domain: HostedDomain, person: Client) -> None:
        assert self.states(person) == (200, ["done", "now", "later", "later", "later"])
        person.post("/domains/correio.example/mail-servers/", {"mx": "mx1.correio.example"})
        assert self.states(person) == (200, ["done", "done", "now", "later", "later"])
        support_panel.sight(domain)
        support_panel.domains.mark_live(domain)
        assert self.states(person) == (200, ["done", "done", "done", "now", "later"])
        certified(domain)
        assert self.states(person) == (200, ["done", "done", "done", "done", "now"])
        support_web.settled(domain)
        assert self.states(person) == (286, ["done"] * 5)

    def test_it_ends_with_a_link_to_the_domain(self, domain: HostedDomain, person: Client) -> None:
        support_panel.policies.start(domain=domain, mx=("mx1.correio.example",), actor=support_panel.ANA)
        support_panel.sight(domain)
        support_panel.domains.mark_live(domain)
        certified(domain)
        support_web.settled(domain)
        assert "Your policy is live in testing mode DNS announces it as id" in support_web.text_of(
            person.get(f"{SETUP}live/")
        )
        text = support_web.text_of(person.get(SETUP))
        assert "DNS records of correio.example Three CNAME records that never need to change." in text

    @pytest.mark.parametrize(("minutes", "told"), [(1, False), (3, True)])
    def test_that_no_worker_runs_is_told_until_one_does(
        self, domain: HostedDomain, person: Client, minutes: int, told: bool
    ) -> None:
        person.get(f"{SETUP}live/")
        mine, said = HostedDomain.objects.of(domain.organisation), "The worker seems not to run"
        mine.update(check_due_at=F("check_due_at") - timedelta(minutes=minutes))
        person.post("/domains/correio.example/check/")
        assert [said in support_web.text_of(person.get(page)) for page in (SETUP, f"{SETUP}live/")] == [told, told]
        mine.update(checked_at=timezone.now(), check_due_at=timezone.now() + timedelta(seconds=5))
        assert said not in support_web.text_of(person.get(f"{SETUP}live/"))

    def test_whoever_watches_makes_the_worker_look(self, domain: HostedDomain, person: Client) -> None:
        long_ago, later = timezone.now() - timedelta(minutes=1), timezone.now() + timedelta(hours=1)
        mine = HostedDomain.objects.of(domain.organisation)
        mine.update(checked_at=long_ago, check_due_at=later)
        person.get(f"{SETUP}live/")
        assert mine.get().check_due_at <= timezone.now()
