"""The TLS reports of all domains: by result and by sending source."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from trinco.panel.accounts.roles import Deed
from trinco.panel.reports import charts
from trinco.panel.web import frames, scopes
from trinco.panel.web.access import MemberRequest, is_htmx, may
from trinco.panel.web.overview import typed
from trinco.panel.web.presenters.reports import detail_views


@require_GET
@may(Deed.READ)
def by_result(request: MemberRequest) -> HttpResponse:
    """What failed, worst first. A part of it for htmx: where one kind of failure happened."""
    asked = scopes.asked_of(request)
    opened = (typed(request.GET, "policy"), typed(request.GET, "result")) if "result" in request.GET else None
    details = detail_views(charts.details(asked.scope, policy_type=opened[0], result_type=opened[1])) if opened else []
    if is_htmx(request):
        return render(request, "web/_details.html", {"details": details})
    context = {**_page(request, asked), "details": details, **frames.results(request, asked, opened)}
    return render(request, "web/reports.html", context)


@require_GET
@may(Deed.READ)
def by_source(request: MemberRequest) -> HttpResponse:
    """Who reports, the one with the most sessions first. A part of it for htmx: what one of them says failed."""
    asked = scopes.asked_of(request)
    opened = typed(request.GET, "open") if "open" in request.GET else None
    details = [] if opened is None else detail_views(charts.details(replace(asked.scope, submitter=opened)))
    told = {"details": details, "of_sender": True}
    if is_htmx(request):
        return render(request, "web/_details.html", told)
    context = {**_page(request, asked), **told, **frames.sources(request, asked, opened)}
    return render(request, "web/sources.html", context)


def _page(request: MemberRequest, asked: scopes.Asked) -> dict[str, Any]:
    return {"nav": "reports", "choices": frames.choices(asked.span), **frames.frame(request, asked)}
