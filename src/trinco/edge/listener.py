"""What all connections of one HTTPS listener share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from trinco.edge import http1, sni
from trinco.edge.exchange import House
from trinco.edge.limits import Limits, Log, Roster
from trinco.edge.tally import Tally

Answer = Callable[[http1.Request, bytes], http1.Response]
"""The response to a request that came over a connection for this server name. Pure."""


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener."""

    contexts: sni.Contexts
    answer: Answer
    admit: Callable[[], bool]
    limits: Limits
    roster: Roster[Any]
    log: Log
    buffer: memoryview
    """Where the loop reads into: one for all, since what was read is dealt with before the next read."""
    house: House | None = None
    """Who takes content; None: nobody."""
    tally: Tally = field(default_factory=Tally)

    def admits(self, server_name: bytes) -> bool:
        """Whether this name is answered now. That of the receiver always is: what it takes cannot be outdated."""
        admitted = self.admit() or self.house_of(server_name) is not None
        self.tally.fenced += not admitted
        return admitted

    def house_of(self, server_name: bytes) -> House | None:
        """Who takes content at this name."""
        return self.house if self.house is not None and self.house.receiver.host == server_name else None
