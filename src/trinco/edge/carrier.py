"""NAME
    carrier - brings reports from the spool into the database, and only then removes them from the disk

DESCRIPTION
    `carrying` starts as soon as a batch was written, takes several batches at a time when there are many, and goes on
    until the spool is empty. While the database is away it tries again, later and later (at most every 5 s), and the
    reports wait on disk. When it is back it gets one batch first, and twice as much each time: one whose disk is nearly
    full has room for a small transaction, and each makes room for a larger one. At the end there are 2 s more for what
    is there. Every few seconds it tells how many reports the doors turned away, so that whoever looks at the figures
    knows that some are missing.

PROTOCOL
    A batch is removed after `Inbox.take` has returned. Whoever is killed in between takes it again in the next life,
    and `Arrival.id` makes that once.

DIAGNOSTICS
    reports_wait (the database is away; once until reports_flow, which says since when); report_not_taken (the database
    is there and refuses these reports, for a fault of ours or since nobody has their token: they alone stay in the
    spool, all others go on, and they are offered again after a minute, then after twice as long, up to an hour);
    turned_away_untold (how many were turned away could not be told: it is told with the next); carrier_fault.

BUGS
    A report that is never taken counts against the spool's limit for ever.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge.ports import FeedUnavailable, Inbox
from trinco.edge.spool import Spool

log = structlog.get_logger("trinco.edge")

TOGETHER: Final = 500
"""Reports that are taken in one transaction, and the octets of their files."""
TOGETHER_OCTETS: Final = 32 << 20
POLL: Final = 5.0
"""Seconds between two looks at a spool that nobody writes to."""
SOON: Final = 0.2
LONGEST_RETRY: Final = 5.0
FAREWELL: Final = 2.0
"""Seconds for what is there at the end."""

Batch = tuple[Path, list[Arrival]]


class Carrier:
    """At work between a spool and an inbox, whose one thread it has. Made by `carrying`."""

    def __init__(self, spool: Spool, inbox: Inbox, untold: Counter[str] | None = None) -> None:
        self._spool = spool
        self._inbox = inbox
        self._untold = Counter[str]() if untold is None else untold
        self._tell_at = 0.0
        self._thread = ThreadPoolExecutor(1, "trinco-carrier")
        self._ending = threading.Event()
        self._retry = SOON
        self.stale_since: datetime | None = None
        """Since when the database takes nothing; None: it does."""

    async def work(self) -> None:
        """Carry for ever."""
        while True:
            self._spool.written.clear()
            retry = await self._round()
            with suppress(TimeoutError):
                async with asyncio.timeout(retry or POLL):
                    await (asyncio.Event() if retry else self._spool.written).wait()

    async def end(self) -> None:
        """Carry what is there, if there is anybody to take it, and stop."""
        if self.stale_since is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(FAREWELL):
                    await self._round()
        self._ending.set()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _round(self) -> float | None:
        """Carry everything that is there. Gives the seconds until the next try; None when nothing is left to try."""
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._carry)
        except FeedUnavailable as error:
            return self._later(error)
        except Exception:
            log.exception("carrier_fault")
            return LONGEST_RETRY
        if self.stale_since is not None:
            log.info("reports_flow", stale_since=self.stale_since.isoformat(timespec="seconds"))
        self.stale_since, self._retry = None, SOON
        await self._tell()
        return None

    async def _tell(self) -> None:
        """Tell what was turned away, those with most of it first. What cannot be told now is told later."""
        if not self._untold or time.monotonic() < self._tell_at:
            return
        told = dict(self._untold.most_common(TOGETHER))
        for token in told:
            del self._untold[token]
        self._tell_at = time.monotonic() + POLL
        try:
            await asyncio.get_running_loop().run_in_executor(self._thread, self._inbox.turned_away, told)
        except Exception as error:  # noqa: BLE001 - whatever it is: reports do not wait for it
            self._untold.update(told)
            log.warning("turned_away_untold", reason=f"{type(error).__name__}: {error}")

    def _later(self, error: FeedUnavailable) -> float:
        if self.stale_since is None:
            self.stale_since = datetime.now(UTC)
            log.warning("reports_wait", reason=str(error))
        self._retry = min(self._retry * 2, LONGEST_RETRY)
        return self._retry

    def _carry(self) -> None:
        """In the thread. Raises FeedUnavailable; OSError when the spool's directory is not usable."""
        for batches in _together(self._spool.batches(), 1 if self.stale_since else TOGETHER):
            if self._ending.is_set():
                return
            try:
                self._deliver(batches)
            except FeedUnavailable:
                raise
            except Exception:  # noqa: BLE001 - something among them is more than we can take: find out which
                self._deliver_singly(batches)

    def _deliver(self, batches: Sequence[Batch]) -> None:
        self._inbox.take([arrival for _, arrivals in batches for arrival in arrivals])
        for path, _ in batches:
            self._spool.done(path)

    def _deliver_singly(self, batches: Sequence[Batch]) -> None:
        """One file after the other, and of one that is refused one report after the other: only what is refused
        stays."""
        for path, arrivals in batches:
            try:
                self._deliver([(path, arrivals)])
            except FeedUnavailable:
                raise
            except Exception as error:  # noqa: BLE001 - whatever it is, the others go on
                refused = arrivals if len(arrivals) == 1 else self._refused(arrivals)
                why = f"{type(error).__name__}: {error}"
                log.warning("report_not_taken", file=path.name, reports=len(refused), error=why)
                self._keep(path, arrivals, refused)

    def _refused(self, arrivals: Sequence[Arrival]) -> list[Arrival]:
        """Those that are refused when each is offered alone. Raises FeedUnavailable."""
        refused = []
        for arrival in arrivals:
            try:
                self._inbox.take([arrival])
            except FeedUnavailable:
                raise
            except Exception:  # noqa: BLE001 - the caller tells the error of them together
                refused.append(arrival)
        return refused

    def _keep(self, path: Path, arrivals: Sequence[Arrival], refused: Sequence[Arrival]) -> None:
        if 0 < len(refused) < len(arrivals):
            self._spool.keep(path, refused)
        else:  # all of them; or none, and it is the disk that fails, or what failed has passed
            self._spool.leave(path)


def _together(batches: Iterator[Batch], most: int) -> Iterator[list[Batch]]:
    """The batches in groups that are worth a transaction; `most` reports in the first, or one batch."""
    group: list[Batch] = []
    reports = octets = 0
    for path, arrivals in batches:
        group.append((path, arrivals))
        reports += len(arrivals)
        octets += sum(len(arrival.body) for arrival in arrivals)
        if reports >= most or octets >= TOGETHER_OCTETS:
            yield group
            group, reports, octets = [], 0, 0
            most = min(2 * most, TOGETHER)
    if group:
        yield group


@asynccontextmanager
async def carrying(spool: Spool, inbox: Inbox, untold: Counter[str] | None = None) -> AsyncIterator[Carrier]:
    """Carry from `spool` to `inbox` until the block is left, when the doors have closed; it closes the spool.

    `untold`: reports by token that the doors turned away, of which the inbox is told (`intake.Intake.untold`).
    """
    carrier = Carrier(spool, inbox, untold)
    work = asyncio.create_task(carrier.work())
    try:
        yield carrier
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await spool.close()
        await carrier.end()
