"""`/arrivals` and `/retention`: what came and stands in no report, and how long all of it is kept."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from django.utils import timezone
from ninja import Field, Query, Router, Schema

from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import kinds
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.bodies import Strict
from trinco.panel.api.pages import Order, page_of
from trinco.panel.api.parameters import PageParameters, known
from trinco.panel.api.problems import Problem
from trinco.panel.api.rehearsing import DryParameters, dry, rehearsal
from trinco.panel.api.schemas import told
from trinco.panel.reports import parked, services
from trinco.panel.reports.models import RawReport, RawState, Retention
from trinco.panel.reports.retention import MOST_DAYS

router = Router(tags=["arrivals"])
retention_router = Router(tags=["retention"])

NEWEST = Order((("received_at", datetime), ("pk", int)), down=True)
STATES = tuple(state.value for state in parked.ARRIVALS)


class ArrivalParameters(PageParameters):
    """Which arrivals."""

    state: str | None = Field(None, description=f"{', '.join(f'`{each}`' for each in STATES)}; the first without it.")


class ArrivalOut(Schema):
    """Something that came. `domain`: with whose address or token; null: imported."""

    id: int
    state: str
    domain: str | None
    received_at: datetime
    channel: str
    sender: str
    peer: str
    size: int
    reason: str


class ArrivalsOut(Schema):
    """The newest first. `counts` has what waits to be read as well. `next` is null on the last page."""

    counts: dict[str, int]
    rows: list[ArrivalOut]
    next: str | None


class RetentionIn(Strict):
    """Days after which what lies below the daily totals goes."""

    raw_days: int = Field(ge=1, le=MOST_DAYS)
    row_days: int = Field(ge=1, le=MOST_DAYS)


class RetentionOut(Schema):
    """Raw reports go `raw_days` after they came, reports with their rows `row_days` after their day."""

    raw_days: int
    row_days: int


class RemovedOut(Schema):
    """What these terms remove now, bit by bit."""

    raw_reports: int
    octets: int
    reports: int
    failure_rows: int


class RetentionSetOut(RetentionOut):
    """The terms, and what they remove."""

    removes: RemovedOut


@router.get("", auth=needs(Deed.READ), response=told(ArrivalsOut), summary="What became no report")
def arrivals(request: HttpRequest, asked: Query[ArrivalParameters]) -> dict[str, Any]:
    """What could not be read, speaks of other domains, or came too late, in pages."""
    known(request, ArrivalParameters.model_fields)
    state = STATES[0] if asked.state is None else asked.state
    if state not in STATES:
        raise Problem(kinds.BAD_PARAMETER, f"`state` is one of {', '.join(STATES)}.", "state")
    organisation = caller(request).organisation
    page = page_of(request, parked.arrivals(organisation, state), NEWEST)
    return {"counts": parked.counts(organisation), "rows": list(map(_arrival, page.rows)), "next": page.next}


@router.post(
    "/{int:pk}/retry", auth=needs(Deed.REPORTS_WRITE), response=told(ArrivalOut), summary="Have it read once more"
)
def retry(request: HttpRequest, pk: int) -> dict[str, Any]:
    """At once, where it was parked or spoke of a domain that was not hosted here."""
    known(request, ())
    mine = RawReport.objects.of(caller(request).organisation).select_related("domain", "organisation")
    row = get_object_or_404(mine, pk=pk)
    services.retry(raw=row, actor=actors.of(request))
    return _arrival(row)


@retention_router.get("", auth=needs(Deed.READ), response=told(RetentionOut), summary="How long reports are kept")
def retention(request: HttpRequest) -> Retention:
    """The organisation's terms, or the defaults."""
    known(request, ())
    return services.retention_of(caller(request).organisation)


@retention_router.put(
    "", auth=needs(Deed.REPORTS_WRITE), response=told(RetentionSetOut), summary="Say how long reports are kept"
)
def set_retention(request: HttpRequest, wanted: RetentionIn, asked: Query[DryParameters]) -> dict[str, Any]:  # noqa: ARG001
    """What is older goes bit by bit from now on. With `dry_run` it is only said what would go."""
    known(request, DryParameters.model_fields)
    organisation, terms = caller(request).organisation, wanted.model_dump()
    removes = services.preview(organisation, Retention(organisation=organisation, **terms), timezone.now())
    with rehearsal(dry=dry(request)):
        services.set_retention(organisation=organisation, actor=actors.of(request), **terms)
    return {**terms, "removes": removes}


def _arrival(row: RawReport) -> dict[str, Any]:
    facts = ("received_at", "channel", "sender", "peer", "size", "reason")
    told = {name: getattr(row, name) for name in facts}
    domain = row.domain.name if row.domain else None
    return {"id": row.pk, "state": str(RawState(row.state).value), "domain": domain, **told}
