"""The TLS reports by result: figures on top, what failed and what to do about it, and where."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from trinco.panel.reports.charts import Day, DetailRow, ResultRow, Sums
from trinco.panel.web import dates, figures
from trinco.panel.web.drawing.bars import share
from trinco.panel.web.foreign import is_link, plain
from trinco.panel.web.meanings import Meaning, policy_word, reason_meaning, result_meaning

HOSTS = 2
"""Mail servers that stand beside a result."""
CLUSTER = 3
"""Days within which failures are one incident, in the figures on top."""
HALF = 0.5
MANIFOLD = 5
"""So many times as many sessions as before are not compared with them: the reports have only begun."""
SEVERITIES: dict[str, Promise] = {
    "bad": gettext_lazy("Serious"),
    "warn": gettext_lazy("Warning"),
    "mute": gettext_lazy("Nothing to repair"),
}
"""The word beside the colour and icon of a look."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The strip on top. Notes are sentences, or nothing."""

    sessions: int
    sessions_note: str
    rate: str
    rate_note: str
    worse: bool
    failed: int
    failed_note: str
    senders: int
    senders_note: str


@dataclass(frozen=True, slots=True)
class ResultView:
    """One result type under one policy type. `href` shows where it happened, `open` is whether this page does."""

    number: int
    href: str
    open: bool
    word: str
    policy: str
    meaning: Meaning
    severity: Promise
    hosts: tuple[str, ...]
    more_hosts: int
    sessions: int
    share: str
    bar: SafeString
    last: date
    where: str


@dataclass(frozen=True, slots=True)
class DetailView:
    """Failures that say the same. Every text is a stranger's, made fit to be shown."""

    domain: str
    policy: str
    result: str
    sender: str
    mx: str
    receiving_ip: str
    sending_mta_ip: str
    mode: str
    """Of the policy that the sender applied; "" where it is not told."""
    reason: str
    reason_meaning: Meaning | None
    further: str
    link: str
    when: str
    sessions: int


def figures_view(now: Sums, before: Sums | None, days: Sequence[Day]) -> Figures:
    """`before`: the same length of time before it; None: nobody reported on the whole of that."""
    earlier_sessions = before.sessions if before else 0
    rate, earlier = 1 - now.failure_rate, 1 - before.failure_rate if before else 0.0
    comparable = 0 < now.sessions <= MANIFOLD * earlier_sessions
    return Figures(
        sessions=now.sessions,
        sessions_note=_change(now.sessions, earlier_sessions, len(days)) if comparable else "",
        rate=figures.success_rate(now.successful_session_count, now.failed_session_count),
        rate_note=_points(rate, earlier) if comparable else "",
        worse=rate < earlier,
        failed=now.failed_session_count,
        failed_note=_when(days, now.failed_session_count),
        senders=now.submitters,
        senders_note=_("last report for %s") % dates.short_day(now.last) if now.last else "",
    )


def _change(now: int, before: int, days: int) -> str:
    change = figures.share(abs(now - before), before, 1)
    facts = {"mark": "▲" if now >= before else "▼", "change": change, "n": days}
    text = ngettext("%(mark)s %(change)s on the day before", "%(mark)s %(change)s on the %(n)d days before", days)
    return text % facts


def _points(now: float, before: float) -> str:
    """Hundredths of a point are as fine as the figure above."""
    points = round(100 * (now - before), 2)
    if not points:
        return _("as before")
    return _("%(mark)s %(n)s points") % {"mark": "▲" if points > 0 else "▼", "n": figures.decimal(abs(points), 2)}


def _when(days: Sequence[Day], failed: int) -> str:
    """`87 % on 12–14 November`, where most of the failures lie close together."""
    if not failed or len(days) <= CLUSTER:
        return ""
    starts = range(len(days) - CLUSTER + 1)
    sums = [sum(day.failed_session_count for day in days[at : at + CLUSTER]) for at in starts]
    most = max(sums)
    if most < HALF * failed:
        return ""
    at = sums.index(most)
    there = [day.day for day in days[at : at + CLUSTER] if day.failed_session_count]
    return _("%(share)s on %(days)s") % {
        "share": figures.share(most, failed),
        "days": dates.span_of_days(there[0], there[-1]),
    }


