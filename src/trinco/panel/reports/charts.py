"""The questions behind the charts, tables and exports of the TLS reports (RFC 8460 section 4).

Every sum comes from `DailyTotal`, in a number of queries that does not depend on how much there is, and no list is
longer than its bound: what strangers write decides how many result types, senders and mail servers there seem to be.
`details` and `newest` look at single reports.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, F, Max, Min, Q, QuerySet, Sum

from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.drill import AppliedPolicy, DetailRow, Newest, details, newest
from trinco.panel.reports.models import DailyTotal, Trust
from trinco.panel.reports.scope import VOUCHED, Scope, Sessions, failures, sessions, totals, uncounted

__all__ = [
    "AppliedPolicy", "Day", "DetailRow", "MxRow", "ResultRow", "Scope", "SourceRow", "Sums", "by_day", "by_mx",
    "by_result", "by_source", "details", "sparks", "sums",
]  # fmt: skip

MAX_ROWS = 200
"""Result types, senders or mail servers in one list, the worst or largest first."""
MAX_MX = 5
"""Mail servers that stand beside a result type."""
MAX_DAYS = 92
"""Days of a sender's spark: the last ones of the range."""
_MAX_PAIRS = 4000


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
    """Every day of the range, oldest first. One query."""
    found = {row["day"]: _day(row) for row in _daily(sessions(totals(scope)), "day")}
    return _filled(scope.days, found)


def by_result(scope: Scope) -> list[ResultRow]:
    """Result types by policy type, worst first. Two queries."""
    rows = failures(totals(scope)).order_by()
    grouped = rows.values("policy_type", "result_type").annotate(
        failed=Sessions("failed_session_count"),
        first=Min("day"),
        last=Max("day"),
        hosts=Count("mx", distinct=True),
        domains=Count("domain", distinct=True),
        submitters=Count("submitter", distinct=True),
    )
    found = list(grouped.order_by("-failed", "result_type", "policy_type")[:MAX_ROWS])
    hosts = _pairs(rows, ("policy_type", "result_type"), "mx")
    return [
        ResultRow(
            policy_type=row["policy_type"],
            result_type=row["result_type"],
            failed_session_count=int(row["failed"]),
            mx=tuple(hosts[row["policy_type"], row["result_type"]][:MAX_MX]),
            mx_count=row["hosts"],
            domains=row["domains"],
            submitters=row["submitters"],
            first=row["first"],
            last=row["last"],
        )
        for row in found
    ]


def by_mx(scope: Scope) -> list[MxRow]:
    """Mail servers, worst first. Two queries."""
    rows = failures(totals(scope)).order_by()
    grouped = rows.values("mx").annotate(failed=Sessions("failed_session_count"), first=Min("day"), last=Max("day"))
    found = list(grouped.order_by("-failed", "mx")[:MAX_ROWS])
    results = _pairs(rows.filter(mx__in=[row["mx"] for row in found]), ("mx",), "result_type")
    return [
        MxRow(row["mx"], int(row["failed"]), tuple(results[row["mx"],]), row["first"], row["last"]) for row in found
    ]


def by_source(scope: Scope) -> list[SourceRow]:
    """Senders, the one with the most sessions first. Four queries."""
    rows = sessions(totals(scope)).order_by()
    grouped = _daily(rows, "submitter").annotate(last=Max("day"), both=F("successful") + F("failed"))
    found = list(grouped.order_by("-both", "submitter")[:MAX_ROWS])
    days = _days_by_submitter(scope, rows, [row["submitter"] for row in found])
    told = newest(scope, {row["submitter"]: row["last"] for row in found})
    return [_source(row, days[row["submitter"]], told.get(row["submitter"])) for row in found]


