"""DNS providers, known by the names of their servers: where and how each wants a CNAME record to be typed.

The words are those on the providers' own pages, in English as they stand there, from the document that each entry has
as its `source`. Who types a record by them still sees it found, or not, at the zone's own servers.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DnsHost:
    """Whoever serves zones for many customers. Every one of these takes the name relative to the zone."""

    name: str
    nameservers: re.Pattern[str]
    source: str
    menu: tuple[str, ...]
    """What to click, from the start page of the zone's account."""
    name_field: str
    value_field: str
    final_dot: bool = False
    """Without a dot behind it, the value would be taken as relative to the zone."""
    ttl_field: str = "TTL"
    switches: tuple[tuple[str, str], ...] = ()
    """Fields that must have this value, which is not always the one they begin with."""
    lexicon: str = ""
    """The provider's name in dns-lexicon, by which records can be written for the owner; "": not there."""


def _below(*zones: str) -> re.Pattern[str]:
    return re.compile(rf"(?:[a-z0-9-]+\.)+(?:{'|'.join(re.escape(zone) for zone in zones)})")


HOSTS: tuple[DnsHost, ...] = (
    DnsHost(
        "Cloudflare",
        _below("ns.cloudflare.com", "foundationdns.com", "foundationdns.net", "foundationdns.org"),
        "Cloudflare Docs, DNS, Manage DNS records and Proxy status",
        ("DNS", "Records", "Add record"),
        "Name",
        "Target",
        switches=(("Proxy status", "DNS only"),),
        lexicon="cloudflare",
    ),
    DnsHost(
        "Amazon Route 53",
        re.compile(r"ns-[0-9]+\.awsdns-[0-9]+\.(?:com|net|org|co\.uk)"),
        "Amazon Route 53 Developer Guide, Creating records by using the Route 53 console",
        ("Hosted zones", "Create record"),
        "Record name",
        "Value",
        ttl_field="TTL (seconds)",
        switches=(("Alias", "off"), ("Routing policy", "Simple routing")),
        lexicon="route53",
    ),
    DnsHost(
        "Google Cloud DNS",
        re.compile(r"ns-cloud-[a-z0-9]+\.googledomains\.com"),
        "Cloud DNS documentation, Add, update, and delete records",
        ("Network services", "Cloud DNS", "Add standard"),
        "DNS name",
        "Canonical name",
        final_dot=True,
        lexicon="googleclouddns",
    ),
    DnsHost(
        "Azure DNS",
        _below("azure-dns.com", "azure-dns.net", "azure-dns.org", "azure-dns.info"),
        "Microsoft Learn, Manage DNS records and record sets by using the Azure portal",
        ("DNS zones", "Record sets", "Add"),
        "Name",
        "Alias",
        switches=(("Alias record set", "No"),),
        lexicon="azure",
    ),
    DnsHost(
        "GoDaddy",
        _below("domaincontrol.com"),
        "GoDaddy Help, Add a CNAME record",
        ("Domain Portfolio", "DNS", "Add New Record"),
        "Name",
        "Value",
        lexicon="godaddy",
    ),
    DnsHost(
        "Namecheap",
        _below("registrar-servers.com"),
        "Namecheap Knowledgebase, How to create a CNAME record for your domain",
        ("Domain List", "Manage", "Advanced DNS", "Add New Record"),
        "Host",
        "Target",
        lexicon="namecheap",
    ),
    DnsHost(
        "OVHcloud",
        _below("ovh.net", "ovh.ca", "anycast.me"),
        "OVHcloud Docs, Editing an OVHcloud DNS zone",
        ("Domain names", "DNS zone", "Add an entry"),
        "Sub-domain",
        "Target",
        final_dot=True,
        lexicon="ovh",
    ),
    DnsHost(
        "Gandi",
        _below("gandi.net"),
        "Gandi Docs, DNS records: CNAME record",
        ("Domain", "DNS Records", "Add"),
        "Name",
        "Hostname",
        final_dot=True,
        lexicon="gandi",
    ),
    DnsHost(
        "Hetzner",
        _below("ns.hetzner.com", "ns.hetzner.de", "your-server.de", "first-ns.de", "second-ns.de", "second-ns.com"),
        "Hetzner Docs, DNS, Record types: CNAME",
        ("DNS", "Records", "Add record"),
        "Name",
        "Value",
        final_dot=True,
        lexicon="hetzner",
    ),
    DnsHost(
        "IONOS",
        _below("ui-dns.com", "ui-dns.org", "ui-dns.de", "ui-dns.biz"),
        "IONOS Help, Configuring a CNAME record for a subdomain",
        ("Domains & SSL", "DNS", "Add record", "CNAME"),
        "Hostname",
        "Points to",
        lexicon="ionos",
    ),
    DnsHost(
        "deSEC",
        re.compile(r"ns[12]\.desec\.(?:io|org)"),
        "deSEC documentation, Managing DNS records",
        ("Domains", "+"),
        "Subname",
        "Target hostname",
        final_dot=True,
        lexicon="desec",
    ),
    DnsHost(
        "DigitalOcean",
        _below("digitalocean.com"),
        "DigitalOcean Docs, How to create, edit, and delete DNS records",
        ("Networking", "Domains", "CNAME"),
        "Hostname",
        "Is an alias of",
        final_dot=True,
        lexicon="digitalocean",
    ),
    DnsHost(
        "Porkbun",
        _below("ns.porkbun.com"),
        "Porkbun Knowledge Base, How to add DNS records",
        ("Domain Management", "DNS", "DNS Records"),
        "Host",
        "Answer / Value",
        lexicon="porkbun",
    ),
)


def hosts_of(nameservers: Iterable[str]) -> tuple[DnsHost, ...]:
    """Who serves a zone with these name servers: more than one where a zone is served by several, and then each of them
    wants the record. Empty: nobody whom this catalogue knows."""
    found = (_host_of(name.lower().removesuffix(".")) for name in nameservers)
    return tuple(dict.fromkeys(host for host in found if host is not None))


def _host_of(nameserver: str) -> DnsHost | None:
    return next((host for host in HOSTS if host.nameservers.fullmatch(nameserver)), None)


def relative(name: str, zone: str) -> str:
    """A name as it is typed inside its zone: `mta-sts.mail` for `mta-sts.mail.example.com` in `example.com`. One that
    does not lie in the zone stays whole."""
    return name.removesuffix(f".{zone}")
