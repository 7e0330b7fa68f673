"""The RRset rule that the TXT records of RFC 8461 section 3.1 and RFC 8460 section 3 share.

Records that do not begin with the version and a semicolon are passed over; of the others there must be exactly one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from trinco.core.errors import MultipleRecords, NoRecord, RecordSyntaxError
from trinco.core.remarks import Fault, Kind, Remark, first_fatal, reason, remark
from trinco.core.txt import WSP

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Standard(Generic[R]):
    """One of the two kinds of record: how it begins, what can be wrong with it, and how the rest of it is read."""

    version: str
    kinds: Mapping[str, Kind]
    read: Callable[[str], tuple[R | None, tuple[Fault, ...]]]

    @property
    def beginning(self) -> str:
        return f"{self.version};"


def parse(standard: Standard[R], text: str) -> R | None:
    """The record; None: not one of this standard. Raises RecordSyntaxError with the place of the first fault."""
    if not isinstance(text, str):
        raise RecordSyntaxError("a TXT record is text")
    if not text.startswith(standard.beginning):
        return None
    record, faults = standard.read(text)
    if fatal := first_fatal(faults, standard.kinds):
        raise RecordSyntaxError(reason(fatal, standard.kinds), source=text, span=(fatal.start, fatal.end))
    return record


def select(standard: Standard[R], texts: Iterable[str]) -> R:
    """The one record of the set. Raises NoRecord, MultipleRecords, RecordSyntaxError."""
    ours = [text for text in texts if isinstance(text, str) and text.startswith(standard.beginning)]
    if not ours:
        raise NoRecord(f"no TXT record begins with {standard.beginning}")
    if len(ours) > 1:
        raise MultipleRecords(f"{len(ours)} TXT records begin with {standard.beginning}")
    record = parse(standard, ours[0])
    assert record is not None, "it begins as it must, and parse raises for what is broken"
    return record


def lint(standard: Standard[R], texts: Iterable[str]) -> tuple[Remark, ...]:
    """All that is wrong or doubtful in the set; a remark's line is the number of its record, counted from 1."""
    found: list[Remark] = []
    ours = 0
    for line, text in enumerate(texts, 1):
        if not isinstance(text, str):
            faults: tuple[Fault, ...] = (Fault(0, 0, "not-text"),)
        elif text.startswith(standard.beginning):
            ours += 1
            faults = standard.read(text)[1]
            if ours > 1:
                faults = (Fault(0, len(text), "multiple-records", (standard.beginning,)), *faults)
        else:
            faults = (_passed_over(standard, text),)
        found += [remark(fault, standard.kinds, line, fault.start + 1) for fault in sorted(faults)]
    if not ours:
        found.append(remark(Fault(0, 0, "no-record", (standard.beginning,)), standard.kinds, 1, 1))
    return tuple(found)


def _passed_over(standard: Standard[R], text: str) -> Fault:
    """Why senders do not see this record, when it was surely meant to be one."""
    squeezed = "".join(character for character in text[:64] if character not in WSP + '"\\').lower()
    if squeezed.startswith(standard.version.lower()):
        return Fault(0, len(text), "near-miss", (standard.beginning,))
    return Fault(0, len(text), "foreign")
