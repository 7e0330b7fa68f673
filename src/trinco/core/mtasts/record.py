"""The `_mta-sts` TXT record (RFC 8461 section 3.1)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from trinco.core import records
from trinco.core.errors import RecordSyntaxError
from trinco.core.remarks import Fault, Kind, Remark, shown
from trinco.core.txt import KINDS, Field, is_extension, split

VERSION = "v=STSv1"

_ID = re.compile(r"[A-Za-z0-9]{1,32}")

_KINDS: Mapping[str, Kind] = {
    **KINDS,
    "id-missing": Kind("error", "the field id is missing", fatal=True),
    "id-syntax": Kind("error", "id is {0}; it is 1 to 32 letters and digits", fatal=True),
    "id-twice": Kind("error", "a second id: the first one counts"),
}


@dataclass(frozen=True, slots=True)
class Record:
    """A record that may be published. `id` tells one instance of the policy from another, without an order."""

    id: str

    def __post_init__(self) -> None:
        if not isinstance(self.id, str) or not _ID.fullmatch(self.id):
            raise RecordSyntaxError("id is 1 to 32 letters and digits")


def parse(text: str) -> Record | None:
    """The record; None: `text` does not begin with `v=STSv1;` and so is none. RecordSyntaxError: one, but broken."""
    return records.parse(STANDARD, text)


def select(texts: Iterable[str]) -> Record:
    """The one record among the TXT of a name. Raises NoRecord, MultipleRecords, RecordSyntaxError: each means that the
    domain has no policy to be discovered (a cached one still applies, RFC 8461 section 3.3).
    """
    return records.select(STANDARD, texts)


def lint(texts: Iterable[str]) -> tuple[Remark, ...]:
    """All that is wrong or doubtful in the TXT records of one name. A remark's line is the record's number."""
    return records.lint([STANDARD], texts)


def render(record: Record) -> str:
    """The text to publish."""
    return f"{VERSION}; id={record.id};"


def _read(text: str) -> tuple[Record | None, tuple[Fault, ...]]:
    split_fields = split(text, VERSION)
    faults = list(split_fields.faults)
    ids: list[Field] = []
    for field in split_fields.fields:
        if field.name == "id":
            ids.append(field)
        else:
            faults += _extension(field)
    faults += _ids(ids, len(text))
    if ids and _ID.fullmatch(ids[0].value):
        return Record(ids[0].value), tuple(faults)
    return None, tuple(faults)


def _ids(ids: list[Field], end: int) -> list[Fault]:
    if not ids:
        return [Fault(end, end, "id-missing")]
    first, *later = ids
    faults = [Fault(field.start, field.end, "id-twice") for field in later]
    faults += [fault for field in later for fault in _extension(field)]
    if not _ID.fullmatch(first.value):
        faults.append(Fault(first.value_start, first.end, "id-syntax", (shown(first.value),)))
    return faults


def _extension(field: Field) -> list[Fault]:
    if not is_extension(field):
        return [Fault(field.start, field.end, "field-syntax", (shown(f"{field.name}={field.value}"),))]
    if field.name in {"ID", "Id", "iD"}:
        return [Fault(field.start, field.end, "field-case", (field.name, "id"))]
    return []


STANDARD = records.Standard(VERSION, _KINDS, _read)
