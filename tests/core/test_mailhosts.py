"""Which `mx` patterns are offered for which MX hosts, and which wildcards are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.mailhosts import PROVIDERS, Offer, Width, offers, patterns, provider_of, too_wide
from trinco.core.mtasts import mx


def named(host: str) -> str | None:
    provider = provider_of(host)
    return provider.name if provider else None


class TestProviderOf:
    @pytest.mark.parametrize(
        ("host", "name"),
        [
            ("ASPMX.L.GOOGLE.COM.", "Google Workspace"),
            ("smtp.google.com", "Google Workspace"),
            ("contoso-com.mail.protection.outlook.com", "Microsoft 365"),
            ("contoso-com.j-v1.mx.microsoft", "Microsoft 365"),
            ("mailsec.protonmail.ch", "Proton Mail"),
            ("mx2.zoho.eu", "Zoho Mail"),
            ("in1-smtp.messagingengine.com", "Fastmail"),
            ("route1.mx.cloudflare.net", "Cloudflare Email Routing"),
            ("eu-smtp-inbound-1.mimecast.com", "Mimecast"),
            ("mx0a-00082601.pphosted.com", "Proofpoint"),
            ("mx1-us1.ppe-hosted.com", "Proofpoint Essentials"),
            ("d312104a.ess.barracudanetworks.com", "Barracuda"),
            ("mx1.hc1234-56.iphmx.com", "Cisco Secure Email"),
            ("mx01.mail.icloud.com", "iCloud Mail"),
            ("mx.yandex.net", "Yandex 360"),
            ("aspmx1.migadu.com", "Migadu"),
            ("mxext1.mailbox.org", "mailbox.org"),
            ("mta-gw.infomaniak.ch", "Infomaniak"),
            ("spool.mail.gandi.net", "Gandi"),
            ("mx1.mail.ovh.net", "OVHcloud"),
            ("mx00.ionos.co.uk", "IONOS"),
            ("www123.your-server.de", "Hetzner"),
            ("mx1.privateemail.com", "Namecheap Private Email"),
            ("mail.tutanota.de", "Tuta"),
        ],
    )
    def test_known(self, host: str, name: str) -> None:
        assert named(host) == name

    @pytest.mark.parametrize(
        "host",
        ["mail.evilgoogle.com", "google.com.evil.example", "mx.microsoft.example", "mx.microsoft", "", "mx1.a.example"],
    )
    def test_what_only_looks_like_one_is_not(self, host: str) -> None:
        assert provider_of(host) is None

    def test_no_host_has_two(self) -> None:
        """Every documented host, and a host below each zone."""
        hosts = [host for each in PROVIDERS for group in each.sets for host in group]
        hosts += [f"x.{zone}" for each in PROVIDERS for zone in each.zones]
        assert [host for host in hosts if sum(each.runs(host) for each in PROVIDERS) != 1] == []

    def test_every_provider_says_where_its_hosts_are_written(self) -> None:
        assert [each.name for each in PROVIDERS if not each.source] == []


class TestOffers:
    """DESIGN 3: MX seen in DNS are a suggestion to a person: the hosts themselves, and no name beside them."""

    def test_hosts_of_a_tenant(self) -> None:
        """Microsoft's two forms, while a domain moves from one to the other: never a wildcard over all tenants."""
        hosts = ("contoso-com.mail.protection.outlook.com", "contoso-com.j-v1.mx.microsoft")
        assert patterns(hosts) == hosts

    def test_hosts_that_come_and_go(self) -> None:
        hosts = ("route1.mx.cloudflare.net", "route2.mx.cloudflare.net", "linda.mx.cloudflare.net")
        assert patterns(hosts) == ("*.mx.cloudflare.net",)

    def test_what_the_provider_names_beside_them_is_told_and_not_offered(self) -> None:
        (offer,) = offers(["aspmx.l.google.com", "ALT1.aspmx.l.google.com."])
        assert offer == Offer(
            provider_of("aspmx.l.google.com"),
            ("aspmx.l.google.com", "alt1.aspmx.l.google.com"),
            ("aspmx.l.google.com", "alt1.aspmx.l.google.com"),
            ("alt2.aspmx.l.google.com", "alt3.aspmx.l.google.com", "alt4.aspmx.l.google.com"),
        )

    def test_one_set_does_not_ask_for_the_other(self) -> None:
        assert offers(["smtp.google.com"])[0].absent == ()

    def test_several_providers_and_one_that_nobody_knows(self) -> None:
        found = offers(["mx1.a.example", "mail.protonmail.ch", "mx2.a.example"])
        assert [(offer.provider and offer.provider.name, offer.hosts) for offer in found] == [
            (None, ("mx1.a.example", "mx2.a.example")),
            ("Proton Mail", ("mail.protonmail.ch",)),
        ]

    @pytest.mark.parametrize("host", [".", "mx_1.a.example", "*.a.example", "192.0.2.1", "a..b", ""])
    def test_what_is_no_host_of_a_policy_is_left_out(self, host: str) -> None:
        assert offers([host]) == ()

    @given(
        st.lists(
            st.sampled_from(
                ["a.example", "mx1.b.example", "x.mx.cloudflare.net", "t.mail.protection.outlook.com", "mx.zoho.com"]
            )
        )
    )
    def test_every_host_is_matched_and_nothing_offered_is_refused(self, hosts: list[str]) -> None:
        offered = patterns(hosts)
        assert [host for host in hosts if not any(mx.matches(pattern, host) for pattern in offered)] == []
        assert [pattern for pattern in offered if too_wide(pattern)] == []

    def test_documented_hosts_and_wildcards_are_patterns(self) -> None:
        every = [host for each in PROVIDERS for group in each.sets for host in group]
        every += [pattern for each in PROVIDERS for pattern in each.wildcards]
        assert [pattern for pattern in every if mx.fault(pattern)] == []

    def test_whoever_moves_has_a_wildcard(self) -> None:
        assert [each.name for each in PROVIDERS if each.moving and not each.wildcards] == []


class TestTooWide:
    """RFC 8461 section 10.2: a policy trusts whatever it names; a wildcard trusts names of others."""

    @pytest.mark.parametrize("pattern", ["*.com", "*.co.uk", "*.example", "*.github.io"])
    def test_names_of_many_owners(self, pattern: str) -> None:
        assert too_wide(pattern) == Width.SUFFIX

    @pytest.mark.parametrize(
        "pattern",
        [
            "*.mail.protection.outlook.com",
            "*.protection.outlook.com",
            "*.outlook.com",
            "*.j-v1.mx.microsoft",
            "*.mx.microsoft",
            "*.google.com",
            "*.l.google.com",
            "*.pphosted.com",
            "*.ess.barracudanetworks.com",
            "*.barracudanetworks.com",
            "*.iphmx.com",
            "*.zoho.eu",
        ],
    )
    def test_every_customer_of_a_provider(self, pattern: str) -> None:
        assert too_wide(pattern) == Width.PROVIDER

    @pytest.mark.parametrize(
        "pattern",
        [
            "contoso-com.mail.protection.outlook.com",
            "com",
            "*.correio.example",
            "*.mx.cloudflare.net",
            "*.aspmx.l.google.com",
            "*.hc1234-56.iphmx.com",
            "*.evilgoogle.com",
        ],
    )
    def test_what_is_one_owner_s(self, pattern: str) -> None:
        assert too_wide(pattern) is None
