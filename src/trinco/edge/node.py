"""NAME
    node - one edge: what it holds, kept in step with the database, and when it may answer

DESCRIPTION
    `run` loads the snapshot, registers at the feed, takes the changes, and only then opens the listeners. From then on
    it asks for a newer revision several times a second, takes the changes over, writes them down, fetches each changed
    policy back through its own public listener, and acknowledges. While the database is away it serves what it holds,
    for any time, and starts from the snapshot; with neither it waits, with no listener open.

PROTOCOL
    RFC 8461 section 8.1: a policy is served before its id is announced. The panel announces an id when every edge whose
    lease runs has acknowledged the body, so an edge holds a lease before it takes changes, takes them before it
    answers, and acknowledges only what is durable, served and seen. In one change the policy host has the new body
    before the name server has the new id.

SECURITY
    The policy host answers while the fence is open (`edge.fence`): during a lease, or while the database is away and no
    other name server of the zone is ahead (`edge.peers`). An edge cut off from a database that others still reach
    falls silent once one of them is ahead, and nothing is announced past it before it must have noticed
    (`panel.quiet`): senders keep the policy that they have, and ask again. What is not known while it reaches neither
    the database nor any of the others is not known; it then serves on.

DIAGNOSTICS
    database_away, database_back; edge_lease_lost; edge_fenced (others are ahead: silent until the database is back);
    snapshot_not_written; policy_not_served; resync_differs (the daily look at everything found what had been missed);
    edge_fault (a fault of ours: the job goes on after a second).

BUGS
    Names are fenced all together, not one by one: a cut-off edge falls silent for names that have not changed as well.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, Protocol

import structlog
from msgspec.structs import replace

from trinco.core.errors import TrincoError
from trinco.core.hosting import Change, Publication, Zone, empty
from trinco.core.names import Domain
from trinco.edge.fence import RENEW, Clock, Fence, boottime
from trinco.edge.keeper import Keeper
from trinco.edge.line import Line
from trinco.edge.ports import Feed, FeedUnavailable, LeaseLost
from trinco.edge.proofs import Proofs
from trinco.edge.serving import Serving
from trinco.edge.snapshot import Store

log = structlog.get_logger("trinco.edge")

POLL: Final = 0.15
"""Seconds between two questions for the newest revision."""
LOOK: Final = 0.2
"""Seconds between two looks at the other name servers while the database is away."""
LONGEST_RETRY: Final = 2.0
"""Seconds; well below a lease, so that an edge is back before an announcement may go on without it."""
RESYNC: Final = 86_400.0
"""Seconds between two looks at everything, in case that a change was missed."""
GOODBYE: Final = 2.0
"""Seconds for giving the lease back."""
_AFTER_FAULT: Final = 1.0

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Doors:
    """Where the listeners are bound."""

    dns: Sequence[Endpoint]
    policy: Sequence[Endpoint]
    mail: Sequence[Endpoint] = ()
    """The report mailbox; none: another machine has it."""
    challenges: Sequence[Endpoint] = ()
    """Where certificate authorities ask; none: another machine answers them."""
    front: Sequence[Endpoint] = ()
    """Where a front asks that terminates TLS; none: there is no front."""


class Opener(Protocol):
    """Opens the listeners of an edge."""

    def __call__(self, serving: Serving, admit: Callable[[], bool]) -> AbstractAsyncContextManager[Doors]: ...


async def _nobody(revision: int) -> int:
    """There are no secondaries."""
    return revision


@dataclass(frozen=True, slots=True)
class World:
    """What a node needs of the world around it."""

    zone: Zone
    """Our zone as this edge is configured: it stands above what a snapshot says."""
    open: Opener
    fetch: Callable[[Domain, Endpoint], Awaitable[bytes]]
    """The policy at an endpoint of ours, fetched as a sender would. Raises TrincoError."""
    outrun: Callable[[int], Awaitable[bool]]
    """Whether another name server of the zone serves a later revision than this one."""
    clock: Clock = boottime
    latest: Callable[[int], Awaitable[int]] = _nobody
    """The latest revision that secondaries have, from this one on."""


class Lookout:
    """Keeps the fence open while the database is away and nobody is ahead of us."""

    def __init__(self, fence: Fence, world: World) -> None:
        self._fence = fence
        self._world = world
        self._behind = -1
        self.clock = world.clock

    async def look(self, revision: int) -> None:
        """Ask the other name servers of the zone once.

        What somebody had that is newer than `revision` is out in the world, whether or not that server answers later:
        only something newer of our own, or a lease, opens the fence again.
        """
        if revision == self._behind:
            return
        asked_at = self._world.clock()
        if not await self._world.outrun(revision):
            self._fence.unrivalled(asked_at)
            return
        self._behind = revision
        self._fence.outrun()
        log.warning("edge_fenced", revision=revision)


class Node:
    """One edge at work. Made by `run`, when its listeners are open."""

    def __init__(self, line: Line, fence: Fence, serving: Serving, doors: Doors, clock: Clock) -> None:
        self._line = line
        self._fence = fence
        self._serving = serving
        self._clock = clock
        self._hurry = asyncio.Event()
        self._renew_at = 0.0
        self._resync_at = clock() + RESYNC * random.uniform(0.5, 1.0)  # noqa: S311 - edges take turns over the day
        self._retry = POLL
        self.doors = doors

    @property
    def held(self) -> Publication:
        """What is served."""
        return self._serving.held

    @property
    def stale_since(self) -> datetime | None:
        """Since when the database is away; None: it is there."""
        return self._line.stale_since

    def admit(self) -> bool:
        """Whether the policy host may answer now."""
        return self._fence.admit()

    def hurry(self) -> None:
        """There may be news: ask now."""
        self._hurry.set()

    async def follow(self, keeper: Keeper) -> float:
        """Ask for news once and take them over. Gives the seconds until the next time.

        The fence is opened for a lease that was asked for before all news were taken over: whatever was announced
        without us was among them, and whatever is announced later waits for us.
        """
        asked_at = self._clock()
        renewing = asked_at >= self._renew_at
        resyncing = renewing and asked_at >= self._resync_at
        since = self.held.revision
        question = partial(_everything, since=since) if resyncing else partial(_news, since=since, renewing=renewing)
        try:
            change = await self._line.ask(question)
        except FeedUnavailable:
            return self._later()
        except LeaseLost as error:
            log.warning("edge_lease_lost", reason=str(error))
            return await self._return(keeper)
        await self._take(change, keeper)
        if resyncing:
            self._resync_at = asked_at + RESYNC
        if renewing:
            self._leased(asked_at)
        return await self._pause()

    async def watch(self, lookout: Lookout) -> float:
        """Look around once, when the database is away. Gives the seconds until the next time."""
        await self._line.away.wait()
        await lookout.look(self.held.revision)
        return LOOK

    async def _return(self, keeper: Keeper) -> float:
        """Register anew, and catch up."""
        asked_at = self._clock()
        try:
            change = await self._line.ask(partial(_introduced, held=self.held, seen=self.held))
        except (FeedUnavailable, LeaseLost):
            return self._later()
        keeper.tell_again()
        await self._take(change, keeper)
        self._leased(asked_at)
        return 0.0

    async def _take(self, change: Change | None, keeper: Keeper) -> None:
        if change is None:
            return
        before = self.held
        narrow = await self._serving.take(change)
        same = change.revision == before.revision
        if same and not (narrow.changed or narrow.removed) and change.zone == before.zone:
            return
        if same:
            log.warning("resync_differs", changed=len(narrow.changed), removed=len(narrow.removed))
        keeper.change(before, change, narrow)

    def _leased(self, asked_at: float) -> None:
        self._fence.leased(asked_at)
        self._renew_at = asked_at + RENEW
        self._retry = POLL

    def _later(self) -> float:
        """Back off. What is asked first then is the lease."""
        self._renew_at = 0.0
        self._retry = min(self._retry * 2, LONGEST_RETRY)
        return self._retry

    async def _pause(self) -> float:
        with suppress(TimeoutError):
            async with asyncio.timeout(POLL):
                await self._hurry.wait()
        self._hurry.clear()
        return 0.0


@asynccontextmanager
async def run(feed: Feed, store: Store, world: World) -> AsyncIterator[Node]:
    """An edge, from the moment at which its listeners are open until the block is left.

    Waits, with no listener open, while there is neither a database nor a snapshot. Raises OSError when a listener
    cannot be opened, SnapshotError when the snapshot's directory cannot be read.
    """
    line, fence = Line(feed), Fence(world.clock)
    lookout = Lookout(fence, world)
    try:
        stored = await asyncio.to_thread(store.load)
        seen = await _seen(stored, world)
        held, news = await _first(_ours(stored, world.zone), seen, line, fence, lookout)
        serving = Serving(held)
        async with world.open(serving, fence.admit) as doors:
            node = Node(line, fence, serving, doors, world.clock)
            proofs = Proofs(lambda domain: world.fetch(domain, doors.policy[0]), lambda: serving.held, fence.admit)
            keeper = Keeper(store, line, serving, proofs, node.hurry)
            keeper.begin(news)
            async with _at_work(partial(node.follow, keeper), keeper.step, partial(node.watch, lookout)):
                yield node
    finally:
        await _goodbye(line)
        store.close()


async def _seen(stored: Publication | None, world: World) -> Publication | None:
    """What the world has seen of us, as the feed is told: the snapshot, or what secondaries have that is later."""
    latest = await world.latest(stored.revision if stored else 0)
    seen = stored or empty(world.zone)
    return replace(seen, revision=latest) if latest > seen.revision else stored


def _ours(held: Publication | None, zone: Zone) -> Publication | None:
    """What was held, in our zone as it is configured now; the certificate stays while the name is the same.

    The thumbprint stays as well: challenges are answered without the database. Addresses that were out of the zone stay
    out: they belong to edges that were not in step.
    """
    if held is None:
        return None
    certificate = held.zone.reports_certificate if held.zone.reports_host == zone.reports_host else None
    zone = replace(zone, reports_certificate=certificate, thumbprint=held.zone.thumbprint)
    if set(held.zone.policy_addresses) < set(zone.policy_addresses):
        zone = replace(zone, policy_addresses=held.zone.policy_addresses)
    return replace(held, zone=zone)


async def _first(
    held: Publication | None, seen: Publication | None, line: Line, fence: Fence, lookout: Lookout
) -> tuple[Publication, Change | None]:
    """What to serve from the start, and what of it is not in the snapshot. The fence is open for it where it may be."""
    pause = POLL
    while True:
        asked_at = lookout.clock()
        try:
            change = await line.ask(partial(_introduced, held=held, seen=seen))
        except FeedUnavailable:
            if held is not None:
                await lookout.look(held.revision)
                return held, None
        except LeaseLost as error:
            log.warning("edge_waits", reason=str(error))
        else:
            fence.leased(asked_at)
            return _grown(held, change)
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_RETRY)


def _grown(held: Publication | None, change: Change) -> tuple[Publication, Change | None]:
    if held is None:
        return empty(change.zone).apply(change), change
    nothing = change.revision == held.revision and not (change.changed or change.removed or change.whole)
    nothing = nothing and change.zone == held.zone
    return held.apply(change), None if nothing else change


def _introduced(feed: Feed, *, held: Publication | None, seen: Publication | None) -> Change:
    feed.register(seen)
    return feed.changes(None if held is None else held.revision)


def _news(feed: Feed, *, since: int, renewing: bool) -> Change | None:
    """What is new; None: nothing. Raises LeaseLost also for a database that has gone back: it was restored."""
    if renewing:
        feed.renew()
    revision = feed.revision()
    if revision < since:
        raise LeaseLost(f"the database went back from revision {since} to {revision}")
    return None if revision == since else feed.changes(since)


def _everything(feed: Feed, *, since: int) -> Change:
    """All there is. Raises LeaseLost as `_news` does."""
    feed.renew()
    change = feed.changes(None)
    if change.revision < since:
        raise LeaseLost(f"the database went back from revision {since} to {change.revision}")
    return change


@asynccontextmanager
async def _at_work(*steps: Callable[[], Awaitable[float]]) -> AsyncIterator[None]:
    """Repeat the steps, each with the pause that it asks for, until the block is left."""
    jobs = [asyncio.create_task(_repeated(step)) for step in steps]
    try:
        yield
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def _repeated(step: Callable[[], Awaitable[float]]) -> None:
    while True:
        try:
            pause = await step()
        except Exception:
            log.exception("edge_fault")
            pause = _AFTER_FAULT
        await asyncio.sleep(pause)


async def _goodbye(line: Line) -> None:
    """Give the lease back, if anybody is there to take it."""
    with suppress(TrincoError, TimeoutError):
        async with asyncio.timeout(GOODBYE):
            await line.ask(lambda feed: feed.leave())
    line.close()
