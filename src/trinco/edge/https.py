"""The HTTPS listener of this room: binds, keeps the deadlines, sees everybody off at the end.

`connection` has the conversation itself; what is answered is a pure function that the listener is given, and `exchange`
has what is under way where content is taken.
"""

from __future__ import annotations

import asyncio
import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar, cast

from trinco.edge.connection import Connection
from trinco.edge.exchange import House, Receiver
from trinco.edge.limits import Guest, Limits, Log, Roster
from trinco.edge.listener import Answer, Listener
from trinco.edge.sni import Contexts
from trinco.edge.tally import Tally

READ = 16 * 1024
"""Octets taken from a socket at a time."""
GRACE = 2.0
"""Seconds that conversations get to come to their end when the listener does."""
OTHER_FILES = 128
"""Files that a process opens beside connections."""
BACKLOG = 1024

Endpoint = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Service:
    """What a listener says, when, and whether it takes content."""

    answer: Answer
    admit: Callable[[], bool]
    receiver: Receiver | None = None
    tally: Tally = field(default_factory=Tally)
    """Where it is counted."""


@asynccontextmanager
async def listen(
    endpoints: Sequence[Endpoint], contexts: Contexts, service: Service, limits: Limits
) -> AsyncIterator[list[Endpoint]]:
    """Serve until the block is left; gives what is bound, a port for each port 0. OSError when an endpoint is taken.

    Leaving waits up to `GRACE` seconds for conversations that are in the middle of something.
    """
    loop = asyncio.get_running_loop()
    limits = replace(limits, connections=_affordable(limits.connections))
    roster: Roster[Connection] = Roster(limits, loop.time)
    buffer = memoryview(bytearray(READ))
    house = None if service.receiver is None else House(service.receiver, limits, loop.time)
    listener = Listener(
        contexts, service.answer, service.admit, limits, roster, Log(limits, loop.time), buffer, house, service.tally
    )
    sweeper = loop.create_task(sweep(roster, limits))
    servers: list[asyncio.Server] = []
    try:
        for host, port in endpoints:
            servers.append(await loop.create_server(lambda: Connection(listener), host, port, backlog=BACKLOG))
        yield [cast(Endpoint, server.sockets[0].getsockname()[:2]) for server in servers]
    finally:
        for server in servers:
            server.close()
        await see_off(roster)
        sweeper.cancel()
        if house is not None:
            await house.close(GRACE)


class Leaving(Guest, Protocol):
    """A guest that can be asked to leave."""

    def dismiss(self) -> None:
        """The listener ends: whoever is not in the middle of something leaves."""


L = TypeVar("L", bound=Leaving)


async def sweep(roster: Roster[L], limits: Limits) -> None:
    """Keep the deadlines until cancelled."""
    phases = (limits.handshake, limits.header, limits.idle, limits.closing, limits.content, limits.answer)
    shortest = min(*phases, limits.total)
    while True:
        await asyncio.sleep(min(0.5, shortest / 4))
        roster.sweep()


async def see_off(roster: Roster[L]) -> None:
    """Let conversations end, up to `GRACE` seconds, then end them."""
    await _settle()
    for _ in range(100):
        for connection in roster:
            connection.dismiss()
        if roster:
            await asyncio.sleep(GRACE / 100)
    for connection in roster:
        connection.evict()
    await _settle()


async def _settle() -> None:
    """Let the loop make connections that it has accepted and lose those that were aborted: it takes a few turns."""
    for _ in range(4):
        await asyncio.sleep(0)


def _affordable(connections: int) -> int:
    """As many of these as the process may open files for, once it has raised its own limit as far as it may."""
    wanted = connections + OTHER_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return connections
    raised = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, hard))
        soft = raised
    return max(1, min(connections, soft - OTHER_FILES))
