"""Reports about a domain that the doors turned away since more came than are taken (`edge.intake`): how many, on which
day. Whoever looks at the figures is told that something may be missing from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from django.db import transaction
from django.db.models import F, Max, QuerySet, Sum

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, TurnedAway

KEPT = timedelta(days=400)
"""How long it is told."""
MAX_ROWS = 10_000
"""Of a list, the newest."""
_MOST = 2**31 - 1


@dataclass(frozen=True, slots=True)
class Missing:
    """What was turned away in a range of days."""

    reports: int
    last: date
    domains: int


@dataclass(frozen=True, slots=True)
class Row:
    """What was turned away about one domain on one day."""

    domain: str
    day: date
    attempts: int


@transaction.atomic
def note(counts: Mapping[str, int], day: date) -> None:
    """Add what an edge turned away, by label, to the day on which it says so. A label that is nobody's is passed over.
    Raises DatabaseError."""
    found = HostedDomain.objects.everywhere().filter(label__in=counts).order_by("pk")
    keys = dict(found.values_list("pk", "label"))
    rows = TurnedAway.objects.everywhere()
    rows.filter(domain__in=keys, day__lt=day - KEPT).delete()
    rows.bulk_create([TurnedAway(domain_id=key, day=day) for key in keys], ignore_conflicts=True)
    for key, label in keys.items():  # by key: two edges take their locks in one order
        more = min(counts[label], _MOST)
        rows.filter(domain=key, day=day, reports__lte=_MOST - more).update(reports=F("reports") + more)


def missing(organisation: Organisation, first: date, last: date, domain: HostedDomain | None = None) -> Missing | None:
    """What was turned away about one domain, or about all of the organisation, on these days; None: nothing."""
    found = (
        _rows(organisation, first, last, domain)
        .values("domain")
        .order_by()
        .annotate(count=Sum("reports"), latest=Max("day"))
    )
    by_domain = list(found.values_list("count", "latest"))
    if not by_domain:
        return None
    return Missing(sum(count for count, _ in by_domain), max(latest for _, latest in by_domain), len(by_domain))


def listed(organisation: Organisation, first: date, last: date, domain: HostedDomain | None = None) -> list[Row]:
    """The same by day and domain, the newest first."""
    rows = _rows(organisation, first, last, domain).order_by("-day", "domain__name")
    return [Row(*row) for row in rows.values_list("domain__name", "day", "reports")[:MAX_ROWS]]


def _rows(organisation: Organisation, first: date, last: date, domain: HostedDomain | None) -> QuerySet[TurnedAway]:
    rows = TurnedAway.objects.of(organisation).filter(day__range=(first, last), reports__gt=0)
    return rows if domain is None else rows.filter(domain=domain)
