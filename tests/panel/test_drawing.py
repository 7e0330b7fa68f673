"""The drawings: what a person sees of few failures, of silent days, and what a stranger's text cannot do in them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from xml.etree import ElementTree as ET

import pytest
from django.utils import translation

from trinco.panel.reports.charts import Day
from trinco.panel.web import dates, figures
from trinco.panel.web.drawing import bars, days, scale
from trinco.panel.web.drawing.spark import spark
from trinco.panel.web.presenters.chart import chart_view

FIRST = date(2026, 11, 2)


def some(*counts: tuple[int, int] | None) -> list[Day]:
    """A day for each: succeeded and failed; None: nobody reported."""
    made = []
    for number, each in enumerate(counts):
        at = FIRST + timedelta(days=number)
        made.append(Day(at, *each, 1) if each else Day(at))
    return made


def drawn(wanted: list[Day], chosen: date | None = None) -> ET.Element:
    """The chart as a reader of XML sees it."""
    links = [days.Link(f"?day={day.day}&x=<>\"'", f"{day.day} <script>\"'&") for day in wanted]
    return ET.fromstring(f"<svg>{days.plot(wanted, links, chosen)}</svg>")


def layer(chart: ET.Element, name: str) -> list[dict[str, str]]:
    """The attributes of a layer's marks."""
    return [mark.attrib for group in chart.findall("g") if group.get("class") == name for mark in group]


class TestScale:
    @pytest.mark.parametrize(
        ("most", "top", "step"),
        [
            (0, 4, 1),
            (4, 4, 1),
            (5, 6, 2),
            (17, 20, 5),
            (99, 100, 25),
            (100, 100, 25),
            (101, 150, 50),
            (2930, 3000, 1000),
            (2**63 - 1, 10**19, 25 * 10**17),
        ],
    )
    def test_round_numbers(self, most: int, top: int, step: int) -> None:
        assert scale.axis(most) == scale.Axis(top, step)

    @pytest.mark.parametrize("most", [*range(200), 999, 1001, 10**6 + 1, 2**63])
    def test_every_count_fits(self, most: int) -> None:
        axis = scale.axis(most)
        assert (axis.top >= most, axis.top % axis.step, 2 <= len(axis.lines) <= 6) == (True, 0, True)

    @pytest.mark.parametrize(
        ("rate", "level"), [(0, 1), (0.0001, 2), (0.00499, 2), (0.005, 3), (0.0499, 3), (0.05, 4), (1, 4)]
    )
    def test_the_lane_has_its_own_steps(self, rate: float, level: int) -> None:
        """UX: 0, > 0, 0.5 %, 5 %."""
        assert scale.level(rate) == level


