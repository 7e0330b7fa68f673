"""One request in plain HTTP, its answer, the end: the listener of challenges, of fronts and of those who watch.

What is answered is the caller's; here are the deadlines and numbers of connections, as at the policy host, HTTP/1.1 by
RFC 9110 and 9112. Whatever goes wrong ends one connection.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Hashable, Sequence
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Any, Final, cast

from trinco.core.errors import Refused
from trinco.edge import http1
from trinco.edge.guests import Endpoint, received
from trinco.edge.limits import Limits, Log, Phase, Roster, clock, origin
from trinco.edge.pipe import Pipe

SPARE: Final = 16 * 1024
"""Octets that may still come behind the answer and are thrown away."""


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
        self._spare = SPARE
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
    now = clock()
    roster: Roster[Visitor] = Roster(limits, now)
    log = Log(limits, now)

    def visitor() -> Visitor:
        return Visitor(answer, limits, roster, log)

    async with received(visitor, endpoints, roster, limits.phases) as bound:
        yield bound
