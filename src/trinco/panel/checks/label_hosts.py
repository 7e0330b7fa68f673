"""Whether the hosts of labels are their providers': the TXT record at `_trinco.<host>`, looked at by the worker.

It is asked at the authoritative servers of its own zone, and no CNAME is followed: who may write that very name owns
the host. A name server that does not answer proves nothing, and takes nothing away.
"""

from __future__ import annotations

import asyncio
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import QuerySet

from trinco.core.errors import DnsFailure
from trinco.net import dns as look_ups
from trinco.panel import clock
from trinco.panel.accounts import labels
from trinco.panel.accounts.models import HostClaim, Organisation
from trinco.panel.asking import Question

_log = structlog.get_logger("trinco.checks")
AT_ONCE: Final = 16
LEASE: Final = timedelta(seconds=60)
_PROVEN: Final = timedelta(hours=6)
_SOON, _LATER, _RARELY = timedelta(seconds=10), timedelta(minutes=5), timedelta(hours=1)
_FRESH, _DAY = timedelta(minutes=15), timedelta(days=1)
_AFAR: Final = timedelta(hours=7)
"""Longer than any pause: a clock that was ahead wrote such a moment, and it is due."""


def look_due(now: datetime) -> int:
    """Look at the hosts that are due. How many."""
    taken = _taken(now)
    if not taken:
        return 0
    for claim, texts in zip(taken, asyncio.run(_looked([labels.proof(each)[0] for each in taken])), strict=True):
        if texts is not None:
            _note(claim, texts, now)
        HostClaim.objects.everywhere().filter(pk=claim.pk).update(due_at=now + _pause(claim, now))
    return len(taken)


def _note(claim: HostClaim, texts: tuple[str, ...], now: datetime) -> None:
    """Two whose texts both stand there may be given the host at once, by two workers: the table takes one, and the
    other is looked at again."""
    try:
        labels.note(claim, texts, now)
    except IntegrityError:
        _log.info("label host given to another at this moment", host=claim.host)


def check_now(organisation: Organisation) -> None:
    """Have the worker look at the host at once."""
    HostClaim.objects.of(organisation).update(due_at=clock.now())


def _due(now: datetime) -> QuerySet[HostClaim]:
    return HostClaim.objects.everywhere().filter(clock.due("due_at", now, _AFAR))


_SOME = Question(_due)


def _taken(now: datetime) -> list[HostClaim]:
    if not _SOME.holds(now):  # without a lock, since most calls find nothing
        return []
    with transaction.atomic():
        rows = list(_due(now).order_by("due_at").select_for_update(skip_locked=True)[:AT_ONCE])
        HostClaim.objects.everywhere().filter(pk__in=[row.pk for row in rows]).update(due_at=now + LEASE)
    return rows


def _pause(claim: HostClaim, now: datetime) -> timedelta:
    """How long a claim rests. Proven ones are looked at now and then, and those that people wait for often."""
    row = HostClaim.objects.everywhere().filter(pk=claim.pk).first()
    if row is not None and row.found_at is not None and row.found_at == row.looked_at and not row.taken:
        return _PROVEN
    age = now - claim.claimed_at
    return _SOON if age < _FRESH else _LATER if age < _DAY else _RARELY


async def _looked(names: list[str]) -> list[tuple[str, ...] | None]:
    dns = look_ups.configured(settings.CONFIG)
    return list(await asyncio.gather(*(_texts(dns, name) for name in names)))


async def _texts(dns: look_ups.Dns, name: str) -> tuple[str, ...] | None:
    """The TXT records that stand at this very name; None: nobody answered."""
    try:
        return (await dns.authoritative(name, "TXT")).values("TXT", name)
    except DnsFailure:
        return None
