"""What DNS and the mail servers say of the hosted domains, written down; and the deeds that follow by themselves.

Looking never changes a policy: MX that were read are a suggestion to a person, and a CNAME that is lost is recorded
while everything stays served. What follows is that a domain whose three records are as they should be, and whose policy
was started, goes live; and that an id which an owner published by hand counts as announced.

For pages and commands: `look`, `read_mx` (both wait for DNS), `check_now`, `watch` (both only tell the worker).
For the worker: `look_due`, `probe_due`.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timedelta

import structlog
from django.db import transaction
from django.db.models import Q, Value
from django.db.models.functions import Least

from trinco.core.errors import DnsFailure, TrincoError
from trinco.core.mtasts import mx as mx_patterns
from trinco.panel import clock
from trinco.panel.checks import looks, schedule, status
from trinco.panel.checks.probes import probe_due
from trinco.panel.checks.sights import View
from trinco.panel.domains.models import (
    SEEN_CHARACTERS,
    Finding,
    HostedDomain,
    KeptAccess,
    MxSighting,
    RecordName,
    RecordSighting,
    State,
    Way,
)
from trinco.panel.domains.services import locked, mark_live
from trinco.panel.policies.models import Standing
from trinco.panel.policies.ways import note_announced, note_later_id, waits_for_owner, way_at, ways_of

__all__ = ["check_now", "look", "look_due", "note_mx", "probe_due", "read_mx", "watch"]

REST = timedelta(seconds=10)
"""Between two looks at one domain that people ask for."""
WATCHED = timedelta(seconds=5)
"""Between two looks at a domain whose set-up page is open."""
WRITTEN = timedelta(minutes=5)
"""Between two writings of one domain's texts that looks ask for: name servers take a while to follow."""
_log = structlog.get_logger("trinco.checks")


def look(domain: HostedDomain) -> None:
    """Look at one domain now: three records, CAA, MX. Takes as long as its name servers do, at most 20 s."""
    note(domain, looks.one(domain), clock.now())
    domain.refresh_from_db()


def read_mx(domain: HostedDomain) -> tuple[str, ...]:
    """Look now, and give the MX hosts, the most preferred first; empty: the domain takes no mail.

    Raises DnsFailure when DNS did not answer.
    """
    seen = looks.one(domain)
    note(domain, seen, clock.now())
    domain.refresh_from_db()
    if seen.mx is None:
        raise DnsFailure(f"no name server of {domain.name} answered for its MX records")
    return tuple(host for _, host in seen.mx)


def look_due(now: datetime) -> int:
    """Look at the domains that are due and write down what is seen, each as soon as it is complete. Gives how many.

    Goes on taking what becomes due for ten seconds, so that a domain with dead name servers delays no other.
    """
    count, began = 0, time.monotonic()

    def later() -> datetime:
        return now + timedelta(seconds=time.monotonic() - began)

    for domain, seen in looks.views(lambda most: schedule.take(later(), most)):
        count += 1
        try:
            note(domain, seen, later())
        except Exception as error:  # noqa: BLE001 - the outermost loop of one domain's look
            _log.error("look lost", domain=domain.name, error=f"{type(error).__name__}: {error}")
    return count


def check_now(domain: HostedDomain) -> bool:
    """Have the worker look at the domain and its mail servers at once. False: that was done less than 10 s ago."""
    now = clock.now()
    rested = Q(checked_at=None) | clock.due("checked_at", now - REST, 2 * REST)
    mine = HostedDomain.objects.of(domain.organisation).filter(rested, pk=domain.pk).exclude(state=State.GONE)
    ahead = Least("check_due_at", Value(now - schedule.AHEAD))  # who asks again waits no shorter for that
    if not mine.update(check_due_at=ahead):
        return False
    silent = Q(probed_at=None) | clock.due("probed_at", now - REST, 2 * REST)
    MxSighting.objects.of(domain.organisation).filter(silent, domain=domain).update(probe_due_at=now)
    return True


def watch(domain: HostedDomain) -> None:
    """Somebody looks at the set-up page of a domain: look every five seconds, however old it is; one that was never
    looked at comes before all that were just imported, unless a worker has taken it already."""
    now = clock.now()
    mine = HostedDomain.objects.of(domain.organisation).filter(pk=domain.pk, state=State.SETUP)
    rested = clock.due("checked_at", now - WATCHED, 2 * WATCHED) | Q(checked_at=None, check_due_at__lte=now)
    mine.filter(rested, check_due_at__gt=now - schedule.AHEAD).update(check_due_at=now - schedule.AHEAD)


