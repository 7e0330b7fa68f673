"""The files of a spool: their names, their numbers, and what becomes of those that are damaged.

Blocking throughout: one thread adds while another takes away. What is kept free of a disk is for the database, which is
often on the same one: without room for its next transaction nothing could ever leave the spool.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge import spoolfile

log = structlog.get_logger("trinco.edge")

BLOCK: Final = 4096
"""What a small file takes of a disk."""
RESERVED: Final = 1 << 16
"""Numbers that are written down as used before they are."""
FREE_FILES: Final = 1024
"""Files that others must still be able to make on the disk."""
_SHARE: Final = 4
"""Of a small disk no more is kept free than this part."""
FIRST_PAUSE: Final = 60.0
"""Seconds until a file that could not be taken is offered again; then twice as many each time."""
LONGEST_PAUSE: Final = 3600.0


@dataclass(frozen=True, slots=True)
class State:
    """What is on disk."""

    files: int
    octets: int
    left: int
    """Files that could not be taken."""
    oldest: float | None
    """When the oldest was written, in Unix seconds; None: there is none."""


@dataclass(frozen=True, slots=True)
class _Pause:
    """Of a file that could not be taken. Seconds."""

    length: float
    until: float


class Shelf:
    """The batches in a directory. `octets` is what they take of the disk, in whole blocks."""

    def __init__(self, directory: Path, reserve: int = 0) -> None:
        self._directory = directory
        self._kept_free = reserve
        self._turn = threading.Lock()
        self._sizes: dict[int, int] = {}
        self._damaged: set[int] = set()
        self._unread: set[int] = set()
        self._left: dict[int, _Pause] = {}
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
        _require_free(self._directory, self._kept_free, sum(len(arrival.body) for arrival in arrivals))
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
            now = time.monotonic()
            resting = {number for number, pause in self._left.items() if pause.until > now}
            numbers = sorted(self._sizes.keys() - resting)
        for number in numbers:
            if arrivals := self._read(number):
                yield self._path(number), arrivals

    def done(self, path: Path) -> None:
        """See `Spool.done`."""
        number = int(path.stem)
        if number in self._damaged and not self._put_aside(number):
            self.leave(path)
            return
        path.unlink(missing_ok=True)
        self._let_go(number)

    def leave(self, path: Path) -> None:
        """See `Spool.leave`."""
        number = int(path.stem)
        with self._turn:
            before = self._left.get(number)
            length = min(2 * before.length, LONGEST_PAUSE) if before else FIRST_PAUSE
            self._left[number] = _Pause(length, time.monotonic() + length)

    def keep(self, path: Path, arrivals: Sequence[Arrival]) -> None:
        """See `Spool.keep`."""
        number = int(path.stem)
        self.leave(path)
        if number in self._damaged:
            return
        temporary = self._path(number, "tmp")
        try:
            size = _written(temporary, arrivals)
            temporary.rename(path)
            _sync_directory(self._directory)
        except OSError:  # a full disk: the whole file stays, and is taken once whatever is in it twice
            with suppress(OSError):
                temporary.unlink()
        else:
            self._let_go(number, still=size)

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
            if number not in self._unread:
                log.warning("spool_unreadable", file=path.name, reason=str(error))
            self._unread.add(number)
            if error.errno == errno.EIO:  # the disk has lost it; anything else, as too many open files, passes
                self.done(self._mark(number))
            return []
        self._unread.discard(number)
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

    def _put_aside(self, number: int) -> bool:
        """False: the disk has no room even for that, and what is behind it must not wait."""
        aside, path = self._directory / "damaged", self._path(number)
        try:
            _make(aside)
            with suppress(FileNotFoundError):
                path.rename(aside / path.name)
            _sync_directory(aside)
        except OSError as error:
            if number not in self._left:
                log.warning("spool_not_put_aside", file=path.name, reason=str(error))
            return False
        self._damaged.discard(number)
        return True

    def _path(self, number: int, kind: str = "spool") -> Path:
        return self._directory / f"{number:012}.{kind}"

    def _hold(self, number: int, size: int) -> None:
        with self._turn:
            self._sizes[number] = size
            self.octets += size

    def _let_go(self, number: int, still: int = 0) -> None:
        """The file is gone, or is `still` that large."""
        self._unread.discard(number)
        with self._turn:
            self.octets += still - self._sizes.pop(number, 0)
            if still:
                self._sizes[number] = still
            else:
                self._left.pop(number, None)

    def _prepare(self) -> None:
        """Make the directory, remove what a crash left in the making, and see what is there."""
        with self._turn:
            if self._ready:
                return
            _make(self._directory)
            _sync_above(self._directory)
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
            self._sizes[int(stem)] = blocks(path.stat().st_size)

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


def _require_free(directory: Path, reserve: int, size: int) -> None:
    """Raise OSError unless so much is left free behind these octets. A disk that does not say its size has room."""
    if not reserve:
        return
    disk = os.statvfs(directory)
    kept = min(reserve, disk.f_blocks * disk.f_frsize // _SHARE)
    files = min(FREE_FILES, disk.f_files // _SHARE)
    if disk.f_bavail * disk.f_frsize - size < kept or disk.f_favail < files:
        raise OSError(errno.ENOSPC, "what is left of the disk is kept free for the database")


def _written(path: Path, arrivals: Sequence[Arrival]) -> int:
    """Write and sync a file; the room that it takes."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb", buffering=1 << 18) as file:
        size = sum(file.write(piece) for piece in spoolfile.write(arrivals))
        file.flush()
        os.fdatasync(descriptor)
    return blocks(size)


def blocks(size: int) -> int:
    """The room that so many octets take of a disk."""
    return -(-size // BLOCK) * BLOCK


def _make(directory: Path) -> None:
    """Make a directory and those above it, each as durable as what will be in it."""
    if directory.is_dir():
        return
    if not directory.parent.is_dir():
        _make(directory.parent)
    directory.mkdir(mode=0o700, exist_ok=True)
    _sync_directory(directory.parent)


def _sync_above(directory: Path) -> None:
    """Whoever made the directories above, and if it was cut off in between: what is accepted is found again below them.
    What we may not read is nothing that we made."""
    disk = directory.stat().st_dev
    for above in directory.absolute().parents:
        try:
            if above.stat().st_dev != disk:
                return
            _sync_directory(above)
        except PermissionError:
            return


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
