"""Sessions per day: succeeded and failed in one bar, the share of failures in a lane of its own below.

Failures under one per cent would vanish in the bar: they have three pixels at least, hatched, and the lane has its own
steps. A day without a report is drawn as that, never as nought.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _

from trinco.panel.reports.charts import Day
from trinco.panel.web import dates
from trinco.panel.web.drawing.scale import Axis, axis, level, percent, px
from trinco.panel.web.figures import short_count

TOP, PLOT, LANE, FOOT = 10, 208, 16, 22
"""Pixels: free space above, the bars, the lane of failures, the dates."""
LANE_Y = TOP + PLOT + 8
HEIGHT = LANE_Y + LANE + FOOT
BASE = TOP + PLOT
LEAST = 3
"""Pixels that a failure has at least."""
STUB = 6
"""Pixels of the mark of a day without a report."""
THICK, THIN = 45, 120
"""Up to so many days: round corners and wide gaps; narrow gaps; more: none."""


@dataclass(frozen=True, slots=True)
class Link:
    """Where a day leads, and the day in words."""

    href: str
    label: str


@dataclass(frozen=True, slots=True)
class Slot:
    """A day's place across: the whole of it, and the bar within. As shares of the width."""

    at: float
    width: float
    gap: float

    @property
    def across(self) -> str:
        """The attributes of a bar."""
        return f'x="{percent(self.at + self.gap / 2)}" width="{percent(self.width - self.gap)}"'

    @property
    def whole(self) -> str:
        return f'x="{percent(self.at)}" width="{percent(self.width)}"'

    @property
    def middle(self) -> str:
        return percent(self.at + self.width / 2)


def plot(days: Sequence[Day], links: Sequence[Link], chosen: date | None = None) -> SafeString:
    """The chart without its frame: the inside of an `<svg>` of `HEIGHT` pixels. One link a day, `chosen` marked."""
    scale = axis(max((day.sessions for day in days), default=0))
    slots = _slots(len(days))
    parts = [
        _grid(scale),
        _layer("c-miss", (_missing(slot) for day, slot in zip(days, slots, strict=True) if not day.reports)),
        _layer("c-ok", _bars(days, slots, scale, _succeeded)),
        _layer("c-f", _bars(days, slots, scale, _failed)),
        *(_lane(days, slots, step) for step in range(5)),
        _dates(days, slots),
        _layer("hits", _hits(days, slots, links, chosen)),
    ]
    return mark_safe("".join(parts))  # noqa: S308 - every text in it is escaped below


def scale_labels(days: Sequence[Day]) -> SafeString:
    """The numbers beside the chart: the inside of an `<svg>` as high as it."""
    scale = axis(max((day.sessions for day in days), default=0))
    labels = [_scale_label(line, _y(line, scale)) for line in scale.lines]
    word = escape(_("Fail %"))
    lane = f'<text x="100%" dx="-8" y="{LANE_Y + 12}" text-anchor="end">{word}</text>'
    return mark_safe("".join([*labels, lane]))  # noqa: S308 - numbers and one word of ours


def _scale_label(line: int, y: float) -> str:
    shift = "-1" if line == 0 else "4"
    return f'<text x="100%" dx="-8" y="{px(y)}" dy="{shift}" text-anchor="end">{escape(short_count(line))}</text>'


def _slots(count: int) -> list[Slot]:
    width = 1 / max(count, 1)
    gap = width * (0.28 if count <= THICK else 0.16 if count <= THIN else 0)
    return [Slot(number * width, width, gap) for number in range(count)]


def _y(count: float, scale: Axis) -> float:
    return BASE - count / scale.top * PLOT


def _grid(scale: Axis) -> str:
    lines = (f'<line x2="100%" y1="{px(_y(line, scale))}" y2="{px(_y(line, scale))}"/>' for line in scale.lines)
    return f'<g class="grid">{"".join(lines)}</g>'


def _layer(name: str, marks: Iterator[str]) -> str:
    drawn = "".join(marks)
    return f'<g class="{name}">{drawn}</g>' if drawn else ""


