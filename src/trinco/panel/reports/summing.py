"""The worker's part of `months`: months that are over and at rest are added up from their days."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import Max, Min, Q, QuerySet, Sum

from trinco.panel.reports import merge, rows
from trinco.panel.reports.models import DailyTotal, DaySum, MonthTotal, SummedMonth
from trinco.panel.reports.months import after
from trinco.panel.reports.scope import Sessions
from trinco.panel.reports.totals import fitting

AT_ONCE = 20
"""Months of domains in one transaction."""
_KEY = ("trust", "submitter", "policy_type", "result_type", "mx")
_COUNTS = ("successful_session_count", "failed_session_count", "reports")
_MOST_REPORTS = 2**31 - 1


def sum_due(now: datetime) -> int:
    """Add up a portion of the months that are due. How many that were."""
    due = SummedMonth.objects.everywhere().filter(due_at__lte=now).order_by("due_at", "pk")
    return _sum_up(list(due.values_list("domain_id", "month")[:AT_ONCE]), now)


@transaction.atomic
def _sum_up(pairs: list[tuple[int, date]], now: datetime) -> int:
    """Under the locks of the domains nobody changes their totals; what is no longer due was changed before."""
    merge.lock(domain for domain, _ in pairs)
    done = 0
    for domain, month in pairs:
        row = SummedMonth.objects.everywhere().filter(domain=domain, month=month, due_at__lte=now)
        if row.update(due_at=None):
            _sum_month(domain, month)
            done += 1
    return done


def _sum_month(domain: int, month: date) -> None:
    last = after(month) - timedelta(days=1)
    MonthTotal.objects.everywhere().filter(domain=domain, month=month).delete()
    DaySum.objects.everywhere().filter(domain=domain, day__range=(month, last)).delete()
    days = DailyTotal.objects.everywhere().filter(domain=domain, day__range=(month, last)).order_by()
    both = days.filter(Q(policy_type="", result_type="") | ~Q(result_type=""))
    found = _added(both, *_KEY).annotate(first=Min("day"), last=Max("day"))
    rows.insert(
        MonthTotal,
        ("domain_id", "month", *_KEY, *_COUNTS, "first", "last"),
        (_month(domain, month, each) for each in found),
    )
    sums = _added(days.filter(policy_type="", result_type=""), "day", "trust")
    rows.insert(
        DaySum,
        ("domain_id", "day", "trust", *_COUNTS),
        ((domain, each["day"], each["trust"], *_counts(each)) for each in sums),
    )


def _added(days: QuerySet[DailyTotal], *by: str) -> QuerySet[DailyTotal, dict[str, Any]]:
    sums: dict[str, Any] = {"successful": Sessions(_COUNTS[0]), "failed": Sessions(_COUNTS[1])}
    found: QuerySet[DailyTotal, dict[str, Any]] = days.values(*by).annotate(**sums, count=Sum(_COUNTS[2]))
    return found


def _month(domain: int, month: date, each: dict[str, Any]) -> tuple[Any, ...]:
    return domain, month, *(each[name] for name in _KEY), *_counts(each), each["first"], each["last"]


def _counts(each: dict[str, Any]) -> tuple[int, int, int]:
    return fitting(int(each["successful"])), fitting(int(each["failed"])), min(each["count"], _MOST_REPORTS)
