"""Totals added up over a range of days: whole months from their sums where they have some, the days around them one by
one, all in one statement.

Django does not add up a union of queries. So the rows of each stretch are found by its queries, tenant and all, and
what is written here by hand is the sum around them, of our own words alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import partial
from typing import Any

from django.db import connection
from django.db.models import Case, F, Max, Min, QuerySet, Sum, When

from trinco.core.tlsrpt.report import MAX_COUNT
from trinco.panel.reports import months
from trinco.panel.reports.month_models import MonthFailure, MonthTotal
from trinco.panel.reports.scope import (
    Scope,
    Sessions,
    counted,
    failure_totals,
    failures,
    narrowed,
    session_totals,
    sessions,
)


@dataclass(frozen=True, slots=True)
class Stretch:
    """Days from `first` to `last`, read one by one or, where all of them are whole months, from the months' sums."""

    first: date
    last: date
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """All sessions of a range, or those of one sender."""

    submitter: str
    successful_session_count: int
    failed_session_count: int
    reports: int
    uncounted: int
    """Reports of the same days that are in none of these figures, since nobody vouches for them."""
    submitters: int
    last: date | None


@dataclass(frozen=True, slots=True)
class Failed:
    """A group of failures; or, within it, those of one word `each`."""

    by: tuple[str, ...]
    each: str | None
    failed_session_count: int
    first: date
    last: date
    different: int
    """How many words there are within the group; 0 for one word."""
    domains: int


def reported(scope: Scope) -> Reported:
    """All sessions of the scope. One query, and one more where the range of one domain holds a whole month."""
    rows, parameters = _rows(replace(scope, everything=True), partial(_sessions, scope), session_totals)
    [found] = _fetched(f"SELECT '', {_counts()} FROM ({rows}) AS found", parameters)  # noqa: S608
    return _reported(found)


def reported_by_source(scope: Scope, limit: int) -> list[Reported]:
    """The senders with the most sessions; `uncounted` is 0. As many queries as `reported`."""
    rows, parameters = _rows(scope, partial(_sessions, replace(scope, everything=True)), session_totals)
    statement = (
        f"SELECT submitter, {_counts()} FROM ({rows}) AS found GROUP BY submitter "  # noqa: S608
        f"ORDER BY SUM(1.0 * successful + failed) DESC, submitter LIMIT {limit:d}"
    )
    return [_reported(row) for row in _fetched(statement, parameters)]


def failed(scope: Scope, by: tuple[str, ...], each: str, limit: int) -> list[Failed]:
    """Failures by these columns, and within each group by the column `each`: the worst first, a group before its words.

    As many queries as `reported`.
    """
    rows, parameters = _rows(scope, _failures, failure_totals)
    groups = ", ".join(by)
    sums = f"{_total('failed')} AS failed, MIN(first_day) AS first_day, MAX(last_day) AS last_day"
    statement = (
        # By domain as well, so that the two questions below read few rows: how many domains is all they ask of it.
        f"WITH found AS (SELECT domain_id, policy_type, result_type, mx, {sums} FROM ({rows}) AS parts"  # noqa: S608
        " GROUP BY domain_id, policy_type, result_type, mx) "
        f"SELECT {groups}, NULL AS word, {sums}, COUNT(DISTINCT {each}) AS different, COUNT(DISTINCT domain_id)"
        f" FROM found GROUP BY {groups} UNION ALL "
        f"SELECT {groups}, {each} AS word, {sums}, 0 AS different, 0 FROM found GROUP BY {groups}, {each} "
        f"ORDER BY failed DESC, different DESC LIMIT {limit:d}"
    )
    return [_failed(row, len(by)) for row in _fetched(statement, parameters)]


def submitters(scope: Scope) -> dict[tuple[str, ...], int]:
    """By policy type and result type, how many senders told of such failures. As many queries as `reported`."""
    rows, parameters = _rows(scope, _senders, failure_totals, every=False)
    statement = (
        f"SELECT policy_type, result_type, COUNT(DISTINCT submitter) FROM ({rows}) AS found "  # noqa: S608
        "GROUP BY policy_type, result_type"
    )
    return {(policy_type, result_type): count for policy_type, result_type, count in _fetched(statement, parameters)}


def stretches(scope: Scope) -> list[Stretch]:
    """The range in as few pieces as it takes, oldest first. One query where it holds a whole month."""
    found: list[Stretch] = []
    for piece in _pieces(scope, months.usable(scope)):
        joins = found and found[-1].whole == piece.whole
        found.append(Stretch(found.pop().first, piece.last, piece.whole) if joins else piece)
    return found


def session_stretches(scope: Scope) -> list[Stretch]:
    """`stretches` for all sessions: days of an organisation are added up over its domains, and need no months."""
    return [Stretch(scope.first, scope.last)] if scope.domain is None else stretches(scope)


