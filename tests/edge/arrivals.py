"""Reports as the doors hand them in, and an inbox in memory."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence

from trinco.core.tlsrpt.arrival import Arrival, Channel
from trinco.edge.ports import FeedUnavailable

TOKEN = "abcdefghijklmnopqrstuvwxyz"


def arrival(
    body: bytes = b"{}", token: str = TOKEN, peer: str = "192.0.2.1", channel: Channel = Channel.MAIL
) -> Arrival:
    return Arrival(uuid.uuid4().hex, token, channel, 1_700_000_000.5, body, peer, "tlsrpt@sender.example", "")


class Inbox:
    """What was taken, in its order; `away` makes it fail. `poison` are bodies that are more than it can take."""

    def __init__(self) -> None:
        self.taken: dict[str, Arrival] = {}
        self.calls: list[int] = []
        self.away = False
        self.poison: set[bytes] = set()
        self.on_take: Callable[[], None] = lambda: None
        self.told: list[dict[str, int]] = []
        self.deaf = False

    def take(self, arrivals: Sequence[Arrival]) -> None:
        self.on_take()
        if self.away:
            raise FeedUnavailable("the database is away")
        if self.poison & {each.body for each in arrivals}:
            raise ValueError("more than we can take")
        self.calls.append(len(arrivals))
        self.taken.update((each.id, each) for each in arrivals)

    def turned_away(self, counts: Mapping[str, int]) -> None:
        if self.deaf:
            raise FeedUnavailable("no such table")
        self.told.append(dict(counts))
