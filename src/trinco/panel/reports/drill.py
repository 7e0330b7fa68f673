"""Below the totals: the failure details of single reports, and what each sender's newest report says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date, timedelta
from typing import Any

from django.db.models import Count, Exists, Max, Min, OuterRef, Q, QuerySet

from trinco.panel.policies.models import PolicyVersion
from trinco.panel.reports.models import Applied, FailureRow, PolicyRow, Report
from trinco.panel.reports.scope import Scope, Sessions, counted, failure_totals, failures, totals
from trinco.panel.reports.totals import MAX_RESULTS, MAX_TYPES, NAMELESS

MAX_DETAILS = 200
_SHOWN = 5
"""Reports that are named as those with too many kinds of failure."""
_PLACES = 200
"""Days of senders of whose reports the kinds of failure are counted, the newest first."""
ENOUGH = 5_000
"""Totals whose details are looked at: days before the one on which the newest come to so many are left out."""
_FURTHER = (31, 366, 100_000)
"""Days that are counted back, as long as there are not enough."""
MAX_FAILURES = 50_000
"""Rows that are looked at, the newest first, however many one sender put into its reports."""
_GROUP = (
    "domain__name",
    "policy_type",
    "result_type",
    "submitter",
    "receiving_mx_hostname",
    "receiving_ip",
    "sending_mta_ip",
    "failure_reason_code",
    "additional_information",
    "policy__version__mode",
)


@dataclass(frozen=True, slots=True)
class DetailRow:
    """Failure details that say the same, added up. All texts are a stranger's."""

    domain: str
    policy_type: str
    result_type: str
    submitter: str
    receiving_mx_hostname: str
    receiving_ip: str
    sending_mta_ip: str
    failure_reason_code: str
    additional_information: str
    mode: str
    """Of the policy of ours that the sender applied; "" where it was none, or is not told."""
    failed_session_count: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class AppliedPolicy:
    """What a sender's newest report says of the policy that it applied."""

    applied: Applied
    version: PolicyVersion | None
    """The version of ours that it was, with its domain."""
    seen: date


@dataclass(frozen=True, slots=True)
class Newest:
    """What a sender's newest report says of the sender."""

    organization_name: str
    applied: AppliedPolicy | None


@dataclass(frozen=True, slots=True)
class Folded:
    """A report of which the totals name the `named` largest kinds of failure, or policy types, and not all `kinds`."""

    report: int
    submitter: str
    day: date
    kinds: int
    named: int = MAX_RESULTS
    of_types: bool = False
    """Whether it is policy types that are too many."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which details: None is any."""

    result_type: str | None = None
    mx: str | None = None
    policy_type: str | None = None

    @staticmethod
    def names() -> tuple[str, ...]:
        """The words by which an address asks for them."""
        return tuple(field.name for field in fields(Wanted))

    def of(self, mx: str) -> Q:
        """The filter; `mx` is the column's name. Totals have one word for a result type or policy type left empty."""
        told = {mx: self.mx} if self.mx is not None else {}
        words = {"result_type": self.result_type, "policy_type": self.policy_type}
        either = {
            f"{name}__in": {word, "" if word == NAMELESS else word} for name, word in words.items() if word is not None
        }
        return Q(**told, **either)


def details(
    scope: Scope,
    *,
    result_type: str | None = None,
    mx: str | None = None,
    policy_type: str | None = None,
    limit: int = MAX_DETAILS,
) -> list[DetailRow]:
    """The failure details of the counted reports, grouped, worst first. Two queries; four for a long range.

    Of a long range with many failures only the newest days are looked at (`ENOUGH`).
    """
    wanted = Wanted(result_type, mx, policy_type)
    since = _since(scope, wanted)
    if since is None:
        return []
    rows = FailureRow.objects.of(scope.organisation).filter(pk__in=_newest_rows(scope, wanted, since))
    grouped = rows.values(*_GROUP).annotate(failed=Sessions("failed_session_count"), first=Min("day"), last=Max("day"))
    return [_detail(row) for row in grouped.order_by("-failed", *_GROUP)[:limit]]


def _since(scope: Scope, wanted: Wanted) -> date | None:
    """The oldest day whose details are looked at; None: there is no failure of that kind."""
    since, seen = None, 0
    for days in _FURTHER:
        first = max(scope.first, scope.last - timedelta(days=days - 1))
        since, seen = _counted_back(replace(scope, first=first), wanted)
        if seen >= ENOUGH or first == scope.first:
            break
    return since


def _counted_back(scope: Scope, wanted: Wanted) -> tuple[date | None, int]:
    days = failures(totals(scope)).filter(wanted.of("mx")).order_by().values("day").annotate(count=Count("pk"))
    since, seen = None, 0
    for row in days.order_by("-day"):
        since, seen = row["day"], seen + row["count"]
        if seen >= ENOUGH:
            break
    return since, seen


def _newest_rows(scope: Scope, wanted: Wanted, since: date) -> QuerySet[FailureRow, Any]:
    rows = FailureRow.objects.of(scope.organisation).filter(wanted.of("receiving_mx_hostname"), report__counted=True)
    rows = rows.filter(day__range=(since, scope.last))
    if scope.domain is not None:
        rows = rows.filter(domain=scope.domain)
    if scope.submitter is not None:
        rows = rows.filter(submitter=scope.submitter)
    if not scope.everything:
        rows = rows.filter(counted(scope, "report__"))
    return rows.order_by("-day", "-pk").values("pk")[:MAX_FAILURES]


