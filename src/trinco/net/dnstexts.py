"""Keeping one TXT record of a name up to date in somebody's zone: what stands there, what is replaced, what stays.

Only a record that begins as the wanted one is ever replaced; every other record at the name stays, whatever it is.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from trinco.net.dnswriting import Found

TTL = 300
"""Seconds, of a text that changes."""
_STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True, slots=True)
class WantedText:
    """A text that is to stand at `name`; "": none of the kind is to, as far as it is ours to replace. `beginning`: what
    makes a record one of its kind; `target`: where a CNAME in its place may lead to; `replaces`: whether a record of
    the kind may be replaced."""

    name: str
    text: str
    beginning: str
    target: str
    replaces: Callable[[str], bool] = field(default=lambda _text: True, compare=False)


class TextState(enum.StrEnum):
    """What stands at a wanted name."""

    RIGHT = "right"
    FREE = "free"
    """None of the kind is there."""
    STALE = "stale"
    """One is there that is to be replaced."""
    TAKEN = "taken"
    """A CNAME to somewhere else, or a record of the kind that is not ours to replace."""


@dataclass(frozen=True, slots=True)
class TextPlace:
    """A wanted text, and all that stands at its name."""

    wanted: WantedText
    found: tuple[Found, ...]

    @property
    def texts(self) -> tuple[Found, ...]:
        """All TXT records of the name."""
        return tuple(each for each in self.found if each.rdtype == "TXT")

    @property
    def old(self) -> tuple[Found, ...]:
        """Those of the kind."""
        return tuple(each for each in self.texts if plain(each.content).startswith(self.wanted.beginning))

    @property
    def state(self) -> TextState:
        aliases = [each.content.lower().rstrip(".") for each in self.found if each.rdtype == "CNAME"]
        if aliases:
            return TextState.RIGHT if aliases == [self.wanted.target] or not self.wanted.text else TextState.TAKEN
        said = [plain(each.content) for each in self.old]
        if not self.wanted.text:
            return TextState.STALE if said and all(map(self.wanted.replaces, said)) else TextState.RIGHT
        if said == [self.wanted.text]:
            return TextState.RIGHT
        if not all(map(self.wanted.replaces, said)):
            return TextState.TAKEN
        return TextState.STALE if said else TextState.FREE


class TextBook(Protocol):
    """One conversation about one zone. Both raise WritingFailed."""

    def at(self, name: str) -> tuple[Found, ...]:
        """All records at exactly this name."""

    def say(self, place: TextPlace) -> None:
        """Put the wanted text, if there is one, in place of the old ones, which are TXT records of its kind."""


def plain(content: str) -> str:
    """The text of a TXT record, of which some write the strings in quotes and others do not."""
    strings = _STRING.findall(content) if content.lstrip().startswith('"') else None
    return "".join(re.sub(r"\\(.)", r"\1", each) for each in strings) if strings is not None else content


def strings(text: str) -> str:
    """In quotes, as many strings as it takes, of 255 octets at most (RFC 1035 section 3.3)."""
    return " ".join(f'"{text[start : start + 255]}"' for start in range(0, len(text), 255))


def look(book: TextBook, wanted: Sequence[WantedText]) -> tuple[TextPlace, ...]:
    """What stands at the wanted names."""
    return tuple(TextPlace(each, book.at(each.name)) for each in wanted)


def keep(book: TextBook, wanted: Sequence[WantedText]) -> tuple[TextPlace, ...]:
    """Write what is missing or old. Gives what stands there afterwards, by the word of whoever holds the zone."""
    for place in look(book, wanted):
        if place.state in (TextState.FREE, TextState.STALE):
            book.say(place)
    return look(book, wanted)
