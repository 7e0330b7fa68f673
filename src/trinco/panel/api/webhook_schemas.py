"""What is sent and told of webhooks."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from ninja import Field, Schema

from trinco.panel.api.bodies import Strict
from trinco.panel.api.names import Label
from trinco.panel.api.parameters import PageParameters
from trinco.panel.webhooks.models import CHOICES, DeliveryState, Kind
from trinco.panel.webhooks.urls import LONGEST

KINDS = ", ".join(f"`{value}`" for value, _label in CHOICES)

Url = Annotated[str, Field(min_length=1, max_length=LONGEST)]
Kinds = Annotated[list[Annotated[Kind, Field(strict=False)]], Field(min_length=1, max_length=len(CHOICES))]


class WebhookIn(Strict):
    """What it is for, where it leads, what it is told: a `ping` is sent by a test alone."""

    name: Label
    url: Url
    kinds: Kinds
    on: bool = True


class WebhookChangeIn(Strict):
    """What is to change; what is not named stays."""

    name: Label | None = None
    url: Url | None = None
    kinds: Kinds | None = None
    on: bool | None = None


class SecretIn(Strict):
    """`leaked`: the secret of before signs no more at once; otherwise both sign for a day."""

    leaked: bool = False


class WebhookOut(Schema):
    """A webhook. `failures`: attempts in a row that failed; `rest_until`: until when it is left alone after them.
    `stopped_why`, of one that was switched off by itself: `gone` (410) or `failing`."""

    id: int
    name: str
    url: str
    kinds: list[str]
    on: bool
    created_at: datetime
    failures: int
    failing_since: datetime | None
    rest_until: datetime | None
    stopped_at: datetime | None
    stopped_why: str


class NewWebhookOut(WebhookOut):
    """`secret` is told here and nowhere else."""

    secret: str


class WebhooksOut(Schema):
    """`next` is null on the last page."""

    rows: list[WebhookOut]
    next: str | None


class DeliveryParameters(PageParameters):
    """Which deliveries."""

    state: str | None = Field(None, description=f"{', '.join(f'`{each}`' for each in DeliveryState.values)}.")
    type: str | None = Field(None, description="Of this type alone, as in `policy.published`.")
    domain: str | None = Field(None, description="About this domain alone.")


class DeliveryOut(Schema):
    """A message, and how far it is. `uid` is its `webhook-id`; `status` what was answered last, null: nothing was."""

    id: int
    webhook: int
    uid: str
    type: str
    domain: str
    state: str
    created_at: datetime
    due_at: datetime
    until: datetime
    tries: int
    tried_at: datetime | None
    ended_at: datetime | None
    status: int | None
    milliseconds: int | None
    problem: str


class WholeDeliveryOut(DeliveryOut):
    """The same with the body that is sent, as it is signed."""

    body: str


class DeliveriesOut(Schema):
    """The newest first. `next` is null on the last page."""

    rows: list[DeliveryOut]
    next: str | None
