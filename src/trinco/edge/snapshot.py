"""The last Publication on disk, so that an edge starts and serves without the database.

A directory holds generations, numbered upwards, of which three are kept: a base, which is a whole Publication, and the
journal of the Changes since (`edge.generation` has their octets). One change on 100,000 domains appends some kilobytes
to the journal; a new base is due when the journal has grown to a part of it. A base is written beside, synced, renamed,
and its directory synced; a change is synced before the next one. What is loaded is the newest sound base with the sound
prefix of its own journal, never a mixture: a torn or corrupt file costs what came after the tear and one line of log,
never the start.

Private keys are in here as they come: sealed. The directory is 0700 all the same, the files 0600.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import structlog

from trinco.core.errors import TrincoError
from trinco.core.hosting import Change, Publication
from trinco.edge import generation
from trinco.edge.generation import Damaged, Tail

log = structlog.get_logger("trinco.edge")

KEPT: Final = 3
"""Generations that stay on disk."""
_SMALL_JOURNAL: Final = 256 * 1024
_JOURNAL_PART: Final = 8  # a new base is due when the journal reaches this part of the old one
_FILES: Final = ("base", "journal")


class SnapshotError(TrincoError):
    """The snapshot cannot be written, or its directory not be used. What was on disk before is still there."""


@dataclass(slots=True)
class _Journal:
    """An open journal. What lies behind its tail is torn, and is written over."""

    descriptor: int
    tail: Tail
    due_at: int
    """Octets from which on a new base is due."""


class Store:
    """The snapshots of one edge, in a directory of its own. Blocking; several threads take turns."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._journal: _Journal | None = None
        self._turn = threading.RLock()
        _private(directory)

    @property
    def needs_base(self) -> bool:
        """Whether the next write has to be `save`: no sound base is open, or its journal has grown."""
        return self._journal is None or self._journal.tail.end >= self._journal.due_at

    def load(self) -> Publication | None:
        """The newest Publication that is whole on disk; None: there is none.

        Raises SnapshotError when the directory cannot be read, never for what is in the files.
        """
        with self._turn:
            self.close()
            return self._newest()

    def _newest(self) -> Publication | None:
        numbers = self._numbers()
        for number in reversed(numbers):
            try:
                base, digest = generation.read_base(self._path(number, "base"))
            except (Damaged, OSError) as error:
                log.warning("snapshot_damaged", file=self._path(number, "base").name, reason=str(error))
                continue
            changes, tail = self._changes(number, digest)
            if number == numbers[-1]:  # behind a damaged newer one nothing is added: the next write is a new base
                self._reopen(number, digest, tail)
            return generation.applied(base, changes)
        return None

    def save(self, publication: Publication) -> None:
        """Make this the newest base, durably. Raises SnapshotError (a full disk); the generations before stay then."""
        with self._turn, _reported("cannot write a snapshot"):
            number = max(self._numbers(), default=0) + 1
            temporary = self._path(number, "tmp")
            try:
                digest, _ = generation.write_base(temporary, publication)
                temporary.replace(self._path(number, "base"))
                _sync_directory(self._directory)
            except OSError:
                with suppress(OSError):
                    temporary.unlink()
                raise
            self.close()
            self._prune()
            self._journal = self._opened(number, digest, None)

    def append(self, change: Change) -> None:
        """Add a change to the newest base, durably. Raises SnapshotError (a full disk); nothing of it is kept then.

        Only while `needs_base` says no, and never for a change that is `whole`: that is what `save` is for.
        """
        with self._turn, _reported("cannot write a change to the snapshot"):
            journal = self._journal
            if journal is None or change.whole:
                raise SnapshotError("a change needs a base to stand on")
            content, tail = generation.entry(change, journal.tail)
            try:
                _write_at(journal.descriptor, content, journal.tail.end)
                os.fsync(journal.descriptor)
            except OSError:
                self._cut(journal)
                raise
            journal.tail = tail

    def close(self) -> None:
        """Let go of the open journal, when what is being written is written."""
        with self._turn:
            if self._journal is not None:
                os.close(self._journal.descriptor)
                self._journal = None

    def _path(self, number: int, kind: str) -> Path:
        return self._directory / f"{number:010}.{kind}"

    def _numbers(self) -> list[int]:
        """The generations on disk, whatever their state, oldest first."""
        with _reported("cannot read the snapshot directory"):
            names = [path.name.partition(".") for path in self._directory.iterdir()]
        return sorted({int(stem) for stem, _, kind in names if kind in _FILES and stem.isascii() and stem.isdigit()})

    def _changes(self, number: int, digest: bytes) -> tuple[list[Change], Tail | None]:
        path = self._path(number, "journal")
        try:
            content = path.read_bytes()
        except OSError:
            return [], None
        changes, tail = generation.read_journal(content, digest)
        if content and (tail is None or tail.end != len(content)):
            log.warning("snapshot_journal_damaged", file=path.name, changes_kept=len(changes))
        return changes, tail

    def _reopen(self, number: int, digest: bytes, tail: Tail | None) -> None:
        try:
            self._journal = self._opened(number, digest, tail)
        except OSError as error:
            log.warning("snapshot_not_writable", file=self._path(number, "journal").name, reason=str(error))

    def _opened(self, number: int, digest: bytes, tail: Tail | None) -> _Journal:
        """The journal of a base, ready to be written behind `tail`; None: from its beginning."""
        due_at = max(_SMALL_JOURNAL, self._path(number, "base").stat().st_size // _JOURNAL_PART)
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
        descriptor = os.open(self._path(number, "journal"), flags, 0o600)
        try:
            tail = tail or _begin(descriptor, digest)
            os.ftruncate(descriptor, tail.end)
            os.fsync(descriptor)
            _sync_directory(self._directory)
        except OSError:
            os.close(descriptor)
            raise
        return _Journal(descriptor, tail, due_at)

    def _cut(self, journal: _Journal) -> None:
        """Take a half-written entry off again; when even that fails, the next write is a new base."""
        try:
            os.ftruncate(journal.descriptor, journal.tail.end)
        except OSError:
            self.close()

    def _prune(self) -> None:
        """Remove old generations and what a crash left in the making. A file that stays does no harm."""
        kept = {f"{number:010}" for number in self._numbers()[-KEPT:]}
        for path in self._directory.iterdir():
            stem, _, kind = path.name.partition(".")
            if kind == "tmp" or (kind in _FILES and stem not in kept):
                with suppress(OSError):
                    path.unlink()


@contextmanager
def sole_user(directory: Path) -> Iterator[str]:
    """Hold the directory against a second edge of the same name on this machine; gives the directory's identity.

    The identity stays the same over restarts: whoever holds it knows that an earlier holder is dead, so that an edge
    that was killed need not wait for its own old lease. Raises SnapshotError when another process holds it.
    """
    _private(directory)
    with _reported("cannot use the snapshot directory"):
        descriptor = os.open(directory / "identity", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SnapshotError(f"another edge of this name uses {directory}") from None
        yield _identity(descriptor)
    finally:
        os.close(descriptor)


def _identity(descriptor: int) -> str:
    """16 hex digits, made at the first use."""
    with _reported("cannot use the snapshot directory"):
        found = os.pread(descriptor, 16, 0)
        if len(found) == 16 and found.isalnum():
            return found.decode("ascii")
        made = secrets.token_hex(8)
        _write_at(descriptor, made.encode("ascii"), 0)
        os.fsync(descriptor)
    return made


def _private(directory: Path) -> None:
    with _reported("cannot use the snapshot directory"):
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        directory.chmod(0o700)


@contextmanager
def _reported(deed: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SnapshotError(f"{deed}: {error}") from error


def _begin(descriptor: int, digest: bytes) -> Tail:
    head, tail = generation.journal_head(digest)
    _write_at(descriptor, head, 0)
    return tail


def _write_at(descriptor: int, content: bytes, offset: int) -> None:
    view = memoryview(content)
    while view:
        written = os.pwrite(descriptor, view, offset)
        view, offset = view[written:], offset + written


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
