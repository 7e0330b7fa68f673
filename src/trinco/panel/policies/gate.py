"""When may a policy id be announced? When every live edge serves the body that belongs to it (RFC 8461 section 8.1).

An edge is live while its lease runs. A lease that ran out because nobody could reach the database says nothing about
its edge, which serves on meanwhile: so the gate is shut until some edge has been heard of lately, and the first to be
heard of gives the others a lease's time to come back (`panel.feeds`). A clock that was set forward is met likewise.

An edge whose lease ran out may still be there, cut off from the database alone. It falls silent when it sees a newer
revision at one of the others, so past such an edge goes only what they have acknowledged long enough ago
(`panel.quiet`). So it does past one that lags and was waived (`policies.rotation`). An edge that gave its lease back is
gone, and nobody minds it, unless its addresses were withdrawn: then it counts as cut off until it is back or forgotten.

A domain whose owner publishes the addresses of our edges is not helped by our zone giving others: for it, every edge
whose lease runs is awaited, also one that was waived (`policies.ways`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db.models import QuerySet

from trinco.panel import clock
from trinco.panel.asking import Question
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.models import EdgeNode

LEASE: Final = timedelta(seconds=10)
"""For how long an announcement waits for an edge that says nothing. The edges renew every two seconds."""
CONTACT: Final = timedelta(seconds=3)
"""When no edge has renewed for so long, it may be the database that nobody reached."""


@dataclass(frozen=True, slots=True)
class Gate:
    """What the edges that are awaited have acknowledged; long enough ago, while there are others."""

    acknowledged: int
    """The newest revision that every one of them has; -1 when there is none, or one has none yet."""
    failing: frozenset[str]
    """Labels whose policy some live edge could not fetch from itself."""
    of_all: Gate | None = field(default=None, compare=False)
    """The gate with those that were waived; None: nobody was."""

    @property
    def strict(self) -> Gate:
        """The gate of domains that lead to edges which our zone has withdrawn."""
        return self.of_all or self

    def open_for(self, domain: HostedDomain) -> bool:
        """Every live edge, and there is one, serves the domain as it is now."""
        return self.passed(domain.revision) and domain.label not in self.failing

    def passed(self, revision: int) -> bool:
        """Every live edge, and there is one, has taken this revision."""
        return self.acknowledged >= revision


def heard_lately(edges: Iterable[EdgeNode], now: datetime) -> bool:
    """Whether one of the edges has renewed its lease just now: the database can be reached."""
    return any(edge.live(now) and edge.lease_until - LEASE >= now - CONTACT for edge in edges)


def _ahead(now: datetime) -> QuerySet[EdgeNode]:
    return EdgeNode.objects.filter(lease_until__gt=now + LEASE)


_SOME_AHEAD = Question(_ahead)


def shorten_leases(now: datetime) -> None:
    """No lease runs longer than a lease: one that does is of a clock that was ahead, and its edge may be gone. Each is
    read before the time is, so that none is shortened that was renewed just now."""
    if not _SOME_AHEAD.holds(now):
        return
    nodes = list(_ahead(now))
    end = max(now, clock.now()) + LEASE
    for node in nodes:
        if node.lease_until > end:
            EdgeNode.objects.filter(pk=node.pk, lease_until=node.lease_until).update(lease_until=end)


def gate(now: datetime) -> Gate:
    """The gate at this moment. An edge is awaited as long as its lease runs, unless it is waived."""
    everyone = list(EdgeNode.objects.all())
    if not heard_lately(everyone, now):
        return Gate(-1, frozenset())
    live = [edge for edge in everyone if edge.live(now)]
    awaited = [edge for edge in live if not edge.waived(now)]
    of_all = None if len(awaited) == len(live) else _of(live, whole=len(live) == len(everyone))
    return _of(awaited, whole=len(awaited) == len(everyone), of_all=of_all)


def _of(edges: Sequence[EdgeNode], *, whole: bool, of_all: Gate | None = None) -> Gate:
    """`whole`: there are no others who would have to hear of it."""
    words = [edge.acknowledged if whole else edge.settled for edge in edges]
    acknowledged = min((-1 if word is None else word for word in words), default=-1)
    return Gate(acknowledged, frozenset(label for edge in edges for label in edge.failing), of_all)
