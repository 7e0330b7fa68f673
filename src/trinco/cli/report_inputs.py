"""What `trinco report import` goes through: inputs in portions, from files or a mailbox, and what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from trinco.cli.report_sources import Unreadable, inputs, octets_of, reason_of
from trinco.core.errors import TrincoError
from trinco.core.tlsrpt.parse import reports

PORTION = 100
PORTION_OCTETS = 4 * 1024 * 1024
"""What is kept at once: so many inputs, and so many octets unless one input alone has more."""


@dataclass(frozen=True, slots=True)
class Order:
    """What was typed: `trinco report import --help` says what each is."""

    paths: tuple[str, ...]
    organisation: str = ""
    trusted: bool = False
    as_json: bool = False
    unread: bool = False
    move_to: str = ""
    password_file: Path | None = None
    roots: Path | None = None


@dataclass(frozen=True, slots=True)
class Input:
    """One input and where it was found. `data` is what is wrong in place of octets; `mark` is the source's own."""

    where: str
    data: bytes | Exception
    mark: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """An input that holds a report."""

    where: str
    data: bytes
    mark: str = ""


@dataclass(slots=True)
class Tally:
    """What became of the inputs."""

    new: int = 0
    repeated: int = 0
    foreign: int = 0
    late: int = 0
    waiting: int = 0
    unreadable: list[Unreadable] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Another portion's."""
        self.new += other.new
        self.repeated += other.repeated
        self.foreign += other.foreign
        self.late += other.late
        self.waiting += other.waiting
        self.unreadable += other.unreadable

    @property
    def total(self) -> int:
        return self.new + self.repeated + self.foreign + self.late + self.waiting + len(self.unreadable)

    @property
    def words(self) -> str:
        """For people."""
        later = f", {self.waiting} to be read later" if self.waiting else ""
        whole = f"{self.new} new, {self.repeated} repeated, {self.foreign} about other domains"
        late = f", {self.late} about days whose reports were removed" if self.late else ""
        return f"{whole}, {len(self.unreadable)} unreadable{late}{later}"

    def facts(self) -> dict[str, Any]:
        """For programs."""
        told = asdict(self)
        return {**told, "unreadable": len(self.unreadable), "unreadable_sources": told["unreadable"]}


class Source(Protocol):
    """Where inputs come from."""

    def octets(self) -> int | None:
        """How much there is in all; None: not known."""

    def inputs(self) -> Iterator[Input]:
        """One after the other."""

    def saved(self, marks: Sequence[str]) -> None:
        """These are kept, durably."""


@dataclass(frozen=True, slots=True)
class Files:
    """Files, folders, mbox files, Maildirs, standard input."""

    paths: Sequence[str]

    def octets(self) -> int | None:
        return octets_of(self.paths)

    def inputs(self) -> Iterator[Input]:
        for where, data in inputs(self.paths):
            yield Input(where, data)

    def saved(self, marks: Sequence[str]) -> None:
        """Files stay where they are."""


@dataclass(slots=True)
class Portion:
    """Inputs to be kept at once; those that hold no report are counted already."""

    whole: list[Whole] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    octets: int = 0

    @property
    def full(self) -> bool:
        return self.octets >= PORTION_OCTETS or len(self.whole) + len(self.unreadable) >= PORTION

    def put(self, each: Input) -> None:
        """Look whether it holds a report, and keep it if so."""
        try:
            if isinstance(each.data, Exception):
                raise each.data
            self.octets += len(each.data)
            reports(each.data)
            self.whole.append(Whole(each.where, each.data, each.mark))
        except (TrincoError, OSError, ValueError) as error:
            self.unreadable.append(Unreadable(each.where, reason_of(error)))


def portions(source: Source, stop: Callable[[], bool]) -> Iterator[Portion]:
    """All that the source has, or what it had until somebody wants it to end. Raises what the source raises, after the
    last portion.
    """
    portion, failure = Portion(), None
    try:
        for each in source.inputs():
            if stop():
                break
            portion.put(each)
            if portion.full:
                yield portion
                portion = Portion()
    except TrincoError as error:
        failure = error
    yield portion
    if failure:
        raise failure
