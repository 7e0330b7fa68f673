"""Whoever holds a zone, by the name that people choose: a provider that dns-lexicon knows, or a server of one's own."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

from trinco.net import dnsapi, dnsupdate
from trinco.net.dnsapi import ApiBook
from trinco.net.dnsupdate import UpdateBook
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
