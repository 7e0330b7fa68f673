"""The question behind the activity page: which lines of the log, and the same as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet
from django.http import QueryDict

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.core.tables import as_csv
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.web.overview import typed

COLUMNS = (
    *("number", "at", "actor", "provider", "token", "source", "action", "subject", "before", "after", "override"),
    *("organisation", "previous", "digest"),
)
"""What a file has of each line: all that its digest covers, and the digests."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """What the address asks for; what is no date is left aside."""

    domain: str = ""
    action: str = ""
    person: str = ""
    first: date | None = None
    last: date | None = None

    @classmethod
    def of(cls, given: QueryDict) -> Asked:
        """From `?domain=&action=&person=&from=&to=`."""
        words = {name: typed(given, name) for name in ("domain", "action", "person")}
        return cls(**words, first=_day(typed(given, "from")), last=_day(typed(given, "to")))

    @property
    def anything(self) -> bool:
        return self != Asked()


def lines(organisation: Organisation, asked: Asked) -> QuerySet[AuditEntry]:
    """The lines, newest first. Days are UTC, and the last one is among them."""
    found = AuditEntry.objects.of(organisation)
    if asked.domain:
        found = found.filter(subject__contains=_ascii(asked.domain))
    if asked.action:
        found = found.filter(action=asked.action)
    if asked.person:
        found = found.filter(actor__icontains=asked.person)
    if asked.first:
        found = found.filter(at__gte=_midnight(asked.first))
    if asked.last:
        found = found.filter(at__lt=_midnight(asked.last + timedelta(days=1)))
    return found


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


def _day(text: str) -> date | None:
    try:
        return date.fromisoformat(text) if len(text) == len("2026-11-24") and text < "9999-12-31" else None
    except ValueError:
        return None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _ascii(text: str) -> str:
    try:
        return str(Domain.parse(text))
    except DomainSyntaxError:
        return text.lower()
