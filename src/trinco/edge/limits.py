"""What strangers may take of a listener, one by one and all together, and who has to go when there is no room left.

Every conversation is in exactly one phase, every phase has a deadline that starts with it and that no octet extends,
and the whole conversation has one as well. When an address, or the listener, is full, the newcomer gets in and whoever
has waited longest without getting on goes: a crowd of silent connections never keeps anybody out.
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Generic, Protocol, TypeVar

import structlog

_log = structlog.get_logger("trinco.edge")

Clock = Callable[[], float]


def clock() -> Clock:
    """What a listener reads all its deadlines from: the seconds of the running loop."""
    return asyncio.get_running_loop().time


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one listener for HTTPS. Durations are seconds, sizes octets."""

    handshake: float = 10.0
    """From the accepted connection to the end of the TLS handshake."""
    header: float = 10.0
    """From the first octet of a request, or the end of the handshake, to the request's end."""
    idle: float = 5.0
    """From an answer to the first octet of the next request."""
    closing: float = 2.0
    """From our last word to the peer's."""
    content: float = 10.0
    """In so much time must have come what `content_rate` asks for, or the content's end."""
    content_total: float = 120.0
    """From a head to the end of the content that follows it."""
    content_rate: int = 2 * 1024
    """Octets of content a second."""
    answer: float = 30.0
    """From the end of the content to our answer, which may have to wait for a disk."""
    total: float = 60.0
    """The whole connection, whatever it does, but for content that gets on."""
    connections: int = 4096
    """In all. Less where the process may not open as many files."""
    per_address: int = 256
    """Of one IPv4 address or one IPv6 /64."""
    requests: int = 100
    """On one connection."""
    hello: int = 16 * 1024
    """Of a ClientHello. The largest seen in the wild, with post-quantum keys, have about 2,000."""
    head: int = 8 * 1024
    """Of a request line and the fields below it."""
    target: int = 2 * 1024
    """Of a request target."""
    contents: int = 64 * 1024 * 1024
    """Of content that is in memory for all connections together."""
    contexts: int = 2048
    """TLS contexts kept ready. One takes about 27 KiB, and one or two milliseconds to build."""
    builds: int = 1024
    """Names whose TLS context is waited for."""
    log_lines: float = 5.0
    """Lines a second about bad input; what goes beyond is counted and told in the next line."""

    @property
    def phases(self) -> tuple[float, ...]:
        """The seconds that are given to each part of a conversation, and to all of it."""
        return (self.handshake, self.header, self.idle, self.closing, self.content, self.answer, self.total)


class Phase(IntEnum):
    """What a conversation is waiting for."""

    HANDSHAKE = 0
    HEADER = 1
    IDLE = 2
    CLOSING = 3
    CONTENT = 4
    ANSWER = 5


class Guest(Protocol):
    """Who is in the roster."""

    origin: Hashable
    """Whose connections count together with this one."""
    phase: Phase
    """The roster's to write."""

    def overdue(self, phase: Phase) -> None:
        """The deadline of `phase`, in which the guest is, or that of the whole stay has passed."""

    def evict(self) -> None:
        """The place is needed: leave at once."""


G = TypeVar("G", bound=Guest)


