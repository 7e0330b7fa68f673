"""What the conversations of the report mailbox share: its limits, the memory that mails may take, the desk behind."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Hashable, Sequence
from dataclasses import dataclass, field

from trinco.core.errors import Refused
from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge.limits import Limits, Log
from trinco.edge.ports import ReportDesk

ACCEPTED = "250 2.0.0 The report is kept"
LATER = "451 4.3.0 Not now, try again later"


@dataclass(frozen=True, slots=True)
class MailLimits:
    """Bounds of the report mailbox. Durations are seconds, sizes octets."""

    handshake: float = 30.0
    """Of TLS."""
    command: float = 60.0
    """From a reply to the end of the next command. RFC 5321 section 4.5.3.2.7 asks for 300, for people who type."""
    data: float = 300.0
    """From DATA to the reply to the mail: 15 MiB at half a megabit a second."""
    closing: float = 2.0
    """From our last word to the peer's."""
    total: float = 900.0
    """The whole connection."""
    connections: int = 512
    """In all."""
    per_address: int = 32
    """Of one IPv4 address or one IPv6 /64."""
    mails: int = 1000
    """On one connection."""
    commands: int = 5000
    """On one connection."""
    junk: int = 20
    """Commands of one connection that were answered with 5xx."""
    recipients: int = 4
    """Of one mail."""
    size: int = 15 * 1024 * 1024
    """Of a mail, as SIZE announces it."""
    memory: int = 64 * 1024 * 1024
    """Of all mails that are being received or kept."""
    memory_per_address: int = 32 * 1024 * 1024
    log_lines: float = 5.0
    """Lines a second; what goes beyond is counted and told in the next line."""

    def shared(self) -> Limits:
        """These, for the roster and the log that all listeners of this room use."""
        return Limits(
            handshake=self.handshake,
            header=self.data,
            idle=self.command,
            closing=self.closing,
            total=self.total,
            connections=self.connections,
            per_address=self.per_address,
            log_lines=self.log_lines,
        )


class Memory:
    """How much of the mails is in memory: in all, and by origin."""

    def __init__(self, limits: MailLimits) -> None:
        self._room, self._per_origin = limits.memory, limits.memory_per_address
        self.taken = 0
        self._taken: Counter[Hashable] = Counter()

    def fits(self, origin: Hashable, octets: int) -> bool:
        """Whether there is room for so many more."""
        return self.taken + octets <= self._room and self._taken[origin] + octets <= self._per_origin

    def take(self, origin: Hashable, octets: int) -> None:
        """Count so many more; a negative number gives them back."""
        self.taken += octets
        self._taken[origin] += octets
        if not self._taken[origin]:
            del self._taken[origin]


@dataclass(slots=True)
class Share:
    """What one mail takes of the memory."""

    memory: Memory
    origin: Hashable
    taken: int = 0

    def grow(self, octets: int) -> bool:
        """Take so many more, if there is room."""
        if not self.memory.fits(self.origin, octets):
            return False
        self.memory.take(self.origin, octets)
        self.taken += octets
        return True

    def release(self) -> None:
        """Give everything back. May be said twice."""
        self.memory.take(self.origin, -self.taken)
        self.taken = 0


@dataclass(slots=True)
class Room:
    """The mailbox behind a conversation. `host` in lower case; `tls` gives the context of now, or None."""

    desk: ReportDesk
    host: str
    tls: Callable[[], ssl.SSLContext | None]
    limits: MailLimits
    memory: Memory
    log: Log
    handing: set[asyncio.Task[str]] = field(default_factory=set)
    """Mails that the desk has not answered for."""

    def hand_in(self, arrivals: Sequence[Arrival], share: Share) -> Awaitable[str]:
        """The reply to a mail, which may be awaited or not: what the desk began, it ends, whether or not the sender
        still listens. The share is given back then."""
        task = asyncio.get_running_loop().create_task(self._accept(arrivals, share))
        self.handing.add(task)
        task.add_done_callback(self.handing.discard)
        return asyncio.shield(task)

    async def close(self, seconds: float) -> None:
        """Let the desk end what it began, for so long."""
        if self.handing:
            _, late = await asyncio.wait(self.handing, timeout=seconds)
            for task in late:
                task.cancel()

    async def _accept(self, arrivals: Sequence[Arrival], share: Share) -> str:
        try:
            replies = await asyncio.gather(*map(self._ask, arrivals))
        finally:
            share.release()
        return _worst(replies)

    async def _ask(self, arrival: Arrival) -> str:
        try:
            await self.desk.accept(arrival)
        except Refused as refusal:
            self.log.line("mail_refused", reason=refusal.reason, peer=arrival.peer)
            return refusal.smtp_reply or LATER
        except Exception as fault:  # noqa: BLE001 - the outermost loop of a mail
            self.log.fault(fault)
            return LATER
        return ACCEPTED


def _worst(replies: Sequence[str]) -> str:
    """One reply for all recipients: "later" if one of them needs it (the others know a repeated report), no refusal
    while one of them has the report."""
    later = [reply for reply in replies if reply.startswith("4")]
    kept = [reply for reply in replies if reply.startswith("2")]
    return (later or kept or list(replies))[0]


def now() -> float:
    """Unix seconds."""
    return time.time()
