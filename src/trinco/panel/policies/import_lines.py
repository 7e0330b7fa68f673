"""A pasted list or a CSV file of domains, line by line: a name, and beside it the mail servers and whose it is to be,
where that is said. What is wrong with a line by itself is found here, without a database.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trinco.core import tags
from trinco.core.errors import DomainSyntaxError, PolicySyntaxError, TagSyntaxError
from trinco.core.mailhosts import too_wide
from trinco.core.mtasts import mx as mx_patterns
from trinco.core.names import MAX_TYPED, Domain
from trinco.core.tables import printable
from trinco.panel.domains.services import is_ours
from trinco.panel.policies.errors import NothingToImport, TooManyLines
from trinco.panel.policies.import_columns import Row, rows
from trinco.panel.policies.import_models import Ending, ImportLine
from trinco.panel.policies.import_places import Places

MOST_LINES = 10_000
MOST_OCTETS = 1024 * 1024
_MANY_MX = 100
_TEXT, _DETAIL = 253, 300
"""Characters that are kept."""


def read(text: str, places: Places) -> list[ImportLine]:
    """The lines that say something, not stored yet; those with a fault have ended. Raises NothingToImport,
    TooManyLines, UnknownColumn."""
    given = list(rows(text))
    if not given:
        raise NothingToImport
    if len(given) > MOST_LINES:
        raise TooManyLines
    lines = [_line(each, places) for each in given]
    _mark_twice(lines)
    return lines


def leave_room(lines: Sequence[ImportLine], known: Mapping[int, set[str]], own: int, most: int) -> None:
    """End those lines by whose tags an organisation would have too many. `known`: the keys that each has already, by
    its primary key; `own`: that of the organisation to which lines without another belong."""
    found: dict[int, set[str]] = {}
    for line in lines:
        whose = line.client_id or own
        there = found.setdefault(whose, set(known.get(whose, ())))
        more = {tags.key(name) for name in line.tags} - there
        if line.ending == Ending.WAITING and more and len(there) + len(more) > most:
            _ended(line, Ending.TAGS, f"more than {most} tags")
        elif line.ending == Ending.WAITING:
            there |= more


def _line(row: Row, places: Places) -> ImportLine:
    line = ImportLine(number=row.number, text=printable(row.domain[:_TEXT]))
    try:
        line.name = str(Domain.parse(row.domain))
        line.mx = _patterns(row.mx)
        line.tags = list(tags.parse_list(row.tags))
    except DomainSyntaxError as error:
        return _ended(line, Ending.NAME, error.reason)
    except PolicySyntaxError as error:
        return _ended(line, Ending.MX, error.reason)
    except TagSyntaxError as error:
        return _ended(line, Ending.TAGS, error.reason)
    if is_ours(line.name):
        return _ended(line, Ending.OURS)
    wide = next((pattern for pattern in line.mx if too_wide(pattern)), "")
    return _ended(line, Ending.WIDE, wide) if wide else _placed(line, row, places)


def _placed(line: ImportLine, row: Row, places: Places) -> ImportLine:
    """Whose the domain is to be."""
    if row.organisation is None:
        return line
    found = places.find(row.organisation)
    if isinstance(found, Ending):
        return _ended(line, found, row.organisation)
    line.client = found
    return line


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