class Roster(Generic[G]):
    """Everybody who is connected, in the order in which their deadlines fall. Each operation takes constant time.

    A phase's deadline is a constant, so that whoever entered the phase first is due first: a plain ordered dict is the
    queue. `clock` is monotonic.
    """

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._clock = clock
        self._room = limits.connections
        self._per_address = limits.per_address
        phases = (limits.handshake, limits.header, limits.idle, limits.closing, limits.content, limits.answer)
        self._spans = (*phases, limits.total)
        self._phases: tuple[dict[G, float], ...] = tuple({} for _ in phases)
        self._entered: dict[G, float] = {}
        self._origins: dict[Hashable, dict[G, None]] = {}

    def __len__(self) -> int:
        return len(self._entered)

    def __iter__(self) -> Iterator[G]:
        return iter(list(self._entered))

    def enter(self, guest: G) -> None:
        """Put the guest into the first phase, if need be in somebody else's place."""
        neighbours = self._origins.get(guest.origin)
        if neighbours is not None and len(neighbours) >= self._per_address:
            self._evict(next(iter(neighbours)))
        elif len(self._entered) >= self._room:
            self._evict(self._longest_waiting())
        guest.phase = Phase.HANDSHAKE
        self._phases[0][guest] = self._entered[guest] = self._clock()
        self._origins.setdefault(guest.origin, {})[guest] = None

    def turn(self, guest: G, phase: Phase) -> None:
        """The guest got on to `phase`, whose deadline starts now. Nothing happens to one who has left."""
        if self._phases[guest.phase].pop(guest, None) is None:
            return
        guest.phase = phase
        self._phases[phase][guest] = self._clock()
        neighbours = self._origins[guest.origin]
        del neighbours[guest]
        neighbours[guest] = None

    def leave(self, guest: G) -> None:
        """The guest has gone. May be said twice."""
        if self._phases[guest.phase].pop(guest, None) is None:
            return
        del self._entered[guest]
        neighbours = self._origins[guest.origin]
        del neighbours[guest]
        if not neighbours:
            del self._origins[guest.origin]

    def sweep(self) -> None:
        """Tell everybody whose deadline has passed. It then starts again, for one who is told and does not leave."""
        now = self._clock()
        for queue, span in zip((*self._phases, self._entered), self._spans, strict=True):
            for guest in _due(queue, now - span):
                del queue[guest]
                queue[guest] = now
                guest.overdue(guest.phase)

    def _evict(self, guest: G) -> None:
        self.leave(guest)
        guest.evict()

    def _longest_waiting(self) -> G:
        """Whoever has had an answer and says nothing; else whoever entered a phase first, but for those whom we owe an
        answer: their content would come again."""
        *phases, owed = self._phases
        idle = phases[Phase.IDLE]
        queues = [idle] if idle else [queue for queue in phases if queue] or [owed]
        return min((next(iter(queue.items())) for queue in queues), key=lambda front: front[1])[0]


def _due(queue: dict[G, float], before: float) -> list[G]:
    """Those at the head of the queue who entered it at `before` or earlier."""
    due = []
    for guest, since in queue.items():
        if since > before:
            break
        due.append(guest)
    return due


class Log:
    """Lines about what strangers did: so many a second and no more. Values of theirs are cut and escaped."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._rate = limits.log_lines
        self._burst = max(1.0, limits.log_lines)
        self._left = self._burst
        self._clock = clock
        self._at = clock()
        self._withheld = 0

    def line(self, event: str, **values: object) -> None:
        """A line, unless there were too many."""
        self._write(_log.info, event, values)

    def fault(self, error: BaseException) -> None:
        """A line about a fault of ours that a stranger brought to light: what, and where, without a traceback."""
        place = error.__traceback__
        while place is not None and place.tb_next is not None:
            place = place.tb_next
        where = "" if place is None else f"{place.tb_frame.f_code.co_name}:{place.tb_lineno}"
        self._write(_log.error, "connection_fault", {"error": repr(error), "where": where})

    def _write(self, write: Callable[..., object], event: str, values: dict[str, object]) -> None:
        now = self._clock()
        self._left = min(self._burst, self._left + (now - self._at) * self._rate)
        self._at = now
        if self._left < 1:
            self._withheld += 1
            return
        self._left -= 1
        withheld, self._withheld = self._withheld, 0
        more = {"withheld": withheld} if withheld else {}
        write(event, **{key: _shown(value) for key, value in values.items()}, **more)


def _shown(value: object) -> object:
    """A value as it may stand in a log: text in printable ASCII, and not much of it."""
    text = bytes(value[:100]).decode("latin-1") if isinstance(value, bytes | bytearray) else value
    return text[:100].encode("unicode_escape").decode("ascii") if isinstance(text, str) else value


def origin(host: str) -> Hashable:
    """Whose connections count together: an IPv4 address, or an IPv6 /64, which is what one subscriber gets.

    An IPv4-mapped address is the IPv4 address. What is no address counts as itself.
    """
    if ":" not in host:
        return host
    try:
        address = ipaddress.IPv6Address(host.partition("%")[0])
    except ValueError:
        return host
    mapped = address.ipv4_mapped
    return str(mapped) if mapped is not None else address.packed[:8]
