"""The address of a page of reports: what it asks for, and the same address with one part changed."""

from __future__ import annotations

from datetime import date
from difflib import get_close_matches

from django.db.models import Q
from django.http import Http404
from django.utils import timezone
from django.utils.http import urlencode

from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.reports import asked
from trinco.panel.reports.asked import PARAMETERS, RANGES, Asked, NoSuchDomain
from trinco.panel.reports.scope import Scope
from trinco.panel.web.access import MemberRequest

__all__ = ["RANGES", "Asked", "Scope", "UnknownDomain", "alike", "asked_of", "query", "query_of", "scope_of"]

_INSTEAD = {"range": ("from", "to", "day"), "from": ("range", "day"), "to": ("range", "day")}
"""What a new value of a parameter makes meaningless."""
_COMPARED = 2_000
"""Names that are compared with one that nobody has."""
_SUGGESTED = 5


class UnknownDomain(Http404):
    """The name that the address asks about is no domain of theirs."""


def asked_of(request: MemberRequest) -> Asked:
    """What the address asks for; what is wrong in it is left aside. Raises UnknownDomain, an Http404."""
    try:
        return asked.asked_by_now(request.organisation, request.GET.dict(), timezone.now().date())
    except NoSuchDomain as error:
        raise UnknownDomain from error


def alike(request: MemberRequest, name: str) -> list[HostedDomain]:
    """A few domains of theirs whose names look like this one, the likest first. One query."""
    wanted = name.strip().lower()
    mine = HostedDomain.objects.of(request.organisation).exclude(state=State.GONE)
    near = Q(name__contains=wanted) | Q(name__startswith=wanted[:2]) | Q(name__endswith=wanted[-4:])
    found = {row.name: row for row in mine.filter(near).order_by("name")[:_COMPARED]} if wanted else {}
    likest = get_close_matches(wanted, found, n=_SUGGESTED, cutoff=0.6)
    holding = [each for each in found if wanted in each and each not in likest]
    return [found[each] for each in (likest + holding)[:_SUGGESTED]]


def scope_of(request: MemberRequest) -> Scope:
    """What rows and sums of the page are about. Raises Http404 for a domain that is not ours."""
    return asked_of(request).scope


def query(request: MemberRequest, **changes: str | int | date | None) -> str:
    """The parameters of this address with some changed, `?range=7&domain=…` or nothing; None takes one out.

    `from` is a keyword of Python: it is given as `from_`.
    """
    told = {name.rstrip("_"): value for name, value in changes.items()}
    dropped = {name for change in told if told[change] is not None for name in _INSTEAD.get(change, ())} - set(told)
    kept = {name: request.GET[name] for name in PARAMETERS if name in request.GET and name not in dropped}
    return _written({**kept, **told})


def query_of(scope: Scope) -> str:
    """The parameters that ask for exactly this."""
    return _written(
        {
            "domain": scope.domain.name if scope.domain else None,
            "from": scope.first,
            "to": scope.last,
            "sender": scope.submitter,
            "trust": "all" if scope.everything else None,
        }
    )


def _written(parameters: dict[str, str | int | date | None]) -> str:
    there = [(name, str(parameters[name])) for name in PARAMETERS if parameters.get(name) is not None]
    return f"?{urlencode(there)}" if there else ""