class TestTheChart:
    """UX: failures under 1 % vanish in a stacked bar: at least 3 px, hatched. A day without a report is drawn as that."""

    def test_one_failure_in_a_million_is_three_pixels(self) -> None:
        chart = drawn(some((999_999, 1)))
        [failed], [succeeded] = layer(chart, "c-f"), layer(chart, "c-ok")
        assert (failed["y"], failed["height"]) == (str(days.BASE - 3), "3")
        assert float(succeeded["y"]) + float(succeeded["height"]) == float(failed["y"]) - 1

    def test_failures_alone(self) -> None:
        chart = drawn(some((0, 4)))
        assert [mark["height"] for mark in layer(chart, "c-f")] == [str(days.PLOT)]
        assert layer(chart, "c-ok") == []

    def test_a_day_without_a_report_is_no_nought(self) -> None:
        chart = drawn(some((0, 0), None, (3, 0)))
        assert [len(layer(chart, name)) for name in ("c-miss", "c-ok", "c-f", "lv0", "lv1")] == [1, 1, 0, 1, 2]
        assert layer(chart, "c-miss")[0]["x"] == layer(chart, "lv0")[0]["x"]

    def test_nothing_sticks_out(self) -> None:
        chart = drawn(some((2**63 - 1, 2**63 - 1), (1, 0), (0, 1), None))
        marks = [*layer(chart, "c-ok"), *layer(chart, "c-f"), *layer(chart, "c-miss")]
        assert all(float(m["y"]) >= 0 and float(m["y"]) + float(m["height"]) <= days.BASE for m in marks)

    def test_every_day_is_a_link_and_the_chosen_one_is_marked(self) -> None:
        links = layer(drawn(some((1, 0), None), chosen=FIRST), "hits")
        assert [link["href"] for link in links if "href" in link] == [
            "?day=2026-11-02&x=<>\"'",
            "?day=2026-11-03&x=<>\"'",
        ]
        assert [link.get("aria-current") for link in links if "href" in link] == ["date", None]

    def test_texts_from_outside_stay_texts(self) -> None:
        chart = drawn(some((1, 0)))
        assert {element.tag for element in chart.iter()} <= {"svg", "g", "line", "rect", "text", "a", "title"}
        assert [link["aria-label"] for link in layer(chart, "hits") if "href" in link] == ["2026-11-02 <script>\"'&"]

    @pytest.mark.parametrize("language", ["en", "pt-pt"])
    def test_attributes_are_never_localised(self, language: str) -> None:
        with translation.override(language):
            text = days.plot(some((2000, 3), (1500, 30)), [days.Link("?", "x")] * 2) + days.scale_labels(
                some((2000, 3))
            )
        numbers = re.findall(r' (?:x|y|width|height|x2|y1|y2|rx|dx|dy)="([^"]*)"', text)
        assert [number for number in numbers if not re.fullmatch(r"-?\d+(\.\d+)?%?", number)] == []
        assert (">2,000<" if language == "en" else ">2.000<") in text

    def test_no_inline_style_and_no_script(self) -> None:
        assert re.search(r"style=|<script| on\w+=", days.plot(some((1, 1)), [days.Link("?", "x")])) is None

    @pytest.mark.parametrize(("count", "named"), [(1, 1), (7, 7), (30, 5), (90, 7), (365, 12)], ids=str)
    def test_so_many_dates_as_fit(self, count: int, named: int) -> None:
        assert len(layer(drawn(some(*[(1, 0)] * count)), "dates")) == named

    def test_a_year_stays_light(self) -> None:
        assert (
            len(days.plot(some(*[(900, 3)] * 365), [days.Link("?range=365&day=2026-11-02#tables", "x" * 60)] * 365))
            < 180_000
        )


class TestTheWords:
    """UX: each chart has title and description, and its data table behind it."""

    def test_title_and_description(self) -> None:
        view = chart_view(some((88, 12), None, (100, 0)), lambda first, _last: f"?day={first}")
        assert view.title == "TLS sessions per day, succeeded and failed, 2 Nov 2026 to 4 Nov 2026"
        assert view.desc == (
            "Failures peaked at 12.0\N{NO-BREAK SPACE}% on 2 November 2026. 1 without a report. "
            "The same numbers are in the table below the chart."
        )

    def test_the_table_has_every_day(self) -> None:
        view = chart_view(some((88, 12), None), lambda first, _last: f"?day={first}")
        assert [(one.first.day, one.succeeded, one.failed, one.reports, one.href) for one in view.periods] == [
            (2, 88, 12, 1, "?day=2026-11-02"),
            (3, 0, 0, 0, "?day=2026-11-03"),
        ]
        assert "2 November 2026 · 88 succeeded · 12 failed (12.00\N{NO-BREAK SPACE}%)" in view.plot
        assert "Tuesday 3 November 2026 · No report received" in view.plot

    def test_years_are_drawn_by_the_month(self) -> None:
        view = chart_view(some(*[(2, 1)] * 500), lambda first, last: f"{first} {last}")
        assert (view.by_month, len(view.periods), view.periods[1].href) == (True, 17, "2026-12-01 2026-12-31")
        assert sum(one.succeeded for one in view.periods) == 1000

    def test_a_month_leads_to_as_much_of_it_as_is_counted(self) -> None:
        days = some(*[(2, 1)] * 500)
        view = chart_view(days, lambda first, last: f"{first} {last}")
        assert view.periods[0].href == f"{days[0].day} 2026-11-30"
        assert view.periods[-1].href.endswith(f" {days[-1].day}")

    def test_months_are_called_months(self) -> None:
        view = chart_view(some(*[None] * 100, *[(100, 0)] * 400, (0, 50)), lambda *_: "?")
        assert re.match(r"Failures peaked at [^ ]+ in ", view.desc.replace("\N{NO-BREAK SPACE}", ""))
        assert "3 months without a report." in view.desc

    def test_nobody_ever_reported(self) -> None:
        view = chart_view(some(None, None), lambda *_: "?")
        assert (view.any, view.desc.split(". ")[:2]) == (False, ["No session failed", "2 without a report"])


