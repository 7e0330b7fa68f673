"""From what happened to what waits to be delivered, so that a crash loses nothing and tells nothing twice.

The lines of an organisation's log have numbers without gaps, given under a lock until the deed is committed: whoever
has read up to one has missed none before it. What is no deed is an `Occurrence`, which goes in the transaction that
makes its deliveries.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import F, OuterRef, QuerySet, Subquery

from trinco.panel.accounts.models import AuditEntry, AuditHead, Organisation
from trinco.panel.asking import Question
from trinco.panel.webhooks import messages
from trinco.panel.webhooks.messages import Message
from trinco.panel.webhooks.models import Delivery, DeliveryState, Occurrence, Webhook

MOST_WAITING: Final = 10_000
"""Deliveries that wait for one webhook: beyond, it reads no further in the log until there are fewer."""
_LINES: Final = 500
_AT_ONCE: Final = 500


def occurred(organisation: int, message: Message) -> None:
    """Note something that is no deed, in the transaction of what has happened; nothing where nobody wants it."""
    hooks = Webhook.objects.everywhere().filter(organisation=organisation, on=True)
    if any(message.kind in kinds for kinds in hooks.values_list("kinds", flat=True)):
        facts = {"kind": message.kind, "subject": message.subject, "data": dict(message.data), "at": message.at}
        Occurrence.objects.everywhere().create(organisation_id=organisation, **facts)


def end_of(organisation: Organisation) -> int:
    """The last line of an organisation's log: where a new webhook begins to read."""
    return AuditHead.objects.filter(organisation=organisation).values_list("number", flat=True).first() or 0


def spread_due(now: datetime) -> int:
    """Make the deliveries of what has happened. How many."""
    read = sum(_read(key, now) for key in _behind(now).order_by("pk")) if _UNREAD.holds(now) else 0
    return read + (_of_occurrences(now) if _OCCURRED.holds(now) else 0)


def _behind(_now: datetime) -> QuerySet[Webhook, int]:
    """Those whose organisation's log has lines that they have not read."""
    ends = AuditHead.objects.filter(organisation=OuterRef("organisation")).values("number")[:1]
    rows = Webhook.objects.everywhere().filter(on=True).annotate(end=Subquery(ends)).filter(end__gt=F("line"))
    return rows.values_list("pk", flat=True)


_UNREAD = Question(_behind)
_OCCURRED = Question(lambda _now: Occurrence.objects.everywhere())
"""Both without a lock, since most calls find nothing."""


@transaction.atomic
def _read(key: int, now: datetime) -> int:
    """Some lines for one webhook."""
    hook = Webhook.objects.everywhere().select_for_update(skip_locked=True).filter(pk=key, on=True).first()
    if hook is None or _full(hook):
        return 0
    lines = AuditEntry.objects.everywhere().filter(organisation=hook.organisation_id, number__gt=hook.line)
    read = list(lines.order_by("number")[:_LINES])
    if not read:
        return 0
    told = [message for line in read if (message := messages.of_line(line)) is not None]
    hook.line = read[-1].number or hook.line
    hook.save(update_fields=["line"])
    return _deliver(hook, told, now)


def _full(hook: Webhook) -> bool:
    waiting = Delivery.objects.everywhere().filter(webhook=hook, state=DeliveryState.WAITING)
    return waiting.count() >= MOST_WAITING


@transaction.atomic
def _of_occurrences(now: datetime) -> int:
    rows = Occurrence.objects.everywhere().order_by("pk")
    taken = list(rows.select_for_update(skip_locked=True)[:_AT_ONCE])
    hooks = _by_organisation(Webhook.objects.everywhere().filter(on=True), {row.organisation_id for row in taken})
    told = [(hook, messages.of_occurrence(row)) for row in taken for hook in hooks[row.organisation_id]]
    made = sum(_deliver(hook, [message], now) for hook, message in told)
    Occurrence.objects.everywhere().filter(pk__in=[row.pk for row in taken]).delete()
    return made


def _by_organisation(hooks: QuerySet[Webhook], organisations: Iterable[int]) -> dict[int, list[Webhook]]:
    found: dict[int, list[Webhook]] = defaultdict(list)
    for hook in hooks.filter(organisation__in=list(organisations)).order_by("pk"):
        found[hook.organisation_id].append(hook)
    return found


def _deliver(hook: Webhook, told: Iterable[Message], now: datetime) -> int:
    wanted = [messages.delivery(hook, message, now) for message in told if message.kind in hook.kinds]
    Delivery.objects.everywhere().bulk_create(wanted)
    return len(wanted)
