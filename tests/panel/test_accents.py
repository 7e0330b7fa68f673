"""Accent colours: what is read on what, and the nearest one that can be read."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest

import trinco.panel.web
from trinco.panel.accounts import accents
from trinco.panel.accounts.accents import DARK, LIGHT, contrast
from trinco.panel.accounts.errors import AccentSyntaxError, AccentTooFaint

RANDOM = random.Random(20_261_124)
COLOURS = [f"#{RANDOM.randrange(1 << 24):06x}" for _ in range(200)]
SHEET = Path(trinco.panel.web.__file__).parent / "static" / "trinco" / "trinco.css"


class TestContrast:
    """WCAG 2.2 SC 1.4.3: "a contrast ratio of at least 4.5:1"."""

    @pytest.mark.parametrize(
        ("one", "other", "ratio"),
        [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#2f5bd7", "#ffffff", 5.84)],
    )
    def test_known_ratios(self, one: str, other: str, ratio: float) -> None:
        assert round(contrast(one, other), 2) == round(contrast(other, one), 2) == ratio

    @pytest.mark.parametrize("theme", [LIGHT, DARK], ids=lambda theme: theme.name)
    def test_of_200_colours_the_nearest_is_read_everywhere(self, theme: accents.Theme) -> None:
        for given in COLOURS:
            made = accents.shades(accents.nearest(given, LIGHT))[theme is DARK]
            below = [contrast(made.accent, each) for each in (*theme.surfaces, made.weak)]
            above = [contrast(made.on_accent, each) for each in (made.accent, made.hover)]
            around = [contrast(ink, made.weak) for ink in theme.on_weak]
            assert min(*below, *above, *around) >= 4.5, given

    def test_the_surfaces_are_those_of_the_style_sheet(self) -> None:
        names = ("bg", "surface", "surface-2", "surface-3", "ink", "ink-2", "ink-3")
        text = SHEET.read_text(encoding="utf-8")
        found = [re.search(rf"--{name}: light-dark\((#\w+), (#\w+)\)", text) for name in names]
        pairs = [tuple(accents.parse(each) for each in match.groups()) for match in found if match]
        assert [pair[0] for pair in pairs] == [*LIGHT.surfaces, *LIGHT.on_weak]
        assert [pair[1] for pair in pairs] == [*DARK.surfaces, *DARK.on_weak]


class TestGiven:
    @pytest.mark.parametrize(("typed", "meant"), [("#2F5BD7", "#2f5bd7"), ("2f5bd7", "#2f5bd7"), (" #05a ", "#0055aa")])
    def test_as_people_type_it(self, typed: str, meant: str) -> None:
        assert accents.parse(typed) == meant

    @pytest.mark.parametrize("typed", ["", "blue", "#12345", "#2f5bd7;}", "#٢٢٢", "#2f5bd7\n#", "rgb(1,2,3)"])
    def test_what_is_no_colour(self, typed: str) -> None:
        with pytest.raises(AccentSyntaxError):
            accents.parse(typed)

    def test_one_that_can_be_read_stays(self) -> None:
        accents.require("#2f5bd7")
        assert accents.nearest("#2f5bd7", LIGHT) == "#2f5bd7"

    def test_a_faint_one_is_refused_with_the_nearest(self) -> None:
        with pytest.raises(AccentTooFaint) as refused:
            accents.require("#ffd400")
        assert (round(refused.value.contrast, 1), refused.value.nearest) == (1.3, "#826c00")
        accents.require(refused.value.nearest)

    def test_the_style_sheet(self) -> None:
        assert accents.stylesheet("#2f5bd7") == (
            ":root { --brand: light-dark(#2f5bd7, #6f8ee3); --brand-h: light-dark(#274cb5, #86a0e7); "
            "--brand-weak: light-dark(#f0f4fc, #1e2638); --on-brand: light-dark(#ffffff, #0b1326) }\n"
        )
