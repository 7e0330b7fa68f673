"""The listener for fronts on a loop of its own in a thread."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.edge.policy_rig import LOOPS, TIMEOUT, drained

from trinco.edge.front_host import LIMITS, listen
from trinco.edge.limits import Limits
from trinco.edge.sni import Table


@dataclass
class Front:
    """Where it answers."""

    port: int
    _loop: asyncio.AbstractEventLoop
    _stop: asyncio.Event
    faults: list[dict[str, Any]]

    def do(self, function: Callable[..., Any], *arguments: Any) -> None:
        done = threading.Event()
        self._loop.call_soon_threadsafe(lambda: (function(*arguments), done.set()))
        assert done.wait(TIMEOUT)

    def say(self, octets: bytes) -> bytes:
        """All that is answered to these octets."""
        address = ("127.0.0.1", self.port)
        with contextlib.suppress(ConnectionError), socket.create_connection(address, TIMEOUT) as connection:
            connection.sendall(octets)
            return drained(connection)
        return b""

    def ask(self, domain: str) -> bytes:
        return self.say(get(f"127.0.0.1:{self.port}", f"/ask?domain={domain}"))

    def asking(self) -> socket.socket:
        """A connection on which a question was begun."""
        connection = socket.create_connection(("127.0.0.1", self.port), TIMEOUT)
        connection.sendall(b"GET /ask?domain=")
        return connection

    def end(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)


def get(host: str, path: str, *fields: str, method: str = "GET") -> bytes:
    return "\r\n".join([f"{method} {path} HTTP/1.1", f"Host: {host}", *fields, "", ""]).encode("latin-1")


@contextmanager
def fronted(
    table: Table, *, admit: Callable[[], bool] = lambda: True, limits: Limits = LIMITS, loop: str = "asyncio"
) -> Iterator[Front]:
    """The listener, until the block is left."""
    ready, box = threading.Event(), list[Front]()

    async def serve() -> None:
        stop, faults, running = asyncio.Event(), list[dict[str, Any]](), asyncio.get_running_loop()
        running.set_exception_handler(lambda _, context: faults.append(context))
        async with listen(table, [("127.0.0.1", 0)], admit=admit, limits=limits) as bound:
            box.append(Front(bound[0][1], running, stop, faults))
            ready.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(TIMEOUT)
    try:
        yield box[0]
    finally:
        box[0].end()
        thread.join(TIMEOUT)
        assert not thread.is_alive()
        assert box[0].faults == []
