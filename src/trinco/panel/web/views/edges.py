"""The edges: who serves the policies, and who is behind. Nothing of a tenant: what DNS shows, and how each stands."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from trinco.panel import clock
from trinco.panel.accounts.roles import Deed
from trinco.panel.policies.models import EdgeNode
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.presenters.edges import edge_rows


@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """Each edge that has registered."""
    rows = edge_rows(EdgeNode.objects.order_by("name"), clock.now())
    return render(request, "web/edges.html", {"nav": "edges", "rows": rows})
