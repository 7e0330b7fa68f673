"""A policy host on a loop of its own in a thread, and blocking clients that say exactly what a test wants said."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import uvloop
from tests import support_tls
from tests.edge.publications import ZONE

from trinco.core.hosting import HostedDomain, Publication
from trinco.core.names import Domain
from trinco.edge import policy_host, report_host
from trinco.edge.limits import Limits
from trinco.edge.sni import Table
from trinco.edge.tally import Tally

LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}
PATH = "/.well-known/mta-sts.txt"
UNRECOGNIZED_NAME = bytes.fromhex("15030300020270")
TIMEOUT = 60.0


def body_of(name: str, mode: str = "testing") -> bytes:
    return f"version: STSv1\r\nmode: {mode}\r\nmx: mx.{name}\r\nmax_age: 86400\r\n".encode()


def hosted(authority: support_tls.Authority, name: str, **differing: Any) -> HostedDomain:
    values: dict[str, Any] = {
        "domain": Domain.trusted(name),
        "label": "l" + name.replace(".", ""),
        "revision": 1,
        "policy": body_of(name),
        "certificate": authority.certificate(f"mta-sts.{name}"),
    }
    return HostedDomain(**{**values, **differing})


def publication(*domains: HostedDomain, issuers: tuple[bytes, ...] = ()) -> Publication:
    return Publication(1, ZONE, {domain.label: domain for domain in domains}, {support_tls.CHAIN: issuers})


@dataclass
class Rig:
    """A running policy host. `do` runs a function in its loop's thread and gives what it returns."""

    table: Table
    authority: support_tls.Authority
    limits: Limits = field(default_factory=Limits)
    unseal: Callable[[bytes, str], bytes] = support_tls.unseal
    admit: Callable[[], bool] = lambda: True
    reports: report_host.ReportDoor | None = None
    tally: Tally | None = None
    loop_name: str = "asyncio"
    port: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)
    """What reached the loop's exception handler."""

    def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        async def call() -> Any:
            return function(*arguments)

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result(TIMEOUT)

    @contextmanager
    def running(self) -> Iterator[Rig]:
        ready = threading.Event()
        thread = threading.Thread(target=self._run, args=(ready,), name="policy-rig")
        thread.start()
        assert ready.wait(TIMEOUT)
        try:
            yield self
        finally:
            self._loop.call_soon_threadsafe(self._stop.set)
            thread.join(TIMEOUT)
            assert not thread.is_alive()

    def _run(self, ready: threading.Event) -> None:
        with asyncio.Runner(loop_factory=LOOPS[self.loop_name]) as runner:
            runner.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self._stop = asyncio.Event()
        options: dict[str, Any] = {"unseal": self.unseal, "limits": self.limits, "admit": self.admit}
        options |= {"reports": self.reports, "tally": self.tally}
        async with policy_host.listen(self.table, [("127.0.0.1", 0)], **options) as bound:
            self.port = bound[0][1]
            ready.set()
            await self._stop.wait()

    # Clients.

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), TIMEOUT)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def secure(self, name: str, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A TLS connection for the policy host of this domain."""
        return self.secure_for(f"mta-sts.{name}", context)

    def secure_for(self, host: str, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """A TLS connection for this host."""
        raw = self.connect()
        try:
            return (context or self.authority.client()).wrap_socket(raw, server_hostname=host)
        except BaseException:
            raw.close()
            raise

    def ask(self, name: str, *requests: bytes, context: ssl.SSLContext | None = None) -> bytes:
        """All that is answered to these octets, until the host closes."""
        with self.secure(name, context) as connection:
            connection.sendall(b"".join(requests))
            return drained(connection)

    def fetch(self, name: str, context: ssl.SSLContext | None = None) -> bytes:
        return self.ask(name, get(name, "Connection: close"), context=context)

    def say(self, octets: bytes) -> bytes:
        """All that is answered to these octets without TLS, until the host closes or resets."""
        with suppress(ConnectionError), self.connect() as connection:
            connection.sendall(octets)
            return drained(connection)
        return b""


def get(name: str, *fields: str, method: str = "GET", path: str = PATH, version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", f"Host: mta-sts.{name}", *fields, "", ""]
    return "\r\n".join(lines).encode()


def drained(connection: socket.socket) -> bytes:
    pieces = []
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


def client_hello(server_name: str | None, context: ssl.SSLContext | None = None) -> bytes:
    """The octets of a real client's first flight."""
    context = context or ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if server_name is None:
        context.check_hostname = False
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with suppress(ssl.SSLWantReadError):
        context.wrap_bio(incoming, outgoing, server_hostname=server_name).do_handshake()
    return outgoing.read()


def status_of(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def content_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


def fields_of(answer: bytes) -> dict[str, str]:
    head = answer.partition(b"\r\n\r\n")[0].decode("ascii").split("\r\n")[1:]
    return dict(line.split(": ", 1) for line in head)
