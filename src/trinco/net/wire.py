"""One DNS question to one server: over UDP, again over TCP when the reply is truncated. dnspython makes and reads the
messages; the sockets are our own, connected, so that a closed port is known at once instead of after the time-out.
"""

from __future__ import annotations

import asyncio

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from trinco.core.errors import DnsFailure

PAYLOAD = 1232
"""Octets of a UDP reply that pass everywhere without fragments (DNS flag day 2020)."""
_RESEND = 0.8
_WITHOUT_EDNS = (dns.rcode.FORMERR, dns.rcode.NOTIMP)

Endpoint = tuple[str, int]


def question(name: str, rdtype: str, flags: int = 0) -> dns.message.Message:
    """A query with a random id and EDNS. Raises DnsFailure for a name or a type that DNS cannot carry."""
    try:
        # From octets, since a text that is not ASCII would go through dnspython's IDNA 2003.
        owner = dns.name.from_text(name.encode("ascii"))
        return dns.message.make_query(owner, rdtype, use_edns=0, payload=PAYLOAD, flags=flags)
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        raise DnsFailure(f"{name!a} {rdtype} is not a question that DNS can carry") from error


async def ask(query: dns.message.Message, endpoint: Endpoint, seconds: float) -> dns.message.Message:
    """The server's reply to this very question. Raises DnsFailure when none comes in time. A server that does not know
    EDNS is asked once more without it (RFC 6891 section 7)."""
    try:
        async with asyncio.timeout(seconds):
            reply = await _ask(query, endpoint)
            if reply.rcode() in _WITHOUT_EDNS and query.edns >= 0:
                plain = dns.message.make_query(query.question[0].name, query.question[0].rdtype, flags=int(query.flags))
                reply = await _ask(plain, endpoint)
            return reply
    except TimeoutError:
        raise DnsFailure(f"{endpoint[0]} did not answer in {seconds:.1f} s") from None
    except (OSError, EOFError) as error:
        raise DnsFailure(f"{endpoint[0]} cannot be reached: {error}") from error
    except (dns.exception.DNSException, ValueError) as error:
        raise DnsFailure(f"{endpoint[0]} sent a broken reply: {error}") from error


async def _ask(query: dns.message.Message, endpoint: Endpoint) -> dns.message.Message:
    reply = await _by_udp(query, endpoint)
    return await _by_tcp(query, endpoint) if reply.flags & dns.flags.TC else reply


class _Datagrams(asyncio.DatagramProtocol):
    """Waits for the one datagram that answers; others (wrong id, wrong question, broken) are passed over, since anybody
    can send them."""

    def __init__(self, query: dns.message.Message) -> None:
        self.query = query
        self.reply: asyncio.Future[dns.message.Message] = asyncio.get_running_loop().create_future()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        try:
            reply = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=True)
        except dns.message.Truncated as error:
            reply = error.message()  # type: ignore[no-untyped-call]
        except (dns.exception.DNSException, ValueError):
            return
        if not self.reply.done() and self.query.is_response(reply):
            self.reply.set_result(reply)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)


async def _by_udp(query: dns.message.Message, endpoint: Endpoint) -> dns.message.Message:
    loop, wire = asyncio.get_running_loop(), query.to_wire()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Datagrams(query), remote_addr=endpoint)
    try:
        while True:
            transport.sendto(wire)
            done, _ = await asyncio.wait([protocol.reply], timeout=_RESEND)
            if done:
                return protocol.reply.result()
    finally:
        protocol.reply.cancel()
        transport.close()


async def _by_tcp(query: dns.message.Message, endpoint: Endpoint) -> dns.message.Message:
    """RFC 7766: two octets of length, then the message."""
    reader, writer = await asyncio.open_connection(*endpoint)
    try:
        wire = query.to_wire()
        writer.write(len(wire).to_bytes(2, "big") + wire)
        size = int.from_bytes(await reader.readexactly(2), "big")
        reply = dns.message.from_wire(await reader.readexactly(size), ignore_trailing=True)
    finally:
        writer.transport.abort()
    if not query.is_response(reply):
        raise ValueError("it answers another question")
    return reply
