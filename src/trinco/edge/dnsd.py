"""NAME
    dnsd - the authoritative name server of our zone

DESCRIPTION
    `listen` opens one UDP and one TCP socket per endpoint, on the same port, and answers from an `Answers`. There is
    no database, no file and no other host behind an answer. More cores are used by more processes on one port
    (`share_port`).

PROTOCOL
    RFC 1034 and 1035 with EDNS (RFC 6891, 1232 octets each way), negative answers (RFC 2308), minimal ANY (RFC 8482),
    CAA (RFC 8659), one question a message (RFC 9619) and TCP (RFC 7766). `answers` says what is answered, and what is
    refused; `transfer` says what secondaries get.

SECURITY
    No message raises: each is read inside one guarded function. A message with QR set, or without a whole header,
    gets nothing back, so that two servers never talk to each other for ever. UDP replies are limited in rate
    (`ratelimit`) and never larger than 1232 octets. TCP connections are limited per client and in all; each ends
    `idle` seconds after its last whole message, whatever drips in or stays unread.

DIAGNOSTICS
    dns.listening, dns.query_failed (a fault of ours, with its traceback; the query stays unanswered).

BUGS
    Where recvmmsg is missing, a wildcard address may reply from another of the host's addresses than was asked: give
    the addresses one by one there.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import structlog

from trinco.edge.answers import Answers
from trinco.edge.dnstcp import Connection, Connections
from trinco.edge.dnsudp import reader
from trinco.edge.ratelimit import RateLimiter, Rates
from trinco.edge.transfer import Transfers

RECEIVE_BUFFER = 4 << 20
"""Octets of datagrams that may wait in the kernel: a burst of 20,000 queries."""
SO_RCVBUFFORCE = 33
"""socket(7): beyond net.core.rmem_max, for those with CAP_NET_ADMIN. The socket module does not have it."""
ATTEMPTS = 20
"""How often a free port is looked for that is free for both UDP and TCP."""

_log = structlog.get_logger("trinco.edge")


@dataclass(frozen=True, slots=True)
class Limits:
    """What strangers may take. `rates` None: no limit on replies by UDP; `idle` in seconds."""

    connections: int = 500
    connections_per_client: int = 20
    idle: float = 10.0
    rates: Rates | None = field(default_factory=Rates)
    share_port: bool = False
    """Other processes of the same user may listen on the same port (SO_REUSEPORT)."""


DEFAULT = Limits()


@asynccontextmanager
async def listen(
    answers: Answers,
    endpoints: Sequence[tuple[str, int]],
    *,
    limits: Limits = DEFAULT,
    transfers: Transfers | None = None,
) -> AsyncIterator[list[tuple[str, int]]]:
    """Serve `answers` at these addresses until the block ends; gives the bound ones (port 0: a free port).

    `transfers` None: nobody may transfer the zone. Raises OSError when an address cannot be had.
    """
    loop = asyncio.get_running_loop()
    with ExitStack() as stack:
        pairs = [_bind(host, port, limits, stack) for host, port in endpoints]
        limiter = RateLimiter(limits.rates) if limits.rates else None
        connections = Connections(answers, limits, loop, transfers)
        stack.callback(connections.close)
        for udp, tcp in pairs:
            loop.add_reader(udp.fileno(), reader(udp, answers, limiter))
            stack.callback(loop.remove_reader, udp.fileno())
            server = await loop.create_server(lambda: Connection(connections), sock=tcp, backlog=512)
            stack.callback(server.close)
        bound = [_name(udp) for udp, _ in pairs]
        _log.info("dns.listening", endpoints=bound)
        yield bound


def _bind(
    host: str, port: int, limits: Limits, stack: ExitStack, attempts: int = ATTEMPTS
) -> tuple[socket.socket, socket.socket]:
    """A UDP and a TCP socket on one port, not blocking; closed with `stack`."""
    udp = stack.enter_context(_socket(socket.SOCK_DGRAM, host, port, limits))
    try:
        return udp, stack.enter_context(_socket(socket.SOCK_STREAM, host, _name(udp)[1], limits))
    except OSError:
        udp.close()
        if port or attempts == 1:
            raise
    return _bind(host, 0, limits, stack, attempts - 1)


def _socket(kind: socket.SocketKind, host: str, port: int, limits: Limits) -> socket.socket:
    """A bound socket. An IPv6 socket is for IPv6 alone: `::` and `0.0.0.0` are two endpoints."""
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind)
    try:
        sock.setblocking(False)
        for level, option, value in _options(sock, limits):
            sock.setsockopt(level, option, value)
        if kind == socket.SOCK_DGRAM:
            _widen(sock)
        sock.bind((host, port))
    except OSError:
        sock.close()
        raise
    return sock


def _options(sock: socket.socket, limits: Limits) -> Iterator[tuple[int, int, int]]:
    if sock.family == socket.AF_INET6:
        yield socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1
    if sock.type == socket.SOCK_STREAM:
        yield socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
    if limits.share_port:
        yield socket.SOL_SOCKET, socket.SO_REUSEPORT, 1


def _widen(sock: socket.socket) -> None:
    """Room for a burst of datagrams: as much as wanted where we may, else as much as the system lets anybody have."""
    with suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
    if sys.platform == "linux":
        with suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BUFFER)


def _name(sock: socket.socket) -> tuple[str, int]:
    host, port, *_ = sock.getsockname()
    return host, port
