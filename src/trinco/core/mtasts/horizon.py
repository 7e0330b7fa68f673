"""The ledger's arithmetic: until when may any sender still hold a policy that we served.

A sender keeps a policy until max_age has passed since it last fetched it (RFC 8461 section 3.2), and some never look at
a new id before that. The TTL is added since a resolver may go on handing out what DNS said before.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from trinco.core.mtasts.policy import Mode


@dataclass(frozen=True, slots=True)
class Served:
    """One line of the ledger: a policy that an edge served. `max_age` is seconds; `last_served` None: served still."""

    mode: Mode
    max_age: int
    last_served: datetime | None


def horizon(served: Iterable[Served], now: datetime, ttl: int) -> datetime | None:
    """The last moment at which a sender may hold one of these policies, or None: nobody can, now. `ttl` is seconds.

    A policy of mode none binds no sender (section 5), so holding one does not count: that is what lets a domain leave.
    """
    ends = [_end(line, now, ttl) for line in served if line.mode is not Mode.NONE]
    latest = max(ends, default=now - timedelta(seconds=1))
    return latest if latest >= now else None


def _end(line: Served, now: datetime, ttl: int) -> datetime:
    return (now if line.last_served is None else line.last_served) + timedelta(seconds=line.max_age + ttl)
