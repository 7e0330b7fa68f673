"""`/reports/…`: sums, lists, single reports and the reports as they came."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router

from trinco.panel.accounts.roles import Deed
from trinco.panel.api import kinds, schemas
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.parameters import (
    DetailParameters,
    PageParameters,
    ReportParameters,
    ScopeParameters,
    known,
    limit_of,
    place_of,
    scope_of,
    wanted_of,
)
from trinco.panel.api.problems import PRIVATE, Problem
from trinco.panel.api.schemas import told
from trinco.panel.reports import exports, listing, single
from trinco.panel.reports.drill import Wanted
from trinco.panel.reports.models import Report

router = Router(tags=["reports"], by_alias=True)

MIXED = "It speaks of domains that are not all yours: nobody is shown the whole of it."
REMOVED = "The report as it came was removed: your organisation keeps it no longer."

Answer = dict[str, Any]


@router.get("/by-result", auth=needs(Deed.READ), response=told(schemas.ByResultOut), summary="Failures by result type")
def by_result(request: HttpRequest, asked: Query[ScopeParameters]) -> Answer:  # noqa: ARG001 - for the description
    """What failed, under which policy type, at which mail servers; worst first."""
    return _table(request, "by-result")


@router.get(
    "/by-source", auth=needs(Deed.READ), response=told(schemas.BySourceOut), summary="Sessions by sending source"
)
def by_source(request: HttpRequest, asked: Query[ScopeParameters]) -> Answer:  # noqa: ARG001
    """Who reported how much, and which policy they apply."""
    return _table(request, "by-source")


@router.get("/by-day", auth=needs(Deed.READ), response=told(schemas.ByDayOut), summary="Sessions by day")
def by_day(request: HttpRequest, asked: Query[ScopeParameters]) -> Answer:  # noqa: ARG001
    """Every day of the range."""
    return _table(request, "by-day")


@router.get("/by-mx", auth=needs(Deed.READ), response=told(schemas.ByMxOut), summary="Failures by mail server")
def by_mx(request: HttpRequest, asked: Query[ScopeParameters]) -> Answer:  # noqa: ARG001
    """Which mail server failed how often, and how."""
    return _table(request, "by-mx")


@router.get("/details", auth=needs(Deed.READ), response=told(schemas.DetailsOut), summary="Failure details")
def details(request: HttpRequest, asked: Query[DetailParameters]) -> Answer:  # noqa: ARG001
    """Single failure details, those that say the same added up. Of many, the newest days alone."""
    return _table(request, "details", Wanted.names())


@router.get(
    "/turned-away",
    auth=needs(Deed.READ),
    response=told(schemas.TurnedAwaysOut),
    summary="Reports that were turned away",
)
def turned_away(request: HttpRequest, asked: Query[ScopeParameters]) -> Answer:  # noqa: ARG001
    """Attempts to deliver a report that were turned away since too many came: figures of these days may lack some."""
    return _table(request, "turned-away")


def _table(request: HttpRequest, kind: str, more: Iterable[str] = ()) -> Answer:
    scope = scope_of(request, caller(request).organisation, more)
    return {**exports.facts(kind, scope), "rows": list(exports.KINDS[kind].rows(scope, wanted_of(request)))}


@router.get("", auth=needs(Deed.READ), response=told(schemas.ReportsOut), summary="Reports")
def reports(request: HttpRequest, asked: Query[ReportParameters]) -> Answer:  # noqa: ARG001
    """The reports that are counted, or with `trust=all` every one, in pages."""
    scope = scope_of(request, caller(request).organisation, PageParameters.model_fields)
    limit, rows = limit_of(request), listing.behind(listing.reports(scope), place_of(request))
    found = list(rows[: limit + 1])
    following = listing.cursor_of(found[limit - 1]) if len(found) > limit else None
    return {**exports.facts("reports", scope), "rows": list(map(exports.report, found[:limit])), "next": following}


@router.get("/{int:pk}", auth=needs(Deed.READ), response=told(schemas.ReportOut), summary="One report")
def report(request: HttpRequest, pk: int) -> Answer:
    """All its policies and failure details."""
    known(request, ())
    row = _report(request, pk)
    whole = single.standing_of(row) is single.Raw.THERE
    return {**exports.report(row), "raw": whole, "policies": single.policies(row)}


@router.get(
    "/{int:pk}/raw",
    auth=needs(Deed.READ),
    response=told(None),
    summary="One report as it came",
    openapi_extra={"responses": single.RAW_RESPONSES},
)
def raw(request: HttpRequest, pk: int) -> HttpResponse:
    """The mail, or the content of the request. 409 when it speaks of domains that are not all yours."""
    known(request, ())
    row = _report(request, pk)
    standing = single.standing_of(row)
    if standing is not single.Raw.THERE:
        mixed = standing is single.Raw.MIXED
        raise Problem(kinds.CONFLICT, MIXED) if mixed else Problem(kinds.NOT_FOUND, REMOVED)
    headers = {
        **PRIVATE,
        "Content-Disposition": f'attachment; filename="report-{row.pk}"',
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "default-src 'none'; sandbox",
    }
    return HttpResponse(single.content(row), content_type="application/octet-stream", headers=headers)


def _report(request: HttpRequest, pk: int) -> Report:
    mine = Report.objects.of(caller(request).organisation).select_related("domain")
    return get_object_or_404(mine, pk=pk)
