"""NAME
    challenge_host - the answer to certificate authorities that ask whether a name is ours, over plain HTTP

DESCRIPTION
    Answers `GET http://<host>/.well-known/acme-challenge/<token>` with `<token>.<thumbprint>`, for the policy hosts of
    the domains that are served and for our own hosts, and everything else with an error. Nothing is kept for a token:
    the thumbprint is that of the installation's account key, and whoever holds another key learns nothing from it. So
    every edge answers at once, and goes on without the panel and without the database.

PROTOCOL
    RFC 8555 section 8.3 (HTTP-01). The port is 80 out in the world, and used for nothing else: there is no redirect to
    HTTPS, since nothing that a sender asks for is here. HTTP/1.1 by RFC 9110 and 9112, one request a connection.

SECURITY
    Whoever could have this answered for a name that is not hosted could get a certificate for it with our account: a
    host is looked up among those served, and a token is 1 to 128 characters of base 64 for URLs, so that nothing else
    is ever said back. An edge that may be behind answers all the same: its thumbprint cannot be outdated, and no policy
    is served here. Connections have the deadlines and numbers of the policy host.

DIAGNOSTICS
    `request_refused`, `connection_fault`: as those of the policy host.

BUGS
    There is one account key for all authorities. A key that one of them refused could not be changed for it alone.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, cast

from trinco.core.errors import Refused
from trinco.edge import http1, https
from trinco.edge.limits import Limits, Log, Phase, Roster, origin
from trinco.edge.pipe import Pipe
from trinco.edge.ports import ThumbprintSource

READ: Final = 4 * 1024
LIMITS: Final = Limits(connections=1024, per_address=64, header=5.0, closing=1.0)
"""An authority asks from a handful of addresses, and all that it sends fits one packet."""
_PATH = re.compile(rb"/\.well-known/acme-challenge/([A-Za-z0-9_-]{1,128})")

Endpoint = tuple[str, int]


def answer(source: ThumbprintSource, request: http1.Request) -> http1.Response:
    """The response to a request. Pure."""
    match = _PATH.fullmatch(request.target)
    if match is None or request.method != b"GET" or request.host is None:
        return http1.plain(HTTPStatus.NOT_FOUND)
    thumbprint = source.thumbprint(request.host)
    if not thumbprint:
        return http1.plain(HTTPStatus.NOT_FOUND)
    return http1.response(HTTPStatus.OK, match[1] + b"." + thumbprint.encode("ascii"))


class Visitor(asyncio.Protocol):
    """One connection: a request, its answer, the end."""

    __slots__ = ("_answer", "_closing", "_log", "_pipe", "_reader", "_roster", "_spare", "origin", "phase")

    def __init__(
        self, answer: Callable[[http1.Request], http1.Response], limits: Limits, roster: Roster[Any], log: Log
    ) -> None:
        self._answer = answer
        self._roster = roster
        self._log = log
        self._reader = http1.Reader(limits)
        self._spare = https.READ
        self._closing = False
        self.origin: Hashable = None
        self.phase = Phase.HANDSHAKE

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._pipe = Pipe(cast(asyncio.Transport, transport))
        self.origin = origin(self._pipe.peer)
        self._roster.enter(self)
        self._roster.turn(self, Phase.HEADER)

    def data_received(self, data: bytes) -> None:
        try:
            self._read(data)
        except Exception as fault:  # noqa: BLE001 - the outermost loop of a connection
            self._log.fault(fault)
            self.evict()

    def eof_received(self) -> None:
        """Whoever has said all still gets its answer: the transport closes when that is written."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - whatever ended it, it has ended
        self._closing = True
        self._roster.leave(self)

    def overdue(self, phase: Phase) -> None:  # noqa: ARG002 - there is one thing to wait for
        self.evict()

    def evict(self) -> None:
        self._closing = True
        self._roster.leave(self)
        self._pipe.abort()

    def dismiss(self) -> None:
        """The listener ends."""
        if not self._closing and not self._reader.begun:
            self.evict()

    def _read(self, data: bytes) -> None:
        if self._closing:
            self._throw_away(len(data))
            return
        self._reader.feed(data)
        try:
            request = self._reader.next()
        except Refused as refusal:
            self._log.line("request_refused", reason=refusal.reason, peer=self._pipe.peer)
            self._say(http1.plain(refusal.http_status or HTTPStatus.BAD_REQUEST), b"GET")
            return
        if request is not None:
            self._say(self._answer(request), request.method)

    def _say(self, response: http1.Response, method: bytes) -> None:
        """The one answer. Our side is closed, and what still comes thrown away: a close would take the answer back."""
        self._closing = True
        self._roster.turn(self, Phase.CLOSING)
        self._pipe.write(http1.encode(response, method))
        self._pipe.close_our_side()

    def _throw_away(self, octets: int) -> None:
        self._spare -= octets
        if self._spare < 0:
            self.evict()


@asynccontextmanager
async def visited(
    answer: Callable[[http1.Request], http1.Response], endpoints: Sequence[Endpoint], limits: Limits
) -> AsyncIterator[list[Endpoint]]:
    """Say `answer` in plain HTTP until the block is left; gives what is bound, a port for each port 0.

    OSError when one is taken.
    """
    loop = asyncio.get_running_loop()
    roster: Roster[Visitor] = Roster(limits, loop.time)
    log = Log(limits, loop.time)
    sweeper = loop.create_task(https.sweep(roster, limits))
    servers: list[asyncio.Server] = []

    def visitor() -> Visitor:
        return Visitor(answer, limits, roster, log)

    try:
        for host, port in endpoints:
            servers.append(await loop.create_server(visitor, host, port, backlog=https.BACKLOG))
        yield [cast(Endpoint, server.sockets[0].getsockname()[:2]) for server in servers]
    finally:
        for server in servers:
            server.close()
        await https.see_off(roster)
        sweeper.cancel()


@asynccontextmanager
async def listen(
    source: ThumbprintSource, endpoints: Sequence[Endpoint], *, limits: Limits = LIMITS
) -> AsyncIterator[list[Endpoint]]:
    """Answer until the block is left; gives what is bound, a port for each port 0. OSError when one is taken."""
    async with visited(lambda request: answer(source, request), endpoints, limits) as bound:
        yield bound
