"""When a domain is looked at next, and how a worker takes what is due.

Level-triggered: a row says when it is due. Taking it moves that moment by a lease, so that no other worker takes it,
and a worker that dies has only delayed it.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet

from trinco.panel import clock
from trinco.panel.asking import Question
from trinco.panel.domains.models import Finding, HostedDomain, MxSighting, State

LEASE = timedelta(seconds=60)
"""Longer than any look takes."""

AHEAD = timedelta(days=1)
"""How long overdue a domain is made that somebody waits for: it comes before ten thousand that were just imported."""

PROBE_EVERY = timedelta(hours=1)
PROBE_LEASE = timedelta(minutes=5)
"""Longer than the probes of one call take."""

_AFAR, _AFAR_LEAVING = timedelta(hours=2), timedelta(hours=25)
"""Longer than any pause: a clock that was ahead wrote such a moment, and it is due."""

_FRESH = ((timedelta(minutes=10), timedelta(seconds=5)), (timedelta(days=1), timedelta(seconds=30)))
"""(age, pause) while the owner is likely to be waiting for the page to turn green."""
_SETUP = timedelta(minutes=10)
_COMPLETE = timedelta(seconds=30)
"""All is found and only the person's word on the MX is missing."""
_TROUBLED = timedelta(minutes=5)
_LIVE = timedelta(minutes=45)
"""Nearly an hour: `enforce` asks for MX that were read within the last hour."""
OVERDUE = timedelta(hours=2)
"""A live domain that was last looked at longer ago waits for a worker that stands still or cannot follow."""
_LEAVING = timedelta(days=1)
PATIENCE = timedelta(minutes=2)
"""A look that somebody waits for comes within seconds. One that did not within these waits for a worker that does not
run."""
_AWAITED = ((timedelta(hours=1), timedelta(seconds=10)), (timedelta(days=1), timedelta(minutes=1)))
"""(age, pause) while the owner has a text to publish."""


def pause(domain: HostedDomain, findings: set[str], now: datetime) -> timedelta:
    """How long a domain rests after a look that has found this."""
    findings = {Finding.FOUND if finding == Finding.LATER else finding for finding in findings}
    if domain.state == State.SETUP:
        return _pause_in_setup(now - domain.created_at, findings)
    if domain.state == State.LIVE:
        return _LIVE if findings == {Finding.FOUND} else _TROUBLED
    return _LEAVING


def pause_awaiting(released: datetime | None, now: datetime) -> timedelta:
    """How long a domain rests whose owner may publish a new text since then."""
    age = now - (released or now)
    return next((rest for limit, rest in _AWAITED if age < limit), _TROUBLED)


def _pause_in_setup(age: timedelta, findings: set[str]) -> timedelta:
    usual = next((rest for limit, rest in _FRESH if age < limit), _SETUP)
    return min(usual, _COMPLETE) if findings == {Finding.FOUND} else usual


def overdue(domains: QuerySet[HostedDomain], now: datetime) -> QuerySet[HostedDomain]:
    """Those of them of which what is known may be out of date."""
    return domains.filter(state=State.LIVE, checked_at__lt=now - OVERDUE)


def is_overdue(domain: HostedDomain, now: datetime) -> bool:
    """`overdue` of one that is at hand."""
    return domain.state == State.LIVE and domain.checked_at is not None and domain.checked_at < now - OVERDUE


def unheeded(domains: QuerySet[HostedDomain], now: datetime) -> QuerySet[HostedDomain]:
    """Those of them for which somebody waits (`AHEAD`) in vain."""
    return domains.exclude(state=State.GONE).filter(check_due_at__lt=now - AHEAD - PATIENCE)


def is_unheeded(domain: HostedDomain, now: datetime) -> bool:
    """`unheeded` of one that is at hand."""
    return domain.state != State.GONE and domain.check_due_at < now - AHEAD - PATIENCE


def _due(now: datetime) -> QuerySet[HostedDomain]:
    too_far = Q(state__in=(State.SETUP, State.LIVE), check_due_at__gt=now + _AFAR)
    moment = clock.due("check_due_at", now, _AFAR_LEAVING) | too_far
    return HostedDomain.objects.everywhere().filter(moment).exclude(state=State.GONE)


def _live_hosts() -> QuerySet[MxSighting]:
    return MxSighting.objects.everywhere().filter(domain__state=State.LIVE)


def _due_hosts(now: datetime) -> QuerySet[MxSighting]:
    return _live_hosts().filter(clock.due("probe_due_at", now, _AFAR))


_SOME, _SOME_HOSTS = Question(_due), Question(_due_hosts)


def take(now: datetime, most: int) -> list[HostedDomain]:
    """The domains that are due, the longest overdue first, leased to this worker."""
    if most < 1 or not _SOME.holds(now):  # without a lock, since most calls find nothing
        return []
    due = _due(now)
    with transaction.atomic():
        rows = list(due.order_by("check_due_at").select_for_update(skip_locked=True)[:most])
        HostedDomain.objects.everywhere().filter(pk__in=[row.pk for row in rows]).update(check_due_at=now + LEASE)
    return rows


def take_hosts(now: datetime, most: int) -> list[str]:
    """The MX hosts of live domains that are due to be probed, the longest overdue first, leased to this worker for
    every domain that has them."""
    if not _SOME_HOSTS.holds(now):
        return []
    live, due = _live_hosts(), _due_hosts(now)
    with transaction.atomic():
        rows = due.order_by("probe_due_at").select_for_update(of=("self",), skip_locked=True)
        hosts = list(dict.fromkeys(row.host for row in rows[: most * 4]))[:most]
        live.filter(host__in=hosts).update(probe_due_at=now + PROBE_LEASE)
    return hosts
