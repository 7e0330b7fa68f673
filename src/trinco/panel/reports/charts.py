"""The questions behind the charts, tables and exports of the TLS reports (RFC 8460 section 4).

Every sum comes from `DailyTotal`, in a number of queries that does not depend on how much there is, and no list is
longer than its bound: what strangers write decides how many result types, senders and mail servers there seem to be.
`details` and `newest` look at single reports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.db.models import QuerySet, Sum

from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.drill import AppliedPolicy, DetailRow, Newest, details, folded, folded_types, newest
from trinco.panel.reports.models import DailyTotal
from trinco.panel.reports.month_models import DaySum
from trinco.panel.reports.reading import (
    Failed,
    Reported,
    failed,
    reported,
    reported_by_source,
    session_stretches,
    submitters,
)
from trinco.panel.reports.scope import Scope, Sessions, narrowed, session_totals, sessions, vouched

__all__ = [
    "AppliedPolicy", "Day", "DetailRow", "MxRow", "ResultRow", "Scope", "SourceRow", "Sums", "by_day", "by_mx",
    "by_result", "by_source", "details", "folded", "folded_types", "sparks", "sums",
]  # fmt: skip

MAX_ROWS = 200
"""Result types, senders or mail servers in one list, the worst or largest first."""
MAX_MX = 5
"""Mail servers that stand beside a result type."""
MAX_DAYS = 92
"""Days of a sender's spark: the last ones of the range."""
_MAX_WORDS = 4000


@dataclass(frozen=True, slots=True)
class Day:
    """The sessions of one UTC day. `reports == 0`: nobody reported, which is not the same as no sessions."""

    day: date
    successful_session_count: int = 0
    failed_session_count: int = 0
    reports: int = 0

    @property
    def sessions(self) -> int:
        return self.successful_session_count + self.failed_session_count

    @property
    def failure_rate(self) -> float:
        """0 to 1."""
        return self.failed_session_count / self.sessions if self.sessions else 0.0


@dataclass(frozen=True, slots=True)
class ResultRow:
    """What failed in one way, under one policy type."""

    policy_type: str
    result_type: str
    failed_session_count: int
    mx: tuple[tuple[str, int], ...]
    """The hosts with the most failures and how many, worst first, at most `MAX_MX`; "" is a host that was not told."""
    mx_count: int
    domains: int
    submitters: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class SourceRow:
    """What one sender reported. `organization_name` is its own word for itself."""

    submitter: str
    organization_name: str
    successful_session_count: int
    failed_session_count: int
    reports: int
    last: date
    days: tuple[Day, ...]
    """Every day of the range, oldest first; the last `MAX_DAYS` of a long one."""
    applied: AppliedPolicy | None
    """None: its newest report holds no policy."""

    @property
    def sessions(self) -> int:
        return self.successful_session_count + self.failed_session_count

    @property
    def failure_rate(self) -> float:
        """0 to 1."""
        return self.failed_session_count / self.sessions if self.sessions else 0.0


@dataclass(frozen=True, slots=True)
class MxRow:
    """What failed at one mail server; "" is one that was not told."""

    mx: str
    failed_session_count: int
    results: tuple[tuple[str, int], ...]
    """Result types with their sessions, worst first."""
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Sums:
    """The whole of a scope."""

    successful_session_count: int
    failed_session_count: int
    reports: int
    submitters: int
    last: date | None
    """The newest day that was reported on."""
    uncounted_reports: int
    """Reports of the range that are in none of these figures, since nobody vouches for them."""

    @property
    def sessions(self) -> int:
        return self.successful_session_count + self.failed_session_count

    @property
    def failure_rate(self) -> float:
        """0 to 1."""
        return self.failed_session_count / self.sessions if self.sessions else 0.0


def by_day(scope: Scope) -> list[Day]:
    """Every day of the range, oldest first. One query; two for a range of one domain that holds a whole month."""
    found: dict[date, Day] = {}
    for stretch in session_stretches(scope):
        span = replace(scope, first=stretch.first, last=stretch.last)
        summed = stretch.whole and scope.submitter is None
        rows = _day_sums(span) if summed else session_totals(span)
        found |= {row["day"]: _day(row) for row in _daily(rows, "day")}
    return _filled(scope.days, found)


def by_result(scope: Scope) -> list[ResultRow]:
    """Result types by policy type, worst first. Two queries; four for a range that holds a whole month."""
    groups, hosts = _within(scope, ("policy_type", "result_type"), "mx")
    told = submitters(scope)
    return [
        ResultRow(
            policy_type=each.by[0],
            result_type=each.by[1],
            failed_session_count=each.failed_session_count,
            mx=tuple(hosts[each.by][:MAX_MX]),
            mx_count=each.different,
            domains=each.domains,
            submitters=told.get(each.by, 0),
            first=each.first,
            last=each.last,
        )
        for each in groups
    ]


