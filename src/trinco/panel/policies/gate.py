"""When may a policy id be announced? When every live edge serves the body that belongs to it (RFC 8461 section 8.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.models import EdgeNode


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
    acknowledged = min((-1 if edge.acknowledged is None else edge.acknowledged for edge in edges), default=-1)
    return Gate(acknowledged, frozenset(label for edge in edges for label in edge.failing))
