"""What the pages that show reports have in common: the filter, the figures and the chart around their tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from django.urls import reverse
from django.utils import timezone
from django.utils.http import urlencode

from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.domains.turned_away import missing
from trinco.panel.reports import charts
from trinco.panel.reports.asked import Asked
from trinco.panel.reports.models import DailyTotal
from trinco.panel.reports.scope import Scope, session_totals, sessions
from trinco.panel.web import overview, scopes
from trinco.panel.web.access import MemberRequest
from trinco.panel.web.presenters.chart import chart_view
from trinco.panel.web.presenters.first_report import FirstReport, first_report
from trinco.panel.web.presenters.reports import difference, figures_view, result_views, same_sessions
from trinco.panel.web.presenters.sources import SPARK, source_views

CHOICES = 300
"""Domains that a list to choose from holds; where there are more, the name is typed."""
YEAR = 365
_WEEK = timedelta(days=7)
"""Days around the beginning of what is compared with: who had reports then had them all the time."""


def frame(request: MemberRequest, asked: Asked) -> dict[str, Any]:
    """What stands around the tables. Without a report in the range: what to do about that."""
    days = charts.by_day(asked.span)
    chart = chart_view(days, lambda first, last: _days_address(request, first, last), asked.day)
    sums = charts.sums(asked.span)
    return {
        "asked": asked,
        "days": len(days),
        "chart": chart,
        "sums": sums,
        "turned_away": missing(asked.span.organisation, asked.span.first, asked.span.last, asked.span.domain),
        "query": question(request, asked),
        **_links(request),
        **(_figures(asked.span, sums, days) if chart.any else _nothing(request, asked.span)),
    }


def results(
    request: MemberRequest, asked: Asked, around: charts.Sums, opened: tuple[str, str] | None = None
) -> dict[str, Any]:
    """The table of failures by result, and what is to be said of it. `around`: the sums of `frame`, which are those of
    the table unless it is about one day."""
    rows, sums = charts.by_result(asked.scope), around if asked.scope == asked.span else charts.sums(asked.scope)
    return {
        "results": result_views(rows, lambda row: result_address(request, asked, row), opened),
        "same_sessions": same_sessions(rows),
        "difference": difference(rows, sums),
        "silent": not sums.reports,
    }


def sources(request: MemberRequest, asked: Asked, opened: str | None = None) -> dict[str, Any]:
    """The table of sessions by sending source."""
    rows = charts.by_source(asked.scope)
    if asked.day:  # the rows are about that day, their sparks about the range
        days = {row.submitter: row.days for row in charts.by_source(asked.span)}
        rows = [replace(row, days=days.get(row.submitter, row.days)) for row in rows]
    return {
        "sources": source_views(rows, lambda row: _source_links(request, asked, row), opened),
        "spark_days": min(SPARK, len(asked.span.days)),
    }


def question(request: MemberRequest, asked: Asked) -> str:
    """What is asked, as another page is asked the same."""
    return scopes.query(request, domain=asked.span.domain.name if asked.span.domain else None)


def result_address(request: MemberRequest, asked: Asked, row: charts.ResultRow) -> str:
    """Where one kind of failure happened."""
    return _with("reports", question(request, asked), policy=row.policy_type, result=row.result_type)


def source_address(request: MemberRequest, asked: Asked, row: charts.SourceRow) -> str:
    """What one sender says failed."""
    return _with("sources", question(request, asked), open=row.submitter)


def _source_links(request: MemberRequest, asked: Asked, row: charts.SourceRow) -> tuple[str, str]:
    """What it says failed; and the reports by result, of this sender alone."""
    domain = asked.span.domain.name if asked.span.domain else None
    alone = scopes.query(request, domain=domain, sender=row.submitter)
    return source_address(request, asked, row), reverse("reports") + alone


def _with(page: str, asked: str, **more: str) -> str:
    return reverse(page) + asked + ("&" if asked else "?") + urlencode(more)


def _days_address(request: MemberRequest, first: date, last: date) -> str:
    if first == last:
        return scopes.query(request, day=first) + "#tables"
    return scopes.query(request, from_=first, to=last) + "#tables"


def _links(request: MemberRequest) -> dict[str, Any]:
    """The same page with a part of the question changed. `?` asks nothing."""
    return {
        "ranges": [(days, scopes.query(request, range=days)) for days in scopes.RANGES],
        "tab_query": scopes.query(request, day=None),
        "without_day": scopes.query(request, day=None) or "?",
        "without_sender": scopes.query(request, sender=None) or "?",
        "counted_only": scopes.query(request, trust=None) or "?",
        "everything": scopes.query(request, trust="all"),
    }


def _figures(span: Scope, sums: charts.Sums, days: Sequence[charts.Day]) -> dict[str, Any]:
    length = timedelta(days=len(days))
    before = replace(span, first=span.first - length, last=span.last - length)
    whole = session_totals(replace(before, first=before.first - _WEEK, last=before.first + _WEEK)).exists()
    return {"figures": figures_view(sums, charts.sums(before) if whole else None, days)}


def _nothing(request: MemberRequest, span: Scope) -> dict[str, Any]:
    """Whether there was ever a report; if not, how there will be one."""
    of_domain = DailyTotal.objects.of(span.organisation).filter(domain=span.domain)
    ever = sessions(of_domain).exists() if span.domain else overview.last_reported(span.organisation) is not None
    longer = scopes.query(request, range=YEAR) if (span.last - span.first).days < YEAR - 1 else ""
    return {"ever": ever, "longer": longer, "first_report": None if ever else _first_report(span)}


def _first_report(span: Scope) -> FirstReport | None:
    domain = span.domain or _first_domain(span)
    return first_report(domain, timezone.now()) if domain else None


def _first_domain(span: Scope) -> HostedDomain | None:
    return HostedDomain.objects.of(span.organisation).exclude(state=State.GONE).order_by("name").first()


def choices(span: Scope) -> list[HostedDomain]:
    """The domains to choose from; none where there are too many to list."""
    found = list(overview.hosted(span.organisation).order_by("name")[: CHOICES + 1])
    return found if len(found) <= CHOICES else []
