"""The pages know whose MX and whose name servers a domain has; what they offer is confirmed by a person."""

from __future__ import annotations

import pytest
from django.test import Client
from tests import support_panel, support_web

from trinco.core.mailhosts import Width
from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services
from trinco.panel.policies.errors import WildcardTooWide
from trinco.panel.policies.models import PolicyVersion

SETUP = "/domains/correio.example/setup/"
SERVERS = "/domains/correio.example/mail-servers/"
TENANT = "correio-example.mail.protection.outlook.com"


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    return support_panel.hosted(ours)


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def served_by(domain: HostedDomain, zone: str, *nameservers: str) -> None:
    HostedDomain.objects.of(domain.organisation).update(zone=zone, nameservers=list(nameservers))


class TestMailServers:
    """DESIGN 3: never bless a spoofed MX: what DNS shows is offered, and confirmed by a person."""

    def test_the_provider_is_named(self, domain: HostedDomain, person: Client) -> None:
        support_panel.sight_mx(domain, TENANT, "mail.protonmail.ch")
        text = support_web.text_of(person.get(f"{SETUP}mx/"))
        assert f"{TENANT} : Microsoft 365 mail.protonmail.ch : Proton Mail" in text
        assert "It also has these, which your MX records do not name: mailsec.protonmail.ch" in text
        assert PolicyVersion.objects.of(domain.organisation).count() == 0

    def test_hosts_that_come_and_go_are_offered_as_their_pattern(self, domain: HostedDomain, person: Client) -> None:
        support_panel.sight_mx(domain, "route1.mx.cloudflare.net", "route2.mx.cloudflare.net")
        page = person.get(SETUP)
        assert "*.mx.cloudflare.net</textarea>" in page.content.decode()
        assert "Its hosts come and go: the pattern to write is *.mx.cloudflare.net." in support_web.text_of(page)

    @pytest.mark.parametrize("typed", ["*.com", "*.mail.protection.outlook.com"])
    def test_a_wildcard_wider_than_needed_is_refused(self, domain: HostedDomain, person: Client, typed: str) -> None:
        page = person.post(SERVERS, {"mx": f"{TENANT}\n{typed}"})
        assert f"{typed} stands for" in support_web.text_of(page)
        assert PolicyVersion.objects.of(domain.organisation).count() == 0

    def test_and_so_it_is_when_the_list_changes(self, ours: Organisation) -> None:
        live = support_web.ready(ours, "outro.example")
        client = support_web.browser(support_web.owner_of(ours))
        change = {"mode": "testing", "max_age": "86400", "mx": "*.google.com", "confirm": "1"}
        text = support_web.text_of(client.post(f"/domains/{live.name}/policy/", change))
        assert "*.google.com stands for the hosts of every customer of this provider." in text

    def test_it_is_said_before_the_person_confirms(self, ours: Organisation) -> None:
        live = support_web.ready(ours, "outro.example")
        client = support_web.browser(support_web.owner_of(ours))
        asked = {"mode": "testing", "max_age": "86400", "mx": "*.com"}
        text = support_web.text_of(client.post(f"/domains/{live.name}/policy/", asked))
        assert "*.com stands for names of many owners. Name the hosts of your MX records." in text

    def test_the_page_of_the_list_names_it_too(self, ours: Organisation) -> None:
        live = support_web.ready(ours, "outro.example")
        support_panel.sight_mx(live, TENANT)
        client = support_web.browser(support_web.owner_of(ours))
        text = support_web.text_of(client.get(f"/domains/{live.name}/mail-servers/"))
        assert f"In DNS now: {TENANT} {TENANT} : Microsoft 365" in text


class TestServices:
    """Whoever publishes, by whichever way, meets the same refusal."""

    WIDE = Policy(Mode.TESTING, ("*.mx.microsoft",), 86_400)

    def test_the_first_policy(self, domain: HostedDomain) -> None:
        with pytest.raises(WildcardTooWide) as refused:
            services.start(domain=domain, mx=("*.com",), actor=support_panel.ANA)
        assert (refused.value.pattern, refused.value.width) == ("*.com", Width.SUFFIX)

    def test_a_later_one(self, ours: Organisation) -> None:
        live = support_panel.announced(ours)
        with pytest.raises(WildcardTooWide):
            services.publish(domain=live, policy=self.WIDE, actor=support_panel.ANA)

    def test_what_is_served_already_can_be_served_again(self, ours: Organisation) -> None:
        live = support_panel.announced(ours)
        PolicyVersion.objects.of(ours).update(mx=["*.mx.microsoft"])
        policy = Policy(Mode.TESTING, self.WIDE.mx, 604_800)
        assert services.publish(domain=live, policy=policy, actor=support_panel.ANA).mx == ["*.mx.microsoft"]


class TestDnsGuide:
    """The record steps in the words of the DNS provider."""

    def test_nothing_while_it_is_not_known(self, person: Client) -> None:
        assert person.get(SETUP).context["guides"] == ()

    def test_cloudflare_is_told_not_to_proxy(self, domain: HostedDomain, person: Client) -> None:
        served_by(domain, "correio.example", "a.ns.cloudflare.com", "b.ns.cloudflare.com")
        text = support_web.text_of(person.get(SETUP))
        assert "At Cloudflare The name servers of correio.example are there." in text
        assert "Open correio.example there: DNS › Records › Add record. The type is CNAME." in text
        assert "Into “Target” goes the value, without a dot at its end." in text
        assert "Set “Proxy status” to “DNS only”." in text

    def test_a_name_in_the_zone_above_and_the_final_dot(self, domain: HostedDomain, person: Client) -> None:
        served_by(domain, "example", "dns104.ovh.net")
        (guide,) = person.get(SETUP).context["guides"]
        assert [record.name for record in guide.records] == [
            "mta-sts.correio",
            "_mta-sts.correio",
            "_smtp._tls.correio",
        ]
        assert guide.records[0].value == f"{domain.label}.policy.trinco.example."
        assert guide.steps[2].startswith("Into “Target” goes the value with the dot at its end")

    def test_it_comes_by_itself_once_it_is_seen(self, domain: HostedDomain, person: Client) -> None:
        served_by(domain, "correio.example", "ns1.desec.io")
        assert "At deSEC" in support_web.text_of(person.get(f"{SETUP}live/"))
