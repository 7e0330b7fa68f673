"""Dates as people write them. All times are UTC, and pages say so where it matters."""

from __future__ import annotations

from datetime import datetime

from django.utils.formats import date_format
from django.utils.translation import get_language, pgettext


def day(moment: datetime) -> str:
    """`24 November 2026`."""
    return _written(moment, pgettext("date format", "j F Y"))


def short_day(moment: datetime) -> str:
    """`24 Nov 2026`."""
    return _written(moment, pgettext("date format", "j M Y"))


def minute(moment: datetime) -> str:
    """`24 Nov 2026 04:17`."""
    return f"{short_day(moment)} {moment:%H:%M}"


def second(moment: datetime) -> str:
    """`24 Nov 2026 04:17:20`."""
    return f"{short_day(moment)} {moment:%H:%M:%S}"


def _written(moment: datetime, form: str) -> str:
    text = date_format(moment, form)
    # Portuguese writes months in lower case, Django's catalogue does not.
    return text.lower() if (get_language() or "").startswith("pt") else text
