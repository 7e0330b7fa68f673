"""Writing the three CNAMEs for the owner, once, with credentials that are kept nowhere.

They are in the request and in the conversation's thread, and in no table, session, message or log line. The audit line
says who wrote where, and which names.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import partial

from django.conf import settings

from trinco.core.errors import TrincoError
from trinco.net import dnsapi, dnsupdate, guard
from trinco.net.dnswriting import Book, Found, Place, State, Trouble, Wanted, WritingFailed, write
from trinco.panel.accounts.actors import Actor
from trinco.panel.checks.services import check_now
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import note_writing
from trinco.panel.policies.instructions import instructions

SECONDS = 60.0
"""For the whole conversation. One that takes longer says nothing new; what it wrote is found in DNS."""
_MOST = 4
_threads = ThreadPoolExecutor(_MOST, "dns-writing")
_talking: set[int] = set()
"""Organisations that are in a conversation: one each, and no more than there are threads."""
_lock = threading.Lock()


class WritingBusy(TrincoError):
    """The organisation is in a conversation already, or as many others are as there may be."""


@dataclass(frozen=True, slots=True)
class Access:
    """Where to write, and by what right. The credentials are never shown, by whatever prints this."""

    provider: str
    credentials: Mapping[str, str] = field(repr=False)


def fields() -> dict[str, tuple[str, ...]]:
    """What each provider wants to know, by the provider's name."""
    return {**dnsapi.providers(), dnsupdate.NAME: dnsupdate.FIELDS}


def write_records(*, domain: HostedDomain, actor: Actor, access: Access, confirmed: str = "") -> tuple[Place, ...]:
    """Write those of the CNAMEs that are missing, and replace what `confirmed` is the mark of. Waits for the provider.

    Gives what stands at the three names then. Raises WritingFailed; WritingBusy at once.
    """
    wanted = tuple(Wanted(each.owner, each.target) for each in instructions(domain) if each.target)
    talk = partial(_talk, domain.zone or domain.name, wanted, access, confirmed)
    conversation = _begin(domain.organisation_id, talk)
    try:
        places = conversation.result(SECONDS)
    except TimeoutError:
        note_writing(domain=domain, actor=actor, provider=access.provider, failed=Trouble.SILENCE)
        raise WritingFailed(Trouble.SILENCE) from None
    except WritingFailed as error:
        note_writing(domain=domain, actor=actor, provider=access.provider, failed=error.trouble)
        raise
    right = [place.wanted.name for place in places if place.state is State.RIGHT]
    note_writing(domain=domain, actor=actor, provider=access.provider, right=right)
    check_now(domain)
    return places


@dataclass(frozen=True, slots=True)
class _Timed:
    """A book that is closed when the time for the whole conversation is over."""

    book: Book
    ends: float

    def at(self, name: str) -> tuple[Found, ...]:
        self._look_at_the_clock()
        return self.book.at(name)

    def put(self, wanted: Wanted, instead_of: Sequence[Found]) -> None:
        self._look_at_the_clock()
        self.book.put(wanted, instead_of)

    def _look_at_the_clock(self) -> None:
        if time.monotonic() >= self.ends:
            raise WritingFailed(Trouble.SILENCE)


def _begin(organisation: int, talk: Callable[[], tuple[Place, ...]]) -> Future[tuple[Place, ...]]:
    with _lock:
        if organisation in _talking or len(_talking) >= _MOST:
            raise WritingBusy("a conversation is going on")
        _talking.add(organisation)
    return _threads.submit(_end_after, organisation, talk)


def _end_after(organisation: int, talk: Callable[[], tuple[Place, ...]]) -> tuple[Place, ...]:
    try:
        return talk()
    finally:
        with _lock:
            _talking.discard(organisation)


def _talk(zone: str, wanted: tuple[Wanted, ...], access: Access, confirmed: str) -> tuple[Place, ...]:
    """In a thread of its own, without any table."""
    ends = time.monotonic() + SECONDS
    with _book(zone, access) as book:
        return write(_Timed(book, ends), wanted, confirmed)


def _book(zone: str, access: Access) -> AbstractContextManager[Book]:
    held = guard.configured(settings.CONFIG)
    if access.provider == dnsupdate.NAME:
        return dnsupdate.book(zone, access.credentials, held)
    return dnsapi.book(access.provider, zone, access.credentials, held)
