"""What stands between serving and acknowledging: it is on disk, and each changed policy was fetched back."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog

from trinco.core.hosting import Change, Publication
from trinco.edge.line import Line
from trinco.edge.ports import FeedUnavailable, LeaseLost
from trinco.edge.proofs import Proofs
from trinco.edge.serving import Serving
from trinco.edge.snapshot import SnapshotError, Store

log = structlog.get_logger("trinco.edge")

AGAIN: Final = 3.0
"""Seconds until failing policies are tried again, and until a full disk is."""
SOON: Final = 0.15


class Keeper:
    """Writes down, proves and acknowledges what `serving` holds; calls `acknowledged` each time that it did."""

    def __init__(
        self, store: Store, line: Line, serving: Serving, proofs: Proofs, acknowledged: Callable[[], None]
    ) -> None:
        self._store = store
        self._line = line
        self._serving = serving
        self._proofs = proofs
        self._acknowledged = acknowledged
        self._work = asyncio.Event()
        self._unwritten: list[Change] = []
        self._written = -1
        self._told: tuple[int, Sequence[str]] | None = None
        self._start: Publication | None = None
        self._disk_fails = False

    def begin(self, news: Change | None) -> None:
        """Take in the start. `news` is what came on top of the snapshot; None: nothing did."""
        if news is None:
            self._written = self._serving.held.revision
        else:
            self._unwritten.append(news)
        self._start = self._serving.held
        self._work.set()

    def change(self, before: Publication, change: Change, narrow: Change) -> None:
        """Take in a change that is served now; `narrow` is what of it became different since `before`."""
        self._unwritten.append(change)
        self._proofs.change(before.domains, narrow)
        self._work.set()

    def tell_again(self) -> None:
        """The panel knows nothing of what was acknowledged: this edge has registered anew."""
        self._told = None
        self._work.set()

    async def step(self) -> float:
        """Do what there is to do. Gives the seconds until the next step is worth it."""
        await self._wait()
        upto = self._serving.held.revision
        try:
            await self._write()
            await self._prove()
            await self._acknowledge(self._proofs.proven(min(upto, self._written)))
        except SnapshotError as error:
            self._report_disk(error)
            self._work.set()
            return AGAIN
        except (FeedUnavailable, LeaseLost):
            self._work.set()
            return SOON
        except Exception:
            self._work.set()  # a fault of ours is the loop's to report: what was to be done still is
            raise
        if self._proofs.unfinished:
            self._work.set()
            return 0.0 if self._proofs.possible else SOON
        return 0.0

    async def _wait(self) -> None:
        """Until there is work, or a while while something fails."""
        try:
            async with asyncio.timeout(AGAIN if self._proofs.failing else None):
                await self._work.wait()
        except TimeoutError:
            await self._proofs.again()
        self._work.clear()

    async def _write(self) -> None:
        changes, self._unwritten = self._unwritten, []
        if not changes:
            return
        try:
            await asyncio.to_thread(_write, self._store, self._serving.held, changes)
        except BaseException:
            self._unwritten = changes + self._unwritten  # whatever went wrong: nothing may be acknowledged past a gap
            raise
        self._written = changes[-1].revision  # what is held may be ahead by now, of what was written
        self._disk_fails = False

    async def _prove(self) -> None:
        if self._start is not None:
            await self._proofs.begin(self._start)
            self._start = None
        if self._proofs.unfinished and self._proofs.possible:
            await self._proofs.step()

    async def _acknowledge(self, revision: int) -> None:
        word = (revision, self._proofs.failing)
        if revision < 0 or word == self._told:
            return
        await self._line.ask(lambda feed: feed.acknowledge(*word))
        self._told = word
        self._acknowledged()

    def _report_disk(self, error: SnapshotError) -> None:
        if not self._disk_fails:
            log.error("snapshot_not_written", reason=str(error))
        self._disk_fails = True


def _write(store: Store, held: Publication, changes: Sequence[Change]) -> None:
    """Make `held` durable, of which `changes` are not yet. Each says the whole of its domains: twice does no harm."""
    if store.needs_base or any(change.whole for change in changes):
        store.save(held)
        return
    for change in changes:
        store.append(change)
