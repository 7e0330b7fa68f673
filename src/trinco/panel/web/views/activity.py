"""The audit log of the organisation, and the same as a file."""

from __future__ import annotations

from datetime import date

from django.http import Http404, HttpResponse, QueryDict, StreamingHttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from trinco.panel.accounts import log
from trinco.panel.accounts.roles import Deed
from trinco.panel.web import paging
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.overview import typed
from trinco.panel.web.presenters.activity import ACTIONS, activity_rows

FORMS = {"csv": (log.csv_of, "text/csv; charset=utf-8"), "jsonl": (log.json_of, "application/x-ndjson")}


@require_GET
@may(Deed.READ)
def show(request: MemberRequest) -> HttpResponse:
    """Newest first, by domain, deed, person and day, behind the line that the address names."""
    asked, ours = _asked(request.GET), request.organisation
    behind = log.place(ours, request.GET.get("older", ""))
    found = log.stretch(ours, asked, paging.SIZE, behind)
    context = {
        "nav": "activity",
        "found": found,
        "behind": behind,
        "filter_query": paging.query_without(request, "older"),
        "names_query": paging.query_without(request, "older", "names"),
        "entries": activity_rows(found.lines),
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
    pieces = write(log.lines(request.organisation, _asked(request.GET)))
    headers = {
        "Content-Disposition": f'attachment; filename="activity-{request.organisation.pk}.{form}"',
        "X-Content-Type-Options": "nosniff",
    }
    return StreamingHttpResponse(pieces, content_type=media_type, headers=headers)


def _asked(given: QueryDict) -> log.Asked:
    """What the address asks for; what is no date is left aside."""
    words = {name: typed(given, name) for name in ("domain", "action", "person")}
    names = log.Names.PART if given.get("names") == log.Names.PART else log.Names.EITHER
    return log.Asked(**words, first=_day(typed(given, "from")), last=_day(typed(given, "to")), names=names)


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-24") and text < "9999-12-31" else None
    except ValueError:
        return None
