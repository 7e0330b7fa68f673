"""What the counted reports of the last weeks say of a domain: evidence for enforce, and the trouble that senders meet.

Counted are the reports that somebody vouches for (`reports.scope`). A day without a report says nothing, neither good
nor bad.

Anybody who signs may report, and sessions of all senders are taken together: one that reports millions of successes
hides the failures that others saw. The pages show each sender's own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from trinco.core.tlsrpt import results
from trinco.core.tlsrpt.results import Severity
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import SERVED
from trinco.panel.reports.charts import Day, sparks
from trinco.panel.reports.models import DailyTotal
from trinco.panel.reports.scope import Sessions, failures, vouched

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
_PART = 200
"""One session in so many is the limit: 0.5 %."""


@dataclass(frozen=True, slots=True)
class Failing:
    """Sessions that failed in one way at one mail server; `mx` is "" where the sender does not tell it."""

    result_type: str
    mx: str
    failed_session_count: int


@dataclass(frozen=True, slots=True)
class Reported:
    """A domain's counted reports. `window`: every day, oldest first; `failing`: of the last reported days, where they
    show trouble, worst first."""

    window: tuple[Day, ...] = ()
    failing: tuple[Failing, ...] = ()

    @property
    def days(self) -> tuple[Day, ...]:
        """Those that were reported on, oldest first."""
        return tuple(day for day in self.window if day.reports)

    @property
    def last(self) -> date | None:
        """The newest day that was reported on."""
        return self.days[-1].day if self.days else None

    @property
    def clean(self) -> int:
        """Over how many reported days, up to the newest, fewer sessions failed than the limit: as far back as no single
        day shows more than chance. One session that fails among twenty ends nothing."""
        count, taken = 0, list[Day]()
        for day in reversed(self.days):
            if day.failed_session_count >= LEAST and exceeds([day]):
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
    """By key of each domain that is served. One query, and one more where a domain is in trouble."""
    served = [domain for domain in domains if domain.state in SERVED]
    found = {key: Reported(tuple(days)) for key, days in sparks(served, today, WINDOW).items()}
    troubled = [domain for domain in served if found[domain.pk].in_trouble(today)]
    recent = {domain.pk: {day.day for day in found[domain.pk].recent(today)} for domain in troubled}
    for key, failing in _failing(troubled, recent).items():
        found[key] = Reported(found[key].window, failing)
    return found


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
