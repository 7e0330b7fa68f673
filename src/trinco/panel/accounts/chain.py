"""The arithmetic of the log's chain: a line's digest covers what it says and the digest of the line before it.

Pure and for good: what was written by one version is checked by every later one.
"""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Any, Protocol

FIRST = ""
"""What stands before the first line."""


class Line(Protocol):
    """A line of the log, as the table has it."""

    organisation_id: int
    number: int | None
    previous: str
    at: datetime
    actor: str
    source: str
    provider: str
    token: str
    action: str
    subject: str
    before: Any
    after: Any
    override: bool


def digest(line: Line) -> str:
    """SHA-256 in hex of the digest before, a line feed, and the line as canonical JSON."""
    return hashlib.sha256(f"{line.previous}\n{canonical(line)}".encode()).hexdigest()


def canonical(line: Line) -> str:
    """What a line says: keys sorted, no white space, ASCII alone, time in UTC to the microsecond."""
    told = {
        "organisation": line.organisation_id,
        "number": line.number,
        "at": line.at.astimezone(UTC).isoformat(timespec="microseconds"),
        "actor": line.actor,
        "source": line.source,
        "provider": line.provider,
        "token": line.token,
        "action": line.action,
        "subject": line.subject,
        "before": line.before,
        "after": line.after,
        "override": line.override,
    }
    return json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def plain(told: Any) -> Any:
    """A value as every database gives it back: tuples are lists, keys are text, and so are numbers with a fraction,
    which databases write in ways of their own. Raises ValueError for what is no number.
    """
    return json.loads(json.dumps(told, allow_nan=False), parse_float=str)