def _missing(slot: Slot) -> str:
    return f'<rect {slot.across} y="{BASE - STUB}" height="{STUB}"/>'


Piece = Callable[[Day, Axis], tuple[float, float]]
"""Of a day's bar: from where down, and how high, in pixels."""


def _bars(days: Sequence[Day], slots: Sequence[Slot], scale: Axis, piece: Piece) -> Iterator[str]:
    corner = ' rx="2"' if len(days) <= THICK else ""
    for day, slot in zip(days, slots, strict=True):
        y, height = piece(day, scale)
        if height > 0:
            yield f'<rect {slot.across} y="{px(y)}" height="{px(height)}"{corner}/>'


def _failed(day: Day, scale: Axis) -> tuple[float, float]:
    if not day.failed_session_count:
        return BASE, 0
    height = max(LEAST, day.failed_session_count / scale.top * PLOT)
    return BASE - height, height


def _succeeded(day: Day, scale: Axis) -> tuple[float, float]:
    """Stands on the failures, a hair between; one session is a pixel at least."""
    if not day.successful_session_count:
        return BASE, 0
    below = _failed(day, scale)[1]
    top = max(day.sessions / scale.top * PLOT, below + 1 + (below > 0))
    return BASE - top, top - below - (below > 0)


def _lane(days: Sequence[Day], slots: Sequence[Slot], step: int) -> str:
    """The days of one step; 0: no report."""
    here = (
        slot for day, slot in zip(days, slots, strict=True) if step == (level(day.failure_rate) if day.reports else 0)
    )
    corner, thin = (' rx="3"', "") if len(days) <= THICK else ("", " thin")
    return _layer(f"lv{step}{thin}", (f'<rect {slot.across} y="{LANE_Y}" height="{LANE}"{corner}/>' for slot in here))


def _hits(days: Sequence[Day], slots: Sequence[Slot], links: Sequence[Link], chosen: date | None) -> Iterator[str]:
    """The empty title keeps a browser from showing the chart's own at the pointer, over the note of the day."""
    yield "<title/>"
    yield from (_hit(day, slot, link, chosen) for day, slot, link in zip(days, slots, links, strict=True))


def _hit(day: Day, slot: Slot, link: Link, chosen: date | None) -> str:
    mark = ' aria-current="date"' if day.day == chosen else ""
    return (
        f'<a href="{escape(link.href)}" tabindex="-1" aria-label="{escape(link.label)}"{mark}>'
        f'<rect {slot.whole} height="{LANE_Y + LANE}"/></a>'
    )


def _dates(days: Sequence[Day], slots: Sequence[Slot]) -> str:
    named = _named(days)
    texts = (_date(days, slots, place, number) for number, place in enumerate(reversed(named)))
    return _layer("dates", texts)


def _named(days: Sequence[Day]) -> list[int]:
    """The days whose date stands below: each, each seventh or fourteenth from the last, or the first of a month."""
    count = len(days)
    if count > THIN:
        return [place for place, day in enumerate(days) if day.day.day == 1]
    step = 1 if count <= 10 else 7 if count <= THICK else 14
    return sorted(range(count - 1, -1, -step))


def _date(days: Sequence[Day], slots: Sequence[Slot], place: int, number: int) -> str:
    """`number` counts from the last: phones show each third of the months, each second of the days."""
    count, slot, day = len(days), slots[place], days[place].day
    text = dates.month(day) if count > THIN else dates.day_and_month(day)
    rare = "" if number % (3 if count > THIN else 2) == 0 else ' class="x-min"'
    edge = _edge(slot)
    return f'<text x="{slot.middle}" y="{HEIGHT - 6}"{edge}{rare}>{escape(text)}</text>'


def _edge(slot: Slot) -> str:
    """A date at either end stays within the drawing."""
    if slot.at + slot.width > 0.985:
        return ' text-anchor="end" dx="10"'
    return ' text-anchor="start" dx="-10"' if slot.at < 0.015 else ""
