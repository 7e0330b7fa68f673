"""The table of `make bench`: what counts as under the floor, and how it is shown. Nothing is measured here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import cast

import pytest
from bench import __main__ as bench
from bench.row import Better, Missing, Row

FASTER = Row("requests", 850.0, "/s", Better.HIGHER, 0.85, 1.0, "nginx 1.22", 1000.0, "2 s")
SMALLER = Row("memory", 138.0, "MB", Better.LOWER, 0.3, 0.15, "nginx 1.22", 860.0)
ALONE = Row("start", 0.8, "s", Better.LOWER, 2.0, 1.0)


def module(*rows: Row, missing: str = "") -> ModuleType:
    def measured(scratch: Path) -> Iterator[Row]:
        assert list(scratch.iterdir()) == []
        yield from rows
        if missing:
            raise Missing(missing)

    return cast(ModuleType, SimpleNamespace(__name__="bench.made_up", rows=measured))


class TestRow:
    @pytest.mark.parametrize(
        ("row", "measure", "verdict"),
        [
            (FASTER, 0.85, "floor"),
            (SMALLER, 138 / 860, "floor"),
            (ALONE, 0.8, "goal"),
            (Row("slow", 840.0, "/s", Better.HIGHER, 0.85, 1.0, "nginx", 1000.0), 0.84, "UNDER THE FLOOR"),
            (Row("fat", 270.0, "MB", Better.LOWER, 0.3, 0.15, "nginx", 860.0), 270 / 860, "UNDER THE FLOOR"),
            (Row("late", 2.1, "s", Better.LOWER, 2.0, 1.0), 2.1, "UNDER THE FLOOR"),
        ],
    )
    def test_is_held_against_its_floor(self, row: Row, measure: float, verdict: str) -> None:
        assert (row.measure, row.verdict, row.holds) == (measure, verdict, verdict != "UNDER THE FLOOR")


class TestTable:
    def test_shows_the_ratio_to_the_peer(self) -> None:
        assert bench.line(FASTER) == (
            "| requests (2 s) | 850 /s | nginx 1.22 | 1,000 /s | 0.85x | ≥ 0.85x | ≥ 1x | floor |\n"
        )

    def test_shows_a_row_that_stands_for_itself(self) -> None:
        assert bench.line(ALONE) == "| start | 0.8 s | - | - | - | ≤ 2 | ≤ 1 | goal |\n"

    def test_has_as_many_columns_as_its_head(self) -> None:
        assert {line.count("|") for line in (bench.HEAD + bench.line(SMALLER)).splitlines()} == {9}

    def test_a_section_names_what_fell(self) -> None:
        late = Row("late", 2.1, "s", Better.LOWER, 2.0, 1.0)
        assert "Under their floor: late." in bench.section("made_up", [ALONE, late])
        assert "No row is under its floor." in bench.section("made_up", [ALONE])


class TestPage:
    """What was not measured this time stays, with the machine and day that it was measured on."""

    def test_only_the_sections_measured_are_replaced(self) -> None:
        before = bench.page("", {"dns": "## dns\n\nold dns\n", "tls": "## tls\n\nold tls\n"})
        after = bench.page(before, {"tls": "## tls\n\nnew tls\n", "accept": "## accept\n\nnew\n"})
        assert after == bench.PREFACE + "\n## accept\n\nnew\n\n## dns\n\nold dns\n\n## tls\n\nnew tls\n"

    def test_nothing_measured_changes_nothing(self) -> None:
        before = bench.page("", {"dns": bench.section("dns", [ALONE]), "tls": bench.section("tls", [FASTER])})
        assert bench.page(before, {}) == before


class TestRun:
    def test_a_peer_that_is_missing_does_not_stop_the_others(self) -> None:
        found = [module(FASTER, missing="nginx: apt-get install nginx-light"), module(ALONE)]
        assert bench.run(found) == ({"made_up": [ALONE]}, ["nginx: apt-get install nginx-light"])
