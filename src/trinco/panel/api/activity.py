"""`/activity`: the log of what was done, by whom; as a file; and whether its chain holds."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, cast

from django.db.models import QuerySet
from django.http import HttpRequest, StreamingHttpResponse
from ninja import Field, Query, Router, Schema

from trinco.panel.accounts import audit, log
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import budget, kinds
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.octets import attached
from trinco.panel.api.pages import Order, cursor_of, place_of
from trinco.panel.api.parameters import PageParameters, known, limit_of
from trinco.panel.api.problems import Problem
from trinco.panel.api.schemas import told

router = Router(tags=["activity"])

FORMS = {"csv": (log.csv_of, "text/csv; charset=utf-8"), "jsonl": (log.json_of, "application/x-ndjson")}
FILES = {200: {"description": "OK", "content": {media.partition(";")[0]: {} for _write, media in FORMS.values()}}}
NEWEST = Order((("at", datetime), ("pk", int)), down=True)
MOST_A_MINUTE = 6
"""How often a chain is followed from its first line to its end."""


class LogParameters(Schema):
    """Which lines."""

    domain: str | None = Field(None, description="About domains with this in their name.")
    action: str | None = Field(None, description="Of this action alone, as in `policy.published`.")
    person: str | None = Field(None, description="Of people with this in their address.")
    from_: str | None = Field(None, alias="from", description="The first UTC day, as in 2026-11-01.")
    to: str | None = Field(None, description="The last UTC day.")
    whole: bool = Field(
        default=False, description="`domain` and `person` are whole names: the quick way, however long the log is."
    )


class LogPageParameters(PageParameters, LogParameters):
    """Which lines, and which part of them."""


class LineOut(Schema):
    """A line. `number` is its place in the chain; null: it is not taken in yet. `provider`: as whose staff."""

    number: int | None
    at: datetime
    actor: str
    provider: str
    token: str
    source: str
    action: str
    subject: str
    before: dict[str, Any]
    after: dict[str, Any]
    override: bool
    previous: str
    digest: str


class LinesOut(Schema):
    """The newest first. `next` is null on the last page; any other may have few rows, or none: no more than so many
    lines are looked at for one."""

    rows: list[LineOut]
    next: str | None


class BreakOut(Schema):
    """The first line that is not as it was written."""

    number: int
    why: str


class ChainOut(Schema):
    """`lines` hold together, the last of which has `digest`; `loose` ones wait to be taken in."""

    whole: bool
    lines: int
    loose: int
    digest: str
    broken: BreakOut | None


@router.get("", auth=needs(Deed.READ), response=told(LinesOut), summary="The log")
def activity(request: HttpRequest, asked: Query[LogPageParameters]) -> dict[str, Any]:
    """Who did what, the newest first, in pages: go on until `next` is null, also behind a page without rows."""
    known(request, _names(LogPageParameters))
    wanted, behind = _wanted(asked), cast("log.Place | None", place_of(request, NEWEST))
    page = log.stretch(caller(request).organisation, wanted, limit_of(request), behind)
    return {
        "rows": [{name: getattr(row, name) for name in LineOut.model_fields} for row in page.lines],
        "next": cursor_of(NEWEST, page.last) if page.last else None,
    }


@router.get(
    "/export.{form}",
    auth=needs(Deed.READ),
    response=told(None),
    summary="The log as a file",
    openapi_extra={"responses": FILES},
)
def export(request: HttpRequest, form: str, asked: Query[LogParameters]) -> StreamingHttpResponse:
    """`csv` or `jsonl`, the oldest line first, with all that the digests cover."""
    known(request, _names(LogParameters))
    if form not in FORMS:
        raise Problem(kinds.NOT_FOUND)
    write, media_type = FORMS[form]
    headers = attached(f"activity-{caller(request).organisation.pk}.{form}")
    return StreamingHttpResponse(write(_lines(request, asked)), content_type=media_type, headers=headers)


@router.get("/chain", auth=needs(Deed.READ), response=told(ChainOut), summary="Whether the log's chain holds")
def chain(request: HttpRequest) -> dict[str, Any]:
    """Follow the chain of digests from the first line to the last. Keep `digest` elsewhere, and compare."""
    known(request, ())
    organisation = caller(request).organisation
    budget.require(f"chain:{organisation.pk}", "", MOST_A_MINUTE)
    found = audit.verify(organisation)
    told = {"whole": found.broken is None, "lines": found.lines, "loose": found.loose, "digest": found.digest}
    return {**told, "broken": found.broken}


def _names(parameters: type[Schema]) -> list[str]:
    return [field.alias or name for name, field in parameters.model_fields.items()]


def _lines(request: HttpRequest, asked: LogParameters) -> QuerySet[AuditEntry]:
    return log.lines(caller(request).organisation, _wanted(asked))


def _wanted(asked: LogParameters) -> log.Asked:
    """Raises Problem 400."""
    words = {name: (getattr(asked, name) or "").replace("\0", "")[:253] for name in ("domain", "action", "person")}
    names = log.Names.WHOLE if asked.whole else log.Names.PART
    return log.Asked(**words, first=_day(asked.from_, "from"), last=_day(asked.to, "to"), names=names)


def _day(text: str | None, name: str) -> date | None:
    """Raises Problem 400."""
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-24") and text < "9999-12-31":
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise Problem(kinds.BAD_PARAMETER, f"`{name}` is not a date as in 2026-11-24.", name)
