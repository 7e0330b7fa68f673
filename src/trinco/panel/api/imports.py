"""`/imports`: many domains at once, as a list that the worker works off."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.db.models import Count
from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Schema, Status

from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import kinds
from trinco.panel.api.auth import caller, clients_of, needs
from trinco.panel.api.octets import described, octets, require_type
from trinco.panel.api.pages import Order, page_of
from trinco.panel.api.parameters import PageParameters, known
from trinco.panel.api.problems import Problem
from trinco.panel.api.schemas import told
from trinco.panel.policies import imports
from trinco.panel.policies.import_lines import MOST_OCTETS
from trinco.panel.policies.import_models import REFUSED, DomainImport, Ending, ImportLine
from trinco.panel.policies.import_places import places_of

router = Router(tags=["imports"])

MEDIA_TYPES = ("text/csv", "text/plain")
BODY = described(MEDIA_TYPES, "A domain in each line, and beside it its mail servers, where they are known.")
RESULTS = {
    "added": (Ending.ADDED,),
    "there": (Ending.THERE,),
    "refused": REFUSED,
    "waiting": (Ending.WAITING,),
}
BY_NUMBER = Order((("number", int),))


class ImportOut(Schema):
    """An import. `state`: `running`, `stopped` or `done`. Of `lines` so many are added, were there before, are refused,
    or wait."""

    id: int
    state: str
    actor: str
    created_at: datetime
    ended_at: datetime | None
    lines: int
    added: int
    there: int
    refused: int
    waiting: int


class ImportsOut(Schema):
    """The newest first: the last twenty."""

    rows: list[ImportOut]


class ImportLineOut(Schema):
    """A line. `organisation`: the client for which the list names it. `reason`: why it was refused, `name`, `twice`,
    `taken`, `ours`, `mx`, `wide`, `tags`, `client`, `several`, `factor` or `sso`; `detail`: what there is to say."""

    line: int
    text: str
    domain: str
    organisation: str | None
    mx: list[str]
    tags: list[str]
    result: str
    reason: str | None
    detail: str


class ImportLinesOut(Schema):
    """As they stand in the list. `next` is null on the last page."""

    rows: list[ImportLineOut]
    next: str | None


class LineParameters(PageParameters):
    """Which lines."""

    result: str | None = Field(None, description=f"Of this result alone: {', '.join(f'`{each}`' for each in RESULTS)}.")


@router.get("", auth=needs(Deed.READ), response=told(ImportsOut), summary="Imports")
def all_imports(request: HttpRequest) -> dict[str, Any]:
    """The last ones, and how far they are."""
    known(request, ())
    jobs = list(DomainImport.objects.of(caller(request).organisation)[: imports.KEPT])
    return {"rows": _told(jobs)}


@router.post(
    "",
    auth=needs(Deed.DOMAINS_WRITE),
    response=told(ImportOut, 201),
    summary="Import a list",
    openapi_extra={"requestBody": BODY},
)
def start(request: HttpRequest) -> Status[dict[str, Any]]:
    """Give a list of up to 10,000 domains, 1 MiB at most: one in a line, beside it its mail servers, and for a
    provider the client that it is for. It is worked off by itself; one at a time."""
    known(request, ())
    require_type(request, MEDIA_TYPES)
    try:
        text = octets(request, MOST_OCTETS).decode()
    except UnicodeDecodeError:
        raise Problem(kinds.BAD_BODY, "It is not UTF-8.") from None
    access = caller(request)
    places = places_of(access)
    clients_of(access)  # whose tags are counted
    job = imports.start(organisation=access.organisation, text=text, actor=actors.of(request), places=places)
    return Status(201, _told([job])[0])


@router.get("/{int:pk}", auth=needs(Deed.READ), response=told(ImportOut), summary="One import")
def one(request: HttpRequest, pk: int) -> dict[str, Any]:
    """How far it is."""
    known(request, ())
    return _told([_job(request, pk)])[0]


@router.get("/{int:pk}/lines", auth=needs(Deed.READ), response=told(ImportLinesOut), summary="The lines of an import")
def lines(request: HttpRequest, pk: int, asked: Query[LineParameters]) -> dict[str, Any]:
    """How each line ended, in pages."""
    known(request, LineParameters.model_fields)
    if asked.result is not None and asked.result not in RESULTS:
        raise Problem(kinds.BAD_PARAMETER, f"`result` is one of {', '.join(RESULTS)}.", "result")
    rows = ImportLine.objects.of(caller(request).organisation).filter(job=_job(request, pk)).select_related("client")
    page = page_of(request, rows.filter(ending__in=RESULTS[asked.result]) if asked.result else rows, BY_NUMBER)
    return {"rows": list(map(_line, page.rows)), "next": page.next}


@router.post("/{int:pk}/stop", auth=needs(Deed.DOMAINS_WRITE), response=told(ImportOut), summary="Stop an import")
def stop(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Go no further: what was added stays, the rest waits. One that does not run stays as it is."""
    known(request, ())
    job = _job(request, pk)
    imports.stop(job=job, actor=actors.of(request))
    return _told([job])[0]


@router.post(
    "/{int:pk}/continue", auth=needs(Deed.DOMAINS_WRITE), response=told(ImportOut), summary="Go on with an import"
)
def go_on(request: HttpRequest, pk: int) -> dict[str, Any]:
    """Go on with one that was stopped."""
    known(request, ())
    job = _job(request, pk)
    imports.go_on(job=job, actor=actors.of(request))
    return _told([job])[0]


def _job(request: HttpRequest, pk: int) -> DomainImport:
    mine = DomainImport.objects.of(caller(request).organisation).select_related("organisation")
    return get_object_or_404(mine, pk=pk)


def _told(jobs: list[DomainImport]) -> list[dict[str, Any]]:
    """One query, however many they are."""
    rows = ImportLine.objects.everywhere().filter(job__in=jobs).order_by().values_list("job", "ending")
    counts: dict[int, Counter[str]] = {job.pk: Counter() for job in jobs}
    for key, ending, count in rows.annotate(count=Count("pk")):
        counts[key][ending] = count
    return [_import(job, counts[job.pk]) for job in jobs]


def _import(job: DomainImport, counts: Counter[str]) -> dict[str, Any]:
    facts = {name: getattr(job, name) for name in ("state", "actor", "created_at", "ended_at")}
    return {"id": job.pk, **facts, "lines": counts.total(), **_sums(counts, RESULTS.items())}


def _sums(counts: Counter[str], results: Iterable[tuple[str, tuple[Ending, ...]]]) -> dict[str, int]:
    return {name: sum(counts[ending] for ending in endings) for name, endings in results}


def _line(row: ImportLine) -> dict[str, Any]:
    refused = row.ending in REFUSED
    result = "refused" if refused else row.ending
    told = {"line": row.number, "text": row.text, "domain": row.name, "mx": row.mx, "tags": row.tags}
    organisation = row.client.name if row.client else None
    return {
        **told,
        "organisation": organisation,
        "result": result,
        "reason": row.ending if refused else None,
        "detail": row.detail,
    }