def _pieces(scope: Scope, whole: set[date]) -> Iterator[Stretch]:
    first = scope.first
    while first <= scope.last:
        last = min(months.after(first) - timedelta(days=1), scope.last)
        yield Stretch(first, last, first in whole)
        first = last + timedelta(days=1)


Part = Callable[[QuerySet[Any], str, str, str], QuerySet[Any]]
"""From the rows of a stretch to its query. The words are the columns of its day or month, of the first and last day."""


Days = Callable[[Scope], QuerySet[Any]]
"""The daily totals of a scope, of which a part is made."""


def _rows(scope: Scope, part: Part, days: Days, *, every: bool = True) -> tuple[str, Sequence[Any]]:
    """The rows of all stretches, or with `every` False each once."""
    pieces = session_stretches(scope) if days is session_totals else stretches(scope)
    parts = [_of(scope, piece, part, days) for piece in pieces]
    whole = parts[0].union(*parts[1:], all=every) if len(parts) > 1 else parts[0]
    return whole.query.sql_with_params()


def _of(scope: Scope, stretch: Stretch, part: Part, days: Days) -> QuerySet[Any]:
    if not stretch.whole:
        return part(days(replace(scope, first=stretch.first, last=stretch.last)).order_by(), "day", "day", "day")
    model = MonthFailure if part is _failures and scope.submitter is None else MonthTotal
    rows = narrowed(model.objects.everywhere().filter(month__range=(stretch.first, stretch.last)), scope)
    kind = sessions if days is session_totals else failures
    return part(kind(rows).order_by(), "month", "first", "last")


def _sessions(wanted: Scope, rows: QuerySet[Any], when: str, _first: str, last: str) -> QuerySet[Any]:
    """What counts in `wanted`, and of `every` report how many there are: `last_day` is NULL where none counts.

    Days are added up in the order of the index, which takes no sorting; months are few as they are. Rows of an
    organisation's day of which nothing is left are none.
    """
    told = {
        "successful": Sessions(_counting(wanted, "successful_session_count")),
        "failed": Sessions(_counting(wanted, "failed_session_count")),
        "told": Sum(_counting(wanted, "reports")),
        "every": Sum("reports"),
        "last_day": Max(_counting(wanted, last)),
    }
    by = (when, "trust", "submitter") if when == "day" else ("pk", "submitter")
    found: QuerySet[Any] = rows.values(*by).annotate(**told)
    if wanted.domain is None:
        found = rows.values(*by, "domain").annotate(there=Sum("totals"), **told).filter(there__gt=0)
    return found.values("submitter", *told)


def _counting(wanted: Scope, column: str) -> F | Case:
    """The column where its row counts, NULL elsewhere."""
    return F(column) if wanted.everything else Case(When(counted(wanted), then=F(column)))


def _failures(rows: QuerySet[Any], _when: str, first: str, last: str) -> QuerySet[Any]:
    """Added up over days and senders at once: what fails fails for many days."""
    places = rows.values("domain_id", "policy_type", "result_type", "mx")
    found: QuerySet[Any] = places.annotate(
        failed=Sessions("failed_session_count"), first_day=Min(first), last_day=Max(last)
    )
    return found


def _senders(rows: QuerySet[Any], _when: str, _first: str, _last: str) -> QuerySet[Any]:
    found: QuerySet[Any] = rows.values("policy_type", "result_type", "submitter").distinct()
    return found


def _total(column: str) -> str:
    """A sum that may pass 2^63-1, as two reports of a liar do: SQLite's SUM would raise an error there."""
    return f"CAST(TOTAL({column}) AS INTEGER)" if connection.vendor == "sqlite" else f"SUM({column})"


def _counts() -> str:
    summed = ", ".join(map(_total, ("successful", "failed", "told", "every")))
    return f"{summed}, COUNT(DISTINCT CASE WHEN last_day IS NOT NULL THEN submitter END), MAX(last_day)"


def _fetched(statement: str, parameters: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())


def _reported(row: tuple[Any, ...]) -> Reported:
    submitter, *counts, senders, last = row
    successful, failures_, told, every = (min(int(count or 0), MAX_COUNT) for count in counts)
    return Reported(submitter, successful, failures_, told, every - told, senders, _day(last))


def _failed(row: tuple[Any, ...], groups: int) -> Failed:
    by, (word, count, first, last, different, domains) = row[:groups], row[groups:]
    return Failed(by, word, int(count), _day(first), _day(last), different, domains)


def _day(value: Any) -> Any:
    """SQLite gives what is not a column as text."""
    return date.fromisoformat(value) if isinstance(value, str) else value
