"""`/edges`: who serves the policies. Nothing of a tenant: what DNS shows, and how each stands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Router, Schema

from trinco.panel import clock
from trinco.panel.accounts.roles import Deed
from trinco.panel.api.auth import needs
from trinco.panel.api.parameters import known
from trinco.panel.api.schemas import told
from trinco.panel.policies.models import EdgeNode
from trinco.panel.policies.rotation import state

router = Router(tags=["edges"])


class EdgeOut(Schema):
    """An edge. `state`: `serving`, `lagging`, `waived`, `returning` or `away`."""

    name: str
    state: str
    addresses: list[str]
    revision: int | None
    behind_since: datetime | None
    withdrawn_at: datetime | None
    lease_until: datetime


class EdgesOut(Schema):
    """By name."""

    rows: list[EdgeOut]


@router.get("", auth=needs(Deed.READ), response=told(EdgesOut), summary="Edges")
def edges(request: HttpRequest) -> dict[str, Any]:
    """Every edge that has registered, and how it stands."""
    known(request, ())
    now = clock.now()
    return {"rows": [_edge(row, now) for row in EdgeNode.objects.order_by("name")]}


def _edge(row: EdgeNode, now: datetime) -> dict[str, Any]:
    return {
        "name": row.name,
        "state": state(row, now).value,
        "addresses": row.addresses,
        "revision": row.acknowledged,
        "behind_since": row.awaited_since,
        "withdrawn_at": row.withdrawn_at,
        "lease_until": row.lease_until,
    }
