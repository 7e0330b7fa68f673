"""Whose turn it is, and what becomes of an attempt.

One delivery of a webhook is in hand at a time, the oldest that is due, under a lease and a fence, so that no two
workers send the same at once; a worker that dies has only delayed it. The webhook that waited longest for a turn comes
first, and no organisation has more than a few in hand. After failures a webhook rests, whatever waits: for seconds at
first, for ten minutes at most. A delivery is attempted again after ever longer waits for three days; meanwhile later
ones go past it, so that one that is never taken holds up no other.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from trinco.panel import clock
from trinco.panel.asking import Question
from trinco.panel.seal import SealError
from trinco.panel.webhooks import services, stopping
from trinco.panel.webhooks.models import Delivery, DeliveryState, Webhook

LEASE: Final = timedelta(seconds=60)
"""Longer than any attempt takes."""
EACH, TOGETHER = 4, 32
"""Deliveries that are in hand at once: of one organisation, and of a provider with all its clients."""
FIRST, LONGEST = timedelta(seconds=10), timedelta(hours=12)
"""The waits between the attempts of one delivery: three times as long each time."""
REST, LONGEST_REST = timedelta(seconds=5), timedelta(minutes=10)
"""How long a webhook is left alone: twice as long after each failure in a row."""
MOST_ASKED: Final = timedelta(hours=1)
"""What a server may ask for with Retry-After."""
GONE: Final = 410
_AFAR: Final = timedelta(hours=15)
"""Nothing waits that long: a clock that was ahead wrote such a moment."""
_DOWN: Final = 3
"""So many failures in a row, and what waits was held up by the server, not by its own content."""
_UNOPENED: Final = timedelta(minutes=10)
_log = structlog.get_logger("trinco.webhooks")


_Share = tuple[int, int]
"""How many there may be, and whose: the key of an organisation."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A delivery that this worker has in hand."""

    hook: Webhook
    delivery: Delivery
    secrets: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt. `status` None: nothing was answered, and `problem` says why."""

    status: int | None = None
    problem: str = ""
    retry_after: int | None = None
    milliseconds: int = 0

    @property
    def taken(self) -> bool:
        return self.status is not None and 200 <= self.status < 300


def waiting(now: datetime) -> bool:
    """Whether anything is due at all: without a lock, since most calls find nothing."""
    return _SOME.holds(now)


_SOME = Question(lambda now: _due(now).filter(webhook__on=True))


def in_hand(hooks: Iterable[Webhook]) -> Counter[_Share]:
    """How many each organisation, and each provider with its clients, has in hand."""
    return Counter(share for hook in hooks for share in _shares(hook))


def _shares(hook: Webhook) -> tuple[_Share, _Share]:
    key = hook.organisation_id
    return (EACH, key), (TOGETHER, hook.organisation.parent_id or key)


@transaction.atomic
def take(now: datetime, most: int, busy: Counter[_Share], *, well: bool = False) -> list[Turn]:
    """Lease webhooks that have something due, and the delivery of each that waited longest. `busy`: see `in_hand`;
    `well`: only those that did not fail last."""
    rows = Webhook.objects.everywhere().filter(_free("lease_until", now), _free("rest_until", now), on=True)
    rows = rows.filter(Exists(_due(now).filter(webhook=OuterRef("pk"))), **({"failures": 0} if well else {}))
    rows = rows.exclude(_full(busy)).select_related("organisation").order_by("turn_at", "pk")
    turns, counts = list[Turn](), Counter(busy)
    for hook in rows.select_for_update(of=("self",), skip_locked=True)[:most]:
        shares = _shares(hook)
        if all(counts[share] < share[0] for share in shares):
            counts.update(shares)
            turns += _leased(hook, now)
    return turns


def _due(now: datetime) -> QuerySet[Delivery]:
    return Delivery.objects.everywhere().filter(clock.due("due_at", now, _AFAR), state=DeliveryState.WAITING)


def _full(busy: Counter[_Share]) -> Q:
    """Those of whoever has as many in hand as may be."""
    keys = {most: [key for (of, key), count in busy.items() if of == most <= count] for most in (EACH, TOGETHER)}
    own, together = keys[EACH], keys[TOGETHER]
    return Q(organisation__in=[*own, *together]) | Q(organisation__parent__in=together)


def _free(field: str, now: datetime) -> Q:
    return Q(**{field: None}) | clock.due(field, now, _AFAR)


def _leased(hook: Webhook, now: datetime) -> list[Turn]:
    delivery = _due(now).filter(webhook=hook).order_by("pk").first()
    if delivery is None:
        return []
    try:
        secrets = tuple(services.secrets_of(hook, now))
    except SealError as error:  # one that was sealed with a key that is gone stops nobody else's
        _log.error("webhook rests: its secret cannot be opened", webhook=hook.pk, problem=str(error))
        hook.rest_until = now + _UNOPENED
        hook.save(update_fields=["rest_until"])
        return []
    hook.lease_until, hook.turn_at, hook.fence = now + LEASE, now, hook.fence + 1
    hook.save(update_fields=["lease_until", "turn_at", "fence"])
    delivery.tries, delivery.tried_at = delivery.tries + 1, now
    delivery.save(update_fields=["tries", "tried_at"])
    return [Turn(hook, delivery, secrets)]


@transaction.atomic
def settle(turn: Turn, outcome: Outcome, now: datetime) -> None:
    """Write down what came of an attempt; nothing, if the lease went to another meanwhile."""
    rows = Webhook.objects.everywhere().select_for_update(of=("self",)).select_related("organisation")
    hook = rows.filter(pk=turn.hook.pk, fence=turn.hook.fence).first()
    if hook is None:
        return
    hook.lease_until = None
    delivery = turn.delivery
    delivery.status, delivery.milliseconds = outcome.status, outcome.milliseconds
    delivery.problem = outcome.problem[:255]
    if outcome.taken:
        _done(hook, delivery, now)
    else:
        _failed(hook, delivery, outcome, now)
    hook.save(update_fields=["lease_until", "failures", "failing_since", "rest_until"])
    facts = ("state", "due_at", "ended_at", "status", "milliseconds", "problem")
    Delivery.objects.everywhere().filter(pk=delivery.pk).update(**{name: getattr(delivery, name) for name in facts})


def _done(hook: Webhook, delivery: Delivery, now: datetime) -> None:
    delivery.state, delivery.ended_at = DeliveryState.DONE, now
    if hook.failures >= _DOWN:
        rest = Delivery.objects.everywhere().filter(webhook=hook, state=DeliveryState.WAITING)
        rest.exclude(pk=delivery.pk).update(due_at=now)
    hook.failures, hook.failing_since, hook.rest_until = 0, None, None


def _failed(hook: Webhook, delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    asked = min(timedelta(seconds=outcome.retry_after or 0), MOST_ASKED)
    hook.failures, hook.failing_since = hook.failures + 1, hook.failing_since or now
    rest = min(REST * 2 ** min(hook.failures - 1, 16), LONGEST_REST)
    hook.rest_until = now + max(rest, asked)
    delivery.due_at = now + max(wait(delivery.tries), asked)
    given_up = outcome.status == GONE or delivery.due_at > delivery.until
    if given_up:
        delivery.state, delivery.ended_at = DeliveryState.FAILED, now
    facts = {"host": hook.host, "kind": delivery.kind, "id": delivery.uid, "tries": delivery.tries}
    _log.warning("delivery failed", **facts, given_up=given_up, status=outcome.status, problem=outcome.problem)
    stopping.judge(hook, now, gone=outcome.status == GONE)


def wait(tries: int) -> timedelta:
    """The pause after so many attempts (1 or more), a fifth shorter or longer, so that not all come at once."""
    usual: timedelta = min(FIRST * 3 ** min(tries - 1, 16), LONGEST)
    return usual * random.uniform(0.8, 1.2)  # noqa: S311 - no secret


def prune(now: datetime) -> int:
    """Give up what could not be attempted in time, and forget what ended long ago. How many."""
    rows = Delivery.objects.everywhere()
    late = rows.filter(state=DeliveryState.WAITING, until__lt=now - LEASE)
    given_up = late.update(state=DeliveryState.FAILED, ended_at=F("until")) if late.exists() else 0
    return given_up + stopping.forget(now)
