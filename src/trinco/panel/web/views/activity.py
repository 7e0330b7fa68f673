"""The audit log of the organisation."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.accounts.roles import Deed
from trinco.panel.web import paging
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.overview import typed
from trinco.panel.web.presenters.activity import ACTIONS, activity_rows


@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """Newest first, by domain and by deed."""
    chosen = {"domain": typed(request.GET, "domain"), "action": typed(request.GET, "action")}
    entries = AuditEntry.objects.of(request.organisation)
    if chosen["domain"]:
        entries = entries.filter(subject__contains=_ascii(chosen["domain"]))
    if chosen["action"]:
        entries = entries.filter(action=chosen["action"])
    page, rows = paging.page_of(request, entries)
    context = {
        "nav": "activity",
        "page": page,
        "page_query": paging.query_without_page(request),
        "entries": activity_rows(rows),
        "chosen": chosen,
        "actions": ACTIONS.items(),
    }
    return render(request, "web/activity.html", context)


def _ascii(text: str) -> str:
    try:
        return str(Domain.parse(text))
    except DomainSyntaxError:
        return text.lower()
