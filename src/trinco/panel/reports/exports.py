"""The charts and lists as rows of plain values, under one set of names: for files and for the API.

CSV is for spreadsheets, which take a file without a byte order mark for one in the machine's old character set; so it
has one, and programs are better served by the JSON, which has the same names and no mark.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from datetime import date, datetime
from typing import Any

from trinco.core.tables import as_csv
from trinco.panel.domains import turned_away as missing
from trinco.panel.reports import charts, listing
from trinco.panel.reports.drill import Wanted
from trinco.panel.reports.models import Report
from trinco.panel.reports.scope import Scope, is_counted

BOM = "\ufeff"
MAX_DETAILS = 10_000
"""Rows of failure details in one file."""
LINES = 200
"""Rows that are written at a time."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the tables: its columns, and its rows for a scope."""

    columns: tuple[str, ...]
    rows: Callable[[Scope, Wanted], Iterable[Row]]


def by_result(scope: Scope, _wanted: Wanted) -> list[Row]:
    """`mx`: the worst hosts."""
    return [{**_plain(row), "mx": _counts("mx", row.mx)} for row in charts.by_result(scope)]


def by_source(scope: Scope, _wanted: Wanted) -> list[Row]:
    """`applied`, `policy_id`, `policy_mode`: the policy that the sender's newest report says it applied."""
    return [_source(row) for row in charts.by_source(scope)]


def by_day(scope: Scope, _wanted: Wanted) -> list[Row]:
    """A day with `reports` 0 was not reported on."""
    return [_plain(row) for row in charts.by_day(scope)]


def by_mx(scope: Scope, _wanted: Wanted) -> list[Row]:
    """`results`: what failed there."""
    return [{**_plain(row), "results": _counts("result_type", row.results)} for row in charts.by_mx(scope)]


def details(scope: Scope, wanted: Wanted) -> list[Row]:
    """Failure details that say the same, added up."""
    found = charts.details(
        scope, result_type=wanted.result_type, mx=wanted.mx, policy_type=wanted.policy_type, limit=MAX_DETAILS
    )
    return [_plain(row) for row in found]


def turned_away(scope: Scope, _wanted: Wanted) -> list[Row]:
    """Nobody knows from whom they were: it is every sender's."""
    return [_plain(row) for row in missing.listed(scope.organisation, scope.first, scope.last, scope.domain)]


def reports(scope: Scope, _wanted: Wanted) -> Iterator[Row]:
    """Every report, the newest day first."""
    return map(report, listing.portions(scope))


def report(row: Report) -> Row:
    """One report in a row. `counted`: its sessions are in the sums."""
    other = {"domain": row.domain.name, "counted": is_counted(row)}
    return {name: other[name] if name in other else _value(getattr(row, name)) for name in REPORT}


REPORT = (
    "id",
    "domain",
    "day",
    "start",
    "end",
    "received_at",
    "channel",
    "trust",
    "signer",
    "counted",
    "copies",
    "organization_name",
    "submitter",
    "contact_info",
    "report_id",
    "successful_session_count",
    "failed_session_count",
)
_SOURCE = (
    "submitter",
    "organization_name",
    "successful_session_count",
    "failed_session_count",
    "reports",
    "last",
    "applied",
    "policy_id",
    "policy_mode",
)


def _names(row: type) -> tuple[str, ...]:
    return tuple(field.name for field in fields(row))


KINDS: Mapping[str, Kind] = {
    "by-result": Kind(_names(charts.ResultRow), by_result),
    "by-source": Kind(_SOURCE, by_source),
    "by-day": Kind(_names(charts.Day), by_day),
    "by-mx": Kind(_names(charts.MxRow), by_mx),
    "details": Kind(_names(charts.DetailRow), details),
    "turned-away": Kind(_names(missing.Row), turned_away),
    "reports": Kind(REPORT, reports),
}


def _source(row: charts.SourceRow) -> Row:
    told, version = row.applied, row.applied.version if row.applied else None
    return {
        **{name: _value(getattr(row, name)) for name in _SOURCE[:6]},
        "applied": str(told.applied.value) if told else None,
        "policy_id": version.policy_id if version else None,
        "policy_mode": version.mode if version else None,
    }


def _plain(row: Any) -> Row:
    return {name: _value(getattr(row, name)) for name in _names(type(row))}


def _counts(name: str, pairs: Iterable[tuple[str, int]]) -> list[Row]:
    return [{name: word, "failed_session_count": count} for word, count in pairs]


def _value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date | datetime) else value


def facts(table: str, scope: Scope) -> Row:
    """What the rows of a table are about."""
    return {
        "table": table,
        "domain": scope.domain.name if scope.domain else None,
        "from": scope.first.isoformat(),
        "to": scope.last.isoformat(),
        "sender": scope.submitter,
        "trust": "all" if scope.everything else "counted",
    }


def csv(kind: Kind, rows: Iterable[Row]) -> Iterator[str]:
    """The file in pieces. A list in a cell is written `mx1.example 12, mx2.example 3`."""
    flat = ({name: _flat(value) for name, value in row.items()} for row in rows)
    return _joined(_with_mark(as_csv(flat, kind.columns)))


def as_json(facts: Mapping[str, Any], rows: Iterable[Row]) -> Iterator[str]:
    """The file in pieces: one object, `facts` and then `rows`."""
    return _joined(_written(facts, rows))


def _written(facts: Mapping[str, Any], rows: Iterable[Row]) -> Iterator[str]:
    yield f'{json.dumps(facts, indent=2)[:-2]},\n  "rows": ['
    mark = "\n"
    for row in rows:
        yield f"{mark}    {json.dumps(row)}"
        mark = ",\n"
    yield "\n  ]\n}\n"


def _with_mark(lines: Iterable[str]) -> Iterator[str]:
    yield BOM
    yield from lines


def _flat(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    return ", ".join(" ".join(str(part) for part in each.values()) for each in value)


def _joined(pieces: Iterable[str]) -> Iterator[str]:
    """Fewer and larger pieces: each is a write to the client."""
    held: list[str] = []
    for piece in pieces:
        held.append(piece)
        if len(held) >= LINES:
            yield "".join(held)
            held.clear()
    yield "".join(held)
