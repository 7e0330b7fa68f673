"""What the counted reports of the last weeks say of a domain: evidence for enforce, and the trouble that senders meet.

Counted are the reports that somebody vouches for (`reports.scope`). A day without a report says nothing, neither good
nor bad.

A signature says who speaks, and not that it is true: anybody who owns a domain may sign, for as many names in it as he
likes. So no sender is believed for its size, and none alone is believed for ever:
- All senders of one owner are one: names below a domain that somebody registered cost nothing, and neither do reports.
- In the rate over all, a sender has at most `WEIGHT` sessions a day, its successes and failures in proportion: millions
  of successes hide nothing that others saw, in one report or in a thousand.
- Each sender is judged by itself as well: a day with `LEAST` failures or more, and above the limit, is trouble, however
  well the others fared. It may be the one whose route is broken, and is named.
- Where on each such day somebody else reported who met no trouble, and those who did are one sender, it stands against
  the others. That wants attention and is never critical; and after `RECENT` of it, it holds enforce back no longer:
  whoever invents failures gains two weeks.
- The others, too, may be invented. What they gain is that a lone sender's failures are called attention, not critical:
  they hide nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any

from django.db.models import F, QuerySet, Sum, Window
from django.db.models.functions import RowNumber

from trinco.core.names import registrable
from trinco.core.tlsrpt import results
from trinco.core.tlsrpt.results import Severity
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import SERVED
from trinco.panel.reports.charts import Day, sparks
from trinco.panel.reports.models import DailyTotal
from trinco.panel.reports.scope import Sessions, failures, sessions, vouched

WINDOW = 31
"""Days that are looked at, today among them: senders tell of today tomorrow."""
NEEDED = 14
"""Reported days with fewer failures than the limit before enforce is advised."""
RECENT = timedelta(days=14)
"""What is older than that is no evidence of now."""
LOOKED_AT = 3
"""The last reported days, in which trouble shows."""
LEAST = 5
"""Failed sessions: fewer are chance."""
WEIGHT = 1000
"""Sessions of one sender and day that weigh in the rate over all."""
_SENDERS = 1_000
"""Days of senders that are looked at for one domain, those with most sessions of the kind in question: strangers decide
how many there are, and those of one domain take nothing from another's."""
_PART = 200
"""One session in so many is the limit: 0.5 %."""


@dataclass(frozen=True, slots=True)
class Failing:
    """Sessions that failed in one way at one mail server; `mx` is "" where the sender does not tell it."""

    result_type: str
    mx: str
    failed_session_count: int


@dataclass(frozen=True, slots=True)
class Told:
    """What one sender that met failures said of a day. `submitter`: of its names the one that met most of them."""

    submitter: str
    day: Day

    @property
    def troubled(self) -> bool:
        """Whether it is more than chance, by itself."""
        return self.day.failed_session_count >= LEAST and exceeds([self.day])


