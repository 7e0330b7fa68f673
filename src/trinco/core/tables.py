"""Rows as CSV (RFC 4180) whose texts are a stranger's: nothing in them is a formula, a command or a second row.

A spreadsheet takes a cell for a formula by its first character, quoted or not; where the comma is the decimal mark it
cuts lines at semicolons, inside of quotes too. ASVS 1.2.10.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence

_FORMULA = "=+-@\uff1d\uff0b\uff0d\uff20"
"""The last four are their full-width forms, which East Asian versions read alike."""


def printable(text: str) -> str:
    """Text of a stranger as it may reach a terminal or a cell: no control, direction or broken character."""
    return "".join(character if character.isprintable() else "?" for character in text)


def as_csv(rows: Iterable[Mapping[str, object]], columns: Sequence[str]) -> Iterator[str]:
    """Lines, each with its CRLF, one row at a time; the first names the columns."""
    yield _line(columns)
    for row in rows:
        yield _line([cell(row[name]) for name in columns])


def cell(value: object) -> str:
    """A text with its controls replaced, and a quote in front of what would begin a formula; None is empty."""
    if not isinstance(value, str):
        return "" if value is None else str(value)
    return ";".join(f"'{printable(part)}" if _begins_formula(part) else printable(part) for part in value.split(";"))


def _begins_formula(text: str) -> bool:
    shown = next((each for each in text if each.isprintable() and not each.isspace()), "")
    return text.startswith(("\t", "\r", "\n")) or (shown != "" and shown in _FORMULA)


def _line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(cells)
    return line.getvalue()
