"""The zone rendered once: for each name its RRsets as sections of replies, ready but for the pointers to the apex.

Nothing here belongs to a customer: every `<label>.policy.<base>` has the same records, and the two TXT records of a
label are rendered when they are asked for. 100,000 hosted domains therefore need no more than the Publication itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from trinco.core.hosting import HostedDomain, Zone
from trinco.edge import texts, wire
from trinco.edge.rdata import Mx, Ns, Parts, Rdata, concat, name_parts, record
from trinco.edge.zone import (
    MTA_STS,
    POLICY,
    SERVICES,
    TLSRPT,
    Names,
    own_names,
    policy_target,
    soa,
)

ASKED: Parts = (wire.QUESTION_POINTER,)
"""The owner of an answer: the name in the question, whatever its case."""


@dataclass(frozen=True, slots=True)
class Section:
    """So many records of one section of a reply; `parts` are joined by the pointer to the apex."""

    count: int
    parts: Parts


NOTHING = Section(0, (b"",))


@dataclass(frozen=True, slots=True)
class Rrset:
    """The answer to one type at one name, and the addresses that help with it."""

    answer: Section
    additional: Section = NOTHING


Node = Mapping[int, Rrset]
"""RRsets by type; the first is what ANY gets. An empty node exists without records."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A whole zone, rendered."""

    apex: bytes
    """Wire name of the base, lower case."""
    nodes: Mapping[bytes, Node]
    """Our own names and empty non-terminals, by lower-case wire name."""
    services: Mapping[bytes, Callable[[HostedDomain], Node]]
    """By the wire name under which the labels stand: what a label has there."""
    negative: Section
    """The SOA for the authority section of NODATA and NXDOMAIN (RFC 2308 section 3)."""


def render(zone: Zone, revision: int) -> Rendered:
    """Render `zone` with the SOA serial of `revision`."""
    base, names = str(zone.base), own_names(zone, revision)
    deep = (*names, *(f"label.{service}.{base}" for service in SERVICES))
    nodes: dict[bytes, Node] = {wire.name(above): {} for name in deep for above in _above(name, base)}
    nodes.update((wire.name(name), node(records, zone, names)) for name, records in names.items())
    target = node(policy_target(zone), zone)
    services: dict[str, Callable[[HostedDomain], Node]] = {
        POLICY: lambda _: target,
        MTA_STS: _texts(texts.sts(zone.ttl)),
        TLSRPT: _texts(texts.tlsrpt(zone.ttl)),
    }
    by_wire = {wire.name(f"{service}.{base}"): services[service] for service in SERVICES}
    return Rendered(wire.name(base), nodes, by_wire, _negative(zone, revision))


def _texts(render: texts.Render) -> Callable[[HostedDomain], Node]:
    """A node with the one TXT record that a hosted domain has there, if it has one yet."""

    def of(hosted: HostedDomain) -> Node:
        text = render(hosted)
        return {wire.TXT: Rrset(Section(1, (text,)))} if text else {}

    return of


def node(records: Iterable[Rdata], zone: Zone, names: Names | None = None) -> Node:
    """The records of one name, grouped by type in their order; `names` has the addresses of hosts that they mention."""
    groups: dict[int, list[Rdata]] = {}
    for rdata in records:
        groups.setdefault(rdata.TYPE, []).append(rdata)
    base = str(zone.base)
    return {
        type_: Rrset(
            _section([record(ASKED, rdata, zone.ttl, base) for rdata in group]),
            _section(_addresses(group, zone, names or {})),
        )
        for type_, group in groups.items()
    }


def _addresses(group: Iterable[Rdata], zone: Zone, names: Names) -> list[Parts]:
    """A and AAAA of the hosts in the zone that NS or MX records name (RFC 1035 sections 3.3.9 and 3.3.11)."""
    base = str(zone.base)
    hosts = dict.fromkeys(rdata.host for rdata in group if isinstance(rdata, Ns | Mx))
    return [
        record(name_parts(host, base), rdata, zone.ttl, base)
        for host in hosts
        for rdata in names.get(host, ())
        if rdata.TYPE in (wire.A, wire.AAAA)
    ]


def _section(records: list[Parts]) -> Section:
    return Section(len(records), concat(*records)) if records else NOTHING


def _negative(zone: Zone, revision: int) -> Section:
    """The SOA owned by the apex; its TTL is the lesser of its own and MINIMUM (RFC 2308 section 5)."""
    base = str(zone.base)
    ttl = min(zone.ttl, zone.negative_ttl)
    return _section([record(name_parts(base, base), soa(zone, revision), ttl, base)])


def _above(name: str, base: str) -> list[str]:
    """The names between `name` and the apex: empty non-terminals, unless they have records of their own."""
    labels = name.removesuffix(base).strip(".").split(".")
    return [".".join((*labels[at:], base)) for at in range(1, len(labels))]
