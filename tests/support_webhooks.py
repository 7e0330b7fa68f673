"""A server of a customer's that takes webhooks over TLS, and says what each test wants."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_network
from pathlib import Path
from typing import Any

from tests import support_dns
from tests.support_certs import Authority

from trinco.cli import ports
from trinco.core.errors import DnsFailure
from trinco.net import https
from trinco.net.guard import Guard
from trinco.net.posting import Poster
from trinco.net.reaching import Patience
from trinco.panel.accounts.models import Organisation
from trinco.panel.webhooks import outbox, sending, services
from trinco.panel.webhooks.models import Webhook

HOST = "hook.example.com"
OK = b"HTTP/1.1 204 No Content\r\n\r\n"
PATIENT = Patience(60.0, 60.0)
LOOPBACK = (ip_network("127.0.0.0/8"),)


@dataclass(frozen=True, slots=True)
class Names:
    """A resolver in which each name has these addresses."""

    guard: Guard
    found: dict[str, tuple[str, ...]] = field(default_factory=dict)

    async def addresses(self, host: str) -> tuple[str, ...]:
        if host not in self.found:
            raise DnsFailure(f"nobody answered for the addresses of {host}")
        return self.found[host]


@dataclass(frozen=True, slots=True)
class Request:
    """What the server was sent."""

    line: str
    fields: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, head: bytes, body: bytes) -> Request:
        line, *fields = head.decode("ascii").rstrip("\r\n").split("\r\n")
        pairs = (each.partition(": ")[::2] for each in fields)
        return cls(line, {name.lower(): value for name, value in pairs}, body)


class Server:
    """Answers each request with the next of its answers, the last one for ever. `hold`: seconds of silence before."""

    def __init__(self, *answers: bytes, hold: float = 0.0) -> None:
        self.answers, self.hold = list(answers or (OK,)), hold
        self.requests: list[Request] = []
        self.port = 0
        self.at_once = self.most_at_once = 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
            self.requests.append(Request.of(head, await reader.readexactly(length)))
            await asyncio.sleep(self.hold)
            writer.write(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.at_once -= 1
            writer.close()


@contextmanager
def served(server: Server, context: ssl.SSLContext) -> Iterator[Server]:
    """The server, in a thread of its own."""
    ready, stop = threading.Event(), list[Callable[[], Any]]()

    async def serve() -> None:
        over, loop = asyncio.Event(), asyncio.get_running_loop()
        stop.append(lambda: loop.call_soon_threadsafe(over.set))
        async with await asyncio.start_server(server, "127.0.0.1", 0, ssl=context) as listener:
            server.port = listener.sockets[0].getsockname()[1]
            ready.set()
            await over.wait()
        await support_dns.end()  # with whom one was in the middle of something

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(60)
    try:
        yield server
    finally:
        stop[0]()
        thread.join(60)


@dataclass
class Customer:
    """Somebody whose servers have certificates that we verify."""

    authority: Authority

    @classmethod
    def at(cls, directory: Path) -> Customer:
        return cls(Authority(directory))

    def context(self, host: str = HOST) -> ssl.SSLContext:
        return self.authority.server(host)

    def poster(self, *hosts: str, patience: Patience = PATIENT) -> Poster:
        names: Any = Names(Guard(LOOPBACK), dict.fromkeys(hosts or (HOST,), ("127.0.0.1",)))
        return Poster(names, https.context(self.authority.pem), patience)


def hook(owner: Organisation, port: int, *kinds: str, host: str = HOST) -> tuple[Webhook, str]:
    """A webhook for that server, and its secret."""
    made = Webhook.objects.of(owner).create(
        organisation=owner, name="tickets", url=f"https://{host}:{port}/t/abc", kinds=list(kinds)
    )
    return made, services.rotate_secret(webhook=made, actor=services.Actor("ana@example.com"))


def delivered(poster: Poster, now: datetime) -> int:
    """What the worker does at this moment."""
    outbox.spread_due(now)
    sending.tidy_due(now)
    return sending.deliver(poster, lambda _passed: now)


def closed_port() -> int:
    """A port at which nobody listens."""
    return ports.free([(ports.LOOPBACK, 0, ports.TCP)])
