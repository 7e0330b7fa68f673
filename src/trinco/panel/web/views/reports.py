"""The TLS reports of all domains: by result and by sending source."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_GET

from trinco.panel.reports import charts
from trinco.panel.reports.asked import Asked
from trinco.panel.reports.scope import Scope
from trinco.panel.web import overview, scopes
from trinco.panel.web.access import MemberRequest, is_htmx, member
from trinco.panel.web.presenters.chart import chart_view
from trinco.panel.web.presenters.reports import detail_views, difference, figures_view, result_views, same_sessions
from trinco.panel.web.presenters.sources import source_views

CHOICES = 300
"""Domains that a list to choose from holds; where there are more, the name is typed."""


@require_GET
@member
def by_result(request: MemberRequest) -> HttpResponse:
    """What failed, worst first. A part of it for htmx: where one kind of failure happened."""
    asked = scopes.asked_of(request)
    opened = (request.GET.get("policy", ""), request.GET["result"]) if "result" in request.GET else None
    details = _failures(asked.scope, *opened) if opened else []
    if is_htmx(request):
        return render(request, "web/_details.html", {"details": details})
    rows = charts.by_result(asked.scope)
    context = {
        **frame(request, asked),
        "results": result_views(rows, lambda row: result_address(request, row), opened),
        "same_sessions": same_sessions(rows),
        "difference": difference(rows, charts.sums(asked.scope)),
        "details": details,
    }
    return render(request, "web/reports.html", context)


@require_GET
@member
def by_source(request: MemberRequest) -> HttpResponse:
    """Who reports, the one with the most sessions first. A part of it for htmx: what one of them says failed."""
    asked = scopes.asked_of(request)
    opened = request.GET.get("open")
    details = detail_views(charts.details(replace(asked.scope, submitter=opened))) if opened is not None else []
    if is_htmx(request):
        return render(request, "web/_details.html", {"details": details, "of_sender": True})
    context = {
        **frame(request, asked),
        "sources": source_views(charts.by_source(asked.scope), lambda row: source_address(request, row), opened),
        "details": details,
        "of_sender": True,
    }
    return render(request, "web/sources.html", context)


def result_address(request: MemberRequest, row: charts.ResultRow) -> str:
    """Where one kind of failure happened."""
    return _with(request, "reports", policy=row.policy_type, result=row.result_type)


def source_address(request: MemberRequest, row: charts.SourceRow) -> str:
    """What one sender says failed."""
    return _with(request, "sources", open=row.submitter)


def _with(request: MemberRequest, page: str, **more: str) -> str:
    asked = scopes.query(request)
    return reverse(page) + asked + ("&" if asked else "?") + urlencode(more)


def frame(request: MemberRequest, asked: Asked) -> dict[str, Any]:
    """What stands around each table of reports: the filter, the figures and the chart of the whole range."""
    days = charts.by_day(asked.span)
    now = charts.sums(asked.span)
    length = timedelta(days=len(days))
    before = charts.sums(replace(asked.span, first=asked.span.first - length, last=asked.span.last - length))

    def address(first: date, last: date) -> str:
        if first == last:
            return scopes.query(request, day=first) + "#tables"
        return scopes.query(request, from_=first, to=last) + "#tables"

    return {
        "nav": "reports",
        "asked": asked,
        "days": len(days),
        "ranges": [(days, scopes.query(request, range=days)) for days in scopes.RANGES],
        "choices": _choices(asked.span),
        "sums": now,
        "figures": figures_view(now, before, days),
        "chart": chart_view(days, address, asked.day),
        "tab_query": scopes.query(request, day=None),
        "query": scopes.query(request),
        "without_day": scopes.query(request, day=None),
        "without_sender": scopes.query(request, sender=None),
        "counted_only": scopes.query(request, trust=None),
        "everything": scopes.query(request, trust="all"),
    }


def _choices(span: Scope) -> list[Any]:
    """The domains to choose from; none where there are too many to list."""
    found = list(overview.hosted(span.organisation).order_by("name")[: CHOICES + 1])
    return found if len(found) <= CHOICES else []


def _failures(scope: Scope, policy_type: str, result_type: str) -> list[Any]:
    return detail_views(charts.details(scope, result_type=result_type, policy_type=policy_type))
