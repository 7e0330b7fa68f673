"""The address of a page of reports: what it asks for, and the same address with one part changed."""

from __future__ import annotations

from datetime import date

from django.http import Http404
from django.utils import timezone
from django.utils.http import urlencode

from trinco.panel.reports import asked
from trinco.panel.reports.asked import PARAMETERS, RANGES, Asked, NoSuchDomain
from trinco.panel.reports.scope import Scope
from trinco.panel.web.access import MemberRequest

__all__ = ["RANGES", "Asked", "Scope", "asked_of", "query", "query_of", "scope_of"]

_INSTEAD = {"range": ("from", "to", "day"), "from": ("range", "day"), "to": ("range", "day")}
"""What a new value of a parameter makes meaningless."""


def asked_of(request: MemberRequest) -> Asked:
    """What the address asks for; what is wrong in it is left aside. Raises Http404 for a domain that is not ours."""
    try:
        return asked.asked(request.organisation, request.GET.dict(), timezone.now().date())
    except NoSuchDomain as error:
        raise Http404 from error


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
