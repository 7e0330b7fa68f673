"""A mail server on loopback that greets, offers STARTTLS and says goodbye, or does what a test wants instead."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.support_dns import end

GREETING = b"220 mx.a.example ESMTP\r\n"
EXTENSIONS = b"250-mx.a.example\r\n250-SIZE 1000\r\n250-starttls\r\n250 8BITMIME\r\n"
READY = b"220 go ahead\r\n"


@dataclass
class MailServer:
    """Its words, its TLS context, and what it heard (`sni` too). `greeting` b"" makes it silent."""

    tls: ssl.SSLContext | None = None
    greeting: bytes = GREETING
    extensions: bytes = EXTENSIONS
    ready: bytes = READY
    heard: list[bytes] = field(default_factory=list)
    sni: list[str | None] = field(default_factory=list)
    port: int = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = writer.transport
        try:
            writer.write(self.greeting)
            await writer.drain()
            while line := await reader.readline():
                self.heard.append(line.rstrip(b"\r\n"))
                await self._answer(line.upper(), writer)
        except (OSError, ssl.SSLError, ValueError):
            pass
        finally:
            writer.close()
            raw.abort()  # after STARTTLS the writer holds another one

    async def _answer(self, line: bytes, writer: asyncio.StreamWriter) -> None:
        if line.startswith(b"EHLO"):
            writer.write(self.extensions)
        elif line.startswith(b"STARTTLS"):
            writer.write(self.ready)
            await writer.drain()
            if self.tls is not None and self.ready == READY:
                self.tls.sni_callback = lambda _connection, name, _context: self.sni.append(name)
                await writer.start_tls(self.tls)
        else:
            writer.write(b"221 bye\r\n")
        await writer.drain()


@contextlib.contextmanager
def mail_servers(servers: dict[str, Any], port: int = 0) -> Iterator[int]:
    """Serve at these loopback addresses, all on one port, in a thread; yields the port."""
    started, stop, ports = threading.Event(), [], [port]

    async def serve() -> None:
        over = asyncio.Event()
        stop.append((asyncio.get_running_loop(), over))
        async with contextlib.AsyncExitStack() as stack:
            for address, server in servers.items():
                listener = await asyncio.start_server(server, address, ports[0], limit=2**20)
                stack.callback(listener.close)
                ports[0] = listener.sockets[0].getsockname()[1]
            started.set()
            await over.wait()
        await end()

    thread = threading.Thread(target=lambda: asyncio.run(serve()), daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield ports[0]
    finally:
        loop, over = stop[0]
        loop.call_soon_threadsafe(over.set)
        thread.join(60)
