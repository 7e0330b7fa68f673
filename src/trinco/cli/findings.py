"""What `trinco doctor` finds, and the exit code that follows."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import msgspec


class Verdict(StrEnum):
    """How a part of the installation stands."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"
    UNTESTED = "untested"
    """It could not be looked at."""


class Finding(msgspec.Struct, frozen=True):
    """One part of the installation, what was seen of it, and what to do (empty when nothing)."""

    part: str
    verdict: Verdict
    seen: str
    advice: str = ""


def ok(part: str, seen: str) -> Finding:
    """A part that is as it should be."""
    return Finding(part, Verdict.OK, seen)


def warning(part: str, seen: str, advice: str) -> Finding:
    """A part that works and will not for ever, or not for everybody."""
    return Finding(part, Verdict.WARNING, seen, advice)


def error(part: str, seen: str, advice: str) -> Finding:
    """A part that does not work."""
    return Finding(part, Verdict.ERROR, seen, advice)


def untested(part: str, seen: str) -> Finding:
    """A part that could not be looked at."""
    return Finding(part, Verdict.UNTESTED, seen)


def exit_code(findings: Iterable[Finding]) -> int:
    """0 clean, 1 an error or a warning, 3 when something could not be tested and nothing else is wrong."""
    verdicts = {finding.verdict for finding in findings}
    if verdicts & {Verdict.ERROR, Verdict.WARNING}:
        return 1
    return 3 if Verdict.UNTESTED in verdicts else 0
