"""The rows of a pasted list or a CSV file, and what stands in which of their cells.

A first line that names its columns says in which order they come and how all lines are cut; in a list without one, each
line says it by its first comma, semicolon or tab. Either way each line stands for itself: a stray quote takes no other
line with it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from trinco.core.tables import printable
from trinco.panel.policies.errors import UnknownColumn

_MARKS = "\t;,"
_SEPARATOR = re.compile(r"(?i)sep=([\t;,])")
"""What Excel writes above a header, and takes for itself."""
_DOMAIN = frozenset({"domain", "domains", "name", "domain name", "mail domain", "domínio", "dominio"})
_ORGANISATION = frozenset(
    {"organisation", "organization", "client", "customer", "organização", "organizacao", "cliente"}
)
_TAGS = frozenset({"tags", "tag", "etiquetas", "etiqueta"})
_MX = frozenset({"mx", "mail server", "mail servers", "servidor de correio", "servidores de correio", ""})


@dataclass(frozen=True, slots=True)
class Row:
    """A line that says something. `number` counts from 1, as an editor shows it; `organisation` is None where no column
    names one."""

    number: int
    domain: str
    organisation: str | None
    mx: str
    tags: str = ""


@dataclass(frozen=True, slots=True)
class _Columns:
    """Where what stands. `mark`: what all lines are cut at; "": each says it by itself."""

    mark: str = ""
    domain: int = 0
    organisation: int | None = None
    tags: int | None = None

    def row(self, number: int, cells: Sequence[str]) -> Row:
        others = (self.domain, self.organisation, self.tags)
        named = [text for place, text in enumerate(cells) if place not in others]
        organisation = None if self.organisation is None else _at(cells, self.organisation)
        tags = "" if self.tags is None else _at(cells, self.tags)
        return Row(number, _at(cells, self.domain), organisation, " ".join(named), tags)


def rows(text: str) -> Iterator[Row]:
    """The lines that say something. Raises UnknownColumn."""
    columns, begun = _Columns(), False
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")), 1):
        if not begun and (found := _SEPARATOR.fullmatch(line)):
            columns = _Columns(found[1])
            continue
        cells = _cells(line, columns.mark)
        if not any(cells):
            continue
        header = None if begun else _header(cells, columns.mark or _mark(line))
        begun, columns = True, header or columns
        if header is None:
            yield columns.row(number, cells)


def _header(cells: Sequence[str], mark: str) -> _Columns | None:
    """What a first line says of the columns; None: it is a line like the others. Raises UnknownColumn."""
    words = [cell.casefold() for cell in cells]
    domain = next((place for place, word in enumerate(words) if word in _DOMAIN), None)
    if domain is None:
        return None
    organisation = next((place for place, word in enumerate(words) if word in _ORGANISATION), None)
    tags = next((place for place, word in enumerate(words) if word in _TAGS), None)
    for place, word in enumerate(words):
        if place not in (domain, organisation, tags) and word not in _MX:
            raise UnknownColumn(printable(cells[place][:80]))
    return _Columns(mark if len(cells) > 1 else "", domain, organisation, tags)


def _mark(line: str) -> str:
    return min((each for each in _MARKS if each in line), key=line.index, default=",")


def _cells(line: str, mark: str) -> list[str]:
    try:
        cells = next(csv.reader([line], delimiter=mark or _mark(line)), [])
    except csv.Error:  # NUL, or a cell that is larger than any
        cells = [line]
    return [cell.strip(" \t") for cell in cells] or [""]


def _at(cells: Sequence[str], place: int) -> str:
    return cells[place] if place < len(cells) else ""