def sums(scope: Scope) -> Sums:
    """The whole. Two queries."""
    rows = sessions(totals(scope)).order_by()
    found = rows.aggregate(
        successful=Sessions("successful_session_count"),
        failed=Sessions("failed_session_count"),
        count=Sum("reports"),
        submitters=Count("submitter", distinct=True),
        last=Max("day"),
    )
    left_out = 0 if scope.everything else sessions(uncounted(scope)).aggregate(count=Sum("reports"))["count"]
    return Sums(
        successful_session_count=int(found["successful"] or 0),
        failed_session_count=int(found["failed"] or 0),
        reports=found["count"] or 0,
        submitters=found["submitters"],
        last=found["last"],
        uncounted_reports=left_out or 0,
    )


def sparks(domains: Sequence[HostedDomain], last: date, days: int = 30) -> dict[int, list[Day]]:
    """By key of each of these domains of one organisation, its counted days until `last`. One query."""
    if not domains:
        return {}
    wanted = [last - timedelta(days=number) for number in reversed(range(days))]
    # The domains were found through the tenant's door; their keys stand for it.
    rows = DailyTotal.objects.everywhere().filter(domain__in=[domain.pk for domain in domains])
    trusting = [domain.pk for domain in domains if domain.trust_https]
    vouched = Q(trust__in=VOUCHED) | Q(trust=Trust.HTTPS, domain__in=trusting)
    rows = sessions(rows.filter(vouched, day__range=(wanted[0], last)))
    found: dict[int, dict[date, Day]] = {domain.pk: {} for domain in domains}
    for row in _daily(rows.order_by(), "domain_id", "day"):
        found[row["domain_id"]][row["day"]] = _day(row)
    return {key: _filled(wanted, each) for key, each in found.items()}


def _daily(rows: QuerySet[DailyTotal], *by: str) -> QuerySet[DailyTotal, dict[str, Any]]:
    return _summed(rows.order_by().values(*by))


def _summed(rows: QuerySet[DailyTotal, dict[str, Any]]) -> QuerySet[DailyTotal, dict[str, Any]]:
    return rows.annotate(
        successful=Sessions("successful_session_count"),
        failed=Sessions("failed_session_count"),
        count=Sum("reports"),
    )


def _pairs(
    rows: QuerySet[DailyTotal], group: tuple[str, ...], each: str
) -> Mapping[tuple[str, ...], list[tuple[str, int]]]:
    """By group, the values of `each` with their failed sessions, worst first."""
    found: dict[tuple[str, ...], list[tuple[str, int]]] = defaultdict(list)
    grouped = rows.values(*group, each).annotate(failed=Sessions("failed_session_count"))
    for row in grouped.order_by("-failed", each)[:_MAX_PAIRS]:
        found[tuple(row[name] for name in group)].append((row[each], int(row["failed"])))
    return found


def _day(row: Mapping[str, Any]) -> Day:
    return Day(row["day"], int(row["successful"]), int(row["failed"]), row["count"])


def _filled(days: Iterable[date], found: Mapping[date, Day]) -> list[Day]:
    return [found.get(day) or Day(day) for day in days]


def _days_by_submitter(
    scope: Scope, rows: QuerySet[DailyTotal], submitters: Sequence[str]
) -> dict[str, tuple[Day, ...]]:
    wanted = scope.days[-MAX_DAYS:]
    found: dict[str, dict[date, Day]] = {submitter: {} for submitter in submitters}
    if found:
        for row in _daily(rows.filter(submitter__in=submitters, day__gte=wanted[0]), "submitter", "day"):
            found[row["submitter"]][row["day"]] = _day(row)
    return {submitter: tuple(_filled(wanted, each)) for submitter, each in found.items()}


def _source(row: Mapping[str, Any], days: tuple[Day, ...], told: Newest | None) -> SourceRow:
    return SourceRow(
        submitter=row["submitter"],
        organization_name=told.organization_name if told else "",
        successful_session_count=int(row["successful"]),
        failed_session_count=int(row["failed"]),
        reports=row["count"],
        last=row["last"],
        days=days,
        applied=told.applied if told else None,
    )