def _detail(row: Mapping[str, Any]) -> DetailRow:
    told = {name: row[name] for name in _GROUP[1:-1]}
    return DetailRow(
        domain=row["domain__name"],
        mode=row["policy__version__mode"] or "",
        failed_session_count=int(row["failed"]),
        first=row["first"],
        last=row["last"],
        **told,
    )


def folded(scope: Scope) -> list[Folded]:
    """Reports of the scope with more kinds of failure than the totals name, the one with most of them first. Three
    queries, and one for each. Of many, those of the newest days are looked at (`_PLACES`)."""
    places = _nameless(scope)
    if not places:
        return []
    # Their domains stand for the tenant: SQLite would rather read every report of the organisation than look for these.
    reports = Report.objects.everywhere().filter(places, counted=True)
    if not scope.everything:
        reports = reports.filter(counted(scope))
    rows = FailureRow.objects.everywhere().filter(report__in=list(reports.order_by().values_list("pk", flat=True)))
    large = rows.order_by().values("report").annotate(n=Count("pk")).filter(n__gt=MAX_RESULTS).order_by("-n", "report")
    columns = ("report__submitter", "report__day")
    found = [
        (row["report"], row[columns[0]], row[columns[1]]) for row in large.values("report", *columns, "n")[:_SHOWN]
    ]
    return [
        one for one in (Folded(key, sender, day, _kinds(key)) for key, sender, day in found) if one.kinds > MAX_RESULTS
    ]


def _nameless(scope: Scope) -> Q:
    """Where the totals have failures without their names, which is told sooner than by counting those of all reports:
    the domain, the day and the sender. Empty: nowhere."""
    rows = failure_totals(scope).filter(result_type=NAMELESS, mx="").order_by("-day", "domain", "submitter")
    places = rows.values("day", "domain", "submitter").distinct()[:_PLACES]
    return Q(*(Q(**place) for place in places), _connector=Q.OR)


def folded_types(scope: Scope) -> list[Folded]:
    """Reports of the scope with more policy types than the totals name, the one with most of them first. One query."""
    reports = Report.objects.of(scope.organisation).filter(counted=True, day__range=(scope.first, scope.last))
    if scope.domain is not None:
        reports = reports.filter(domain=scope.domain)
    if scope.submitter is not None:
        reports = reports.filter(submitter=scope.submitter)
    if not scope.everything:
        reports = reports.filter(counted(scope))
    beyond = PolicyRow.objects.everywhere().filter(position__gte=MAX_TYPES, report=OuterRef("pk"))
    types = Count("policies__policy_type", distinct=True)
    large = reports.filter(Exists(beyond)).order_by().annotate(types=types).filter(types__gt=MAX_TYPES)
    columns = large.order_by("-types", "pk").values_list("pk", "submitter", "day", "types")
    return [Folded(*row, named=MAX_TYPES, of_types=True) for row in columns[:_SHOWN]]


def _kinds(report: int) -> int:
    kinds = FailureRow.objects.everywhere().filter(report=report).order_by()
    return kinds.values("policy_type", "result_type", "receiving_mx_hostname").distinct().count()


def newest(scope: Scope, last: Mapping[str, date]) -> dict[str, Newest]:
    """By submitter, what its newest report says, given the day of that report. Two queries."""
    if not last:
        return {}
    reports = Report.objects.of(scope.organisation).filter(_on_its_last_day(last), counted=True)
    if scope.domain is not None:
        reports = reports.filter(domain=scope.domain)
    if not scope.everything:
        reports = reports.filter(counted(scope))
    keys = reports.order_by().values("submitter").annotate(key=Max("pk")).values("key")
    # Their keys stand for the tenant: SQLite would rather read every report of the organisation than look for these.
    found = Report.objects.everywhere().filter(pk__in=keys)
    policies = _policies(keys)
    return {
        submitter: Newest(name, _applied(policies.get(key, []), day))
        for key, submitter, name, day in found.values_list("pk", "submitter", "organization_name", "day")
    }


def _on_its_last_day(last: Mapping[str, date]) -> Q:
    days: dict[date, list[str]] = {}
    for submitter, day in last.items():
        days.setdefault(day, []).append(submitter)
    return Q(*(Q(day=day, submitter__in=submitters) for day, submitters in days.items()), _connector=Q.OR)


def _policies(keys: QuerySet[Report, Any]) -> dict[int, list[PolicyRow]]:
    found: dict[int, list[PolicyRow]] = {}
    rows = PolicyRow.objects.everywhere().filter(report__in=keys)
    for row in rows.select_related("version__domain").defer("version__body").order_by("report", "position"):
        found.setdefault(row.report_id, []).append(row)
    return found


def _applied(policies: list[PolicyRow], seen: date) -> AppliedPolicy | None:
    """Of the policy that tells most: one that is compared with the ledger goes before one that is not told."""
    if not policies:
        return None
    told = min(policies, key=lambda row: row.applied == Applied.UNTOLD)
    return AppliedPolicy(Applied(told.applied), told.version, seen)
