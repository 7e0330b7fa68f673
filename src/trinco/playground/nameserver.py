"""
NAME
    nameserver - the name server and the resolver of the made-up internet

DESCRIPTION
    Answers over UDP and TCP at one port. A query that does not ask for recursion gets what the authoritative server of
    the zone says; one that does gets what a resolver would find.

SECURITY
    For loopback alone. What it cannot read it does not answer; replies over UDP are bounded by what the asker takes.

BUGS
    One question per message, class IN only; no DNSSEC, no zone transfer, no rate limit.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import cast

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdataclass

from trinco.playground.answers import PAYLOAD, authoritative
from trinco.playground.resolver import Ask, resolve
from trinco.playground.world import World

IDLE = 10.0
"""Seconds after which a silent TCP connection is closed."""
MAX_WAITING = 256


@dataclass(frozen=True, slots=True)
class Responder:
    """From the octets of a query to those of a reply."""

    world: World
    ask: Ask

    async def answer(self, wire: bytes, *, limit: int) -> bytes | None:
        """The reply in at most `limit` octets (less if the asker says so), truncated if need be; None: silence."""
        query = _read(wire)
        if query is None:
            return None
        reply = await self._reply(query)
        allowed = min(limit, max(512, query.payload or 512)) if limit < 65_535 else limit
        return _written(reply, allowed)

    async def _reply(self, query: dns.message.Message) -> dns.message.Message:
        reply = dns.message.make_response(query, our_payload=PAYLOAD)
        if len(query.question) != 1 or query.question[0].rdclass != dns.rdataclass.IN:
            reply.set_rcode(dns.rcode.REFUSED)
            return reply
        if query.flags & dns.flags.RD:
            return await resolve(query, self.world, self.ask)
        return authoritative(query, self.world)


def _read(wire: bytes) -> dns.message.Message | None:
    try:
        query = dns.message.from_wire(wire)
    except (dns.exception.DNSException, ValueError, struct.error):
        return None
    return None if query.flags & dns.flags.QR else query


def _written(reply: dns.message.Message, limit: int) -> bytes:
    try:
        return reply.to_wire(max_size=limit)
    except dns.exception.TooBig:
        reply.answer, reply.authority, reply.additional = [], [], []
        reply.flags |= dns.flags.TC
        return reply.to_wire()


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, responder: Responder) -> None:
        self._responder = responder
        self._waiting: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(self._waiting) >= MAX_WAITING:
            return
        task = asyncio.ensure_future(self._reply(data, addr))
        self._waiting.add(task)
        task.add_done_callback(self._waiting.discard)

    async def _reply(self, data: bytes, addr: tuple[str, int]) -> None:
        if reply := await self._responder.answer(data, limit=PAYLOAD):
            self._transport.sendto(reply, addr)


@asynccontextmanager
async def listen(responder: Responder, host: str, port: int) -> AsyncIterator[tuple[str, int]]:
    """Serve UDP and TCP at one port; gives the bound address. Port 0 takes a free one."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _conversation(responder, reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the other side has gone, or is silent
        finally:
            writer.close()

    server = await asyncio.start_server(serve, host, port)
    bound = server.sockets[0].getsockname()[:2]
    loop = asyncio.get_running_loop()
    transport, _ = await loop.create_datagram_endpoint(lambda: _Datagrams(responder), local_addr=bound)
    try:
        async with server:
            yield bound
    finally:
        transport.close()


async def _conversation(responder: Responder, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Messages with two octets of length before each (RFC 1035 section 4.2.2)."""
    while True:
        async with asyncio.timeout(IDLE):
            size = int.from_bytes(await reader.readexactly(2), "big")
            wire = await reader.readexactly(size)
        reply = await responder.answer(wire, limit=65_535)
        if reply is None:
            return
        writer.write(len(reply).to_bytes(2, "big") + reply)
        await writer.drain()
