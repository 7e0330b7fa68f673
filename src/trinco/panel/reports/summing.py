"""The worker's part of `months`: months that are over and at rest are added up from their days.

Before it does so for the first time, it notes the months that the version of before wrote beside it, while the tables
had been changed already.
"""

from __future__ import annotations

import threading
from datetime import date, datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.db.models import Max, Min, QuerySet, Sum

from trinco.core.tlsrpt.report import MAX_COUNT
from trinco.panel.reports import merge, rows
from trinco.panel.reports.models import DailyTotal
from trinco.panel.reports.month_models import DaySum, MonthFailure, MonthTotal, SummedMonth
from trinco.panel.reports.months import after, complete
from trinco.panel.reports.scope import Sessions, failures, sessions

AT_ONCE = 20
"""Months of domains in one transaction."""
_complete = threading.Event()
"""Set once no month is missing from the table of months."""
_KEY = ("trust", "submitter", "policy_type", "result_type", "mx")
_COUNTS = ("successful_session_count", "failed_session_count", "reports")
_SPAN = ("first", "last")
_MADE: dict[str, Any] = {
    "successful_session_count": Sessions("successful_session_count"),
    "failed_session_count": Sessions("failed_session_count"),
    "reports": Sum("reports"),
    "first": Min("day"),
    "last": Max("day"),
}
_MOST = {"successful_session_count": MAX_COUNT, "failed_session_count": MAX_COUNT, "reports": 2**31 - 1}


def sum_due(now: datetime) -> int:
    """Add up a portion of the months that are due. How many that were."""
    if not _complete.is_set():
        complete()
        _complete.set()
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
    for model, column in ((MonthTotal, "month"), (MonthFailure, "month"), (DaySum, "day")):
        model.objects.everywhere().filter(**{"domain": domain, f"{column}__range": (month, last)}).delete()
    days = DailyTotal.objects.everywhere().filter(domain=domain, day__range=(month, last)).order_by()
    sessions_, failures_ = sessions(days), failures(days)
    _write(MonthTotal, {"domain_id": domain, "month": month}, sessions_, (*_KEY, *_COUNTS, *_SPAN))
    _write(MonthTotal, {"domain_id": domain, "month": month}, failures_, (*_KEY, *_COUNTS, *_SPAN))
    _write(MonthFailure, {"domain_id": domain, "month": month}, failures_, ("trust", *_KEY[2:], _COUNTS[1], *_SPAN))
    _write(DaySum, {"domain_id": domain}, sessions_, ("day", "trust", *_COUNTS))


def _write(
    model: type[models.Model], whose: dict[str, Any], days: QuerySet[DailyTotal], columns: tuple[str, ...]
) -> None:
    """The daily totals, grouped by those of the columns that are not made of many rows."""
    by = [name for name in columns if name not in _MADE]
    sums = {f"{name}_": _MADE[name] for name in columns if name in _MADE}
    found = days.values(*by).annotate(**sums)
    values = [tuple(_value(name, each[name if name in by else f"{name}_"]) for name in columns) for each in found]
    rows.insert(model, (*whose, *columns), [(*whose.values(), *each) for each in values])


def _value(name: str, value: Any) -> Any:
    """As the column takes it."""
    return min(int(value), _MOST[name]) if name in _MOST else value
