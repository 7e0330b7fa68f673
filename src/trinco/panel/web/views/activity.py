"""The audit log of the organisation, and the same as a file."""

from __future__ import annotations

from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from trinco.panel.accounts.roles import Deed
from trinco.panel.web import log, paging
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.presenters.activity import ACTIONS, activity_rows

FORMS = {"csv": (log.csv_of, "text/csv; charset=utf-8"), "jsonl": (log.json_of, "application/x-ndjson")}


@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """Newest first, by domain, deed, person and day."""
    asked = log.Asked.of(request.GET)
    page, rows = paging.page_of(request, log.lines(request.organisation, asked))
    context = {
        "nav": "activity",
        "page": page,
        "page_query": paging.query_without_page(request),
        "entries": activity_rows(rows),
        "chosen": asked,
        "actions": ACTIONS.items(),
    }
    return render(request, "web/activity.html", context)


@require_GET
@may(Deed.READ)
def export(request: MemberRequest, form: str) -> StreamingHttpResponse:
    """The lines that the address asks for, the first one first."""
    if form not in FORMS:
        raise Http404
    write, media_type = FORMS[form]
    pieces = write(log.lines(request.organisation, log.Asked.of(request.GET)))
    headers = {
        "Content-Disposition": f'attachment; filename="activity-{request.organisation.pk}.{form}"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(pieces, content_type=media_type, headers=headers)
