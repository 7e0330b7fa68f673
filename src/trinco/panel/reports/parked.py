"""What came and stands in no report: it could not be read, speaks of other domains, or came too late."""

from __future__ import annotations

from django.db.models import Count, F, QuerySet

from trinco.panel.accounts.models import Organisation
from trinco.panel.reports.models import RawReport, RawState

ARRIVALS = (RawState.PARKED, RawState.FOREIGN, RawState.LATE)
"""What stands in no report, and is shown as it came."""


def arrivals(organisation: Organisation, state: str) -> QuerySet[RawReport]:
    """What is parked, speaks of other domains, or came too late, the newest first."""
    rows = RawReport.objects.of(organisation).filter(state=state).select_related("domain").defer("body")
    return rows.order_by(F("received_at").desc(), "-pk")


def counts(organisation: Organisation) -> dict[str, int]:
    """How many arrivals wait, are parked, speak of other domains, or came too late. One query."""
    states = (RawState.PENDING, *ARRIVALS)
    rows = RawReport.objects.of(organisation).filter(state__in=states).order_by()
    found = dict(rows.values_list("state").annotate(Count("pk")))
    return {state.value: found.get(state, 0) for state in states}
