"""The pages of a domain whose records are its owner's own: choosing a way, the text to publish, waiting."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests import support_by_hand, support_panel, support_web
from tests.support_checks import configure

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import Finding, HostedDomain, RecordName, RecordSighting
from trinco.panel.domains.reporting import report_text
from trinco.panel.policies import services as policies
from trinco.panel.policies.instructions import octodns, terraform, zone_file
from trinco.panel.policies.ways import set_ways, ways_of

PAGE = "/domains/correio.example/"
SETUP = f"{PAGE}setup/"
WAYS = f"{SETUP}ways/"


@pytest.fixture
def domain(ours: Organisation, settings: Any) -> HostedDomain:
    """Live, announced, and every record its owner's own."""
    configure(settings, policy_addresses=("192.0.2.10", "2001:db8::10"))
    domain = support_panel.announced(ours)
    set_ways(domain=domain, actor=support_panel.ANA, **support_by_hand.ALL)
    return domain


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def changed(domain: HostedDomain) -> str:
    """The text that is to be published since every edge serves a new policy; DNS says another one."""
    support_panel.sight(domain)
    mine = RecordSighting.objects.everywhere().filter(domain=domain, record=RecordName.STS_TXT)
    mine.update(finding=Finding.STALE, seen="v=STSv1; id=1;")
    policies.publish(domain=domain, policy=Policy(Mode.NONE, (), 86_400), actor=support_panel.ANA)
    support_panel.edge()
    policies.announce_due(timezone.now())
    return support_by_hand.wanted(domain)


class TestChoosing:
    """Each record can be published in another way where no CNAME can be."""

    def test_what_is_chosen_is_kept(self, domain: HostedDomain, person: Client) -> None:
        answer = person.post(WAYS, {"host": "cname", "sts": "txt", "tlsrpt": "cname"})
        domain.refresh_from_db()
        assert answer["Location"] == SETUP
        assert ways_of(domain) == {"host": "cname", "sts": "txt", "tlsrpt": "cname"}

    def test_it_is_shown_as_it_is(self, person: Client) -> None:
        page = person.get(WAYS).content.decode()
        assert 'value="addresses" id="id_host_1" required checked' in " ".join(page.split())

    @pytest.mark.parametrize("given", [{}, {"host": "txt", "sts": "txt", "tlsrpt": "txt"}, {"host": "\x00"}])
    def test_what_is_no_way_is_refused(self, domain: HostedDomain, person: Client, given: dict[str, str]) -> None:
        assert person.post(WAYS, given).status_code == 200
        domain.refresh_from_db()
        assert ways_of(domain) == support_by_hand.ALL

    def test_the_log_has_it_in_words(self, person: Client) -> None:
        assert "_mta-sts: cname → txt" in support_web.text_of(person.get("/activity/"))


class TestToPublish:
    """The text stands on the page with a button that copies it, once every edge serves the policy."""

    def test_on_the_domain_and_in_the_list(self, domain: HostedDomain, person: Client) -> None:
        text = changed(domain)
        page = support_web.text_of(person.get(PAGE))
        assert f"The TXT record at _mta-sts.correio.example is to say: {text}" in page
        assert re.search(r"Waiting for you to publish the TXT \(\d+ s ago\)", support_web.text_of(person.get("/")))

    def test_among_the_records(self, domain: HostedDomain, person: Client) -> None:
        text = changed(domain)
        page = support_web.text_of(person.get(SETUP))
        assert "Change the text to the one that is shown here. It says v=STSv1; id=1;" in page
        assert (text in page, "A 192.0.2.10" in page, report_text(domain) in page) == (True, True, True)

    def test_nothing_before_the_edges_serve_it(self, ours: Organisation, settings: Any) -> None:
        waiting = support_by_hand.by_hand(ours, sts="txt")
        page = support_web.browser(support_web.owner_of(waiting.organisation)).get(SETUP)
        assert "Nothing yet: the text stands here once every edge serves the policy." in support_web.text_of(page)


class TestForms:
    """`trinco records` and the set-up page print the same for files and tools."""

    def test_zone_file(self, domain: HostedDomain) -> None:
        assert zone_file(domain) == (
            "mta-sts.correio.example. 300 IN A 192.0.2.10\n"
            "mta-sts.correio.example. 300 IN AAAA 2001:db8::10\n"
            f'_mta-sts.correio.example. 300 IN TXT "{support_by_hand.wanted(domain)}"\n'
            f'_smtp._tls.correio.example. 300 IN TXT "{report_text(domain)}"\n'
        )

    def test_terraform(self, domain: HostedDomain) -> None:
        first, second, third, _ = terraform(domain).split("\n\n")
        assert first == (
            'resource "dns_a_record_set" "mta_sts_correio_example" {\n  zone  = "correio.example."\n'
            '  name  = "mta-sts"\n  addresses = ["192.0.2.10"]\n  ttl   = 300\n}'
        )
        assert second.startswith('resource "dns_aaaa_record_set"')
        assert f'  txt   = ["{support_by_hand.wanted(domain)}"]\n' in third

    def test_octodns(self, domain: HostedDomain) -> None:
        escaped = support_by_hand.wanted(domain).replace(";", "\\;")
        text = octodns(domain)
        assert text.startswith(f"_mta-sts:\n  ttl: 300\n  type: TXT\n  value: {escaped}\n_smtp._tls:\n")
        assert text.endswith(
            "mta-sts:\n- ttl: 300\n  type: A\n  value: 192.0.2.10\n- ttl: 300\n  type: AAAA\n  value: 2001:db8::10\n"
        )
