"""Whoever holds a zone, by the name that people choose: a provider that dns-lexicon knows, or a server of one's own."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from trinco.net import dnsapi, dnsupdate
from trinco.net.dnsapi import ApiBook
from trinco.net.dnstexts import TextPlace
from trinco.net.dnsupdate import UpdateBook
from trinco.net.dnswriting import Found, Trouble, Wanted, WritingFailed
from trinco.net.guard import Guard


@dataclass(frozen=True, slots=True)
class Access:
    """Where to write, and by what right. The credentials are never shown, by whatever prints this."""

    provider: str
    credentials: Mapping[str, str] = field(repr=False)


def fields() -> dict[str, tuple[str, ...]]:
    """What each provider wants to know, by the provider's name."""
    return {**dnsapi.providers(), dnsupdate.NAME: dnsupdate.FIELDS}


def book(zone: str, access: Access, guard: Guard) -> AbstractContextManager[ApiBook | UpdateBook]:
    """A conversation about this zone. Entering it raises WritingFailed."""
    if access.provider == dnsupdate.NAME:
        return dnsupdate.book(zone, access.credentials, guard)
    return dnsapi.book(access.provider, zone, access.credentials, guard)


@dataclass(frozen=True, slots=True)
class Timed:
    """A book that is closed when the time for the whole conversation is over: at `ends`, by the clock that nobody
    sets."""

    book: ApiBook | UpdateBook
    ends: float

    def at(self, name: str) -> tuple[Found, ...]:
        self._look_at_the_clock()
        return self.book.at(name)

    def put(self, wanted: Wanted, instead_of: Sequence[Found]) -> None:
        self._look_at_the_clock()
        self.book.put(wanted, instead_of)

    def say(self, place: TextPlace) -> None:
        self._look_at_the_clock()
        self.book.say(place)

    def _look_at_the_clock(self) -> None:
        if time.monotonic() >= self.ends:
            raise WritingFailed(Trouble.SILENCE)
