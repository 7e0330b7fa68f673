"""The domains that a form of the list is about: those that are ticked, or all that the list's filter shows."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.utils.translation import ngettext

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.panel.domains.models import HostedDomain
from trinco.panel.web import overview
from trinco.panel.web.access import MemberRequest

MOST = 10_000
"""Domains in one change."""


def asked(request: MemberRequest) -> overview.Filter:
    """The filter of the list that was posted: `mode` is what is to become of the domains, `was` what the list shows."""
    return overview.asked(request.POST, mode="was")


def chosen(request: MemberRequest, done: Q) -> list[HostedDomain]:
    """The domains that are named one by one, or all of a filter. None of another organisation is ever among them.

    `done`: which are as they shall be already; they stand back where a filter has more than can be changed at once.
    """
    posted = request.POST
    if posted.get("scope") == "all" and "confirm" not in posted:
        return _some(request, overview.matching(request.organisation, asked(request)), done)
    given = [*posted.getlist("domain"), *posted.get("names", "").split()][:MOST]
    names = [name for name in given if _is_name(name)]
    mine = {domain.name: domain for domain in overview.hosted(request.organisation).filter(name__in=set(names))}
    return [mine[name] for name in dict.fromkeys(names) if name in mine]


def _is_name(text: str) -> bool:
    """Whether a database can be asked for it at all: a stranger's form may say anything."""
    try:
        Domain.parse(text)
    except DomainSyntaxError:
        return False
    return True


def _some(request: MemberRequest, rows: QuerySet[HostedDomain], done: Q) -> list[HostedDomain]:
    """As many at once as one page bears; more are said, never forgotten."""
    rows = rows.exclude(done) if rows.count() > MOST else rows
    if (left := rows.count() - MOST) > 0:
        text = ngettext("%(n)d more domain is left for another time.", "%(n)d more are left for another time.", left)
        messages.warning(request, text % {"n": left})
    return list(rows[:MOST])
