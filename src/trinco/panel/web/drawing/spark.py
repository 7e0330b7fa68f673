"""Thirty days in the width of a word: a path for what succeeded, one for what failed, one for days without a report."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from trinco.panel.reports.charts import Day
from trinco.panel.web.drawing.scale import LEVELS, px

WIDTH, HEIGHT = 120, 28
LEAST_OF_DAY, LEAST_OF_FAILURES = 1.5, 2


def spark(days: Sequence[Day], title: str = "") -> SafeString:
    """An `<svg>` of 120 x 28 pixels. Without a title it says nothing that does not stand beside it, and is hidden.

    Only failures from 0.5 % of a day's sessions on are drawn: less would paint every day red at this size.
    """
    pitch = WIDTH / max(len(days), 1)
    most = max((day.sessions for day in days), default=0) or 1
    places = [(day, number * pitch, pitch * 0.74) for number, day in enumerate(days)]
    seen = [(x, width, _height(day, most)) for day, x, width in places if day.reports]
    failed = [(x, width, _failures(day, most)) for day, x, width in places if day.failure_rate >= LEVELS[0]]
    missing = [(x, width, 1.0) for day, x, width in places if not day.reports]
    paths = _path("c-miss", missing) + _path("c-ok", seen) + _path("c-fail", failed)
    said = f' role="img"><title>{escape(title)}</title>' if title else ' aria-hidden="true">'
    return mark_safe(f'<svg class="spark" width="{WIDTH}" height="{HEIGHT}"{said}{paths}</svg>')  # noqa: S308 - escaped


def _height(day: Day, most: int) -> float:
    return max(LEAST_OF_DAY, day.sessions / most * HEIGHT)


def _failures(day: Day, most: int) -> float:
    return max(LEAST_OF_FAILURES, day.failed_session_count / most * HEIGHT)


def _path(name: str, bars: Sequence[tuple[float, float, float]]) -> str:
    drawn = "".join(f"M{px(x)} {HEIGHT}v-{px(height)}h{px(width)}V{HEIGHT}z" for x, width, height in bars)
    return f'<path class="{name}" d="{drawn}"/>' if drawn else ""
