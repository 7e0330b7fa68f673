"""Whether this edge may answer at the policy host at this moment.

An id is announced once every edge whose lease runs serves its body (RFC 8461 section 8.1); nobody waits for an edge
whose lease has run out. So such an edge must not go on with its old body: a sender would keep that under the new id for
as long as max_age says. It answers while its lease surely runs, or while nobody whom it can reach knows anything newer.

Time is CLOCK_BOOTTIME, which goes on while the machine sleeps: an edge that was stopped for half a minute (SIGSTOP, a
paused virtual machine) finds the fence shut at its first instruction.

Only the policy host is fenced. A name server that is behind announces an older id than it could: senders who hold the
newer policy fetch again, others fetch what is served now; nobody keeps an old body under a new id.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

LEASE: Final = 10.0
"""Seconds that the panel waits for an edge that says nothing."""
RENEW: Final = 2.0
"""Seconds between two renewals."""
MARGIN: Final = 4.0
"""Seconds that the edge takes its lease to be shorter: the database's clock may be set forward by three without anybody
noticing (`panel.policies.gate.CONTACT`), clocks run apart, and an answer takes time to leave."""
MOMENT: Final = 1.5
"""Seconds for which a look around is trusted while the database is away."""

_CLOCK: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)

Clock = Callable[[], float]


def boottime() -> float:
    """Seconds that go on through suspension, where the system has such a clock (Linux)."""
    return time.clock_gettime(_CLOCK)


class Fence:
    """Shut until it is opened, and shut again by the passing of time alone."""

    __slots__ = ("_alone", "_clock", "_leased")

    def __init__(self, clock: Clock = boottime) -> None:
        self._clock = clock
        self._leased = self._alone = clock()

    def admit(self) -> bool:
        """Whether a policy may be handed out now. Asked right before each answer."""
        return self._clock() < max(self._leased, self._alone)

    def leased(self, asked_at: float) -> None:
        """A lease was asked for at this time, and since then everything was taken over that there was."""
        self._leased = max(self._leased, asked_at + LEASE - MARGIN)

    def unrivalled(self, asked_at: float) -> None:
        """The database is away, and nobody who was asked from this time on knows anything newer."""
        self._alone = max(self._alone, asked_at + MOMENT)

    def outrun(self) -> None:
        """Somebody is ahead: what was seen before counts no more. A lease that runs is not cut short."""
        self._alone = self._clock()
