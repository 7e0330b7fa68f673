"""What the other name servers of our zone serve: the edges, asked while the database is away, and the secondaries.

The serial of the SOA is the Publication's revision (RFC 1035 section 3.3.13), and an edge serves a body before its id
is announced anywhere. So an edge that sees no later serial than its own knows that no later id was announced by any
edge that it can reach, and may serve what it holds for any time. Ours is among those asked, and does no harm.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.tsig

from trinco.core.hosting import Zone

PATIENCE: Final = 0.5
"""Seconds; who has not answered by then is not there."""
_HALF: Final = 1 << 31


async def newer(zone: Zone, revision: int, port: int) -> bool:
    """Whether a name server of `zone`, asked at `port`, serves a later revision than this one."""
    serials = await asyncio.gather(*(serial(zone, (address, port)) for address in addresses(zone)))
    return any(serial is not None and is_later(serial, revision) for serial in serials)


def addresses(zone: Zone) -> tuple[str, ...]:
    """Of the zone's name servers, those known without asking anybody."""
    return tuple(dict.fromkeys(address for server in zone.nameservers for address in server.addresses))


def is_later(serial: int, revision: int) -> bool:
    """Serial number arithmetic of 32 bits (RFC 1982 section 3.2)."""
    return 0 < (serial - revision) % (2 * _HALF) < _HALF


async def serial(zone: Zone, endpoint: tuple[str, int], key: dns.tsig.Key | None = None) -> int | None:
    """The serial that this server has; None: it does not answer with authority, or not with a signature of `key`."""
    query = dns.message.make_query(str(zone.base), dns.rdatatype.SOA)
    query.flags &= ~dns.flags.RD
    if key is not None:
        query.use_tsig(key)
    try:
        async with asyncio.timeout(PATIENCE):
            reply = await exchange(query, endpoint)
    except (OSError, TimeoutError):
        return None
    if reply.rcode() != dns.rcode.NOERROR or not reply.flags & dns.flags.AA:
        return None
    found = [rdata for rrset in reply.answer if rrset.rdtype == dns.rdatatype.SOA for rdata in rrset]
    return int(found[0].serial) if found else None


async def exchange(
    query: dns.message.Message, endpoint: tuple[str, int], source: str | None = None, again: float = PATIENCE / 4
) -> dns.message.Message:
    """The answer by UDP; signed when the query is. Sent again every `again` seconds until the caller's patience ends.

    Raises OSError at once where nobody listens: the socket is bound to that one peer.
    """
    loop = asyncio.get_running_loop()
    waiting, packet = _Exchange(query, loop.create_future()), query.to_wire()
    local = (source, 0) if source else None
    transport, _ = await loop.create_datagram_endpoint(lambda: waiting, local, endpoint)
    try:
        while True:  # one lost datagram is no silence
            transport.sendto(packet)
            done, _ = await asyncio.wait({waiting.answer}, timeout=again)
            if done:
                return waiting.answer.result()
    finally:
        transport.close()


class _Exchange(asyncio.DatagramProtocol):
    """One query, and the first datagram that answers it."""

    def __init__(self, query: dns.message.Message, answer: asyncio.Future[dns.message.Message]) -> None:
        self._query = query
        self.answer = answer

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:  # noqa: ARG002 - asyncio's interface
        try:
            reply = dns.message.from_wire(data, keyring=self._query.keyring, request_mac=self._query.mac or b"")
        except (dns.exception.DNSException, ValueError):
            return
        signed = reply.had_tsig or not self._query.had_tsig
        if signed and not self.answer.done() and self._query.is_response(reply):
            self.answer.set_result(reply)

    def error_received(self, exc: Exception) -> None:
        if not self.answer.done():
            self.answer.set_exception(exc)
