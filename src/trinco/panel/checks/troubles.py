"""What speaks against a domain, told to those who want to hear of its beginning and its end (`webhooks.troubles`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from trinco.panel.domains.models import HostedDomain, Level
from trinco.panel.webhooks import troubles
from trinco.panel.webhooks.troubles import KINDS, Seen

if TYPE_CHECKING:
    from trinco.panel.checks.status import Status

ELSEWHERE: Final = frozenset({"certificate-failing", "certificate-ending"})
"""Told by the events of certificates."""
WATCHED: Final = frozenset(KINDS) - ELSEWHERE


def note(judged: Iterable[tuple[HostedDomain, Sequence[Status]]], now: datetime) -> int:
    """Tell of what began and what is over for these domains. How many."""
    return troubles.note([_seen(domain, found) for domain, found in judged], WATCHED, now)


def _seen(domain: HostedDomain, found: Sequence[Status]) -> Seen:
    told = {each.problem: _told(each) for each in found if each.problem in WATCHED and each.level != Level.SETUP}
    return Seen(domain.pk, domain.organisation_id, domain.name, told)


def _told(status: Status) -> dict[str, Any]:
    facts: dict[str, Any] = {
        "hosts": list(status.hosts),
        "record": status.record,
        "finding": status.finding,
        "seen": status.seen,
        "until": status.until and status.until.isoformat(timespec="seconds"),
        "senders": list(status.senders),
    }
    return {"critical": status.level == Level.CRITICAL, **{name: value for name, value in facts.items() if value}}
