"""What stands at a customer's three names, and which mail servers the domain has: the conversations, without a table.

Each name is asked at the authoritative servers of its own zone, so that a record counts the moment it is published. The
three names and the MX are asked at the same time, and what one of them does never changes what is said of another.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from trinco.core.errors import DnsFailure
from trinco.net.dns import Dns
from trinco.panel.checks import caa
from trinco.panel.checks.by_hand import ByHand, Sight
from trinco.panel.checks.by_hand import sight as by_hand
from trinco.panel.checks.caa import Issuers
from trinco.panel.domains.models import Finding, RecordName
from trinco.panel.policies.instructions import target_of

MAX_MX = 200
"""MX hosts of one domain that are kept."""
_MAX_HOST = 253


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom to look at: the domain's name, its label under our zone `base`, who issues our certificates, and what is no
    CNAME."""

    domain: str
    label: str
    base: str
    issuers: Issuers
    by_hand: ByHand = ByHand()  # noqa: RUF009 - a value that never changes

    def target(self, record: RecordName) -> str:
        """Where the record must point."""
        return target_of(self.label, record, self.base)


@dataclass(frozen=True, slots=True)
class View:
    """Everything that one look has shown. `mx`: (preference, host), the most preferred first; empty: the domain takes
    no mail; None: DNS did not answer. `delegation`: the zone that holds the domain, and its name servers; None: not
    found."""

    records: dict[RecordName, Sight] = field(default_factory=dict)
    mx: tuple[tuple[int, str], ...] | None = None
    delegation: tuple[str, tuple[str, ...]] | None = None

    @property
    def complete(self) -> bool:
        """Whether all three names are as they should be by now."""
        return set(self.records) == set(RecordName) and all(
            sight.finding in (Finding.FOUND, Finding.LATER) for sight in self.records.values()
        )


async def view(dns: Dns, subject: Subject) -> View:
    """Look at a domain. Raises nothing of DNS: a silent server is a finding."""
    looks = asyncio.gather(*(_sight(dns, subject, record) for record in RecordName))
    sights, mx, zone = await asyncio.gather(looks, _mx(dns, subject.domain), _delegation(dns, subject.domain))
    return View(dict(zip(RecordName, sights, strict=True)), mx, zone)


async def mail_servers(dns: Dns, domain: str) -> tuple[tuple[int, str], ...]:
    """(preference, host) of the domain's MX. None at all means the domain itself, if it has an address (RFC 5321 5.1);
    a null MX means that it takes no mail (RFC 7505). Raises DnsFailure."""
    answer = await dns.authoritative(domain, "MX")
    if answer.values("CNAME", domain):
        answer = await dns.resolve(domain, "MX")
    if not answer.mx:
        return ((0, domain),) if await dns.addresses(domain) else ()
    return tuple((preference, host) for preference, host in answer.mx if host != "." and len(host) <= _MAX_HOST)[
        :MAX_MX
    ]


async def _mx(dns: Dns, domain: str) -> tuple[tuple[int, str], ...] | None:
    try:
        return await mail_servers(dns, domain)
    except DnsFailure:
        return None


async def _delegation(dns: Dns, domain: str) -> tuple[str, tuple[str, ...]] | None:
    try:
        return await dns.delegation(domain)
    except DnsFailure:
        return None


async def _sight(dns: Dns, subject: Subject, record: RecordName) -> Sight:
    name = f"{record.value}.{subject.domain}"
    try:
        sight = await _one(dns, subject, record, name)
    except DnsFailure as error:
        return Sight(Finding.UNKNOWN, str(error))
    return await _issuable(dns, subject, sight) if record is RecordName.MTA_STS else sight


async def _one(dns: Dns, subject: Subject, record: RecordName, name: str) -> Sight:
    target = subject.target(record)
    if subject.by_hand.has(record):
        return await by_hand(dns, record, name, target, subject.by_hand)
    return await _at(dns, name, target)


async def _issuable(dns: Dns, subject: Subject, sight: Sight) -> Sight:
    """The policy host must get a certificate as well. Before the CNAME is there, only the customer's own CAA can be
    judged, and it counts only where our target has none. So it does where there are addresses in place of a CNAME."""
    itself = sight.finding is Finding.FOUND and bool(sight.seen)
    issuers = replace(subject.issuers, ours_decides=False) if itself else subject.issuers
    early = sight.finding is Finding.MISSING and not issuers.ours_decides
    if sight.finding is Finding.FOUND or early:
        objection = await caa.objection(dns, subject.domain, issuers)
        return Sight(Finding.CAA_FORBIDS, objection) if objection else sight
    return sight


async def _at(dns: Dns, name: str, target: str) -> Sight:
    """What stands at one name. Raises DnsFailure when its servers do not answer."""
    aliases = (await dns.authoritative(name, "CNAME")).values("CNAME", name)
    if aliases == (target,):
        return Sight(Finding.FOUND)
    if aliases:
        return await _unless_wildcard(dns, name, "CNAME", Sight(Finding.ELSEWHERE, ", ".join(aliases)))
    others = await _others(dns, name)
    for rdtype, finding in _in_the_way(name):
        if values := others[rdtype]:
            return await _unless_wildcard(dns, name, rdtype, Sight(finding, ", ".join(values)))
    return Sight(Finding.MISSING)


async def _others(dns: Dns, name: str) -> dict[str, tuple[str, ...]]:
    """What there is in place of a CNAME. A server that has said "no CNAME" and is silent on the rest has nothing."""
    kinds = ("TXT", "A", "AAAA")
    found = await asyncio.gather(*(_values(dns, name, kind) for kind in kinds))
    return dict(zip(kinds, found, strict=True))


async def _values(dns: Dns, name: str, kind: str) -> tuple[str, ...]:
    try:
        return (await dns.authoritative(name, kind)).values(kind, name)
    except DnsFailure:
        return ()


def _in_the_way(name: str) -> Iterator[tuple[str, Finding]]:
    """What to look for, the likeliest first: a proxy or a flattened alias answers with addresses of its own."""
    proxied = [("A", Finding.PROXIED), ("AAAA", Finding.PROXIED)]
    txt = [("TXT", Finding.TXT_IN_THE_WAY)]
    yield from [*proxied, *txt] if name.startswith("mta-sts.") else [*txt, *proxied]


async def _unless_wildcard(dns: Dns, name: str, rdtype: str, sight: Sight) -> Sight:
    """The sight, unless a name beside it that nobody has published answers the same (RFC 4592)."""
    sibling = f"trinco-{secrets.token_hex(8)}.{name.partition('.')[2]}"
    try:
        answer = await dns.authoritative(sibling, rdtype)
    except DnsFailure:
        return sight
    same = answer.values(rdtype, sibling)
    return Sight(Finding.WILDCARD, sight.seen) if same and ", ".join(same) == sight.seen else sight
