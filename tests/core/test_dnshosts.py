"""Who serves a zone, by the names of its name servers, and how a name is typed there."""

from __future__ import annotations

import pytest

from trinco.core.dnshosts import HOSTS, hosts_of, relative


def names(*nameservers: str) -> list[str]:
    return [host.name for host in hosts_of(nameservers)]


class TestHostsOf:
    @pytest.mark.parametrize(
        ("nameserver", "name"),
        [
            ("damien.ns.cloudflare.com", "Cloudflare"),
            ("NS-1234.AWSDNS-26.ORG.", "Amazon Route 53"),
            ("ns-4.awsdns-00.co.uk", "Amazon Route 53"),
            ("ns-cloud-d1.googledomains.com", "Google Cloud DNS"),
            ("ns1-07.azure-dns.com", "Azure DNS"),
            ("ns77.domaincontrol.com", "GoDaddy"),
            ("dns1.registrar-servers.com", "Namecheap"),
            ("dns104.ovh.net", "OVHcloud"),
            ("ns-12-a.gandi.net", "Gandi"),
            ("helium.ns.hetzner.de", "Hetzner"),
            ("ns1045.ui-dns.biz", "IONOS"),
            ("ns2.desec.org", "deSEC"),
            ("ns1.digitalocean.com", "DigitalOcean"),
            ("maceio.ns.porkbun.com", "Porkbun"),
        ],
    )
    def test_known(self, nameserver: str, name: str) -> None:
        assert names(nameserver) == [name]

    @pytest.mark.parametrize(
        "nameserver", ["ns1.correio.example", "ns.cloudflare.com.evil.example", "evilgandi.net", "gandi.net", ""]
    )
    def test_others_are_not(self, nameserver: str) -> None:
        assert names(nameserver) == []

    def test_a_zone_with_two_providers_wants_the_record_at_both(self) -> None:
        found = names("ns1-01.azure-dns.com", "a.ns.cloudflare.com", "ns2-01.azure-dns.net", "ns.a.example")
        assert found == ["Azure DNS", "Cloudflare"]

    def test_every_entry_says_where_it_is_from(self) -> None:
        assert [host.name for host in HOSTS if not (host.source and host.menu)] == []


class TestRelative:
    @pytest.mark.parametrize(
        ("name", "zone", "typed"),
        [
            ("mta-sts.correio.example", "correio.example", "mta-sts"),
            ("_smtp._tls.mail.correio.example", "correio.example", "_smtp._tls.mail"),
            ("mta-sts.acorreio.example", "correio.example", "mta-sts.acorreio.example"),
        ],
    )
    def test_within_its_zone(self, name: str, zone: str, typed: str) -> None:
        assert relative(name, zone) == typed
