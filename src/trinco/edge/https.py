"""The HTTPS listener of this room.

`connection` has the conversation itself; what is answered is a pure function that the listener is given, and `exchange`
has what is under way where content is taken.
"""

from __future__ import annotations

import resource
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace

from trinco.edge.connection import Connection
from trinco.edge.exchange import House, Receiver
from trinco.edge.guests import Endpoint, received
from trinco.edge.limits import Limits, Log, Roster, clock
from trinco.edge.listener import Answer, Listener
from trinco.edge.sni import Contexts
from trinco.edge.tally import Tally

READ = 16 * 1024
"""Octets taken from a socket at a time."""
OTHER_FILES = 128
"""Files that a process opens beside connections."""


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

    Leaving waits as `guests` does for conversations that are in the middle of something.
    """
    now = clock()
    limits = replace(limits, connections=_affordable(limits.connections))
    roster: Roster[Connection] = Roster(limits, now)
    buffer = memoryview(bytearray(READ))
    house = None if service.receiver is None else House(service.receiver, limits, now)
    listener = Listener(
        contexts, service.answer, service.admit, limits, roster, Log(limits, now), buffer, house, service.tally
    )
    beside = () if house is None else (house.close,)
    async with received(lambda: Connection(listener), endpoints, roster, limits.phases, *beside) as bound:
        yield bound


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
