"""`trinco doctor`: whether our secondaries have what we serve."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Final

from trinco.cli.findings import Finding, error, ok, untested, warning
from trinco.cli.place import reached, shown
from trinco.config import Config, Endpoint
from trinco.edge import peers
from trinco.edge.tsig import Keys

SECONDS: Final = 5.0
"""How long a secondary may take to follow, so that a change of just now is no finding."""
_PAUSE: Final = 0.5


async def examine(settings: Config) -> AsyncIterator[Finding]:
    """Each secondary, beside our own name server; nothing where there are none."""
    key = settings.tsig_key
    if not settings.secondaries or key is None:
        return
    asked = [secondary(settings, Keys(key), endpoint) for endpoint in settings.secondaries]
    for finding in await asyncio.gather(*asked):
        yield finding


async def secondary(settings: Config, keys: Keys, endpoint: Endpoint) -> Finding:
    """One secondary: the serial that it has, asked with the key that we share."""
    part, until = f"secondary {shown(endpoint)}", asyncio.get_running_loop().time() + SECONDS
    while True:
        ours = await _own(settings)
        if ours is None:
            return untested(part, "our own name server does not answer: there is nothing to compare it with")
        theirs = await peers.serial(settings.zone, endpoint, keys.key)
        if theirs == ours or asyncio.get_running_loop().time() > until:
            return _compared(settings, part, theirs, ours)
        await asyncio.sleep(_PAUSE)


async def _own(settings: Config) -> int | None:
    return await peers.serial(settings.zone, reached(settings.dns_listen[0]))


def _compared(settings: Config, part: str, theirs: int | None, ours: int) -> Finding:
    if theirs is None:
        seen = f"it does not answer for {settings.base} with the key that we share"
        return error(part, seen, "give it the zone and the key as docs/nameservers.md says; its log says what fails")
    if theirs == ours:
        return ok(part, f"it has serial {theirs}, as we do")
    if peers.is_later(theirs, ours):
        seen = f"it has serial {theirs}, which is later than ours, {ours}"
        return error(part, seen, "see that it follows this installation alone; a restart of the edge goes above it")
    seen = f"it is {(ours - theirs) % 2**32} revisions behind: it has serial {theirs}, we have {ours}"
    return warning(part, seen, "see that it reaches our name server by TCP and is told by UDP; its log says what fails")
