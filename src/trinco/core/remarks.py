"""What lint says of a record or a policy: where, how bad, and why, in words that can be translated."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Kind:
    """One sort of fault. `template` is the English source text, with `{0}`, `{1}` for the facts of the case."""

    severity: Severity
    template: str
    fatal: bool = False
    """Whether the standard, or a decision of ours, makes the whole input invalid for it."""


@dataclass(frozen=True, slots=True)
class Remark:
    """One finding. Line and column count from 1, lines end at LF alone; in a set of TXT records a line is a record.

    `key` names the kind of finding for ever; `reason` is its template filled with `facts`, for who does not translate.
    """

    severity: Severity
    line: int
    column: int
    reason: str
    key: str
    facts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """A finding at `start` to `end` (offsets into the text), before it has a line."""

    start: int
    end: int
    key: str
    facts: tuple[str, ...] = ()


def first_fatal(faults: Iterable[Fault], kinds: Mapping[str, Kind]) -> Fault | None:
    """The first fault, by place, that makes the input invalid."""
    return min((fault for fault in faults if kinds[fault.key].fatal), default=None)


def reason(fault: Fault, kinds: Mapping[str, Kind]) -> str:
    """The fault in English."""
    return kinds[fault.key].template.format(*fault.facts)


def remark(fault: Fault, kinds: Mapping[str, Kind], line: int, column: int) -> Remark:
    """The fault as lint says it."""
    return Remark(kinds[fault.key].severity, line, column, reason(fault, kinds), fault.key, fault.facts)


def remarks_of(faults: Iterable[Fault], kinds: Mapping[str, Kind], text: str) -> tuple[Remark, ...]:
    """The faults of one text, by place."""
    return tuple(
        remark(fault, kinds, text.count("\n", 0, fault.start) + 1, fault.start - text.rfind("\n", 0, fault.start))
        for fault in sorted(faults)
    )


def shown(text: str, limit: int = 40) -> str:
    """A stranger's text as it may stand in a message: ASCII, escaped, cut."""
    escaped = text[:limit].encode("ascii", "backslashreplace").decode("ascii")
    printable = "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in escaped)
    return printable + ("..." if len(text) > limit else "")