Opened = tuple[str, str]
"""Policy type and result type."""


def result_views(
    rows: Sequence[ResultRow], href: Callable[[ResultRow], str], opened: Opened | None = None
) -> list[ResultView]:
    """Worst first. The share is that of all failures of the same policy type: those of two are never added up."""
    totals: dict[str, int] = {}
    for row in rows:
        totals[row.policy_type] = totals.get(row.policy_type, 0) + row.failed_session_count
    return [
        _result(number, row, totals[row.policy_type], href(row), open_=opened == (row.policy_type, row.result_type))
        for number, row in enumerate(rows)
    ]


def _result(number: int, row: ResultRow, whole: int, href: str, *, open_: bool) -> ResultView:
    meaning = result_meaning(row.result_type)
    told = [plain(host) for host, _count in row.mx if host]
    return ResultView(
        number=number,
        href=href,
        open=open_,
        word=plain(row.result_type),
        policy=plain(policy_word(row.policy_type)),
        meaning=meaning,
        severity=SEVERITIES[meaning.look],
        hosts=tuple(told[:HOSTS]),
        more_hosts=max(0, row.mx_count - HOSTS - any(not host for host, _count in row.mx)),
        sessions=row.failed_session_count,
        share=figures.share(row.failed_session_count, whole),
        bar=share(row.failed_session_count, whole, meaning.look),
        last=row.last,
        where=_where(row),
    )


def _where(row: ResultRow) -> str:
    """`2 domains · 3 senders · 12-14 Nov`; one domain alone is not counted."""
    domains = ngettext("%(n)d domain", "%(n)d domains", row.domains) % {"n": row.domains}
    senders = ngettext("%(n)d sender", "%(n)d senders", row.submitters) % {"n": row.submitters}
    told = [domains] if row.domains > 1 else []
    return " · ".join([*told, senders, dates.span_of_days(row.first, row.last)])


def same_sessions(rows: Iterable[ResultRow]) -> bool:
    """Whether failures under MTA-STS and under DANE stand in one list: they may be the same sessions."""
    return {"sts", "tlsa"} <= {row.policy_type for row in rows}


def difference(rows: Sequence[ResultRow], now: Sums) -> str:
    """Where the details do not add up to the summaries. Only one policy type's can be held against them."""
    details, summary = sum(row.failed_session_count for row in rows), now.failed_session_count
    if len({row.policy_type for row in rows}) != 1 or details == summary:
        return ""
    facts = {"details": figures.count(details), "summary": figures.count(summary)}
    if details > summary:
        text = _(
            "The details add up to %(details)s failures, the summaries to %(summary)s: "
            "one session can fail in several ways."
        )
    else:
        text = _(
            "The details add up to %(details)s failures, the summaries to %(summary)s: "
            "senders give details of some only."
        )
    return text % facts


def detail_views(rows: Iterable[DetailRow]) -> list[DetailView]:
    """What a row unfolds to."""
    return [_detail(row) for row in rows]


def _detail(row: DetailRow) -> DetailView:
    further = plain(row.additional_information)
    return DetailView(
        domain=row.domain,
        policy=plain(policy_word(row.policy_type)),
        result=plain(row.result_type),
        sender=plain(row.submitter),
        mx=plain(row.receiving_mx_hostname),
        receiving_ip=plain(row.receiving_ip),
        sending_mta_ip=plain(row.sending_mta_ip),
        mode=row.mode,
        reason=plain(row.failure_reason_code),
        reason_meaning=reason_meaning(row.failure_reason_code),
        further=further,
        link=row.additional_information if is_link(row.additional_information) else "",
        when=dates.span_of_days(row.first, row.last),
        sessions=row.failed_session_count,
    )
