"""A request that is done once, however often it is sent (draft-ietf-httpapi-idempotency-key-header).

Whoever sends a key first has it, by the table's own constraint; the answer is kept for a day and given again to the
same caller alone. A request that was refused has changed nothing: its key is free again. One that was cut off, or
that met a fault of ours, keeps its key without an answer, since nobody knows whether it was done.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from http import HTTPStatus
from typing import Any

from django.core.cache import cache
from django.db import IntegrityError, transaction
from django.utils import timezone

from trinco.panel.accounts.access import Access
from trinco.panel.accounts.models import IdempotencyKey

KEPT = timedelta(days=1)
LONGEST = timedelta(minutes=5)
"""A request that has not ended after so long was cut off."""
LONGEST_BODY = 256 << 10
"""Octets: of an answer that is longer, the status alone is kept."""
MOST_A_DAY = 64 << 20
"""Octets of the answers of one organisation: beyond, the same."""
_AT_ONCE = 1000
_FAULT = HTTPStatus.INTERNAL_SERVER_ERROR
"""What `IdempotencyKey.status` is after a fault of ours."""


class Standing(Enum):
    """What is known of a key that somebody sends."""

    NEW = auto()
    RUNNING = auto()
    CUT_OFF = auto()
    DONE = auto()
    OTHER = auto()
    """It belongs to another request."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A key, and how it stands."""

    row: IdempotencyKey
    standing: Standing


def claim(*, access: Access, key: str, request: bytes) -> Claim:
    """Take the key for this request of this caller, or say whose it is."""
    now, fingerprint = timezone.now(), hashlib.sha256(request).hexdigest()
    mine = {"organisation": access.organisation, "user": access.user, "token": access.token, "key": key}
    keys = IdempotencyKey.objects.of(access.organisation)
    keys.filter(user=access.user, token=access.token, key=key, created_at__lte=now - KEPT).delete()
    try:
        with transaction.atomic():
            made = IdempotencyKey.objects.everywhere().create(**mine, fingerprint=fingerprint, created_at=now)
        return Claim(made, Standing.NEW)
    except IntegrityError:
        row = keys.filter(user=access.user, token=access.token, key=key).first()
    if row is None:  # it ended in an error this moment
        return claim(access=access, key=key, request=request)
    return Claim(row, _standing(row, fingerprint, now))


def _standing(row: IdempotencyKey, fingerprint: str, now: datetime) -> Standing:
    if row.fingerprint != fingerprint:
        return Standing.OTHER
    if row.status == _FAULT:
        return Standing.CUT_OFF
    if row.status is not None:
        return Standing.DONE
    return Standing.RUNNING if now - row.created_at < LONGEST else Standing.CUT_OFF


def settle(*, row: IdempotencyKey, status: int, headers: dict[str, str], body: bytes) -> None:
    """Keep the answer. What is told once is not kept: `row.secret`. Nor is what is longer than `LONGEST_BODY`, or more
    than an organisation may have us keep."""
    kept = b"" if row.secret or len(body) > LONGEST_BODY or not _room(row, len(body)) else body
    _write(row, status=status, headers=headers, body=kept, secret=row.secret)


def _room(row: IdempotencyKey, octets: int) -> bool:
    """Whether this day has room for them yet, which are counted then."""
    key = f"idempotency:{row.organisation_id}:{row.created_at.date()}"
    cache.add(key, 0, KEPT.total_seconds())
    try:
        return cache.incr(key, octets) <= MOST_A_DAY
    except ValueError:  # it went in between, since its day is over
        return True


def cut_off(*, row: IdempotencyKey) -> None:
    """Nobody knows whether it was done: the key is never free again."""
    _write(row, status=_FAULT)


def _write(row: IdempotencyKey, **facts: Any) -> None:
    """Nothing where the organisation was closed meanwhile, or the account deleted: its keys went with it."""
    IdempotencyKey.objects.everywhere().filter(pk=row.pk).update(**facts)


def release(*, row: IdempotencyKey) -> None:
    """Nothing was done: the key is free."""
    row.delete()


def forget(now: datetime) -> int:
    """Let go of keys that are older than a day, so many at once. How many."""
    old = IdempotencyKey.objects.everywhere().filter(created_at__lte=now - KEPT).values_list("pk", flat=True)
    gone, full = 0, True
    while full:
        keys = list(old[:_AT_ONCE])
        IdempotencyKey.objects.everywhere().filter(pk__in=keys).delete()
        gone, full = gone + len(keys), len(keys) == _AT_ONCE
    return gone
