"""What every listener for strangers does around its conversations: bind, keep the deadlines, see everybody off.

Leaving waits up to `GRACE` seconds for those who are in the middle of something.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from typing import Any, Protocol, TypeVar, cast

from trinco.edge.limits import Guest, Roster

GRACE = 2.0
"""Seconds that conversations get to come to their end when the listener does."""
BACKLOG = 1024

Endpoint = tuple[str, int]


class Leaving(Guest, Protocol):
    """A guest that can be asked to leave."""

    def dismiss(self) -> None:
        """The listener ends: whoever is not in the middle of something leaves."""


L = TypeVar("L", bound=Leaving)


async def _nothing(_grace: float) -> None:
    """Nothing is under way but the conversations themselves."""


@asynccontextmanager
async def received(
    make: Callable[[], asyncio.BaseProtocol],
    endpoints: Sequence[Endpoint],
    roster: Roster[Any],
    phases: Iterable[float],
    close: Callable[[float], Awaitable[None]] = _nothing,
) -> AsyncIterator[list[Endpoint]]:
    """`make` a conversation, which enters the roster, for whoever comes, until the block is left. Gives what is bound,
    a port for each port 0. OSError when an endpoint is taken.

    `phases` are the seconds that are given to each; `close(GRACE)` ends what is under way beside the conversations.
    """
    loop = asyncio.get_running_loop()
    sweeper = loop.create_task(_sweep(roster, min(0.5, min(phases) / 4)))
    servers: list[asyncio.Server] = []
    try:
        for host, port in endpoints:
            servers.append(await loop.create_server(make, host, port, backlog=BACKLOG))
        yield [cast(Endpoint, server.sockets[0].getsockname()[:2]) for server in servers]
    finally:
        for server in servers:
            server.close()
        await _see_off(roster)
        sweeper.cancel()
        await close(GRACE)
        await _settle()


async def _sweep(roster: Roster[Any], pause: float) -> None:
    """Keep the deadlines until cancelled."""
    while True:
        await asyncio.sleep(pause)
        roster.sweep()


async def _see_off(roster: Roster[L]) -> None:
    """Let conversations end, up to `GRACE` seconds, then end them."""
    await _settle()
    for _ in range(100):
        for guest in roster:
            guest.dismiss()
        if roster:
            await asyncio.sleep(GRACE / 100)
    for guest in roster:
        guest.evict()
    await _settle()


async def _settle() -> None:
    """Let the loop make connections that it has accepted and lose those that were aborted: it takes a few turns."""
    for _ in range(4):
        await asyncio.sleep(0)
