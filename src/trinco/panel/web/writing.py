"""Writing the three CNAMEs for the owner, once, with credentials that are kept nowhere.

They are in the request and in the conversation's thread, and in no table, session, message or log line. The audit line
says who wrote where, and which names.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from django.conf import settings

from trinco.net import dnsapi, dnsupdate, guard
from trinco.net.dnswriting import Book, Place, State, Trouble, Wanted, WritingFailed, write
from trinco.panel.accounts.actors import Actor
from trinco.panel.checks.services import check_now
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import note_writing
from trinco.panel.web.instructions import instructions

SECONDS = 60.0
"""For the whole conversation. One that takes longer goes on unheard: what it wrote is found in DNS."""
_threads = ThreadPoolExecutor(4, "dns-writing")


@dataclass(frozen=True, slots=True)
class Access:
    """Where to write, and by what right. The credentials are never shown, by whatever prints this."""

    provider: str
    credentials: Mapping[str, str] = field(repr=False)


def fields() -> dict[str, tuple[str, ...]]:
    """What each provider wants to know, by the provider's name."""
    return {**dnsapi.providers(), dnsupdate.NAME: dnsupdate.FIELDS}


def write_records(*, domain: HostedDomain, actor: Actor, access: Access, confirmed: str = "") -> tuple[Place, ...]:
    """Write those of the three that are missing, and replace what `confirmed` is the mark of. Waits for the provider.

    Gives what stands at the three names then. Raises WritingFailed.
    """
    wanted = tuple(Wanted(each.owner, each.target) for each in instructions(domain))
    conversation = _threads.submit(_talk, domain.zone or domain.name, wanted, access, confirmed)
    try:
        places = conversation.result(SECONDS)
    except TimeoutError:
        conversation.cancel()
        note_writing(domain=domain, actor=actor, provider=access.provider, failed=Trouble.SILENCE)
        raise WritingFailed(Trouble.SILENCE) from None
    except WritingFailed as error:
        note_writing(domain=domain, actor=actor, provider=access.provider, failed=error.trouble)
        raise
    right = [place.wanted.name for place in places if place.state is State.RIGHT]
    note_writing(domain=domain, actor=actor, provider=access.provider, right=right)
    check_now(domain)
    return places


def _talk(zone: str, wanted: tuple[Wanted, ...], access: Access, confirmed: str) -> tuple[Place, ...]:
    """In a thread of its own, without any table."""
    with _book(zone, access) as book:
        return write(book, wanted, confirmed)


def _book(zone: str, access: Access) -> AbstractContextManager[Book]:
    held = guard.configured(settings.CONFIG)
    if access.provider == dnsupdate.NAME:
        return dnsupdate.book(zone, access.credentials, held)
    return dnsapi.book(access.provider, zone, access.credentials, held)
