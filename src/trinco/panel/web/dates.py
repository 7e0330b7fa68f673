"""Dates as people write them. All times are UTC, and pages say so where it matters."""

from __future__ import annotations

from datetime import date, datetime

from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext


def day(moment: date) -> str:
    """`24 November 2026`."""
    return _written(moment, pgettext("date format", "j F Y"))


def short_day(moment: date) -> str:
    """`24 Nov 2026`."""
    return _written(moment, pgettext("date format", "j M Y"))


def weekday(moment: date) -> str:
    """`Tuesday 24 November 2026`."""
    return _written(moment, pgettext("date format", "l j F Y"))


def day_and_month(moment: date) -> str:
    """`24 Nov`, for the foot of a chart."""
    return _written(moment, pgettext("date format", "j M"))


def month(moment: date) -> str:
    """`Nov`; a January says its year."""
    return _written(moment, pgettext("date format", "M Y") if moment.month == 1 else "M")


def month_of_year(moment: date) -> str:
    """`November 2026`."""
    return _written(moment, pgettext("date format", "F Y"))


def span_of_days(first: date, last: date) -> str:
    """`12 Nov`, `12-14 Nov`, `30 Oct - 2 Nov`: within a range that the page names with its year."""
    if first == last:
        return day_and_month(first)
    if first.year != last.year:
        return f"{short_day(first)} \N{EN DASH} {short_day(last)}"
    if first.month == last.month:
        return f"{first.day}\N{EN DASH}{day_and_month(last)}"
    return f"{day_and_month(first)} \N{EN DASH} {day_and_month(last)}"


def minute(moment: datetime) -> str:
    """`24 Nov 2026 04:17`."""
    return f"{short_day(moment)} {moment:%H:%M}"


def second(moment: datetime) -> str:
    """`24 Nov 2026 04:17:20`."""
    return f"{short_day(moment)} {moment:%H:%M:%S}"


def _written(moment: date, form: str) -> str:
    text = date_format(moment, form)
    # Portuguese writes months in lower case, Django's catalogue does not.
    return text.lower() if (get_language() or "").startswith("pt") else text
