"""Months of daily totals added up, so that a chart of years reads thirty times less.

Whoever writes daily totals says so (`stale`), in the same transaction and under the lock of the domain: from that
moment on the month is read day by day again, until the worker has added it up anew (`summing`). So a month that is
added up is always the sum of its days.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.db.models import Count, Exists, OuterRef, Q
from django.db.models.functions import TruncMonth

from trinco.panel import clock
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import DailyTotal
from trinco.panel.reports.month_models import SummedMonth
from trinco.panel.reports.scope import Scope

Slice = tuple[int, date]
"""A domain and a day."""

QUIET = timedelta(minutes=10)
"""How long a month rests after its last change, so that an import of old reports does not add it up again and again."""
_AFTER = timedelta(days=2)
"""Most reports about the last day of a month have come by then."""


def month_of(day: date) -> date:
    """The first day of its month."""
    return day.replace(day=1)


def after(month: date) -> date:
    """The first day of the next one."""
    return month_of(month + timedelta(days=31))


def stale(slices: Iterable[Slice]) -> None:
    """The totals of these domains and days are about to change. In their transaction."""
    now = clock.now()
    pairs = sorted({(domain, month_of(day)) for domain, day in slices})
    owners = dict(
        HostedDomain.objects.everywhere()
        .filter(pk__in={domain for domain, _ in pairs})
        .values_list("pk", "organisation_id")
    )
    SummedMonth.objects.everywhere().bulk_create(
        [
            SummedMonth(organisation_id=owners[domain], domain_id=domain, month=month, due_at=_due(month, now))
            for domain, month in pairs
        ],
        update_conflicts=True,
        unique_fields=["domain", "month"],
        update_fields=["due_at"],
    )


def complete() -> int:
    """Have months added up that nobody said have totals: a version without this table wrote them. How many.

    Reads the sums of all days: once in a worker's life.
    """
    sums = DailyTotal.objects.everywhere().filter(policy_type="", result_type="").order_by()
    known = SummedMonth.objects.everywhere().filter(domain=OuterRef("domain"), month=OuterRef("month"))
    missing = sums.annotate(month=TruncMonth("day")).exclude(Exists(known))
    now = clock.now()
    rows = [
        SummedMonth(organisation_id=organisation, domain_id=domain, month=month, due_at=_due(month, now))
        for organisation, domain, month in missing.values_list("organisation_id", "domain_id", "month").distinct()
    ]
    SummedMonth.objects.everywhere().bulk_create(rows, ignore_conflicts=True, batch_size=1000)
    return len(rows)


def _due(month: date, now: datetime) -> datetime:
    """Once it is over, and nothing changes any more."""
    end = datetime.combine(after(month), datetime.min.time(), now.tzinfo)
    return max(end + _AFTER, now + QUIET)


def usable(scope: Scope) -> set[date]:
    """The months within the range that can be read from their sums. One query, none where the range holds no month.

    A month without any row is read day by day. Among several domains, one without a row has no totals in that month:
    whoever writes totals says so, and what was there before is noted by a migration and by `complete`.
    """
    first, last = scope.first, scope.last + timedelta(days=1)
    begin = first if first.day == 1 else after(first)
    if after(begin) > last:
        return set()
    rows = SummedMonth.objects.of(scope.organisation).filter(month__gte=begin, month__lt=month_of(last))
    if scope.domain is not None:
        rows = rows.filter(domain=scope.domain)
    counted = rows.order_by().values_list("month").annotate(due=Count("pk", filter=Q(due_at__isnull=False)))
    return {month for month, due in counted if not due}
