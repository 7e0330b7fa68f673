"""The TLS reports of all domains: by result and by sending source."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from trinco.panel.accounts.roles import Deed
from trinco.panel.reports import charts
from trinco.panel.reports.drill import Folded
from trinco.panel.reports.scope import Scope
from trinco.panel.reports.totals import NAMELESS
from trinco.panel.web import frames, scopes
from trinco.panel.web.access import MemberRequest, is_htmx, may
from trinco.panel.web.foreign import plain
from trinco.panel.web.overview import typed
from trinco.panel.web.presenters.reports import detail_views


def _of_a_known_domain(view: Callable[[MemberRequest], HttpResponse]) -> Callable[[MemberRequest], HttpResponse]:
    """A name that is no domain of theirs is told as that, beside those that look like it."""

    @wraps(view)
    def answered(request: MemberRequest) -> HttpResponse:
        try:
            return view(request)
        except scopes.UnknownDomain:
            name = typed(request.GET, "domain")
            links = [(each, scopes.query(request, domain=each.name)) for each in scopes.alike(request, name)]
            context = {"nav": "reports", "name": plain(name), "alike": links, "all": scopes.query(request, domain=None)}
            return render(request, "web/no_such_domain.html", context, status=404)

    return answered


@require_GET
@may(Deed.READ)
@_of_a_known_domain
def by_result(request: MemberRequest) -> HttpResponse:
    """What failed, worst first. A part of it for htmx: where one kind of failure happened."""
    asked = scopes.asked_of(request)
    opened = (typed(request.GET, "policy"), typed(request.GET, "result")) if "result" in request.GET else None
    details = detail_views(charts.details(asked.scope, policy_type=opened[0], result_type=opened[1])) if opened else []
    told = {"details": details, "folded": _folded(asked.scope, *opened) if opened else []}
    if is_htmx(request):
        return render(request, "web/_details.html", told)
    page = _page(request, asked)
    context = {**page, **told, **frames.results(request, asked, page["sums"], opened)}
    return render(request, "web/reports.html", context)


@require_GET
@may(Deed.READ)
@_of_a_known_domain
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


def _folded(scope: Scope, policy_type: str, result_type: str) -> list[Folded]:
    """The reports of whose failures, or policy types, some are counted without their names."""
    kinds = charts.folded(scope) if result_type == NAMELESS else []
    return kinds + (charts.folded_types(scope) if policy_type == NAMELESS else [])


def _page(request: MemberRequest, asked: scopes.Asked) -> dict[str, Any]:
    return {"nav": "reports", "choices": frames.choices(asked.span), **frames.frame(request, asked)}