def note(domain: HostedDomain, seen: View, now: datetime) -> None:
    """Write a look down, and let the domain go live if it has shown all that it takes."""
    if _noted(domain, seen, now) and seen.complete:
        _go_live(domain)
    status.refresh_by_key([domain.pk], now)


@transaction.atomic
def note_mx(domain: HostedDomain, mx: tuple[tuple[int, str], ...], now: datetime) -> None:
    """Write down the mail servers alone, as (preference, host): read for a deed that asks for them."""
    row = locked(domain)
    _note_mx(row, mx, now)
    row.save(update_fields=["mx_checked_at", "mx_suggested"])


@transaction.atomic
def _noted(domain: HostedDomain, seen: View, now: datetime) -> bool:
    """Whether the domain still waits for its DNS."""
    row = locked(domain)
    if row.state == State.GONE or ways_of(row) != ways_of(domain):
        return False  # of another way, it says nothing; another look is due already
    _note_records(row, seen, now)
    for sight in seen.records.values():
        if sight.announces:
            note_announced(row, sight.announces, now)
    if RecordName.STS_TXT in seen.records:
        note_later_id(row, seen.records[RecordName.STS_TXT].seen, now)
    _have_written(row, seen, now)
    if seen.mx is not None:
        _note_mx(row, seen.mx, now)
    if seen.delegation is not None:
        row.zone, row.nameservers = seen.delegation[0], list(seen.delegation[1])
    row.checked_at = now
    row.check_due_at = now + _pause(row, seen, now)
    row.save(update_fields=["checked_at", "check_due_at", "mx_checked_at", "mx_suggested", "zone", "nameservers"])
    return row.state == State.SETUP


def _have_written(row: HostedDomain, seen: View, now: datetime) -> None:
    """Another text stands where we write, or one where none is to be: have it written again, unless that was done just
    now or goes wrong."""
    ours = [sight for record, sight in seen.records.items() if way_at(row, record) == Way.PROVIDER]
    left = any(sight.finding is Finding.LATER and sight.seen for sight in ours)
    if left or any(sight.finding in (Finding.MISSING, Finding.STALE, Finding.TWICE) for sight in ours):
        rested = Q(tried_at=None) | Q(tried_at__lt=now - WRITTEN)
        KeptAccess.objects.everywhere().filter(rested, domain=row, failures=0).update(due_at=now)


def _pause(row: HostedDomain, seen: View, now: datetime) -> timedelta:
    rest = schedule.pause(row, {sight.finding for sight in seen.records.values()}, now)
    version = waits_for_owner(row)
    return min(rest, schedule.pause_awaiting(version.released_at, now)) if version else rest


def _note_records(row: HostedDomain, seen: View, now: datetime) -> None:
    sightings = [
        RecordSighting(domain=row, record=record, finding=sight.finding, seen=_shown(sight.seen), seen_at=now)
        for record, sight in seen.records.items()
    ]
    RecordSighting.objects.everywhere().bulk_create(
        sightings,
        update_conflicts=True,
        unique_fields=["domain", "record"],
        update_fields=["finding", "seen", "seen_at"],
    )


def _shown(text: str) -> str:
    """A stranger's words, fit to be stored and shown: no control, direction or NUL character."""
    return "".join(character if character.isprintable() else "\ufffd" for character in text)[:SEEN_CHARACTERS]


def _note_mx(row: HostedDomain, mx: tuple[tuple[int, str], ...], now: datetime) -> None:
    """Hosts that are gone are forgotten; those that stayed keep what the probes found."""
    preferences = _preferences(mx)
    row.mx_checked_at = now
    if row.state == State.SETUP:
        row.mx_suggested = [host for host in preferences if mx_patterns.fault(host) is None]
    MxSighting.objects.everywhere().filter(domain=row).exclude(host__in=preferences).delete()
    MxSighting.objects.everywhere().bulk_create(
        [MxSighting(domain=row, host=host, preference=number, seen_at=now) for host, number in preferences.items()],
        update_conflicts=True,
        unique_fields=["domain", "host"],
        update_fields=["preference", "seen_at"],
    )


def _preferences(mx: Iterable[tuple[int, str]]) -> dict[str, int]:
    """Each host once, by its best preference."""
    best: dict[str, int] = {}
    for preference, host in mx:
        best.setdefault(host, preference)
    return best


def _go_live(domain: HostedDomain) -> None:
    if not Standing.objects.everywhere().filter(domain=domain).exists():
        return  # the person has not said yes to the MX
    try:
        went = mark_live(domain)
    except TrincoError as error:
        _log.info("not live", domain=domain.name, reason=f"{type(error).__name__}: {error}")
        return
    if went:
        _log.info("live", domain=domain.name)
        MxSighting.objects.everywhere().filter(domain=domain).update(probe_due_at=clock.now())
