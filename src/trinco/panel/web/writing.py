"""Writing the three CNAMEs for the owner, once, with credentials that are kept nowhere.

They are in the request and in the conversation's thread, and in no table, session, message or log line. The audit line
says who wrote where, and which names.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from django.conf import settings

from trinco.core.errors import TrincoError
from trinco.net import dnsbooks, guard
from trinco.net.dnsbooks import Access, Timed, fields
from trinco.net.dnstexts import TextPlace
from trinco.net.dnswriting import Place, State, Trouble, Wanted, WritingFailed, write
from trinco.panel.accounts.actors import Actor
from trinco.panel.checks.publishing import looked, wanted_of
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
T = TypeVar("T")

__all__ = ["SECONDS", "Access", "WritingBusy", "fields", "look_at_texts", "write_records"]


class WritingBusy(TrincoError):
    """The organisation is in a conversation already, or as many others are as there may be."""


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


def look_at_texts(*, domain: HostedDomain, access: Access) -> tuple[TextPlace, ...]:
    """What stands where the texts of a domain would be written. Waits for the provider; nothing is written. Raises
    WritingFailed; WritingBusy at once."""
    wanted = wanted_of(domain, every=True)
    conversation = _begin(domain.organisation_id, partial(looked, domain.zone or domain.name, access, wanted))
    try:
        return conversation.result(SECONDS)
    except TimeoutError:
        raise WritingFailed(Trouble.SILENCE) from None


def _begin(organisation: int, talk: Callable[[], T]) -> Future[T]:
    with _lock:
        if organisation in _talking or len(_talking) >= _MOST:
            raise WritingBusy("a conversation is going on")
        _talking.add(organisation)
    return _threads.submit(_end_after, organisation, talk)


def _end_after(organisation: int, talk: Callable[[], T]) -> T:
    try:
        return talk()
    finally:
        with _lock:
            _talking.discard(organisation)


def _talk(zone: str, wanted: tuple[Wanted, ...], access: Access, confirmed: str) -> tuple[Place, ...]:
    """In a thread of its own, without any table."""
    ends = time.monotonic() + SECONDS
    with dnsbooks.book(zone, access, guard.configured(settings.CONFIG)) as book:
        return write(Timed(book, ends), wanted, confirmed)
