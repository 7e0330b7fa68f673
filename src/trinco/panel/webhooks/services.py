"""Deeds on webhooks. Each raises Http404 where somebody has removed the webhook, or the delivery, meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction
from django.db.models import Q, QuerySet
from django.shortcuts import get_object_or_404
from django.utils import translation

from trinco.panel import clock, keyring
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.services import record
from trinco.panel.seal import Seal, SealError
from trinco.panel.webhooks import messages, outbox, signing, urls
from trinco.panel.webhooks.errors import DeliveryWaits, KindUnknown, TooManyWebhooks, WebhookOff
from trinco.panel.webhooks.messages import Message
from trinco.panel.webhooks.models import CHOICES, Delivery, DeliveryState, Kind, Secret, Webhook

MOST: Final = 20
"""Webhooks of one organisation."""
OVERLAP: Final = timedelta(days=1)
"""How long the old secret signs beside a new one."""
MOST_SECRETS: Final = 3
_KINDS: Final = tuple(value for value, _label in CHOICES)


@dataclass(frozen=True, slots=True)
class Terms:
    """What people say of a webhook."""

    name: str
    url: str
    kinds: tuple[str, ...]
    on: bool = True


@transaction.atomic
def create_webhook(*, organisation: Organisation, terms: Terms, actor: Actor) -> tuple[Webhook, str]:
    """A webhook that is told of what happens from now on, and its secret, which is told nowhere else.

    Raises TooManyWebhooks, UrlRefused, KindUnknown.
    """
    url, kinds = urls.url_of(terms.url), _known(terms.kinds)
    # The organisation's row is the lock: of two requests at once the second counts what the first has made.
    owner = Organisation.objects.select_for_update(no_key=True).get(pk=organisation.pk)
    if Webhook.objects.of(owner).count() >= MOST:
        raise TooManyWebhooks(str(MOST))
    now = clock.now()
    facts = {"name": terms.name, "url": url, "kinds": kinds, "on": terms.on, "created_at": now, "turn_at": now}
    facts |= {"line": outbox.end_of(owner), "language": (translation.get_language() or "en")[:10]}
    hook = Webhook.objects.of(owner).create(organisation=owner, **facts)
    _record("webhook.added", hook, actor, after=_told(hook))
    return hook, _new_secret(hook, now)


@transaction.atomic
def change_webhook(*, webhook: Webhook, terms: Terms, actor: Actor) -> Webhook:
    """Another name, address or choice, on or off. What happened while it was off is not told later.

    Raises UrlRefused, KindUnknown.
    """
    url, kinds = urls.url_of(terms.url), _known(terms.kinds)
    hook = _locked(webhook)
    before, begins, moved = _told(hook), terms.on and not hook.on, hook.url != url
    hook.name, hook.url, hook.kinds, hook.on = terms.name, url, kinds, terms.on
    if begins:
        hook.line = outbox.end_of(hook.organisation)
        hook.stopped_at, hook.stopped_why, hook.mail_due_at = None, "", None
    if moved or begins:
        hook.failures, hook.failing_since, hook.rest_until = 0, None, None
    hook.save()
    after = _told(hook)
    if before != after or moved:
        _record("webhook.changed", hook, actor, before=before, after={**after, "moved": moved})
    return hook


@transaction.atomic
def rotate_secret(*, webhook: Webhook, actor: Actor, leaked: bool = False) -> str:
    """A new secret, told nowhere else. The old one signs beside it for a day; if it has leaked, not at all."""
    hook, now = _locked(webhook), clock.now()
    held = Secret.objects.everywhere().filter(webhook=hook)
    if leaked:
        held.delete()
    else:
        held.filter(pk__in=[row.pk for row in _shut(held)]).delete()  # what does not open signs nothing either
        held.filter(ends_at=None).update(ends_at=now + OVERLAP)
        newest = held.order_by("-pk").values_list("pk", flat=True)[: MOST_SECRETS - 1]
        held.exclude(pk__in=list(newest)).delete()
    _record("webhook.secret", hook, actor, after={"webhook": hook.name, "leaked": leaked})
    if not hook.failures and hook.rest_until:
        hook.rest_until = None  # it rested for want of a secret
        hook.save(update_fields=["rest_until"])
    return _new_secret(hook, now)


@transaction.atomic
def remove_webhook(*, webhook: Webhook, actor: Actor) -> None:
    """Nothing more is sent, neither what waits."""
    hook = _locked(webhook)
    _record("webhook.removed", hook, actor, before=_told(hook))
    hook.delete()


@transaction.atomic
def send_test(*, webhook: Webhook, actor: Actor) -> Delivery:
    """Have a `ping` delivered. Raises WebhookOff."""
    hook = _locked(webhook)
    if not hook.on:
        raise WebhookOff(hook.name)
    now = clock.now()
    row = messages.delivery(hook, Message(Kind.PING, now, data={"webhook": hook.name}), now)
    row.save(force_insert=True)
    _record("webhook.tested", hook, actor, after={"webhook": hook.name, "delivery": row.uid})
    return row


@transaction.atomic
def redeliver(*, delivery: Delivery, actor: Actor) -> Delivery:
    """Have the same message, under the same id, delivered once more. Raises WebhookOff, DeliveryWaits."""
    hook = _locked(delivery.webhook)
    if not hook.on:
        raise WebhookOff(hook.name)
    now = clock.now()
    facts = {"state": DeliveryState.WAITING, "due_at": now, "until": now + messages.PATIENCE, "tries": 0}
    row = get_object_or_404(Delivery.objects.everywhere().filter(webhook=hook), pk=delivery.pk)
    ended = Delivery.objects.everywhere().filter(pk=row.pk).exclude(state=DeliveryState.WAITING)
    if not ended.update(**facts, ended_at=None):
        raise DeliveryWaits(row.uid)
    _record("webhook.redelivered", hook, actor, after={"webhook": hook.name, "delivery": row.uid})
    row.refresh_from_db()
    return row


def secrets_of(webhook: Webhook, now: datetime) -> list[str]:
    """Those that sign now, the newest first."""
    live = _live(now).filter(webhook=webhook)
    seal = keyring.current()
    return [seal.open(bytes(row.sealed_key), webhook.seal_name).decode("ascii") for row in live.order_by("-pk")]


def unopened(webhooks: Iterable[Webhook], now: datetime) -> set[int]:
    """The keys of those with a secret that no key of ours opens: nothing is sent to them until they have a new one."""
    return {row.webhook_id for row in _shut(_live(now).filter(webhook__in=list(webhooks)))}


def _live(now: datetime) -> QuerySet[Secret]:
    return Secret.objects.everywhere().filter(Q(ends_at=None) | Q(ends_at__gt=now))


def _shut(rows: QuerySet[Secret]) -> list[Secret]:
    seal = keyring.current()
    return [row for row in rows.select_related("webhook") if not _opens(seal, row)]


def _opens(seal: Seal, row: Secret) -> bool:
    try:
        seal.open(bytes(row.sealed_key), row.webhook.seal_name)
    except SealError:
        return False
    return True


def _new_secret(hook: Webhook, now: datetime) -> str:
    secret = signing.new_secret()
    sealed = keyring.current().seal(secret.encode("ascii"), hook.seal_name)
    Secret.objects.everywhere().create(webhook=hook, sealed_key=sealed, created_at=now)
    return secret


def _locked(webhook: Webhook) -> Webhook:
    """Raises Http404: somebody has removed it meanwhile."""
    rows = Webhook.objects.of(webhook.organisation).select_related("organisation")
    found: Webhook = get_object_or_404(rows.select_for_update(of=("self",)), pk=webhook.pk)
    return found


def _known(kinds: Iterable[str]) -> list[str]:
    """In the order in which they are listed."""
    given = set(kinds)
    if unknown := sorted(given - set(_KINDS)):
        raise KindUnknown(f"nothing that happens is called {unknown[0]}", source=unknown[0])
    return [kind for kind in _KINDS if kind in given]


def _told(hook: Webhook) -> dict[str, Any]:
    """For the log: of the address the host alone, since the rest may be a secret."""
    return {"webhook": hook.name, "host": hook.host, "kinds": hook.kinds, "on": hook.on}


def _record(action: str, hook: Webhook, actor: Actor, **told: Any) -> None:
    record(organisation=hook.organisation, actor=actor, action=action, subject=hook.name, **told)
