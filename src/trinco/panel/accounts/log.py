"""The audit log as it is read: which of its lines, and the same as a file."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db.models import QuerySet

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.core.tables import as_csv
from trinco.panel.accounts.models import AuditEntry, Organisation

COLUMNS = (
    *("number", "at", "actor", "provider", "token", "source", "action", "subject", "before", "after", "override"),
    *("organisation", "previous", "digest"),
)
"""What a file has of each line: all that its digest covers, and the digests."""
_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Asked:
    """Which lines: about this domain, of this action, of this person, of these UTC days."""

    domain: str = ""
    action: str = ""
    person: str = ""
    first: date | None = None
    last: date | None = None

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


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _ascii(text: str) -> str:
    try:
        return str(Domain.parse(text))
    except DomainSyntaxError:
        return text.lower()
