"""From counts to places on a drawing."""

from __future__ import annotations

from dataclasses import dataclass

TICKS = 4
STEPS = (1, 1.5, 2, 2.5, 5, 10)
LEVELS = (0.005, 0.05)
"""Shares of failed sessions at which the lane of failures changes its colour, beside any failure at all."""


@dataclass(frozen=True, slots=True)
class Axis:
    """Whole numbers from nought up to `top`, with a line at each `step`."""

    top: int
    step: int

    @property
    def lines(self) -> range:
        return range(0, self.top + 1, self.step)


def axis(most: int) -> Axis:
    """An axis of round numbers for counts up to `most`."""
    if most <= TICKS:
        return Axis(TICKS, 1)
    size = 10 ** (len(str(most // TICKS)) - 1)
    step = next(int(each * size) for each in STEPS if each * size >= most / TICKS and each * size == int(each * size))
    return Axis(-(-most // step) * step, step)


def percent(share: float) -> str:
    """`12.345%` for 0.12345, as SVG wants it in every language."""
    return f"{100 * share:.3f}".rstrip("0").rstrip(".") + "%"


def px(length: float) -> str:
    """A length to a tenth of a pixel."""
    return f"{length:.1f}".removesuffix(".0")


def level(failure_rate: float) -> int:
    """The step of a share of failures: 1 none, 2 some, 3 from 0.5 %, 4 from 5 %."""
    if failure_rate <= 0:
        return 1
    return 2 + sum(failure_rate >= each for each in LEVELS)
