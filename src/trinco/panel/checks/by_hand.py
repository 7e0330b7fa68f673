"""What stands at a name whose record the owner publishes without a CNAME to us (`policies.ways`): the conversations.

A CNAME to our label is right in every way, so that an owner can change from one to the other without a gap. A text
counts once every name server of the zone that answers has it: a sender may ask any of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from trinco.core import records
from trinco.core.errors import RecordSyntaxError
from trinco.core.mtasts import record as mtasts
from trinco.core.records import Standard
from trinco.core.tlsrpt import record as tlsrpt
from trinco.net.dns import Dns
from trinco.panel.domains.models import Finding, RecordName


@dataclass(frozen=True, slots=True)
class Sight:
    """One of the three names: the finding, and what stands there instead. `announces`: the id that DNS says there."""

    finding: Finding
    seen: str = ""
    announces: str = ""


@dataclass(frozen=True, slots=True)
class ByHand:
    """What the owner publishes without a CNAME. `addresses`: of which `mta-sts` must have some, and no others; `text`:
    what `_mta-sts` is to say, `report_text`: what `_smtp._tls` is to say, "" for nothing (yet). None: it is a CNAME.
    `contested`: the name is served for somebody else, whose announcement must be gone first."""

    addresses: frozenset[str] | None = None
    text: str | None = None
    report_text: str | None = None
    contested: bool = False

    def has(self, record: RecordName) -> bool:
        wanted = {RecordName.MTA_STS: self.addresses, RecordName.STS_TXT: self.text}
        return wanted.get(record, self.report_text) is not None


async def sight(dns: Dns, record: RecordName, name: str, target: str, by_hand: ByHand) -> Sight:
    """What stands at a name that need not be a CNAME. Raises DnsFailure when its servers do not answer."""
    aliases = (await dns.authoritative(name, "CNAME")).values("CNAME", name)
    if aliases == (target,):
        return Sight(Finding.FOUND, announces=_id(by_hand.text or "") if record is RecordName.STS_TXT else "")
    if aliases:
        return Sight(Finding.ELSEWHERE, ", ".join(aliases))
    if record is RecordName.MTA_STS:
        return await _addresses(dns, name, by_hand.addresses or frozenset())
    if record is RecordName.STS_TXT:
        return await (_announcement(dns, name, by_hand.text) if by_hand.text else _before(dns, name, by_hand))
    if not by_hand.report_text:
        return Sight(Finding.LATER, await _first(dns, name, tlsrpt.STANDARD))
    return await _texts(dns, name, tlsrpt.STANDARD, lambda text: _reaches(text, by_hand.report_text or ""))


async def _addresses(dns: Dns, name: str, ours: frozenset[str]) -> Sight:
    answers = await asyncio.gather(*(dns.everywhere(name, kind) for kind in ("A", "AAAA")))
    found = sorted(
        {value for some in answers for each in some for kind in ("A", "AAAA") for value in each.values(kind)}
    )
    seen = ", ".join(found)
    if not found:
        return Sight(Finding.MISSING)
    return Sight(Finding.FOUND if ours.issuperset(found) else Finding.PROXIED, seen)


async def _announcement(dns: Dns, name: str, text: str) -> Sight:
    wanted = _id(text)
    found = await _texts(dns, name, mtasts.STANDARD, lambda there: _id(there) == wanted)
    return Sight(found.finding, found.seen, wanted if found.finding is Finding.FOUND else "")


async def _before(dns: Dns, name: str, by_hand: ByHand) -> Sight:
    """Before the first policy is served everywhere, nothing is wanted there. Whoever left the policy of somebody else
    announced did not give the name away."""
    announced = await _first(dns, name, mtasts.STANDARD) if by_hand.contested else ""
    return Sight(Finding.STALE, announced) if announced else Sight(Finding.LATER)


async def _first(dns: Dns, name: str, standard: Standard[Any]) -> str:
    """A text of this kind that some server of the zone has; "" for none."""
    answers = await dns.everywhere(name, "TXT")
    texts = (text for answer in answers for text in answer.values("TXT", name))
    return next((text for text in texts if text.startswith(standard.beginning)), "")


def _id(text: str) -> str:
    """ "" for what is no record."""
    try:
        record = mtasts.parse(text)
    except RecordSyntaxError:
        return ""
    return record.id if record else ""


def _reaches(there: str, wanted: str) -> bool:
    """Whether reports come here as they should; the owner may have them sent elsewhere as well."""
    try:
        found, ours = tlsrpt.parse(there), tlsrpt.parse(wanted)
    except RecordSyntaxError:
        return False
    return found is not None and ours is not None and set(ours.rua) <= set(found.rua)


async def _texts(dns: Dns, name: str, standard: Standard[Any], fits: Callable[[str], bool]) -> Sight:
    answers = await dns.everywhere(name, "TXT")
    sights = [_judged(answer.values("TXT", name), standard, fits) for answer in answers]
    others = [each for each in sights if each.finding is not Finding.FOUND]
    if others and len(others) < len(sights):
        return Sight(Finding.PARTLY, others[0].seen)
    return others[0] if others else sights[0]


def _judged(texts: Sequence[str], standard: Standard[Any], fits: Callable[[str], bool]) -> Sight:
    """What one server has: senders pass over what does not begin as it must, and want one of the others."""
    ours = [text for text in texts if text.startswith(standard.beginning)]
    if len(ours) > 1:
        return Sight(Finding.TWICE, ", ".join(ours))
    if ours:
        return Sight(Finding.FOUND if fits(ours[0]) else Finding.STALE, ours[0])
    meant = _meant(texts, standard)
    return Sight(Finding.STALE, meant) if meant else Sight(Finding.MISSING)


def _meant(texts: Iterable[str], standard: Standard[Any]) -> str:
    return next((text for text in texts if records.resembled([standard], text)), "")
