"""NOTIFY: our secondaries hear of each new revision, and come for it (RFC 1996).

Every secondary is told by itself: at the start, and when something is new, but not twice within `GAP` seconds, so that
a row of changes is fetched at once. Who does not answer is told again, with pauses that double, until it answers,
something newer is to be told, or `TRIES` are over: it asks by itself then, as the SOA's refresh says. A NOTIFY is
signed, and so must its answer be.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
import structlog

from trinco.core.hosting import Publication
from trinco.edge import peers
from trinco.edge.history import History
from trinco.edge.tsig import Keys
from trinco.edge.zone import serial, soa

log = structlog.get_logger("trinco.edge")

GAP: Final = 0.2
"""Seconds between two NOTIFY to one secondary."""
PATIENCE: Final = 1.0
"""Seconds for the first answer; doubled with each try."""
LONGEST: Final = 60.0
TRIES: Final = 12
_EVERYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - a listener on all addresses

Endpoint = tuple[str, int]


class Secondary:
    """One of them, and what it was told."""

    def __init__(self, endpoint: Endpoint, history: History, keys: Keys, source: str | None) -> None:
        self._endpoint, self._history, self._keys, self._source = endpoint, history, keys, source
        self._news = asyncio.Event()
        self.acknowledged: int | None = None
        """The serial that it knows we have."""

    def hurry(self) -> None:
        """There is something new to tell."""
        self._news.set()

    async def follow(self) -> None:
        """Tell it now, and from then on what is new."""
        while True:
            self._news.clear()
            await self._tell()
            await asyncio.sleep(GAP)
            await self._news.wait()

    async def _tell(self) -> None:
        patience = PATIENCE
        for _ in range(TRIES):
            if await self._told(patience) or self._news.is_set():
                return
            patience = min(patience * 2, LONGEST)
        log.warning("dns.notify_unanswered", to=self._endpoint, serial=serial(self._history.publication.revision))

    async def _told(self, patience: float) -> bool:
        """Whether it answered in that time. Comes back early when something newer is to be told."""
        publication = self._history.publication
        asking = asyncio.ensure_future(self._asked(publication, patience))
        newer = asyncio.ensure_future(self._news.wait())
        try:
            await asyncio.wait({asking, newer}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            return asking.done() and asking.result()
        finally:
            asking.cancel()
            newer.cancel()

    async def _asked(self, publication: Publication, patience: float) -> bool:
        message = notify(publication)
        message.use_tsig(self._keys.key)
        try:
            reply = await peers.exchange(message, self._endpoint, self._source, patience)
        except OSError:
            await asyncio.sleep(patience)
            return False
        if reply.rcode() != dns.rcode.NOERROR:
            log.warning("dns.notify_refused", to=self._endpoint, rcode=dns.rcode.to_text(reply.rcode()))
            await asyncio.sleep(patience)
            return False
        self.acknowledged = serial(publication.revision)
        return True


def notify(publication: Publication) -> dns.message.Message:
    """The message, with the SOA as a hint (RFC 1996 section 3.7)."""
    zone = publication.zone
    base = f"{zone.base}."
    message = dns.message.make_query(base, dns.rdatatype.SOA)
    message.set_opcode(dns.opcode.NOTIFY)
    message.flags = (message.flags | dns.flags.AA) & ~dns.flags.RD
    text = soa(zone, publication.revision).text()
    message.answer.append(dns.rrset.from_text(base, zone.ttl, dns.rdataclass.IN, dns.rdatatype.SOA, text))
    return message


def _source(endpoint: Endpoint, listen: Sequence[Endpoint]) -> str | None:
    """The address to tell them from; None: as the system likes."""
    family = [address for address, _ in listen if (":" in address) == (":" in endpoint[0])]
    return family[0] if len(set(family)) == 1 and family[0] not in _EVERYWHERE else None


@asynccontextmanager
async def notifying(
    history: History, endpoints: Sequence[Endpoint], keys: Keys, listen: Sequence[Endpoint] = ()
) -> AsyncIterator[list[Secondary]]:
    """Tell them, until the block ends. They know us by the address at which we `listen`, if it is one alone."""
    secondaries = [Secondary(endpoint, history, keys, _source(endpoint, listen)) for endpoint in endpoints]
    history.told.extend(secondary.hurry for secondary in secondaries)
    jobs = [asyncio.create_task(secondary.follow()) for secondary in secondaries]
    try:
        yield secondaries
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)
