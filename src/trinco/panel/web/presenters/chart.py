"""Sessions per day: the drawing, its words, and its table."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from trinco.panel.reports.charts import Day
from trinco.panel.web import dates, figures
from trinco.panel.web.drawing import days as drawing

MOST_DAYS = 400
"""More days than these are drawn by the month."""

Address = Callable[[date, date], str]
"""Where the days between two, both included, lead."""


@dataclass(frozen=True, slots=True)
class Period:
    """A day or a month of the table below the chart."""

    first: date
    word: str
    href: str
    succeeded: int
    failed: int
    reports: int
    rate: str


@dataclass(frozen=True, slots=True)
class ChartView:
    """A chart with its words and its table."""

    by_month: bool
    plot: SafeString
    scale: SafeString
    height: int
    title: str
    desc: str
    periods: tuple[Period, ...]
    any: bool
    """Whether there is a report in the range at all."""


def chart_view(days: Sequence[Day], address: Address, chosen: date | None = None) -> ChartView:
    """The chart of these days. `chosen` is the one that the tables are about."""
    by_month = len(days) > MOST_DAYS
    bars = _months(days) if by_month else list(days)
    within = (days[0].day, days[-1].day)
    periods = tuple(_period(bar, address, within, by_month=by_month) for bar in bars)
    links = [drawing.Link(period.href, _label(period)) for period in periods]
    return ChartView(
        by_month=by_month,
        plot=drawing.plot(bars, links, chosen),
        scale=drawing.scale_labels(bars),
        height=drawing.HEIGHT,
        title=_title(bars, by_month=by_month),
        desc=_description(bars, by_month=by_month),
        periods=periods,
        any=any(day.reports for day in days),
    )


def _months(days: Iterable[Day]) -> list[Day]:
    grouped = groupby(days, key=lambda day: day.day.replace(day=1))
    return [_sum(first, list(month)) for first, month in grouped]


def _sum(first: date, days: Sequence[Day]) -> Day:
    return Day(
        first,
        sum(day.successful_session_count for day in days),
        sum(day.failed_session_count for day in days),
        sum(day.reports for day in days),
    )


def _period(bar: Day, address: Address, within: tuple[date, date], *, by_month: bool) -> Period:
    """`within`: the range of the chart. The first and the last month lead to as much of them as is counted here."""
    last = bar.day.replace(day=monthrange(bar.day.year, bar.day.month)[1]) if by_month else bar.day
    return Period(
        first=bar.day,
        word=dates.month_of_year(bar.day) if by_month else dates.weekday(bar.day),
        href=address(max(bar.day, within[0]), min(last, within[1])),
        succeeded=bar.successful_session_count,
        failed=bar.failed_session_count,
        reports=bar.reports,
        rate=figures.share(bar.failed_session_count, bar.sessions, 2),
    )


def _label(period: Period) -> str:
    """What a reader of the page hears, and the lines of the note at the pointer."""
    if not period.reports:
        return " · ".join([period.word, _("No report received")])
    succeeded = _("%s succeeded") % figures.count(period.succeeded)
    failed = _("%(n)s failed (%(rate)s)") % {"n": figures.count(period.failed), "rate": period.rate}
    return f"{period.word} · {succeeded} · {failed}"


def _title(bars: Sequence[Day], *, by_month: bool) -> str:
    facts = {"first": dates.short_day(bars[0].day), "last": dates.short_day(bars[-1].day)}
    if by_month:
        return _("TLS sessions per month, succeeded and failed, %(first)s to %(last)s") % facts
    return _("TLS sessions per day, succeeded and failed, %(first)s to %(last)s") % facts


def _description(bars: Sequence[Day], *, by_month: bool) -> str:
    worst = max(bars, key=lambda bar: (bar.failure_rate, bar.failed_session_count))
    silent = sum(not bar.reports for bar in bars)
    said = [_("No session failed.")]
    if worst.failed_session_count:
        facts = {"rate": figures.share(worst.failed_session_count, worst.sessions, 1)}
        if by_month:
            said = [_("Failures peaked at %(rate)s in %(month)s.") % {**facts, "month": dates.month_of_year(worst.day)}]
        else:
            said = [_("Failures peaked at %(rate)s on %(day)s.") % {**facts, "day": dates.day(worst.day)}]
    if silent:
        said.append(_silent(silent, by_month=by_month))
    return " ".join([*said, _("The same numbers are in the table below the chart.")])


def _silent(count: int, *, by_month: bool) -> str:
    if by_month:
        return ngettext("%(n)d month without a report.", "%(n)d months without a report.", count) % {"n": count}
    return ngettext("%(n)d without a report.", "%(n)d without a report.", count) % {"n": count}
