"""Writing a few CNAME records into somebody's zone, once: what stands there, what is written, what is left alone.

A `Book` is one conversation with whoever holds the zone. No other names than the wanted ones are looked at or written.
What stands at one of them already is replaced only when the caller names exactly what is replaced.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from trinco.core.errors import TrincoError

TTL = 3600
"""Seconds, of what is written."""


class Trouble(enum.StrEnum):
    """Why nothing, or not everything, was written."""

    CREDENTIALS = "credentials"
    """Whoever holds the zone does not accept them, or does not have the zone under them."""
    ANSWER = "answer"
    """It refused, or said something that is not understood."""
    SILENCE = "silence"
    """It cannot be reached, or did not answer in time. Something may have been written."""
    ADDRESS = "address"
    """Its address is none that may be dialled."""
    TOGETHER = "together"
    """It has one identifier for all records of the name, and others than ours are among them."""


class WritingFailed(TrincoError):
    """Whoever holds the zone did not do it. `said` is what it said, without any of the credentials; "": nothing."""

    def __init__(self, trouble: Trouble, said: str = "") -> None:
        super().__init__(f"{trouble}: {said}" if said else trouble.value)
        self.trouble = trouble
        self.said = said


@dataclass(frozen=True, slots=True)
class Wanted:
    """A CNAME that is to stand at `name`. Both names are absolute, lower-case, without the final dot."""

    name: str
    target: str


@dataclass(frozen=True, slots=True)
class Found:
    """A record that stands at a name. `identifier` is the provider's own, "" where it has none."""

    rdtype: str
    content: str
    identifier: str = field(default="", compare=False)


class State(enum.StrEnum):
    """What stands at a wanted name."""

    RIGHT = "right"
    FREE = "free"
    TAKEN = "taken"


@dataclass(frozen=True, slots=True)
class Place:
    """A wanted name, and what stands there."""

    wanted: Wanted
    found: tuple[Found, ...]

    @property
    def state(self) -> State:
        if not self.found:
            return State.FREE
        there = {(each.rdtype, each.content.lower().rstrip(".")) for each in self.found}
        return State.RIGHT if there == {("CNAME", self.wanted.target)} else State.TAKEN


class Book(Protocol):
    """One conversation about one zone. Both raise WritingFailed."""

    def at(self, name: str) -> tuple[Found, ...]:
        """All records at exactly this name."""

    def put(self, wanted: Wanted, instead_of: Sequence[Found]) -> None:
        """Write the CNAME, after taking away what stands in its place."""


def look(book: Book, wanted: Iterable[Wanted]) -> tuple[Place, ...]:
    """What stands at the wanted names."""
    return tuple(Place(each, book.at(each.name)) for each in wanted)


def mark(places: Iterable[Place]) -> str:
    """Names what is in the way: who says it back has seen it. "": nothing is."""
    taken = [place for place in places if place.state is State.TAKEN]
    lines = sorted(f"{place.wanted.name} {each.rdtype} {each.content}" for place in taken for each in place.found)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32] if lines else ""


def write(book: Book, wanted: Sequence[Wanted], confirmed: str = "") -> tuple[Place, ...]:
    """Write what is missing; what is in the way is replaced when `confirmed` is its mark, and stays otherwise.

    Gives what stands there afterwards, by the provider's own word.
    """
    before = look(book, wanted)
    replace = bool(confirmed) and confirmed == mark(before)
    for place in before:
        if place.state is State.FREE or (place.state is State.TAKEN and replace):
            book.put(place.wanted, place.found)
    return look(book, wanted)
