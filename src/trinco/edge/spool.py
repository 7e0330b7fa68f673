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
    the disk takes nothing, senders are told to come again (452, 503), which those that keep to RFC 8460 do for a day.

DIAGNOSTICS
    spool_not_written (the disk takes nothing; once until spool_written_again); spool_full; spool_damaged (a file that
    is not what was written: its sound records are delivered, the file is kept in `damaged/`); spool_unreadable.

BUGS
    A report whose sender hung up before it was told so is kept: it comes again, and is there twice until the digest
    finds both equal.
"""

from __future__ import annotations

import asyncio
import errno
import os
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from trinco.core.errors import Refused
from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge import spoolfile

log = structlog.get_logger("trinco.edge")

BLOCK: Final = 4096
"""What a small file takes of a disk."""
RESERVED: Final = 1 << 16
"""Numbers that are written down as used before they are."""
_NO_ROOM: Final = "452 4.3.1 No room for reports at the moment, try again later"


@dataclass(frozen=True, slots=True)
class SpoolLimits:
    """Bounds of a spool. Sizes are octets."""

    octets: int = 1 << 30
    """On disk, in whole blocks."""
    batches: int = 1 << 18
    """Files on disk."""
    waiting: int = 128 << 20
    """In memory: gathered, or being written."""
    batch_reports: int = 100
    batch_octets: int = 32 << 20


@dataclass(frozen=True, slots=True)
class State:
    """What is on disk."""

    files: int
    octets: int
    left: int
    """Files that could not be taken."""
    oldest: float | None
    """When the oldest was written, in Unix seconds; None: there is none."""


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
        self._shelf = Shelf(directory)
        self._limits = limits or SpoolLimits()
        self._thread = ThreadPoolExecutor(1, "trinco-spool")
        self._gathered: deque[_Waiting] = deque()
        self._memory = 0
        self._writer: asyncio.Task[None] | None = None
        self._fails = False
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
        """Nothing can be done with this batch for now: `batches` does not give it again until the next start."""
        self._shelf.leave(path)

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
        if self._fails:
            log.info("spool_written_again")
            self._fails = False
        self.written.set()
        return None

    def _tell(self, event: str, reason: str) -> None:
        if not self._fails:
            log.error(event, reason=reason)
        self._fails = True


def _size(arrival: Arrival) -> int:
    """At least what it takes in memory, and of a disk when it goes alone."""
    return _blocks(len(arrival.body) + 1024)


def _no_room() -> Refused:
    return Refused("no room for reports", smtp_reply=_NO_ROOM, http_status=503)


def _answer(durable: asyncio.Future[None], refusal: Refused | None) -> None:
    if durable.done():  # its door has gone
        return
    if refusal is None:
        durable.set_result(None)
    else:
        durable.set_exception(refusal)


class Shelf:
    """The files. Blocking; one thread adds while another takes away. `octets` is what they take, in whole blocks."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._turn = threading.Lock()
        self._sizes: dict[int, int] = {}
        self._damaged: set[int] = set()
        self._left: set[int] = set()
        self._number = 0
        self._reserved = 0
        self._ready = False
        self.octets = 0

    def __len__(self) -> int:
        return len(self._sizes)

    def state(self) -> State:
        """See `Spool.state`."""
        with self._turn:
            first, files, octets = min(self._sizes, default=None), len(self._sizes), self.octets
        oldest = None
        with suppress(OSError):  # gone by now
            oldest = None if first is None else self._path(first).stat().st_mtime
        return State(files, octets, len(self._left), oldest)

    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Write a batch, durably. Raises OSError; nothing of it is there then."""
        self._prepare()
        self._reserve()
        self._number += 1
        temporary, final = self._path(self._number, "tmp"), self._path(self._number)
        try:
            size = _written(temporary, arrivals)
            temporary.rename(final)
            _sync_directory(self._directory)
        except BaseException:
            for path in (temporary, final):
                with suppress(OSError):
                    path.unlink()
            raise
        self._hold(self._number, size)

    def batches(self) -> Iterator[tuple[Path, list[Arrival]]]:
        """See `Spool.batches`."""
        self._prepare()
        with self._turn:
            numbers = sorted(self._sizes.keys() - self._left)
        for number in numbers:
            if arrivals := self._read(number):
                yield self._path(number), arrivals

    def done(self, path: Path) -> None:
        """See `Spool.done`."""
        number = int(path.stem)
        if number in self._damaged:
            self._put_aside(number)
        else:
            path.unlink(missing_ok=True)
        self._let_go(number)

    def leave(self, path: Path) -> None:
        """See `Spool.leave`."""
        self._left.add(int(path.stem))

    def _read(self, number: int) -> list[Arrival]:
        """The sound records of a batch; none when it cannot be read now, or never."""
        path = self._path(number)
        try:
            content = spoolfile.read(path.read_bytes())
        except FileNotFoundError:
            log.warning("spool_unreadable", file=path.name, reason="somebody has removed it")
            self._let_go(number)
            return []
        except OSError as error:
            log.warning("spool_unreadable", file=path.name, reason=str(error))
            if error.errno == errno.EIO:  # the disk has lost it; anything else, as too many open files, passes
                self.done(self._mark(number))
            return []
        if content.fault:
            self._report(number, content)
        if not content.arrivals:
            self.done(path)
        return content.arrivals

    def _report(self, number: int, content: spoolfile.Content) -> None:
        if number not in self._damaged:
            log.error(
                "spool_damaged", file=self._mark(number).name, reason=content.fault, reports=len(content.arrivals)
            )

    def _mark(self, number: int) -> Path:
        self._damaged.add(number)
        return self._path(number)

    def _put_aside(self, number: int) -> None:
        aside = self._directory / "damaged"
        aside.mkdir(mode=0o700, exist_ok=True)
        with suppress(FileNotFoundError):
            self._path(number).rename(aside / self._path(number).name)
        self._damaged.discard(number)

    def _path(self, number: int, kind: str = "spool") -> Path:
        return self._directory / f"{number:012}.{kind}"

    def _hold(self, number: int, size: int) -> None:
        with self._turn:
            self._sizes[number] = size
            self.octets += size

    def _let_go(self, number: int) -> None:
        with self._turn:
            self.octets -= self._sizes.pop(number, 0)

    def _prepare(self) -> None:
        """Make the directory, remove what a crash left in the making, and see what is there."""
        with self._turn:
            if self._ready:
                return
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._directory.chmod(0o700)
            for path in [*self._directory.iterdir(), *self._directory.glob("damaged/*")]:
                self._find(path)
            self._reserved = self._number
            self.octets = sum(self._sizes.values())
            self._ready = True

    def _find(self, path: Path) -> None:
        stem, _, kind = path.name.partition(".")
        if not (stem.isascii() and stem.isdigit()):
            return
        self._number = max(self._number, int(stem))
        if kind == "tmp":
            path.unlink()
        elif kind == "spool" and path.parent == self._directory:
            self._sizes[int(stem)] = _blocks(path.stat().st_size)

    def _reserve(self) -> None:
        """Write down that numbers up to a later one are used: they go forward over restarts, also of an empty spool."""
        if self._number < self._reserved:
            return
        before, upto = self._path(self._reserved, "numbers"), self._number + RESERVED
        if before.exists():
            before.rename(self._path(upto, "numbers"))
        else:
            self._path(upto, "numbers").touch(mode=0o600)
        _sync_directory(self._directory)
        self._reserved = upto


def _written(path: Path, arrivals: Sequence[Arrival]) -> int:
    """Write and sync a file; the room that it takes."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=1 << 18) as file:
        size = sum(file.write(piece) for piece in spoolfile.write(arrivals))
        file.flush()
        os.fdatasync(descriptor)
    return _blocks(size)


def _blocks(size: int) -> int:
    return -(-size // BLOCK) * BLOCK


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
