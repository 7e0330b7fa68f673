"""Made-up publications for the tests of the edge."""

from __future__ import annotations

from trinco.core.hosting import Certificate, Change, HostedDomain, NameServer, Publication, Zone
from trinco.core.names import Domain

ZONE = Zone(
    base=Domain.trusted("trinco.example"),
    nameservers=(NameServer("ns1.trinco.example", ("127.0.0.1",)),),
    policy_addresses=("127.0.0.1", "::1"),
    reports_host="reports.trinco.example",
    reports_mx=((10, "reports.trinco.example"),),
    caa=("ca.example",),
)
CHAIN = "c" * 64


def label_of(number: int) -> str:
    return f"l{number:025}"


def hosted(number: int, revision: int, **differing: object) -> HostedDomain:
    """A domain as an edge would hold it; the body tells the revision that made it."""
    values = {
        "domain": Domain.trusted(f"d{number}.example"),
        "label": label_of(number),
        "revision": revision,
        "policy": f"version: STSv1\r\nmode: testing\r\nmx: r{revision}.d{number}.example\r\nmax_age: 86400\r\n".encode(),
        "policy_id": "20260101T000000Z0badcafe",
        "tlsrpt": "v=TLSRPTv1; rua=mailto:x@reports.trinco.example",
        "certificate": Certificate(b"leaf %d" % number * 8, CHAIN, b"sealed %d" % number * 4, 1_800_000_000),
    }
    return HostedDomain(**{**values, **differing})


def publication(count: int, revision: int = 1) -> Publication:
    domains = [hosted(number, revision) for number in range(count)]
    return Publication(revision, ZONE, {domain.label: domain for domain in domains}, {CHAIN: (b"issuer",)})


def change(revision: int, *numbers: int, removed: tuple[str, ...] = ()) -> Change:
    return Change(revision, ZONE, tuple(hosted(number, revision) for number in numbers), removed)
