"""`/webhooks` and `/deliveries`: programs that are told what happens, and what was sent to them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Body, Query, Router, Status

from trinco.panel import limits
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import budget, kinds, webhook_schemas
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.lately import require_lately
from trinco.panel.api.once import tells_a_secret
from trinco.panel.api.pages import BY_NAME, Order, page_of
from trinco.panel.api.parameters import PageParameters, known
from trinco.panel.api.problems import Problem
from trinco.panel.api.schemas import told
from trinco.panel.api.webhook_schemas import DeliveryParameters, SecretIn, WebhookChangeIn, WebhookIn
from trinco.panel.webhooks import services
from trinco.panel.webhooks.models import Delivery, DeliveryState, Kind, Webhook
from trinco.panel.webhooks.urls import url_of

router = Router(tags=["webhooks"])
deliveries_router = Router(tags=["webhooks"])

Answer = dict[str, Any]
NEWEST = Order((("created_at", datetime), ("pk", int)), down=True)
KEPT = SecretIn()
"""The body of a change of the secret that has none."""


@router.get("", auth=needs(Deed.WEBHOOKS_MANAGE), response=told(webhook_schemas.WebhooksOut), summary="Webhooks")
def webhooks(request: HttpRequest, asked: Query[PageParameters]) -> Answer:  # noqa: ARG001 - for the description
    """The webhooks by name, in pages."""
    known(request, PageParameters.model_fields)
    page = page_of(request, Webhook.objects.of(caller(request).organisation), BY_NAME)
    return {"rows": list(map(_webhook, page.rows)), "next": page.next}


@router.post(
    "", auth=needs(Deed.WEBHOOKS_MANAGE), response=told(webhook_schemas.NewWebhookOut, 201), summary="Make a webhook"
)
def create(request: HttpRequest, wanted: WebhookIn) -> Status[Answer]:
    """It is told what happens from now on. The secret that signs its messages is told in this answer alone."""
    known(request, ())
    require_lately(request)
    tells_a_secret(request)
    terms = services.Terms(wanted.name, wanted.url, tuple(wanted.kinds), wanted.on)
    where = caller(request).organisation
    hook, secret = services.create_webhook(organisation=where, terms=terms, actor=actors.of(request))
    return Status(201, {**_webhook(hook), "secret": secret})


@router.get(
    "/{int:pk}", auth=needs(Deed.WEBHOOKS_MANAGE), response=told(webhook_schemas.WebhookOut), summary="A webhook"
)
def webhook(request: HttpRequest, pk: int) -> Answer:
    """How it stands."""
    known(request, ())
    return _webhook(get_object_or_404(_hooks(request), pk=pk))


@router.patch(
    "/{int:pk}", auth=needs(Deed.WEBHOOKS_MANAGE), response=told(webhook_schemas.WebhookOut), summary="Change a webhook"
)
def change(request: HttpRequest, pk: int, wanted: WebhookChangeIn) -> Answer:
    """Another name, address or choice, on or off. What happens while it is off is not told later."""
    known(request, ())
    url = None if wanted.url is None else url_of(wanted.url)
    with transaction.atomic():
        hook = get_object_or_404(_hooks(request).select_for_update(of=("self",)), pk=pk)
        if url not in (None, hook.url):
            require_lately(request)
        stays = {name: getattr(hook, name) for name in ("name", "url", "kinds", "on")}
        terms = services.Terms(**{**stays, **wanted.model_dump(exclude_none=True)})
        return _webhook(services.change_webhook(webhook=hook, terms=terms, actor=actors.of(request)))


@router.delete("/{int:pk}", auth=needs(Deed.WEBHOOKS_MANAGE), response=told(None, 204), summary="Remove a webhook")
def remove(request: HttpRequest, pk: int) -> Status[None]:
    """Nothing more is sent, neither what waits. Its log of deliveries goes too."""
    known(request, ())
    services.remove_webhook(webhook=get_object_or_404(_hooks(request), pk=pk), actor=actors.of(request))
    return Status(204, None)


@router.post(
    "/{int:pk}/secret",
    auth=needs(Deed.WEBHOOKS_MANAGE),
    response=told(webhook_schemas.NewWebhookOut, 201),
    summary="Make a new secret",
)
def secret(request: HttpRequest, pk: int, wanted: Body[SecretIn] = KEPT) -> Status[Answer]:
    """It is told in this answer alone. The one of before signs beside it for a day, unless it has leaked."""
    known(request, ())
    require_lately(request)
    tells_a_secret(request)
    hook = get_object_or_404(_hooks(request), pk=pk)
    made = services.rotate_secret(webhook=hook, actor=actors.of(request), leaked=wanted.leaked)
    return Status(201, {**_webhook(hook), "secret": made})


@router.post(
    "/{int:pk}/test",
    auth=needs(Deed.WEBHOOKS_MANAGE),
    response=told(webhook_schemas.DeliveryOut, 202),
    summary="Send a test",
)
def test(request: HttpRequest, pk: int) -> Status[Answer]:
    """Have a `ping` delivered: `/deliveries/{pk}` says what came of it."""
    known(request, ())
    hook = get_object_or_404(_hooks(request), pk=pk)
    _limited(request)
    return Status(202, _delivery(services.send_test(webhook=hook, actor=actors.of(request))))


@router.get(
    "/{int:pk}/deliveries",
    auth=needs(Deed.WEBHOOKS_MANAGE),
    response=told(webhook_schemas.DeliveriesOut),
    summary="Deliveries of a webhook",
)
def deliveries(request: HttpRequest, pk: int, asked: Query[DeliveryParameters]) -> Answer:
    """What was sent, waits or was given up, the newest first, in pages. What ended is kept for 30 days."""
    known(request, DeliveryParameters.model_fields)
    hook = get_object_or_404(_hooks(request), pk=pk)
    rows = _wanted(_deliveries(request).filter(webhook=hook).defer("body"), asked)
    page = page_of(request, rows, NEWEST)
    return {"rows": list(map(_delivery, page.rows)), "next": page.next}


@deliveries_router.get(
    "/{int:pk}",
    auth=needs(Deed.WEBHOOKS_MANAGE),
    response=told(webhook_schemas.WholeDeliveryOut),
    summary="A delivery",
)
def delivery(request: HttpRequest, pk: int) -> Answer:
    """How far it is, and what it says."""
    known(request, ())
    row = get_object_or_404(_deliveries(request), pk=pk)
    return {**_delivery(row), "body": row.body}


@deliveries_router.post(
    "/{int:pk}/redeliver",
    auth=needs(Deed.WEBHOOKS_MANAGE),
    response=told(webhook_schemas.DeliveryOut, 202),
    summary="Deliver once more",
)
def redeliver(request: HttpRequest, pk: int) -> Status[Answer]:
    """The same message under the same `uid`: whoever remembers its id deals with it once."""
    known(request, ())
    rows = _deliveries(request).select_related("webhook__organisation")
    row = get_object_or_404(rows, pk=pk)
    _limited(request)
    return Status(202, _delivery(services.redeliver(delivery=row, actor=actors.of(request))))


def _limited(request: HttpRequest) -> None:
    """Raises Problem 429."""
    budget.require("webhook-sent", actors.client_address(request), limits.WEBHOOKS_SENT)


def _hooks(request: HttpRequest) -> QuerySet[Webhook]:
    return Webhook.objects.of(caller(request).organisation).select_related("organisation")


def _deliveries(request: HttpRequest) -> QuerySet[Delivery]:
    return Delivery.objects.of(caller(request).organisation)


def _wanted(rows: QuerySet[Delivery], asked: DeliveryParameters) -> QuerySet[Delivery]:
    """Raises Problem 400."""
    for name, column, words in (("state", "state", DeliveryState.values), ("type", "kind", Kind.values)):
        word = getattr(asked, name)
        if word is not None and word not in words:
            raise Problem(kinds.BAD_PARAMETER, f"`{name}` is one of {', '.join(words)}.", name)
        rows = rows if word is None else rows.filter(**{column: word})
    return rows if asked.domain is None else rows.filter(subject=asked.domain.replace("\0", "").lower()[:254])


def _webhook(row: Webhook) -> Answer:
    facts = ("name", "url", "kinds", "on", "created_at", "failures", "failing_since", "rest_until", "stopped_at")
    return {"id": row.pk, "stopped_why": row.stopped_why, **{name: getattr(row, name) for name in facts}}


def _delivery(row: Delivery) -> Answer:
    ends = ("due_at", "until", "tries", "tried_at", "ended_at", "status", "milliseconds", "problem")
    facts = {name: getattr(row, name) for name in ("uid", "state", "created_at", *ends)}
    return {"id": row.pk, "webhook": row.webhook_id, "type": row.kind, "domain": row.subject, **facts}
