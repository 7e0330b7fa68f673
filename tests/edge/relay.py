"""A way to a database that can be cut: what a network does that loses packets, or a firewall that refuses."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Relay:
    """Carries TCP connections at `port` of 127.0.0.1 to a unix socket. It belongs to its thread."""

    def __init__(self, target: Path) -> None:
        self.port = 0
        self._target = target
        self._loop = asyncio.new_event_loop()
        self._flows = asyncio.Event()
        self._flows.set()
        self._refuses = False
        self._open: set[asyncio.StreamWriter] = set()

    def hang(self) -> None:
        """Carry nothing on, and close nothing."""
        self._loop.call_soon_threadsafe(self._flows.clear)

    def refuse(self) -> None:
        """Close what is open, and whatever comes."""
        self._loop.call_soon_threadsafe(self._drop)

    def mend(self) -> None:
        self._loop.call_soon_threadsafe(self._mend)

    def _drop(self) -> None:
        self._refuses = True
        for writer in self._open:
            writer.transport.abort()

    def _mend(self) -> None:
        self._refuses = False
        self._flows.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refuses:
            writer.transport.abort()
            return
        with suppress(OSError):
            back, forth = await asyncio.open_unix_connection(self._target)
            self._open |= {writer, forth}
            await asyncio.gather(self._pump(reader, forth), self._pump(back, writer))
        self._open.discard(writer)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                await self._flows.wait()
                writer.write(piece)
                await writer.drain()
        await self._flows.wait()
        writer.close()

    async def _serve(self, ready: threading.Event, ended: asyncio.Event) -> None:
        server = await asyncio.start_server(self._carry, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        ready.set()
        await ended.wait()
        server.close()
        self._flows.set()
        self._drop()
        await asyncio.sleep(0.1)

    @contextmanager
    def running(self) -> Iterator[None]:
        ready, ended = threading.Event(), asyncio.Event()
        thread = threading.Thread(target=self._loop.run_until_complete, args=(self._serve(ready, ended),))
        thread.start()
        ready.wait(60)
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(ended.set)
            thread.join(60)
            self._loop.close()
