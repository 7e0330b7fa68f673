"""Counts and shares as people read them."""

from __future__ import annotations

from django.utils.formats import localize, number_format

_UNITS = ((10**12, "T"), (10**9, "G"), (10**6, "M"))
_ENOUGH = 10**6
"""From here on a count of an axis is written short."""


def count(number: int) -> str:
    """`12,345`."""
    return str(localize(number))


def short_count(number: int) -> str:
    """`12,345`, and `1.5 M` from a million on: for the side of a chart."""
    if number < _ENOUGH:
        return count(number)
    size, unit = next((size, unit) for size, unit in _UNITS if number >= size)
    text = number_format(number / size, 1) if number % size else count(number // size)
    return f"{text}\N{NO-BREAK SPACE}{unit}"


def decimal(number: float, decimals: int) -> str:
    """`0.61`."""
    return number_format(number, decimals)


def success_rate(successful: int, failed: int) -> str:
    """`99.11`: cut off, not rounded, so that one failure in a million is never `100.00`."""
    return _hundredths(10_000 * successful // (successful + failed)) if successful + failed else "—"


def share(part: int, whole: int, decimals: int = 0) -> str:
    """`87 %`, to the nearest; what is more than nothing is never `0 %`, what is less than the whole never `100 %`."""
    least = 10.0**-decimals
    value = 100 * part / whole if whole else 0.0
    if 0 < value < least:
        return f"< {number_format(least, decimals)}\N{NO-BREAK SPACE}%"
    nearest = min(round(value, decimals), 100 - least) if part < whole else round(value, decimals)
    return f"{number_format(nearest, decimals)}\N{NO-BREAK SPACE}%"


def _hundredths(number: int) -> str:
    return number_format(number / 100, 2)
