"""`/domains/{name}/recipients`: who gets copies of the reports about a domain."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Router, Schema, Status

from trinco.panel import limits
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import budget
from trinco.panel.api.auth import needs
from trinco.panel.api.bodies import Strict
from trinco.panel.api.lookups import domain_of
from trinco.panel.api.parameters import known
from trinco.panel.api.schemas import told
from trinco.panel.reports import services
from trinco.panel.reports.models import Recipient

router = Router(tags=["recipients"])


class RecipientIn(Strict):
    """An address that is asked whether it wants copies."""

    address: str = Field(max_length=254)


class RecipientOut(Schema):
    """`confirmed_at` null: it has not said yes, and gets nothing. `unreachable`: the question was given up."""

    id: int
    address: str
    created_at: datetime
    created_by: str
    asked_at: datetime | None
    confirmed_at: datetime | None
    unreachable: bool


class RecipientsOut(Schema):
    """By address: ten at most."""

    rows: list[RecipientOut]


@router.get("/{name}/recipients", auth=needs(Deed.READ), response=told(RecipientsOut), summary="Recipients of copies")
def recipients(request: HttpRequest, name: str) -> dict[str, Any]:
    """Who gets copies, and who was asked."""
    known(request, ())
    return {"rows": list(map(_recipient, domain_of(request, name).recipients.order_by("address")))}


@router.post(
    "/{name}/recipients", auth=needs(Deed.DOMAINS_WRITE), response=told(RecipientOut, 201), summary="Add a recipient"
)
def add(request: HttpRequest, name: str, wanted: RecipientIn) -> Status[dict[str, Any]]:
    """Ask an address whether it wants copies: it gets them once it has said yes. Asked again after an hour."""
    known(request, ())
    domain = domain_of(request, name)
    budget.require("recipient", actors.client_address(request), limits.RECIPIENTS)
    row = services.add_recipient(domain=domain, address=wanted.address, actor=actors.of(request))
    return Status(201, _recipient(row))


@router.delete(
    "/{name}/recipients/{int:pk}",
    auth=needs(Deed.DOMAINS_WRITE),
    response=told(None, 204),
    summary="Remove a recipient",
)
def remove(request: HttpRequest, name: str, pk: int) -> Status[None]:
    """No more copies, neither those that wait to be sent."""
    known(request, ())
    rows = domain_of(request, name).recipients.select_related("domain__organisation")
    services.remove_recipient(recipient=get_object_or_404(rows, pk=pk), actor=actors.of(request))
    return Status(204, None)


def _recipient(row: Recipient) -> dict[str, Any]:
    facts = ("address", "created_at", "created_by", "asked_at", "confirmed_at", "unreachable")
    return {"id": row.pk, **{name: getattr(row, name) for name in facts}}
