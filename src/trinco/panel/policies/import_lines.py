"""A pasted list or a CSV file of domains, line by line: a name, and beside it the mail servers, where they are known.

Each line stands for itself, and says by its first comma, semicolon or tab how its cells are cut: a stray quote takes no
other line with it. What is wrong with a line by itself is found here, without a database.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator

from trinco.core.errors import DomainSyntaxError, PolicySyntaxError
from trinco.core.mailhosts import too_wide
from trinco.core.mtasts import mx as mx_patterns
from trinco.core.names import MAX_TYPED, Domain
from trinco.core.tables import printable
from trinco.panel.domains.services import is_ours
from trinco.panel.policies.errors import NothingToImport, TooManyLines
from trinco.panel.policies.import_models import Ending, ImportLine

MOST_LINES = 10_000
MOST_OCTETS = 1024 * 1024
_MANY_MX = 100
_HEADERS = frozenset({"domain", "domains", "name", "domain name", "mail domain", "domínio", "dominio"})
_TEXT, _DETAIL = 253, 300
"""Characters that are kept."""


def read(text: str) -> list[ImportLine]:
    """The lines that say something, not stored yet; those with a fault have ended. Raises NothingToImport,
    TooManyLines."""
    rows = list(_rows(text))
    if not rows:
        raise NothingToImport
    if len(rows) > MOST_LINES:
        raise TooManyLines
    lines = [_line(number, cells) for number, cells in rows]
    _mark_twice(lines)
    return lines


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    first = True
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text.removeprefix("\ufeff")), 1):
        cells = _cells(line)
        if any(cells) and not (first and cells[0].lower() in _HEADERS):
            yield number, cells
        first = first and not any(cells)


def _cells(line: str) -> list[str]:
    mark = min((each for each in "\t;," if each in line), key=line.index, default=",")
    try:
        cells = next(csv.reader([line], delimiter=mark), [])
    except csv.Error:  # NUL, or a cell that is larger than any
        cells = [line]
    return [cell.strip(" \t") for cell in cells] or [""]


def _line(number: int, cells: list[str]) -> ImportLine:
    line = ImportLine(number=number, text=printable(cells[0][:_TEXT]))
    try:
        line.name = str(Domain.parse(cells[0]))
        line.mx = _patterns(" ".join(cells[1:]))
    except DomainSyntaxError as error:
        return _ended(line, Ending.NAME, error.reason)
    except PolicySyntaxError as error:
        return _ended(line, Ending.MX, error.reason)
    if is_ours(line.name):
        return _ended(line, Ending.OURS)
    wide = next((pattern for pattern in line.mx if too_wide(pattern)), "")
    return _ended(line, Ending.WIDE, wide) if wide else line


def _patterns(text: str) -> list[str]:
    """The mail servers of a line. Raises PolicySyntaxError."""
    words = text.replace(",", " ").replace(";", " ").split()
    if len(words) > _MANY_MX:
        raise PolicySyntaxError("more mail servers than any domain has")
    return list(dict.fromkeys(mx_patterns.pattern(word[:MAX_TYPED]) for word in words))


def _ended(line: ImportLine, ending: Ending, detail: str = "") -> ImportLine:
    line.ending, line.detail = ending, printable(detail)[:_DETAIL]
    return line


def _mark_twice(lines: list[ImportLine]) -> None:
    """The first line of a name counts."""
    seen: dict[str, int] = {}
    for line in lines:
        if line.ending == Ending.WAITING and (before := seen.setdefault(line.name, line.number)) != line.number:
            _ended(line, Ending.TWICE, str(before))
