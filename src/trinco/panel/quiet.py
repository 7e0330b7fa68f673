"""What of an edge's word is old enough that the edges around it have noticed (ARCHITECTURE, "A lease fences").

An edge that is cut off from the database asks the other name servers which revision they serve, and trusts what it saw
for a moment (`edge.fence.MOMENT`). So it is silent a moment after one that it reaches has acknowledged something newer.
An edge with a lease has taken over all that there was when it asked for it, or is silent six seconds after it asked. So
an announcement that goes past an edge, cut off or waived, waits for the longer of the two, measured by the edges that
acknowledged, on a clock that nobody sets, and only while they are at work: one that is stopped answers nobody.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

QUIET: Final = 7.0
"""Seconds between an acknowledgement and an announcement that goes past an edge."""
_AT_WORK: Final = 0.5
"""Seconds that count at most between two signs of life. An edge asks for news several times a second."""


class Quiet:
    """The revisions that were acknowledged and are not settled yet. `clock` gives seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen_at = clock()
        self._waiting: list[tuple[int, float]] = []  # and for how long yet; the oldest first

    def forget(self) -> None:
        """The edge has registered anew: nothing is acknowledged."""
        self._waiting = []

    def begin(self, revision: int) -> None:
        """This revision has just been acknowledged."""
        self.pass_by()
        if not self._waiting or self._waiting[-1][0] < revision:
            self._waiting.append((revision, QUIET))

    def pass_by(self) -> None:
        """A sign of life: what went by since the last one counts."""
        now = self._clock()
        passed = min(now - self._seen_at, _AT_WORK)
        self._seen_at = now
        self._waiting = [(revision, left - passed) for revision, left in self._waiting]

    def settled(self) -> int | None:
        """The newest revision whose time is over; None: none is."""
        return max((revision for revision, left in self._waiting if left <= 0), default=None)

    def told(self, revision: int) -> None:
        """The panel knows that this one is settled."""
        self._waiting = [waiting for waiting in self._waiting if waiting[0] > revision]