@dataclass(frozen=True, slots=True)
class Reported:
    """A domain's counted reports. `window`: every day, oldest first; `told`: by sender, where it met failures;
    `failing`: of the last reported days, where they show trouble, worst first; `others`: by day, the sessions that
    those weigh who met no failures. None: it makes no difference whether they are one sender or many."""

    window: tuple[Day, ...] = ()
    failing: tuple[Failing, ...] = ()
    told: tuple[Told, ...] = ()
    others: Mapping[date, int] | None = None

    @property
    def days(self) -> tuple[Day, ...]:
        """Those that were reported on, oldest first, each sender with its weight."""
        by_day, others = self._by_day(self.told), self.others
        most = {day.day: WEIGHT * day.reports if others is None else others.get(day.day, WEIGHT) for day in self.window}
        return tuple(_weighed(day, by_day[day.day], most[day.day]) for day in self.window if day.reports)

    def doubtful(self, today: date) -> bool:
        """Whether it makes a difference how many those are who met no failures."""
        crowded = any(day.reports > 1 and day.successful_session_count > WEIGHT for day in self.window)
        if not self.told or not crowded:
            return False
        one = replace(self, others={})
        return (self.clean, self.in_trouble(today)) != (one.clean, one.in_trouble(today))

    @property
    def alone(self) -> bool:
        """Whether those that met trouble are all of one owner, and others did not on the same days."""
        troubled = self._by_day(one for one in self.told if one.troubled)
        owners = {_owner(one.submitter) for rows in troubled.values() for one in rows}
        others = (day.reports > sum(one.day.reports for one in troubled[day.day]) for day in self.window)
        return len(owners) == 1 and all(
            other for day, other in zip(self.window, others, strict=True) if troubled[day.day]
        )

    @property
    def senders(self) -> tuple[str, ...]:
        """Those that met trouble on the latest days while others did not, the worst first."""
        latest = {day.day: day for day in self.latest}
        rows = [one for one in self.told if one.troubled and one.day.day in latest]
        met: dict[date, int] = defaultdict(int)
        for one in rows:
            met[one.day.day] += one.day.reports
        if not any(latest[day].reports > reports for day, reports in met.items()):
            return ()
        rows.sort(key=lambda one: (-one.day.failed_session_count, one.submitter))
        return tuple(dict.fromkeys(one.submitter for one in rows))

    @property
    def _believed(self) -> Reported:
        """Without those that stand alone against the others for too long."""
        days = [one.day.day for one in self.told if one.troubled]
        if not days or not self.alone or max(days) - min(days) < RECENT:
            return self
        owner = {_owner(one.submitter) for one in self.told if one.troubled}
        left = [one for one in self.told if _owner(one.submitter) in owner]
        gone = self._by_day(left)
        window = tuple(_without(day, gone[day.day]) for day in self.window)
        return Reported(window, (), tuple(one for one in self.told if one not in left), self.others)

    @staticmethod
    def _by_day(told: Iterable[Told]) -> dict[date, list[Told]]:
        rows: dict[date, list[Told]] = defaultdict(list)
        for one in told:
            rows[one.day.day].append(one)
        return rows

    @property
    def last(self) -> date | None:
        """The newest day that was reported on."""
        return self.days[-1].day if self.days else None

    @property
    def clean(self) -> int:
        """Over how many reported days, up to the newest, fewer sessions failed than the limit: as far back as no single
        day shows more than chance, together or for one sender. One session that fails among twenty ends nothing."""
        believed = self._believed
        bad = {one.day.day for one in believed.told if one.troubled}
        count, taken = 0, list[Day]()
        for day in reversed(believed.days):
            if day.day in bad or (day.failed_session_count >= LEAST and exceeds([day])):
                break
            taken.append(day)
            count = count if exceeds(taken) else len(taken)
        return count

    @property
    def latest(self) -> tuple[Day, ...]:
        """The last reported days."""
        return self.days[-LOOKED_AT:]

    def recent(self, today: date) -> tuple[Day, ...]:
        """Those of the latest that are evidence of now."""
        return tuple(day for day in self.latest if today - day.day <= RECENT)

    def in_trouble(self, today: date) -> bool:
        """Whether the last reported days, of the last weeks, show more failures than chance."""
        recent = self.recent(today)
        days = {day.day for day in recent}
        if any(one.troubled and one.day.day in days for one in self.told):
            return True
        return exceeds(recent) and sum(day.failed_session_count for day in recent) >= LEAST

    @property
    def holds_mail_back(self) -> bool:
        """Whether the worst of it is something for which senders hold mail back once a policy is enforced."""
        found = results.result(self.failing[0].result_type) if self.failing else None
        return found is None or found.severity is Severity.ERROR


def exceeds(days: Iterable[Day]) -> bool:
    """Whether 0.5 % of the sessions failed, or more."""
    rows = list(days)
    failed = sum(day.failed_session_count for day in rows)
    return failed > 0 and failed * _PART >= sum(day.sessions for day in rows)


def reported_of(domains: Iterable[HostedDomain], today: date) -> dict[int, Reported]:
    """By key of each domain that is served. One query; one more where sessions failed, one where it is to be known how
    many met no failures, one where there is trouble."""
    served = [domain for domain in domains if domain.state in SERVED]
    windows = sparks(served, today, WINDOW)
    told = _told([domain for domain in served if any(day.failed_session_count for day in windows[domain.pk])], today)
    found = {key: Reported(tuple(days), told=tuple(told.get(key, ()))) for key, days in windows.items()}
    for key, others in _others([domain for domain in served if found[domain.pk].doubtful(today)], found, today).items():
        found[key] = replace(found[key], others=others)
    troubled = [domain for domain in served if found[domain.pk].in_trouble(today)]
    recent = {domain.pk: {day.day for day in found[domain.pk].recent(today)} for domain in troubled}
    for key, failing in _failing(troubled, recent).items():
        found[key] = replace(found[key], failing=failing)
    return found


def _told(domains: Sequence[HostedDomain], today: date) -> dict[int, list[Told]]:
    """By domain, what each sender that met failures said of each day."""
    if not domains:
        return {}
    merged: dict[tuple[int, date, str], Told] = {}
    for key, submitter, day, good, bad, reports in _by_sender(domains, today, "bad", failed_session_count__gt=0):
        which = key, day, _owner(submitter)
        before = merged.get(which) or Told(submitter, Day(day))
        merged[which] = replace(before, day=_together(before.day, Day(day, good, bad, reports)))
    found: dict[int, list[Told]] = defaultdict(list)
    for (key, _day, _sender), told in merged.items():
        found[key].append(told)
    return found


