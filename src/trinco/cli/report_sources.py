"""What `trinco report` reads: files, mbox files, Maildirs, folders and standard input, one input after the other.

Nothing is held but the input at hand, and of that no more than the largest report may have.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from trinco.core.errors import TrincoError
from trinco.core.tlsrpt.parse import MAX_REPORT, reports
from trinco.core.tlsrpt.report import Report

_LINE = 64 * 1024
_MBOX = b"From "
_MAILDIR = ("cur", "new")


@dataclass(frozen=True, slots=True)
class Found:
    """A report, and the input it was read from."""

    source: str
    report: Report


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An input that gave no report, and why."""

    source: str
    reason: str


@dataclass(slots=True)
class Collection:
    """All that was read. A report that came again, equal in every field, is counted and not kept."""

    found: list[Found] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    repeated: int = 0

    @property
    def failed(self) -> bool:
        """Whether any report tells of a failed session."""
        return any(each.report.failed for each in self.found)

    @property
    def counts(self) -> dict[str, int]:
        """For people and programs."""
        return {"read": len(self.found), "repeated": self.repeated, "unreadable": len(self.unreadable)}


def collect(paths: Iterable[str]) -> Collection:
    """Every report below these paths; `-` is standard input. Raises nothing: what cannot be read is in the answer."""
    collection = Collection()
    seen: set[Report] = set()
    for source, data in inputs(paths):
        if isinstance(data, OSError | ValueError):
            collection.unreadable.append(Unreadable(source, reason_of(data)))
            continue
        try:
            read = reports(data)
        except TrincoError as error:
            collection.unreadable.append(Unreadable(source, str(error)))
            continue
        new = [report for report in dict.fromkeys(read) if report not in seen]
        seen.update(new)
        collection.found += [Found(source, report) for report in new]
        collection.repeated += len(read) - len(new)
    return collection


def reason_of(error: Exception) -> str:
    """What is wrong with an input, in few words."""
    return getattr(error, "strerror", None) or str(error)


def octets_of(paths: Iterable[str]) -> int | None:
    """How much there is to read; None: standard input is among it."""
    sizes = 0
    for name in _files(paths):
        if name == "-":
            return None
        with suppress(OSError, ValueError):
            sizes += Path(name).stat().st_size
    return sizes


def inputs(paths: Iterable[str]) -> Iterator[tuple[str, bytes | OSError | ValueError]]:
    """(name, octets) of each input, or what the system says in their place."""
    for name in _files(paths):
        try:
            if name == "-":
                yield from _messages(name, sys.stdin.buffer)
                continue
            with Path(name).open("rb") as opened:
                yield from _messages(name, opened)
        except (OSError, ValueError) as error:
            yield name, error


def _files(paths: Iterable[str]) -> Iterator[str]:
    """The paths, with folders replaced by the files below them. A folder that cannot be opened stays, to fail later."""
    for path in paths:
        if path == "-" or not os.path.isdir(path):  # noqa: PTH112 - no exception for a NUL, unlike Path
            yield path
            continue
        waiting = [path]
        while waiting:
            files, folders = _entries(folder := waiting.pop())
            yield from files if files is not None else [folder]
            waiting += reversed(folders)


def _entries(folder: str) -> tuple[list[str] | None, list[str]]:
    """(files, folders) of a folder to look at, by name; of a Maildir its `cur` and `new` and the folders in it.

    Hidden ones are passed over elsewhere, and links to folders everywhere. No files at all (None): it cannot be opened.
    """
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return None, []
    folders = [entry for entry in entries if entry.is_dir(follow_symlinks=False)]
    if any(entry.name in _MAILDIR for entry in folders):
        return [], [entry.path for entry in folders if entry.name in _MAILDIR or entry.name.startswith(".")]
    shown = [entry for entry in entries if not entry.name.startswith(".")]
    return [entry.path for entry in shown if entry.is_file()], [entry.path for entry in shown if entry in folders]


def _messages(name: str, stream: BinaryIO) -> Iterator[tuple[str, bytes]]:
    """The input as it is, or each mail of an mbox under its number."""
    head = stream.read(len(_MBOX))
    if head != _MBOX:
        yield name, head + stream.read(MAX_REPORT)
        return
    for number, mail in enumerate(_mbox(head + stream.readline(_LINE), stream), 1):
        yield f"{name}#{number}", mail


def _mbox(line: bytes, stream: BinaryIO) -> Iterator[bytes]:
    """The mails of an mbox: each begins with a From line after an empty one (RFC 4155 appendix A)."""
    lines: list[bytes] = []
    size, after_empty = 0, True
    while line:
        if after_empty and lines and line.startswith(_MBOX):
            yield b"".join(lines)
            lines, size = [], 0
        if size <= MAX_REPORT:
            lines.append(line[1:] if line.lstrip(b">").startswith(_MBOX) and line.startswith(b">") else line)
            size += len(line)
        after_empty = line in {b"\n", b"\r\n"}
        line = stream.readline(_LINE)
    yield b"".join(lines)
