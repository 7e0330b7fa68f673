"""NAME
    spool - reports on disk, from the moment of their acceptance until the database has them

DESCRIPTION
    `put` returns when the report is durable. While one batch is being written others gather, and go together as the
    next one: one report alone waits for nobody, and many share one sync. A batch is one file: written under a
    temporary name, synced, renamed to its number, its directory synced. `batches` gives what is there, in the order of
    its acceptance, and `done` removes it.

PROTOCOL
    RFC 5321 section 4.2.5: with 250 the receiver takes the responsibility for the message. RFC 8460 section 5.4: 201 is
    said of a report that was accepted. Both are said after `put`.

SECURITY
    The directory is 0700, the files 0600. Contents are never looked at here. The spool has a size: beyond it, and while
    the disk takes nothing or has only what is kept free for the database, senders are told to come again (452, 503),
    which those that keep to RFC 8460 do for a day.

DIAGNOSTICS
    spool_not_written (the disk takes nothing, or is left to the database) and spool_full: each once until
    spool_written_again, which is said when nothing was refused for a minute: a disk that has room for small reports and
    not for large ones says neither for each of them. spool_damaged (a file that is not what was written: its sound
    records are delivered, the file is kept in `damaged/`); spool_not_put_aside (there is no room in `damaged/`: it is
    tried again later, and nothing waits behind it); spool_unreadable (a file that
    cannot be opened for now: said once, until it can).

BUGS
    A report whose sender hung up before it was told so is kept: it comes again, and is there twice until the digest
    finds both equal.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from trinco.core.errors import Refused
from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge.shelf import Shelf, State, blocks

log = structlog.get_logger("trinco.edge")

_NO_ROOM: Final = "452 4.3.1 No room for reports at the moment, try again later"
QUIET: Final = 60.0
"""Seconds without a refusal after which the spool is well again."""


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Bounds of a spool. Sizes are octets."""

    octets: int = 1 << 30
    """On disk, in whole blocks."""
    batches: int = 1 << 18
    """Files on disk."""
    reserve: int = 256 << 20
    """Of the disk, left to the database, whose transactions take up to twice what they remove from the spool; of a disk
    below 1 GiB, a quarter."""
    waiting: int = 128 << 20
    """In memory: gathered, or being written."""
    batch_reports: int = 100
    batch_octets: int = 32 << 20


@dataclass(slots=True)
class _Waiting:
    """A report whose door waits."""

    arrival: Arrival
    durable: asyncio.Future[None]


class Spool:
    """The reports in `directory`. `put` belongs to an event loop; `batches` and `done` block, for one other thread.

    The directory is made, and tidied, when it is first used: a disk that is full at the start is no reason not to
    start.
    """

    def __init__(self, directory: Path, limits: SpoolLimits | None = None) -> None:
        self._limits = limits or SpoolLimits()
        self._shelf = Shelf(directory, self._limits.reserve)
        self._thread = ThreadPoolExecutor(1, "trinco-spool")
        self._gathered: deque[_Waiting] = deque()
        self._memory = 0
        self._writer: asyncio.Task[None] | None = None
        self._fails = False
        self._failed_at = 0.0
        self.written = asyncio.Event()
        """Set when there is a new batch; whoever waits for it clears it."""

    async def put(self, arrival: Arrival) -> None:
        """Returns when the report is durable. Raises Refused (452, 503) when there is no room for it, or no disk.

        Whoever waits may be cancelled: the report is written all the same.
        """
        self._require_room(_size(arrival))
        waiting = _Waiting(arrival, asyncio.get_running_loop().create_future())
        self._gathered.append(waiting)
        self._memory += _size(arrival)
        if self._writer is None:
            self._writer = asyncio.create_task(self._write_all())
        await waiting.durable

    def batches(self) -> Iterator[tuple[Path, list[Arrival]]]:
        """The batches on disk, oldest first. Each stays until `done`. Raises OSError: the directory is not usable."""
        return self._shelf.batches()

    def done(self, path: Path) -> None:
        """The database has this batch: remove it. A damaged one is kept aside. Raises OSError."""
        self._shelf.done(path)

    def leave(self, path: Path) -> None:
        """Nothing can be done with this batch for now: `batches` gives it again after a pause, longer each time, or
        after the next start."""
        self._shelf.leave(path)

    def keep(self, path: Path, arrivals: Sequence[Arrival]) -> None:
        """`leave`, with these reports alone in the batch: the database has the others. On a disk that takes nothing the
        batch stays as it is, and so does a damaged one."""
        self._shelf.keep(path, arrivals)

    def state(self) -> State:
        """What is on disk at this moment."""
        return self._shelf.state()

    async def close(self) -> None:
        """Let what is being written be written. No `put` after that."""
        while self._writer is not None:
            await asyncio.wait({self._writer})
        self._thread.shutdown()

    def _require_room(self, size: int) -> None:
        limits = self._limits
        if (
            self._memory + size > limits.waiting
            or self._shelf.octets + self._memory + size > limits.octets
            or len(self._shelf) >= limits.batches
        ):
            self._tell("spool_full", "the limit is reached")
            raise _no_room()

    async def _write_all(self) -> None:
        """Write until nothing is left. Belongs to nobody's connection, so that nobody's end ends it."""
        try:
            while self._gathered:
                batch = self._next()
                refusal = await self._write([waiting.arrival for waiting in batch])
                for waiting in batch:
                    self._memory -= _size(waiting.arrival)
                    _answer(waiting.durable, refusal)
        finally:
            self._writer = None

    def _next(self) -> list[_Waiting]:
        """The reports that go together now: at least one."""
        batch = [self._gathered.popleft()]
        octets = _size(batch[0].arrival)
        while self._gathered and len(batch) < self._limits.batch_reports:
            octets += _size(self._gathered[0].arrival)
            if octets > self._limits.batch_octets:
                break
            batch.append(self._gathered.popleft())
        return batch

    async def _write(self, arrivals: Sequence[Arrival]) -> Refused | None:
        """Make these durable; what their senders are told if that fails."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._shelf.add, arrivals)
        except Exception as error:  # noqa: BLE001 - whatever it is: nobody is left waiting, and nothing was accepted
            self._tell("spool_not_written", str(error) or repr(error))
            return _no_room()
        if self._fails and time.monotonic() - self._failed_at >= QUIET:
            log.info("spool_written_again")
            self._fails = False
        self.written.set()
        return None

    def _tell(self, event: str, reason: str) -> None:
        if not self._fails:
            log.error(event, reason=reason)
        self._fails, self._failed_at = True, time.monotonic()


def _size(arrival: Arrival) -> int:
    """At least what it takes in memory, and of a disk when it goes alone."""
    return blocks(len(arrival.body) + 1024)


def _no_room() -> Refused:
    return Refused("no room for reports", smtp_reply=_NO_ROOM, http_status=503)


def _answer(durable: asyncio.Future[None], refusal: Refused | None) -> None:
    if durable.done():  # its door has gone
        return
    if refusal is None:
        durable.set_result(None)
    else:
        durable.set_exception(refusal)
