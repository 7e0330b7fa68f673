"""What the address of an operation asks for, strictly: what cannot be used is an error, and so is what is unknown."""

from __future__ import annotations

from collections.abc import Iterable

from django.http import Http404, HttpRequest
from django.utils import timezone
from ninja import Field, Schema

from trinco.panel.accounts.models import Organisation
from trinco.panel.api import kinds
from trinco.panel.api.problems import Problem
from trinco.panel.reports import asked, listing
from trinco.panel.reports.asked import PARAMETERS, RANGES, BadParameter, NoSuchDomain
from trinco.panel.reports.drill import Wanted
from trinco.panel.reports.scope import Scope

LIMIT, MOST = 100, 500
"""Rows of one page: unless asked for, and at most."""


class ScopeParameters(Schema):
    """Which reports."""

    domain: str | None = Field(None, description="One of your domains. Without it: all of them.")
    from_: str | None = Field(None, alias="from", description="The first UTC day, as in 2026-11-01.")
    to: str | None = Field(
        None, description="The last UTC day; without it yesterday, and today once somebody has reported about it."
    )
    range: str | None = Field(None, description=f"Days until `to`, in place of `from`: {', '.join(map(str, RANGES))}.")
    day: str | None = Field(None, description="One UTC day.")
    sender: str | None = Field(None, description="The domain of the sender's contact address.")
    trust: str | None = Field(None, description="`all`: those too that nobody vouches for.")


class DetailParameters(ScopeParameters):
    """Which failure details."""

    result_type: str | None = Field(None, description="Of this result type alone.")
    mx: str | None = Field(None, description="At this mail server alone.")
    policy_type: str | None = Field(None, description="Under this policy type alone: `sts`, `tlsa`, `no-policy-found`.")


class PageParameters(Schema):
    """Which part of a list."""

    limit: str | None = Field(None, description=f"Rows of a page: {LIMIT} without it, {MOST} at most.")
    cursor: str | None = Field(None, description="`next` of the page before.")


class ReportParameters(PageParameters, ScopeParameters):
    """Which reports, and which part of their list."""


def scope_of(request: HttpRequest, organisation: Organisation, more: Iterable[str] = ()) -> Scope:
    """The scope. `more`: further parameters that the operation knows. Raises Problem 400, and Http404 for a domain."""
    known(request, (*PARAMETERS, *more))
    try:
        found = asked.asked_by_now(organisation, request.GET.dict(), timezone.now().date())
    except NoSuchDomain as error:
        raise Http404 from error
    for fault in found.faults:
        raise bad(fault)
    return found.scope


def known(request: HttpRequest, names: Iterable[str]) -> None:
    """Every parameter is one of these, once: a filter with a slip in its name would quietly ask for everything."""
    allowed = set(names)
    for name, values in request.GET.lists():
        if name not in allowed:
            raise Problem(kinds.BAD_PARAMETER, "There is no such parameter here.", name[:100])
        if len(values) > 1:
            raise Problem(kinds.BAD_PARAMETER, f"`{name}` is given more than once.", name)


def wanted_of(request: HttpRequest) -> Wanted:
    """Which failure details."""
    return Wanted(**{name: request.GET[name].replace("\0", "")[:253] for name in Wanted.names() if name in request.GET})


def flag(request: HttpRequest, name: str) -> bool:
    """A parameter that is `true` or `false`; false without it. Raises Problem 400 for anything else."""
    text = request.GET.get(name, "false")
    if text not in ("true", "false"):
        raise Problem(kinds.BAD_PARAMETER, f"`{name}` is neither `true` nor `false`.", name)
    return text == "true"


def limit_of(request: HttpRequest) -> int:
    """Rows of the page. Raises Problem 400."""
    text = request.GET.get("limit", str(LIMIT))
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(MOST)) and 1 <= int(text) <= MOST):
        raise Problem(kinds.BAD_PARAMETER, f"`limit` is not a number from 1 to {MOST}.", "limit")
    return int(text)


def place_of(request: HttpRequest) -> listing.Place | None:
    """Where the page begins. Raises Problem 400."""
    if "cursor" not in request.GET:
        return None
    try:
        return listing.place_of(request.GET["cursor"])
    except BadParameter as fault:
        raise bad(fault) from fault


def bad(fault: BadParameter) -> Problem:
    """The answer to a parameter that cannot be used."""
    return Problem(kinds.BAD_PARAMETER, f"`{fault.source}` {fault.reason}.", fault.source or "")