def _others(domains: Sequence[HostedDomain], found: Mapping[int, Reported], today: date) -> dict[int, dict[date, int]]:
    """By domain and day, the sessions that senders weigh who met no failures."""
    if not domains:
        return {}
    failed = {(key, one.day.day, _owner(one.submitter)) for key, each in found.items() for one in each.told}
    merged: dict[tuple[int, date, str], int] = defaultdict(int)
    for key, submitter, day, good, _bad, _reports in _by_sender(domains, today, "good", failed_session_count=0):
        merged[key, day, _owner(submitter)] += good
    weights: dict[int, dict[date, int]] = {domain.pk: defaultdict(int) for domain in domains}
    for (key, day, sender), good in merged.items():
        weights[key][day] += 0 if (key, day, sender) in failed else min(good, WEIGHT)
    return {key: dict(by_day) for key, by_day in weights.items()}


def _by_sender(
    domains: Sequence[HostedDomain], today: date, most: str, **kind: object
) -> list[tuple[int, str, date, int, int, int]]:
    """(domain, submitter, day, good, bad, reports) of these domains' rows of a kind, those with `most` of it first."""
    rows = DailyTotal.objects.everywhere().filter(vouched(domains), domain__in=[domain.pk for domain in domains])
    rows = sessions(rows).filter(day__gt=today - timedelta(days=WINDOW), day__lte=today, **kind).order_by()
    counts = {"good": Sessions("successful_session_count"), "bad": Sessions("failed_session_count")}
    summed: QuerySet[Any] = rows.values_list("domain_id", "submitter", "day").annotate(**counts, told=Sum("reports"))
    place = Window(RowNumber(), partition_by="domain_id", order_by=F(most).desc())
    first = summed.annotate(place=place).filter(place__lte=_SENDERS).order_by(f"-{most}", "submitter")
    return [(key, sender, day, int(good), int(bad), told) for key, sender, day, good, bad, told, _place in first]


def _owner(submitter: str) -> str:
    return registrable(submitter)


def _weighed(day: Day, told: Iterable[Told], most: int) -> Day:
    """A day of all senders, each with no more than its weight. Those that met no failure have `most`, or fewer."""
    rows = [one.day for one in told]
    rest = _without(day, told)
    good = min(rest.successful_session_count, most)
    bad = rest.failed_session_count  # of senders beyond the bound of those looked at
    for row in rows:
        most = max(row.sessions, WEIGHT)
        bad += row.failed_session_count * WEIGHT // most
        good += row.successful_session_count * WEIGHT // most
    return Day(day.day, good, bad, day.reports)


def _together(day: Day, more: Day) -> Day:
    good = day.successful_session_count + more.successful_session_count
    bad = day.failed_session_count + more.failed_session_count
    return Day(day.day, good, bad, day.reports + more.reports)


def _without(day: Day, told: Iterable[Told]) -> Day:
    good, bad, reports = day.successful_session_count, day.failed_session_count, day.reports
    for row in (one.day for one in told):
        good, bad = good - row.successful_session_count, bad - row.failed_session_count
        reports -= row.reports
    return Day(day.day, max(good, 0), max(bad, 0), max(reports, 0))


def _failing(domains: Sequence[HostedDomain], wanted: dict[int, set[date]]) -> dict[int, tuple[Failing, ...]]:
    """What failed on the wanted days of each domain."""
    if not domains:
        return {}
    # The domains were found through the tenant's door, or by the worker; their keys stand for it.
    rows = failures(DailyTotal.objects.everywhere()).filter(vouched(domains), domain__in=list(wanted))
    rows = rows.filter(day__gte=min(min(days) for days in wanted.values())).order_by()
    sums: dict[int, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
    grouped = rows.values_list("domain_id", "day", "result_type", "mx").annotate(Sessions("failed_session_count"))
    for key, day, result_type, mx, count in grouped:
        if day in wanted[key]:
            sums[key][result_type, mx] += int(count)
    return {key: _worst_first(counts) for key, counts in sums.items()}


def _worst_first(counts: dict[tuple[str, str], int]) -> tuple[Failing, ...]:
    rows = [Failing(result_type, mx, count) for (result_type, mx), count in counts.items()]
    return tuple(sorted(rows, key=lambda row: (-row.failed_session_count, row.result_type, row.mx)))
