"""The feed, asked from an event loop: one question at a time, in a thread of its own, and whether it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final, TypeVar

import structlog

from trinco.edge.ports import Feed, FeedUnavailable, LeaseLost

log = structlog.get_logger("trinco.edge")

PATIENCE: Final = 4.0
"""Seconds after which a feed that has not answered counts as away, although the question still waits."""

T = TypeVar("T")


class Line:
    """The way to the feed. `away` is set while the feed does not answer, and `stale_since` says since when."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._thread = ThreadPoolExecutor(1, "trinco-feed")
        self.away = asyncio.Event()
        self.stale_since: datetime | None = None

    async def ask(self, question: Callable[[Feed], T]) -> T:
        """What `question` gives in the feed's thread. Raises FeedUnavailable, LeaseLost."""
        asked = asyncio.get_running_loop().run_in_executor(self._thread, question, self._feed)
        await asyncio.wait({asked}, timeout=PATIENCE)
        if not asked.done():
            self._is_away(f"no answer for {PATIENCE:g} s")
        try:
            answer = await asked
        except FeedUnavailable as error:
            self._is_away(str(error))
            raise
        except LeaseLost:
            self._is_there()
            raise
        self._is_there()
        return answer

    def close(self) -> None:
        """Ask no more. A question that hangs is left to itself."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _is_away(self, reason: str) -> None:
        if self.stale_since is None:
            self.stale_since = datetime.now(UTC)
            log.warning("database_away", reason=reason)
        self.away.set()

    def _is_there(self) -> None:
        if self.stale_since is not None:
            log.info("database_back", stale_since=self.stale_since.isoformat(timespec="seconds"))
            self.stale_since = None
        self.away.clear()
