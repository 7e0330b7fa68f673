"""What a report adds to the daily totals, and the totals of a day from its reports.

Sessions, never messages. Three kinds of rows are written, and never added to each other (`DailyTotal`):

- all sessions of a report (`combined`): `sts` and `tlsa` of one report count the same sessions, so that the greater of
  the two stands for both: sessions = the greater total, failed = the greater number of failures, no more than sessions,
  successful = the rest. Every other policy type is added to that;
- the summaries of each policy type;
- the failure details of each policy type, result and MX, which may be more or less than the summary says.

Sums stop at 2**63 - 1. A stranger chooses the words of a report, and totals stay for ever: so one report has at most
`MAX_TYPES` policy types and `MAX_RESULTS` pairs of result and MX in the totals; what comes after the largest of them is
counted under the word `-`, and so is an empty word. The rows below the totals keep them all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TypeVar

import msgspec

from trinco.core.tlsrpt.report import MAX_COUNT, Totals
from trinco.panel.reports import months, rows
from trinco.panel.reports.models import ClosedDay, DailyTotal, FailureRow, PolicyRow, Report

MAX_TYPES = 16
MAX_RESULTS = 200
NAMELESS = "-"

SAME_SESSIONS = frozenset({"sts", "tlsa"})

KEY = ("domain_id", "day", "trust", "submitter", "policy_type", "result_type", "mx")
COUNTS = ("successful_session_count", "failed_session_count", "reports")

Key = tuple[str, str, str]
"""policy_type, result_type, mx."""
Word = TypeVar("Word", str, Key)
Counts = tuple[int, int, int]
"""Successful and failed sessions, reports."""


@dataclass(frozen=True, slots=True)
class Whose:
    """On which account a report is counted."""

    organisation: int
    domain: int
    day: date
    trust: str
    submitter: str

    @property
    def slice(self) -> tuple[int, date]:
        """The domain and day whose totals it changes."""
        return self.domain, self.day


@dataclass(frozen=True, slots=True)
class Told:
    """What one report tells: of all sessions, under each policy type, and of each failure."""

    everything: Totals
    summaries: Mapping[str, Totals]
    failures: Mapping[Key, int]


def told(policies: Iterable[tuple[str, int, int]], failures: Iterable[tuple[str, str, str, int]]) -> Told:
    """From (policy_type, successful, failed) and (policy_type, result_type, mx, failed), as the columns have them."""
    summaries: dict[str, Totals] = {}
    for policy_type, successful, failed in policies:
        _add_to(summaries, policy_type or NAMELESS, Totals(successful, failed))
    details: defaultdict[Key, int] = defaultdict(int)
    for policy_type, result_type, mx, failed in failures:
        details[policy_type or NAMELESS, result_type or NAMELESS, mx] += failed
    everything = combined(summaries)
    if len(summaries) > MAX_TYPES or len(details) > MAX_RESULTS:
        return Told(everything, *_folded(summaries, details))
    return Told(everything, summaries, details)


def combined(summaries: Mapping[str, Totals]) -> Totals:
    """All sessions of one report, from its summaries by policy type: see the module."""
    same = [summaries[one] for one in SAME_SESSIONS & summaries.keys()]
    others = [sums for policy_type, sums in summaries.items() if policy_type not in SAME_SESSIONS]
    sessions = max((each.successful_session_count + each.failed_session_count for each in same), default=0)
    failed = max((each.failed_session_count for each in same), default=0)
    return Totals(
        fitting(sessions - failed + sum(each.successful_session_count for each in others)),
        fitting(failed + sum(each.failed_session_count for each in others)),
    )


def fitting(count: int) -> int:
    """The count, or the largest that a column holds."""
    return min(count, MAX_COUNT)


def add(reports: Iterable[tuple[Whose, Told]]) -> None:
    """Add these reports to the totals. Under the locks of their domains."""
    sums: defaultdict[tuple[Whose, Key], list[int]] = defaultdict(lambda: [0, 0, 0])
    for whose, each in reports:
        for key, counts in _contributions(each):
            sum_of = sums[whose, key]
            for at, count in enumerate(counts):
                sum_of[at] = fitting(sum_of[at] + count)
    months.stale((whose.domain, whose.day) for whose, _key in sums)
    values = (
        (w.domain, w.day, w.trust, w.submitter, *key, w.organisation, *counts) for (w, key), counts in sums.items()
    )
    rows.add(DailyTotal, KEY, COUNTS, values, beside=("organisation_id",))


def recompute(domain: int, days: Collection[date]) -> None:
    """Work out the totals of these days of a domain anew, from its counted reports.

    Never for a day whose reports retention has removed: its totals are all that is left of it (`closed_days`).
    """
    months.stale((domain, day) for day in days)
    DailyTotal.objects.everywhere().filter(domain=domain, day__in=days).delete()
    counted = Report.objects.everywhere().filter(domain=domain, day__in=days, counted=True)
    columns = ("pk", "organisation_id", "domain_id", "day", "trust", "submitter")
    whose = {pk: Whose(*rest) for pk, *rest in counted.values_list(*columns)}
    policies: defaultdict[int, list[tuple[str, int, int]]] = defaultdict(list)
    below = PolicyRow.objects.everywhere().filter(report__in=counted.values("pk")).order_by("report", "position")
    for pk, *summary in below.values_list("report_id", "policy_type", *COUNTS[:2]):
        policies[pk].append(tuple(summary))
    failures: defaultdict[int, list[tuple[str, str, str, int]]] = defaultdict(list)
    details = FailureRow.objects.everywhere().filter(report__in=counted.values("pk"))
    columns_below = ("report_id", "policy_type", "result_type", "receiving_mx_hostname", "failed_session_count")
    for pk, *detail in details.values_list(*columns_below):
        failures[pk].append(tuple(detail))
    add((whose[pk], told(policies[pk], failures[pk])) for pk in whose)


def closed_days(slices: Collection[tuple[int, date]]) -> set[tuple[int, date]]:
    """Those of these (domain, day) whose reports retention has removed."""
    pairs = set(slices)
    narrow = {"domain__in": {domain for domain, _ in pairs}, "day__in": {day for _, day in pairs}}
    return pairs & set(ClosedDay.objects.everywhere().filter(**narrow).values_list("domain_id", "day"))


def _contributions(each: Told) -> Iterator[tuple[Key, Counts]]:
    yield ("", "", ""), (each.everything.successful_session_count, each.everything.failed_session_count, 1)
    for policy_type, sums in each.summaries.items():
        yield (policy_type, "", ""), (sums.successful_session_count, sums.failed_session_count, 1)
    for key, failed in each.failures.items():
        yield key, (0, failed, 1)


def _folded(summaries: Mapping[str, Totals], details: Mapping[Key, int]) -> tuple[dict[str, Totals], dict[Key, int]]:
    """The largest, and what comes after them under NAMELESS."""
    types = _largest({one: sum(msgspec.structs.astuple(sums)) for one, sums in summaries.items()}, MAX_TYPES)
    results = _largest(details, MAX_RESULTS)
    few: dict[str, Totals] = {}
    for policy_type, sums in summaries.items():
        _add_to(few, policy_type if policy_type in types else NAMELESS, sums)
    failures: defaultdict[Key, int] = defaultdict(int)
    for key, failed in details.items():
        policy_type = key[0] if key[0] in types else NAMELESS
        failures[(policy_type, *key[1:]) if key in results else (policy_type, NAMELESS, "")] += failed
    return few, failures


def _largest(counts: Mapping[Word, int], most: int) -> set[Word]:
    return set(sorted(counts, key=lambda word: (-counts[word], word))[:most])


def _add_to(summaries: dict[str, Totals], policy_type: str, more: Totals) -> None:
    before = summaries.get(policy_type, Totals(0, 0))
    summaries[policy_type] = Totals(
        before.successful_session_count + more.successful_session_count,
        before.failed_session_count + more.failed_session_count,
    )
