"""Ways between processes that can be cut: TCP connections and UDP packets, carried by one thread for everybody."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Target = tuple[str, int] | Path
"""An address, or a unix socket."""
_SOURCES = 200
_STARTED = 20


@dataclass
class Way:
    """What comes to `listen` goes on to `target`, from the address `source`. `target` may change at any time."""

    listen: tuple[str, int]
    target: Target
    source: str | None = None
    refuses: bool = False
    flows: asyncio.Event = field(default_factory=asyncio.Event)
    open: set[asyncio.StreamWriter] = field(default_factory=set)
    sources: dict[Any, asyncio.DatagramTransport] = field(default_factory=dict)

    async def serve(self) -> None:
        self.flows.set()
        host, port = self.listen
        server = await asyncio.start_server(self._carry, host, port)
        self.listen = host, server.sockets[0].getsockname()[1]
        if not isinstance(self.target, Path):
            loop = asyncio.get_running_loop()
            await loop.create_datagram_endpoint(lambda: _Packets(self), local_addr=self.listen)

    def drop(self) -> None:
        for writer in list(self.open):
            writer.transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        with suppress(OSError):
            await self.flows.wait()
            if self.refuses:
                raise OSError
            back, forth = await self._beyond()
            self.open.add(forth)
            await asyncio.gather(self._pump(reader, forth), self._pump(back, writer))
            self.open.discard(forth)
        self.open.discard(writer)
        writer.transport.abort()

    async def _beyond(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, Path):
            return await asyncio.open_unix_connection(self.target)
        local = (self.source, 0) if self.source else None
        return await asyncio.open_connection(*self.target, local_addr=local)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while piece := await reader.read(65536):
                await self.flows.wait()
                writer.write(piece)
                await writer.drain()
        await self.flows.wait()
        writer.close()


class _Packets(asyncio.DatagramProtocol):
    """The near side of a way for UDP: every source has a socket of its own on the far side."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._near: Any = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: Any) -> None:
        self._near = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._way.flows.is_set() and not self._way.refuses:
            task = asyncio.ensure_future(self._forward(data, addr))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _forward(self, data: bytes, addr: Any) -> None:
        sources = self._way.sources
        with suppress(OSError):
            if addr not in sources:
                while len(sources) >= _SOURCES:
                    sources.pop(next(iter(sources))).close()
                local = (self._way.source, 0) if self._way.source else None
                loop = asyncio.get_running_loop()
                made, _ = await loop.create_datagram_endpoint(
                    lambda: _Back(self._way, self._near, addr), local, self._way.target
                )
                sources[addr] = made
            sources[addr].sendto(data)


class _Back(asyncio.DatagramProtocol):
    """The far side, for one source."""

    def __init__(self, way: Way, near: Any, addr: Any) -> None:
        self._way, self._near, self._addr = way, near, addr

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if self._way.flows.is_set() and not self._way.refuses:
            self._near.sendto(data, self._addr)


class Relays:
    """All ways, by name, and the thread that carries."""

    def __init__(self) -> None:
        self.ways: dict[str, Way] = {}
        self._loop = asyncio.new_event_loop()

    def add(self, name: str, listen: tuple[str, int], target: Target, source: str | None = None) -> int:
        """The port at which the new way begins. TCP alone towards a unix socket, else UDP as well."""
        way = self.ways[name] = Way(listen, target, source)
        asyncio.run_coroutine_threadsafe(way.serve(), self._loop).result(_STARTED)
        return way.listen[1]

    def cut(self, name: str, *, hang: bool) -> None:
        """Carry nothing on: as packets are lost, or as a firewall refuses."""
        self._loop.call_soon_threadsafe(self._cut, self.ways[name], hang)

    def mend(self, name: str) -> None:
        self._loop.call_soon_threadsafe(self._mend, self.ways[name])

    def turn(self, target: Target, *names: str) -> None:
        """Lead these ways to another place; what is open is closed."""
        self._loop.call_soon_threadsafe(self._turn, target, names)

    def _cut(self, way: Way, hang: bool) -> None:
        if hang:
            way.flows.clear()
        else:
            way.refuses = True
            way.drop()

    def _mend(self, way: Way) -> None:
        way.refuses = False
        way.flows.set()

    def _turn(self, target: Target, names: tuple[str, ...]) -> None:
        for name in names:
            self.ways[name].target = target
            self.ways[name].drop()

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            thread.join(10)
