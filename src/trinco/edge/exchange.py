"""A request with content under way: its octets come in, its answer comes later.

The octets of all exchanges together have a bound. When it is reached, whoever holds the most gives way, so that a few
large ones never keep the many small ones out; one whose content is whole keeps its place until it is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from typing import Protocol

from trinco.core.errors import Refused
from trinco.edge import http1
from trinco.edge.content import Content
from trinco.edge.limits import Clock, Limits


class Receiver(Protocol):
    """Takes requests with content, for one server name."""

    host: bytes
    """The server name, in lower case."""

    def answer(self, request: http1.Request) -> http1.Response:
        """The response to a request without content. Pure."""

    def admits(self, request: http1.Request) -> int | http1.Response:
        """How many octets of content are read for this head (0: none), or why it is not worth reading. Pure."""

    async def receive(self, request: http1.Request, content: bytes, peer: str) -> http1.Response:
        """The response to the whole of it. Nobody's hanging up cancels it. Raises nothing but faults of ours."""


class Exchange:
    """One request with its content. It gets on from octets to a task."""

    __slots__ = ("_begun_at", "_looked_at", "_seen", "content", "give_way", "request", "size", "task")

    def __init__(self, request: http1.Request, content: Content, now: float, give_way: Callable[[], None]) -> None:
        self.request = request
        self.content = content
        self.give_way = give_way
        """What to do when its place is needed."""
        self.size = 0
        """Octets that the house counts for it."""
        self.task: asyncio.Task[http1.Response] | None = None
        self._begun_at = self._looked_at = now
        self._seen = 0

    @property
    def awaits_word(self) -> bool:
        """The client wants to be asked for the content (RFC 9110 section 10.1.1)."""
        return not self.request.http10 and self.request.fields.get(b"expect", b"").lower() == b"100-continue"

    def gets_on(self, now: float, limits: Limits) -> bool:
        """Whether it may go on in its phase, whose deadline seems to have passed. Asked then alone."""
        if self.task is not None:
            return now - self._looked_at < limits.answer
        elapsed = now - self._looked_at
        if elapsed >= limits.content:
            new = self.content.size - self._seen
            self._looked_at, self._seen = now, self.content.size
            return new >= limits.content_rate * elapsed and now - self._begun_at < limits.content_total
        return now - self._begun_at < limits.content_total

    def whole(self, now: float) -> bytes:
        """Take out the content, which is whole: what counts from now on is the wait for the answer."""
        self._looked_at = now
        return self.content.taken()


class House:
    """All exchanges of a listener."""

    def __init__(self, receiver: Receiver, limits: Limits, clock: Clock) -> None:
        self.receiver = receiver
        self.clock = clock
        self._room = limits.contents
        self._held = 0
        self._coming: dict[Exchange, None] = {}
        self._answering: set[asyncio.Task[http1.Response]] = set()

    @property
    def held(self) -> int:
        """Octets of content in memory."""
        return self._held

    def enter(self, exchange: Exchange) -> None:
        """Content is going to come."""
        self._coming[exchange] = None

    def grow(self, exchange: Exchange) -> None:
        """Count what has come. Raises Refused when there is no room for it."""
        more = exchange.content.size - exchange.size
        while self._held + more > self._room:
            largest = max(self._coming, key=_size, default=exchange)
            if largest is exchange or largest.size < exchange.content.size:
                raise Refused("too much at once", http_status=HTTPStatus.SERVICE_UNAVAILABLE)
            self.leave(largest)
            largest.give_way()
        self._held += more
        exchange.size += more

    def leave(self, exchange: Exchange) -> None:
        """The exchange ends, if it has not ended. One that is being answered keeps its octets until it is."""
        if exchange in self._coming:
            del self._coming[exchange]
            self._held -= exchange.size

    def answered(self, exchange: Exchange, peer: str, then: Callable[[asyncio.Task[http1.Response]], None]) -> None:
        """Have the receiver answer the exchange, whose content is whole; `then` is called when it has."""
        content = exchange.whole(self.clock())
        task = asyncio.get_running_loop().create_task(self.receiver.receive(exchange.request, content, peer))
        del self._coming[exchange]
        exchange.task = task
        self._answering.add(task)
        task.add_done_callback(lambda _: self._done(exchange, task))
        task.add_done_callback(then)

    async def close(self, patience: float) -> None:
        """Give what is being answered so many seconds."""
        if not self._answering:
            return
        _, late = await asyncio.wait(self._answering, timeout=patience)
        for task in late:
            task.cancel()
        for task in late:
            with suppress(asyncio.CancelledError, Exception):
                await task

    def _done(self, exchange: Exchange, task: asyncio.Task[http1.Response]) -> None:
        self._answering.discard(task)
        self._held -= exchange.size
        if not task.cancelled():
            task.exception()  # whoever still waits for the answer reports it


def _size(exchange: Exchange) -> int:
    return exchange.size
