"""The RRset rule that the TXT records of RFC 8461 section 3.1 and RFC 8460 section 3 share.

Records that do not begin with the version and a semicolon are passed over; of the others there must be exactly one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from trinco.core.errors import MultipleRecords, NoRecord, RecordSyntaxError
from trinco.core.remarks import Fault, Kind, Remark, first_fatal, reason, remark
from trinco.core.txt import KINDS, WSP

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Standard(Generic[R]):
    """One of the two kinds of record: how it begins, what can be wrong with it, and how the rest of it is read."""

    version: str
    kinds: Mapping[str, Kind]
    read: Callable[[str], tuple[R | None, tuple[Fault, ...]]]
    """The record, unless a fault is fatal, and the faults; the text begins as it must."""

    @property
    def beginning(self) -> str:
        return f"{self.version};"


def parse(standard: Standard[R], text: str) -> R | None:
    """The record; None: not one of this standard. Raises RecordSyntaxError with the place of the first fault."""
    if not isinstance(text, str):
        raise RecordSyntaxError("a TXT record is text")
    return _read(standard, text) if text.startswith(standard.beginning) else None


def select(standard: Standard[R], texts: Iterable[str]) -> R:
    """The one record of the set. Raises NoRecord, MultipleRecords, RecordSyntaxError."""
    ours = [text for text in texts if isinstance(text, str) and text.startswith(standard.beginning)]
    if not ours:
        raise NoRecord(f"no TXT record begins with {standard.beginning}")
    if len(ours) > 1:
        raise MultipleRecords(f"{len(ours)} TXT records begin with {standard.beginning}")
    return _read(standard, ours[0])


def _read(standard: Standard[R], text: str) -> R:
    record, faults = standard.read(text)
    if fatal := first_fatal(faults, standard.kinds):
        raise RecordSyntaxError(reason(fatal, standard.kinds), source=text, span=(fatal.start, fatal.end))
    assert record is not None, "without a fatal fault there is a record"
    return record


def lint(standards: Sequence[Standard[Any]], texts: Iterable[str]) -> tuple[Remark, ...]:
    """All that is wrong or doubtful in the TXT records of one name that is there for one of these standards.

    A remark's line is the number of its record, counted from 1.
    """
    found: list[Remark] = []
    counts: dict[str, int] = {}
    for line, text in enumerate(texts, 1):
        standard = resembled(standards, text)
        faults = _foreign(text) if standard is None else _faults(standard, text, counts)
        kinds = KINDS if standard is None else standard.kinds
        found += [remark(fault, kinds, line, fault.start + 1) for fault in sorted(faults)]
    return (*found, *_nothing_found(standards, counts))


def resembled(standards: Iterable[Standard[Any]], text: str) -> Standard[Any] | None:
    """The standard that `text` was surely written for, white space, case and quotes aside; None: neither."""
    head = text[:64] if isinstance(text, str) else ""
    squeezed = "".join(character for character in head if character not in WSP + '"\\').lower()
    return next((standard for standard in standards if squeezed.startswith(standard.version.lower())), None)


def _foreign(text: str) -> tuple[Fault, ...]:
    return (Fault(0, len(text), "foreign"),) if isinstance(text, str) else (Fault(0, 0, "not-text"),)


def _faults(standard: Standard[Any], text: str, counts: dict[str, int]) -> tuple[Fault, ...]:
    """The faults of one record, which counts among those of its standard when it begins as it must."""
    count = counts.setdefault(standard.beginning, 0)
    if not text.startswith(standard.beginning):
        return (Fault(0, len(text), "near-miss", (standard.beginning,)),)
    counts[standard.beginning] = count + 1
    faults: tuple[Fault, ...] = standard.read(text)[1]
    return (Fault(0, len(text), "multiple-records", (standard.beginning,)), *faults) if count else faults


def _nothing_found(standards: Sequence[Standard[Any]], counts: Mapping[str, int]) -> tuple[Remark, ...]:
    """What to say when senders see no record at all: of the standards that were meant, or of any."""
    if any(counts.values()):
        return ()
    meant = list(counts) or [standard.beginning for standard in standards]
    return (remark(Fault(0, 0, "no-record", (" or ".join(meant),)), KINDS, 1, 1),)
