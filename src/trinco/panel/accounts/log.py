"""The audit log as it is read: which of its lines, and the same as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Any, Final

from django.db.models import Q, QuerySet

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.core.tables import as_csv
from trinco.panel.accounts.models import AuditEntry, Organisation

COLUMNS = (
    *("number", "at", "actor", "provider", "token", "source", "action", "subject", "before", "after", "override"),
    *("organisation", "previous", "digest"),
)
"""What a file has of each line: all that its digest covers, and the digests."""
AT_MOST: Final = 50_000
"""Lines that are looked at for one page."""
_AT_ONCE = 500
_DIGITS = 18
"""Of a line's key, which is far from as many."""

Place = tuple[datetime, int]
"""When a line was written, and its key: its place in the log."""


class Names(StrEnum):
    """How `Asked.domain` and `Asked.person` are meant."""

    EITHER = ""
    """A whole name where the log has one that is just that, or else a part of names."""
    PART = "part"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class Asked:
    """Which lines: about this domain, of this action, of this person, of these UTC days."""

    domain: str = ""
    action: str = ""
    person: str = ""
    first: date | None = None
    last: date | None = None
    names: Names = Names.EITHER

    @property
    def anything(self) -> bool:
        return replace(self, names=Names.EITHER) != Asked()


@dataclass(frozen=True, slots=True)
class Stretch:
    """Some of the lines, newest first."""

    lines: list[AuditEntry]
    last: AuditEntry | None = None
    """The line behind which the search goes on, of which only `at` and the key are there; None: nothing older fits."""
    cut: bool = False
    """Whether it ended at `last` because that many lines had been looked at: there may be few here, or none."""
    whole: bool = False
    """Whether a name was found to be just what was asked for, so that it was not looked for as a part of others."""


@dataclass(frozen=True, slots=True)
class _Conditions:
    """`equal`: columns that have to be this, each of which has an index in the log's order. `parts`: whatever else."""

    equal: tuple[tuple[str, str], ...]
    parts: Q

    @property
    def whole(self) -> bool:
        return any(column != "action" for column, _value in self.equal)

    def but(self, leading: str) -> Q:
        """All others, in a form that no index answers: a database that knows no better may follow one of too many."""
        others = self.parts
        for column, value in self.equal:
            others &= Q() if column == leading else Q(**{f"{column}__iexact": value})
        return others


def lines(organisation: Organisation, asked: Asked) -> QuerySet[AuditEntry]:
    """All the lines, newest first. Days are UTC, and the last one is among them."""
    found = _of_days(organisation, asked)
    sought = _conditions(found, asked)
    return found.filter(sought.parts, **dict(sought.equal))


def stretch(organisation: Organisation, asked: Asked, size: int, behind: Place | None = None) -> Stretch:
    """The next `size` of the lines, behind a place. However long the log is, no more than `AT_MOST` lines are looked
    at; behind them it goes on from `Stretch.last`."""
    found = _of_days(organisation, asked)
    sought = _conditions(found, asked)
    if behind:
        found = found.filter(Q(at__lt=behind[0]) | Q(pk__lt=behind[1]), at__lte=behind[0])
    rows, end = _within_reach(found, sought)
    got = list(rows[: size + 1])
    if len(got) > size:
        return Stretch(got[:size], got[size - 1], whole=sought.whole)
    return Stretch(got, end, end is not None, sought.whole)


def place(organisation: Organisation, key: str) -> Place | None:
    """The place of a line, given by its key; None: there is none."""
    if not (key.isascii() and key.isdecimal() and len(key) <= _DIGITS):
        return None
    return AuditEntry.objects.of(organisation).filter(pk=int(key)).values_list("at", "pk").first()


def _within_reach(found: QuerySet[AuditEntry], sought: _Conditions) -> tuple[QuerySet[AuditEntry], AuditEntry | None]:
    """Those that fit, as far as one page looks for them, and the line where that is; None: all of them.

    One column leads: the first with which all is within reach.
    """
    leads = [(found.filter(**{column: value}), sought.but(column)) for column, value in sought.equal]
    leads = leads or [(found, sought.parts)]
    ends = []
    for lead, others in leads:
        ends.append(_end(lead) if others else None)
        if ends[-1] is None:
            return lead.filter(others), None
    (lead, others), end = leads[0], ends[0]
    assert end is not None
    return lead.filter(Q(at__gt=end.at) | Q(pk__gte=end.pk), others, at__gte=end.at), end


def _end(lead: QuerySet[AuditEntry]) -> AuditEntry | None:
    """The last line that is looked at; None: there are no more than that."""
    last = list(lead.only("at")[AT_MOST - 1 : AT_MOST + 1])
    return last[0] if len(last) > 1 else None


def _of_days(organisation: Organisation, asked: Asked) -> QuerySet[AuditEntry]:
    found = AuditEntry.objects.of(organisation)
    if asked.first:
        found = found.filter(at__gte=_midnight(asked.first))
    if asked.last:
        found = found.filter(at__lt=_midnight(asked.last + timedelta(days=1)))
    return found


def _conditions(found: QuerySet[AuditEntry], asked: Asked) -> _Conditions:
    equal, parts = [], Q()
    for column, text, names in (
        ("subject", asked.domain, (_ascii(asked.domain), asked.domain)),
        ("actor", asked.person, (asked.person.lower(), asked.person)),
    ):
        if (name := _whole(found, column, names, asked.names)) is not None:
            equal.append((column, name))
        elif text:
            parts &= Q(*(Q(**{f"{column}__icontains": name}) for name in set(names)), _connector=Q.OR)
    if asked.action:
        equal.append(("action", asked.action))
    return _Conditions(tuple(equal), parts)


def _whole(found: QuerySet[AuditEntry], column: str, names: Sequence[str], meant: Names) -> str | None:
    """The one of the names that is wanted as a whole; None: as a part, or not at all."""
    if not names[0] or meant is Names.PART:
        return None
    there = (name for name in dict.fromkeys(names) if found.filter(**{column: name}).exists())
    return next(there, names[0] if meant is Names.WHOLE else None)


def csv_of(found: QuerySet[AuditEntry]) -> Iterator[str]:
    """A table for spreadsheets, in which no cell is a formula; `before` and `after` are JSON."""
    flat = ({**row, "before": json.dumps(row["before"]), "after": json.dumps(row["after"])} for row in _rows(found))
    yield from as_csv(flat, COLUMNS)


def json_of(found: QuerySet[AuditEntry]) -> Iterator[str]:
    """One object in a line: for programs, which can compute the digests again."""
    for row in _rows(found):
        yield json.dumps(row) + "\n"


def _rows(found: QuerySet[AuditEntry]) -> Iterator[dict[str, Any]]:
    for row in found.order_by("number", "pk").values(*COLUMNS).iterator(_AT_ONCE):
        yield {**row, "at": row["at"].astimezone(UTC).isoformat(timespec="microseconds")}


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _ascii(text: str) -> str:
    try:
        return str(Domain.parse(text))
    except DomainSyntaxError:
        return text.lower()
