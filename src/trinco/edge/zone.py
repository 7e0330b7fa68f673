"""What our zone holds: names and records, from a Zone and the hosted domains (DESIGN section 4).

Both the answers on the wire and the zone file are rendered from these values, so that they cannot disagree.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from trinco.core.hosting import HostedDomain, Publication, Zone
from trinco.core.mtasts import record as sts
from trinco.edge.rdata import Caa, Mx, Ns, Rdata, Soa, Txt, address

POLICY, MTA_STS, TLSRPT = "policy", "mta-sts", "tlsrpt"
SERVICES = (POLICY, MTA_STS, TLSRPT)
"""The labels under our base that a customer's three CNAMEs lead below."""

Names = Mapping[str, tuple[Rdata, ...]]


def serial(revision: int) -> int:
    """The SOA serial: the revision, modulo 2^32 (RFC 1982; the revision is a counter that only goes forward)."""
    return revision % 2**32


def own_names(zone: Zone, revision: int) -> Names:
    """The names that are not a customer's, the apex first, with their records; names are absolute, no final dot."""
    base = str(zone.base)
    names: dict[str, dict[Rdata, None]] = {base: dict.fromkeys((soa(zone, revision), *_nameservers(zone)))}
    hosts = [(base, zone.panel_addresses), *((server.host, server.addresses) for server in zone.nameservers)]
    hosts.append((zone.reports_host, zone.reports_addresses))
    for host, addresses in hosts:
        if addresses and inside(host, base):
            names.setdefault(host, {}).update(dict.fromkeys(map(address, addresses)))
    if zone.reports_mx and inside(zone.reports_host, base):
        names.setdefault(zone.reports_host, {}).update(dict.fromkeys(Mx(*mx) for mx in zone.reports_mx))
    return {host: tuple(records) for host, records in names.items()}


def soa(zone: Zone, revision: int) -> Soa:
    """The zone's SOA: the first name server, the hostmaster, the serial and the times of the Zone."""
    base = str(zone.base)
    mname = zone.nameservers[0].host if zone.nameservers else base
    times = (serial(revision), zone.refresh, zone.retry, zone.expire, zone.negative_ttl)
    return Soa(mname, zone.hostmaster or f"hostmaster.{base}", times)


def _nameservers(zone: Zone) -> Iterator[Rdata]:
    return (Ns(server.host) for server in zone.nameservers)


def inside(host: str, base: str) -> bool:
    """Whether the host lies in the zone or is its apex."""
    return host == base or host.endswith("." + base)


def policy_target(zone: Zone) -> tuple[Rdata, ...]:
    """What every `<label>.policy.<base>` holds: the policy edges' addresses, and who may issue for it (RFC 8659).

    A CA that checks `mta-sts.<customer>` follows its CNAME and finds this CAA set. Nobody may issue a wildcard.
    """
    issuers = zone.caa or (";",)
    caa = (*(Caa("issue", value) for value in issuers), Caa("issuewild", ";"))
    return (*map(address, zone.policy_addresses), *caa)


def sts_target(hosted: HostedDomain) -> tuple[Rdata, ...]:
    """What `<label>.mta-sts.<base>` holds: RFC 8461 section 3.1's record once an id is announced."""
    return (Txt(sts_text(hosted.policy_id)),) if hosted.policy_id else ()


def sts_text(policy_id: str) -> str:
    """The TXT that announces this policy id."""
    return sts.render(sts.Record(policy_id))


def tlsrpt_target(hosted: HostedDomain) -> tuple[Rdata, ...]:
    """What `<label>.tlsrpt.<base>` holds: RFC 8460 section 3's record, when the owner wants reports."""
    return (Txt(hosted.tlsrpt),) if hosted.tlsrpt else ()


def all_names(publication: Publication) -> Iterator[tuple[str, tuple[Rdata, ...]]]:
    """Every name of the zone that has records, the apex first."""
    zone = publication.zone
    base, target = str(zone.base), policy_target(zone)
    yield from own_names(zone, publication.revision).items()
    for label, hosted in publication.domains.items():
        yield f"{label}.{POLICY}.{base}", target
        yield f"{label}.{MTA_STS}.{base}", sts_target(hosted)
        yield f"{label}.{TLSRPT}.{base}", tlsrpt_target(hosted)
