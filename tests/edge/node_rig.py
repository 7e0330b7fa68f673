"""A panel in memory, and a node in front of it whose listeners are dummies: what is served is read from the table."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

from tests.edge.publications import ZONE

from trinco.core.errors import NoPolicy
from trinco.core.hosting import Change, Publication
from trinco.core.names import Domain
from trinco.edge.answers import Answers
from trinco.edge.fence import LEASE, boottime
from trinco.edge.node import Doors, Node, World, run
from trinco.edge.ports import FeedUnavailable, LeaseLost
from trinco.edge.serving import Serving
from trinco.edge.snapshot import Store
from trinco.edge.sni import Table

PATIENCE = 60.0


class Clock:
    """CLOCK_BOOTTIME, that jumps when a test lets the machine sleep. `stopped_at`: it stands still there."""

    def __init__(self) -> None:
        self.slept = 0.0
        self.stopped_at: float | None = None

    def __call__(self) -> float:
        return self.slept + (boottime() if self.stopped_at is None else self.stopped_at)


class Panel:
    """A Feed and what stands behind it. `heard` is every call in its order; `away` makes each one fail."""

    def __init__(self, publication: Publication, clock: Clock | None = None) -> None:
        self.publication = publication
        self.log: list[Change] = []
        self.heard: list[str] = []
        self.away = False
        self.named_elsewhere = False
        self.lease_until = 0.0
        self.acknowledged: list[tuple[int, Sequence[str]]] = []
        self.registered_with: list[Publication | None] = []
        self.on_acknowledge: Callable[[], None] = lambda: None
        self.whole = False
        self._clock = clock or Clock()

    def publish(self, change: Change) -> None:
        self.log.append(change)
        self.publication = self.publication.apply(change)

    def restore(self, publication: Publication) -> None:
        """A backup was put in place of the database: it knows of no lease that still runs."""
        self.publication, self.log, self.lease_until = publication, [], 0.0

    # What a Feed does.

    def register(self, held: Publication | None) -> None:
        self._hear("register")
        if self.named_elsewhere:
            raise LeaseLost("another edge of this name runs")
        self.registered_with.append(held)
        if held is not None and held.revision > self.publication.revision:
            self.publication = Publication(held.revision + 2**20, ZONE, self.publication.domains)
            self.whole = True
        self.lease_until = self._clock() + LEASE

    def renew(self) -> None:
        self._hear("renew")
        if self._clock() > self.lease_until:
            raise LeaseLost("ran out")
        self.lease_until = self._clock() + LEASE

    def revision(self) -> int:
        self._hear("revision")
        return self.publication.revision

    def changes(self, since: int | None) -> Change:
        self._hear("changes")
        if since is None or self.whole:
            self.whole = False
            domains = tuple(self.publication.domains.values())
            return Change(
                self.publication.revision, self.publication.zone, domains, (), self.publication.chains, whole=True
            )
        return self._since(since)

    def acknowledge(self, revision: int, failing: Sequence[str]) -> None:
        self._hear("acknowledge")
        self.on_acknowledge()
        self.acknowledged.append((revision, list(failing)))

    def leave(self) -> None:
        self._hear("leave")

    def _since(self, since: int) -> Change:
        removed = {label for change in self.log if change.revision > since for label in change.removed}
        domains = self.publication.domains
        changed = tuple(domain for domain in domains.values() if domain.revision > since)
        gone = tuple(label for label in removed if label not in domains)
        return Change(self.publication.revision, self.publication.zone, changed, gone, self.publication.chains)

    def _hear(self, call: str) -> None:
        self.heard.append(call)
        if self.away:
            raise FeedUnavailable("the database is away")


class Edge:
    """A node and its dummies. `broken` holds domains that cannot be fetched, `outrun` whether another edge is ahead."""

    def __init__(self, panel: Panel, directory: Path, clock: Clock | None = None) -> None:
        self.panel = panel
        self.directory = directory
        self.clock = clock or Clock()
        self.broken: set[str] = set()
        self.fetched: list[str] = []
        self.outrun = False
        self.table: Table | None = None
        self.answers: Answers | None = None

    def running(self) -> AbstractAsyncContextManager[Node]:
        self.store = Store(self.directory)
        return run(self.panel, self.store, World(ZONE, self._open, self._fetch, self._outrun, self.clock))

    @asynccontextmanager
    async def _open(self, serving: Serving, admit: Callable[[], bool]) -> AsyncIterator[Doors]:
        self.panel.heard.append("open")
        self.answers, self.table, self.admit = serving.answers, serving.table, admit
        yield Doors([("127.0.0.1", 53)], [("127.0.0.1", 443)])
        self.panel.heard.append("close")

    async def _fetch(self, domain: Domain, endpoint: tuple[str, int]) -> bytes:
        await asyncio.sleep(0)
        self.fetched.append(str(domain))
        assert self.table is not None
        hosted = self.table.hosted(f"mta-sts.{domain}".encode())
        if not self.admit() or hosted is None or hosted.policy is None or str(domain) in self.broken:
            raise NoPolicy(f"{domain} at {endpoint} cannot be reached")
        return hosted.policy

    async def _outrun(self, revision: int) -> bool:
        return self.outrun

    def served(self, number: int) -> bytes | None:
        assert self.table is not None
        hosted = self.table.hosted(f"mta-sts.d{number}.example".encode())
        return hosted.policy if hosted else None


async def until(holds: Callable[[], Any]) -> None:
    """Wait until it holds; fail when it does not in good time."""
    async with asyncio.timeout(PATIENCE):
        while not holds():
            await asyncio.sleep(0.01)
