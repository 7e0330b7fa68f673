"""The name servers that follow an edge, where an installation has some (`TRINCO_SECONDARIES`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trinco.config import Config
from trinco.edge import peers
from trinco.edge.history import History
from trinco.edge.notify import notifying
from trinco.edge.serving import Serving
from trinco.edge.transfer import Transfers
from trinco.edge.tsig import Keys


async def latest(config: Config, revision: int) -> int:
    """The latest revision that a secondary has, from this one on (RFC 1982): what it has, the world has seen."""
    if config.tsig_key is None:
        return revision
    key = Keys(config.tsig_key).key
    asked = [peers.serial(config.zone, endpoint, key) for endpoint in config.secondaries]
    serials = [serial for serial in await asyncio.gather(*asked) if serial is not None]
    later = [revision + (serial - revision) % 2**32 for serial in serials if peers.is_later(serial, revision)]
    return max(later, default=revision)


class Following:
    """What an edge has for its secondaries; nothing of it where there are none."""

    def __init__(self, config: Config, serving: Serving) -> None:
        self._config = config
        self.transfers: Transfers | None = None
        if config.tsig_key is None:
            return
        self._keys = Keys(config.tsig_key)
        self._history = History(serving.held)
        serving.told.append(self._history.take)
        serving.answers.keys = self._keys
        addresses = frozenset(address for address, _ in config.secondaries)
        self.transfers = Transfers(self._history, serving.answers, self._keys, addresses)

    @asynccontextmanager
    async def told(self) -> AsyncIterator[None]:
        """Tell them of each revision, until the block ends. To be entered when the name server listens."""
        if self.transfers is None:
            yield
            return
        async with notifying(self._history, self._config.secondaries, self._keys, self._config.dns_listen):
            yield
