"""Requests with content under way: their octets come in, their answers come later.

The octets of all of them together have a bound. When it is reached, whoever holds the most gives way, so that a few
large ones never keep the many small ones out; one whose content is whole keeps its place until it is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from http import HTTPStatus
from typing import Protocol

from trinco.core.errors import Refused
from trinco.edge import content, http1
from trinco.edge.limits import Clock, Limits

Task = asyncio.Task[http1.Response]


class Receiver(Protocol):
    """Takes requests with content, for one server name."""

    host: bytes
    """The server name, in lower case."""

    def admits(self, request: http1.Request) -> int | http1.Response:
        """How many octets of content are read for this head (0: none), or why it is not worth reading. Pure."""

    async def receive(self, request: http1.Request, content: bytes, peer: str) -> http1.Response:
        """The response to the whole of it. That the peer hangs up cancels nothing."""


class Exchange:
    """One request with its content. Made by `House.enter`."""

    __slots__ = ("_begun_at", "_content", "_house", "_looked_at", "_seen", "give_way", "held", "request", "task")

    def __init__(
        self, house: House, request: http1.Request, coming: content.Content, give_way: Callable[[], None]
    ) -> None:
        self._house = house
        self._content = coming
        self._begun_at = self._looked_at = house.clock()
        self._seen = 0
        self.request = request
        self.give_way = give_way
        """What to do when its place is needed."""
        self.held = 0
        """Octets that the house counts for it."""
        self.task: Task | None = None

    @property
    def awaits_word(self) -> bool:
        """The client wants to be asked for the content (RFC 9110 section 10.1.1)."""
        return not self.request.http10 and self.request.fields.get(b"expect", b"").lower() == b"100-continue"

    @property
    def answering(self) -> bool:
        """The content is whole, and the answer not there yet."""
        return self.task is not None

    def take(self, data: bytes) -> bytes | None:
        """More plaintext. Gives what follows the content once it is whole; None: it is not. Raises Refused."""
        rest = self._content.feed(data)
        self._house.make_room(self, self._content.size - self.held)
        return rest

    def answered(self, peer: str, then: Callable[[Task], None]) -> None:
        """Have the content, which is whole, answered; `then` is called when it is."""
        self._looked_at = self._house.clock()
        self.task = self._house.answered(self, self._content.taken(), peer)
        self.task.add_done_callback(then)

    def leave(self) -> None:
        """End, unless it is being answered: that nobody waits for the answer any more changes nothing then."""
        self._house.leave(self)

    def overdue(self) -> Refused | None:
        """The deadline of the phase, or of the connection, has passed: why this ends, or None: it gets on."""
        limits, now = self._house.limits, self._house.clock()
        elapsed = now - self._looked_at
        if self.answering:
            late = elapsed > limits.answer / 2  # else it was the connection's deadline: that of the answer comes
            return Refused("no answer in time", http_status=HTTPStatus.SERVICE_UNAVAILABLE) if late else None
        slow = now - self._begun_at >= limits.content_total
        if elapsed > limits.content / 2:
            slow = slow or self._content.size - self._seen < limits.content_rate * elapsed
            self._looked_at, self._seen = now, self._content.size
        return Refused("not whole in time", http_status=HTTPStatus.REQUEST_TIMEOUT) if slow else None


class House:
    """All exchanges of a listener."""

    def __init__(self, receiver: Receiver, limits: Limits, clock: Clock) -> None:
        self.receiver = receiver
        self.limits = limits
        self.clock = clock
        self.held = 0
        """Octets of content in memory."""
        self._coming: dict[Exchange, None] = {}
        self._answering: set[Task] = set()

    def enter(self, request: http1.Request, largest: int, give_way: Callable[[], None]) -> Exchange:
        """An exchange for this request, whose content may have so many octets. Raises Refused."""
        exchange = Exchange(self, request, content.begin(request, largest), give_way)
        self._coming[exchange] = None
        return exchange

    def make_room(self, exchange: Exchange, more: int) -> None:
        """Count so many octets more. Raises Refused when this one has to give way."""
        while self.held + more > self.limits.contents:
            largest = max(self._coming, key=_held, default=exchange)
            if largest is exchange or largest.held < exchange.held + more:
                raise Refused("too much at once", http_status=HTTPStatus.SERVICE_UNAVAILABLE)
            self.leave(largest)
            largest.give_way()
        self.held += more
        exchange.held += more

    def answered(self, exchange: Exchange, octets: bytes, peer: str) -> Task:
        """Have the receiver answer. The octets count until it has, whatever becomes of the connection."""
        task = asyncio.get_running_loop().create_task(self.receiver.receive(exchange.request, octets, peer))
        del self._coming[exchange]
        self._answering.add(task)
        task.add_done_callback(lambda task: self._done(task, exchange.held))
        return task

    def leave(self, exchange: Exchange) -> None:
        """The exchange ends, if its content was still coming."""
        if exchange in self._coming:
            del self._coming[exchange]
            self.held -= exchange.held

    async def close(self, patience: float) -> None:
        """Give what is being answered so many seconds."""
        if self._answering:
            _, late = await asyncio.wait(self._answering, timeout=patience)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def _done(self, task: Task, octets: int) -> None:
        self._answering.discard(task)
        self.held -= octets
        if not task.cancelled():
            task.exception()  # whoever still waits for the answer reports it


def _held(exchange: Exchange) -> int:
    return exchange.held