def by_mx(scope: Scope) -> list[MxRow]:
    """Mail servers, worst first. One query; two for a range that holds a whole month."""
    groups, results = _within(scope, ("mx",), "result_type")
    return [
        MxRow(each.by[0], each.failed_session_count, tuple(results[each.by]), each.first, each.last) for each in groups
    ]


def by_source(scope: Scope) -> list[SourceRow]:
    """Senders, the one with the most sessions first. Four queries; five for whole months of one domain."""
    found = reported_by_source(scope, MAX_ROWS)
    days = _days_by_submitter(scope, [each.submitter for each in found])
    told = newest(scope, {each.submitter: each.last for each in found if each.last})
    return [_source(each, days[each.submitter], told.get(each.submitter)) for each in found]


def sums(scope: Scope) -> Sums:
    """The whole. One query; two for a range of one domain that holds a whole month."""
    found = reported(scope)
    return Sums(
        successful_session_count=found.successful_session_count,
        failed_session_count=found.failed_session_count,
        reports=found.reports,
        submitters=found.submitters,
        last=found.last,
        uncounted_reports=found.uncounted,
    )


def sparks(domains: Sequence[HostedDomain], last: date, days: int = 30) -> dict[int, list[Day]]:
    """By key of each of these domains of one organisation, its counted days until `last`. One query."""
    if not domains:
        return {}
    wanted = [last - timedelta(days=number) for number in reversed(range(days))]
    # The domains were found through the tenant's door; their keys stand for it.
    rows = DailyTotal.objects.everywhere().filter(domain__in=[domain.pk for domain in domains])
    rows = sessions(rows.filter(vouched(domains), day__range=(wanted[0], last)))
    found: dict[int, dict[date, Day]] = {domain.pk: {} for domain in domains}
    for row in _daily(rows.order_by(), "domain_id", "day"):
        found[row["domain_id"]][row["day"]] = _day(row)
    return {key: _filled(wanted, each) for key, each in found.items()}


def _daily(rows: QuerySet[Any], *by: str) -> QuerySet[Any, dict[str, Any]]:
    summed = {"successful": Sessions("successful_session_count"), "failed": Sessions("failed_session_count")}
    found: QuerySet[Any, dict[str, Any]] = rows.order_by().values(*by).annotate(**summed, count=Sum("reports"))
    return found


def _day_sums(scope: Scope) -> QuerySet[DaySum]:
    return narrowed(DaySum.objects.everywhere().filter(day__range=(scope.first, scope.last)), scope)


def _within(
    scope: Scope, by: tuple[str, ...], each: str
) -> tuple[list[Failed], dict[tuple[str, ...], list[tuple[str, int]]]]:
    """The groups, worst first, and by group the words within it with their failed sessions, worst first."""
    groups: list[Failed] = []
    words: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    for found in failed(scope, by, each, MAX_ROWS + _MAX_WORDS):
        if found.each is None:
            groups.append(found)
        else:
            words[found.by].append((found.each, found.failed_session_count))
    groups.sort(key=lambda found: (-found.failed_session_count, *reversed(found.by)))
    for pairs in words.values():
        pairs.sort(key=lambda pair: (-pair[1], pair[0]))
    return groups[:MAX_ROWS], words


def _day(row: Mapping[str, Any]) -> Day:
    return Day(row["day"], int(row["successful"]), int(row["failed"]), row["count"])


def _both(one: Day | None, other: Day) -> Day:
    """Two parts of the same day."""
    if one is None:
        return other
    return Day(
        one.day,
        one.successful_session_count + other.successful_session_count,
        one.failed_session_count + other.failed_session_count,
        one.reports + other.reports,
    )


def _filled(days: Iterable[date], found: Mapping[date, Day]) -> list[Day]:
    return [found.get(day) or Day(day) for day in days]


def _days_by_submitter(scope: Scope, submitters: Sequence[str]) -> dict[str, tuple[Day, ...]]:
    wanted = scope.days[-MAX_DAYS:]
    found: dict[str, dict[date, Day]] = {submitter: {} for submitter in submitters}
    if found:
        rows = session_totals(replace(scope, first=wanted[0])).filter(submitter__in=submitters)
        for row in _daily(rows, "day", "trust", "submitter"):  # in the order of the index, which takes no sorting
            days = found[row["submitter"]]
            days[row["day"]] = _both(days.get(row["day"]), _day(row))
    return {submitter: tuple(_filled(wanted, each)) for submitter, each in found.items()}


def _source(each: Reported, days: tuple[Day, ...], told: Newest | None) -> SourceRow:
    return SourceRow(
        submitter=each.submitter,
        organization_name=told.organization_name if told else "",
        successful_session_count=each.successful_session_count,
        failed_session_count=each.failed_session_count,
        reports=each.reports,
        last=each.last or days[-1].day,
        days=days,
        applied=told.applied if told else None,
    )