class TestSmallOnes:
    def test_a_month_is_a_kilobyte(self) -> None:
        """UX: a 30-day spark is two paths, 1 KB."""
        text = spark(some(*[(1234 + 7 * n, 30) for n in range(30)]))
        assert (text.count("<path"), len(text) < 1300, 'aria-hidden="true"' in text) == (2, True, True)

    def test_silent_days_are_drawn_as_that(self) -> None:
        text = spark(some((5, 0), None, (9, 1)), title="a <b>")
        assert re.findall(r'class="(c-\w+)"', text) == ["c-miss", "c-ok", "c-fail"]
        assert "<title>a &lt;b&gt;</title>" in text

    def test_few_failures_do_not_paint_a_spark_red(self) -> None:
        assert "c-fail" not in spark(some((10_000, 49)))

    @pytest.mark.parametrize("wanted", [[], some(None)])
    def test_of_nothing(self, wanted: list[Day]) -> None:
        assert spark(wanted).startswith("<svg")

    def test_a_share(self) -> None:
        assert 'width="33.333%"' in bars.share(1, 3, "bad")
        assert 'width="0%"' in bars.share(0, 0, "bad")
        assert 'width="100%"' in bars.share(5, 3, "bad")

    def test_a_volume_shows_the_least_failure(self) -> None:
        assert re.findall(r'width="([\d.]+%)"', bars.volume(999_999, 1, 1_000_000)) == ["100%", "98.8%", "1.2%"]
        assert re.findall(r'width="([\d.]+%)"', bars.volume(0, 0, 0)) == ["100%"]


class TestFigures:
    @pytest.mark.parametrize(
        ("first", "last", "said"),
        [
            ("2026-11-12", "2026-11-12", "12 Nov"),
            ("2026-11-12", "2026-11-14", "12\N{EN DASH}14 Nov"),
            ("2026-10-30", "2026-11-02", "30 Oct \N{EN DASH} 2 Nov"),
            ("2025-11-12", "2026-11-12", "12 Nov 2025 \N{EN DASH} 12 Nov 2026"),
        ],
    )
    def test_days_from_and_to(self, first: str, last: str, said: str) -> None:
        assert dates.span_of_days(date.fromisoformat(first), date.fromisoformat(last)) == said

    @pytest.mark.parametrize(
        ("successful", "failed", "said"),
        [(999_999, 1, "99.99"), (1, 0, "100.00"), (0, 1, "0.00"), (0, 0, "—"), (99, 1, "99.00"), (1, 2, "33.33")],
    )
    def test_one_failure_is_never_rounded_away(self, successful: int, failed: int, said: str) -> None:
        assert figures.success_rate(successful, failed) == said

    @pytest.mark.parametrize(
        ("part", "decimals", "said"),
        [
            (1, 0, "< 1 %"),
            (0, 2, "0.00 %"),
            (1, 2, "0.10 %"),
            (870, 0, "87 %"),
            (237, 0, "24 %"),
            (999, 0, "99 %"),
            (1000, 0, "100 %"),
            (2046, 0, "205 %"),
        ],
    )
    def test_what_is_more_than_nothing_is_never_nought_and_a_part_never_the_whole(
        self, part: int, decimals: int, said: str
    ) -> None:
        assert figures.share(part, 1000, decimals).replace("\N{NO-BREAK SPACE}", " ") == said

    @pytest.mark.parametrize(
        ("number", "said"), [(999_999, "999,999"), (1_500_000, "1.5 M"), (2 * 10**9, "2 G"), (10**19, "10,000,000 T")]
    )
    def test_long_counts_are_short_beside_a_chart(self, number: int, said: str) -> None:
        assert figures.short_count(number).replace("\N{NO-BREAK SPACE}", " ") == said
