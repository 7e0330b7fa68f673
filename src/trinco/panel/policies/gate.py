"""When may a policy id be announced? When every live edge serves the body that belongs to it (RFC 8461 section 8.1).

An edge is live while its lease runs. A lease that ran out because nobody could reach the database says nothing about
its edge, which serves on meanwhile: so the gate is shut until some edge has been heard of lately, and the first to be
heard of gives the others a lease's time to come back (`panel.feeds`). A clock that was set forward is met likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.models import EdgeNode

LEASE: Final = timedelta(seconds=10)
"""For how long an announcement waits for an edge that says nothing. The edges renew every two seconds."""
CONTACT: Final = timedelta(seconds=3)
"""When no edge has renewed for so long, it may be the database that nobody reached."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the live edges have acknowledged."""

    acknowledged: int
    """The newest revision that every live edge has; -1 when there is no live edge, or one has none yet."""
    failing: frozenset[str]
    """Labels whose policy some live edge could not fetch from itself."""

    def open_for(self, domain: HostedDomain) -> bool:
        """Every live edge, and there is one, serves the domain as it is now."""
        return self.passed(domain.revision) and domain.label not in self.failing

    def passed(self, revision: int) -> bool:
        """Every live edge, and there is one, has taken this revision."""
        return self.acknowledged >= revision


def gate(now: datetime) -> Gate:
    """The gate at this moment. An edge counts as long as its lease runs."""
    edges = list(EdgeNode.objects.filter(lease_until__gt=now))
    if not any(edge.lease_until - LEASE >= now - CONTACT for edge in edges):
        return Gate(-1, frozenset())
    acknowledged = min((-1 if edge.acknowledged is None else edge.acknowledged for edge in edges), default=-1)
    return Gate(acknowledged, frozenset(label for edge in edges for label in edge.failing))
