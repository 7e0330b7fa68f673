"""Reports one by one, the newest day first: the list that the API pages through and exports write out.

It is taken in portions, each continuing behind the last row of the one before. So a report that comes in meanwhile
moves nothing, and nobody holds a transaction open while a slow reader reads.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator
from datetime import date

from django.db.models import Q, QuerySet

from trinco.panel.reports.asked import BadParameter
from trinco.panel.reports.models import Report
from trinco.panel.reports.scope import Scope, counted

PORTION = 500
MAX_KEY = 2**63 - 1

Place = tuple[date, int]
"""Day and key of a report: where the list goes on behind it."""


def reports(scope: Scope) -> QuerySet[Report]:
    """The reports whose sessions are counted, or with `everything` all of them."""
    rows = Report.objects.of(scope.organisation).filter(day__range=(scope.first, scope.last)).select_related("domain")
    if scope.domain is not None:
        rows = rows.filter(domain=scope.domain)
    if scope.submitter is not None:
        rows = rows.filter(submitter=scope.submitter)
    if not scope.everything:
        rows = rows.filter(counted(scope), counted=True)
    return rows.order_by("-day", "-pk")


def behind(rows: QuerySet[Report], place: Place | None) -> QuerySet[Report]:
    """The rows that come after this place; None: all of them."""
    if place is None:
        return rows
    day, key = place
    return rows.filter(Q(day__lt=day) | Q(day=day, pk__lt=key), day__lte=day)


def portions(scope: Scope) -> Iterator[Report]:
    """Every report of `reports`, so many at a time in memory."""
    rows, place = reports(scope), None
    while portion := list(behind(rows, place)[:PORTION]):
        yield from portion
        place = portion[-1].day, portion[-1].pk


def cursor_of(report: Report) -> str:
    """The place of a report, opaque."""
    return base64.urlsafe_b64encode(f"{report.day:%Y%m%d}.{report.pk}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> Place:
    """The place that a cursor stands for. Raises BadParameter."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
        found = re.fullmatch(r"([0-9]{8})\.([0-9]{1,19})", text)
        if found and int(found[2]) <= MAX_KEY:
            return date.fromisoformat(found[1]), int(found[2])
    except (ValueError, binascii.Error):
        pass
    raise BadParameter("is not a cursor that was given out", source="cursor")
