"""The report mailbox on a loop of its own in a thread, a desk that keeps what it is given, and a client of few words."""

from __future__ import annotations

import asyncio
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from tests.edge.policy_rig import LOOPS

from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge import maild
from trinco.edge.maild import MailLimits
from trinco.edge.mailroom import Memory

HOST = "reports.example"
TOKEN, OTHER = "a" * 26, "b" * 26
TO = f"{TOKEN}@{HOST}"
MAIL = b"From: tlsrpt@sender.example\r\nSubject: a report\r\n\r\n{}\r\n"
KEPT = b"250 2.0.0 The report is kept\r\n"
TIMEOUT = 60.0


@dataclass
class Desk:
    """Keeps reports. `deed` runs before, and may raise."""

    tokens: set[str] = field(default_factory=lambda: {TOKEN, OTHER, *(f"m{n}" for n in range(9))})
    deed: Callable[[Arrival], Any] | None = None
    arrivals: list[Arrival] = field(default_factory=list)

    def known(self, token: str) -> bool:
        return token in self.tokens

    async def accept(self, arrival: Arrival) -> None:
        if self.deed is not None:
            done = self.deed(arrival)
            if asyncio.iscoroutine(done):
                await done
        self.arrivals.append(arrival)

    @property
    def bodies(self) -> list[bytes]:
        return [arrival.body for arrival in self.arrivals]


@dataclass
class MailRig:
    """A running mailbox. `stop` ends it from within a test."""

    desk: Desk = field(default_factory=Desk)
    tls: Callable[[], ssl.SSLContext | None] = lambda: None
    limits: MailLimits = field(default_factory=MailLimits)
    loop_name: str = "asyncio"
    memories: list[Memory] = field(default_factory=list)
    port: int = 0
    faults: list[dict[str, Any]] = field(default_factory=list)
    """What reached the loop's exception handler."""
    tasks: int = 0
    """Tasks that were left when everything had ended, but for the rig's own."""

    @contextmanager
    def running(self) -> Iterator[MailRig]:
        ready = threading.Event()
        self._thread = threading.Thread(target=self._run, args=(ready,), name="mail-rig")
        self._thread.start()
        assert ready.wait(TIMEOUT)
        try:
            yield self
        finally:
            self.stop()
            assert not self._thread.is_alive()

    def stop(self) -> None:
        with suppress(RuntimeError):  # it has stopped
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(TIMEOUT)

    def _run(self, ready: threading.Event) -> None:
        with asyncio.Runner(loop_factory=LOOPS[self.loop_name]) as runner:
            runner.run(self._serve(ready))

    async def _serve(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop.set_exception_handler(lambda _, context: self.faults.append(context))
        self._stop = asyncio.Event()
        options: dict[str, Any] = {"reports_host": "Reports.Example", "tls": self.tls, "limits": self.limits}
        with patch.object(maild, "Memory", self._remember):
            listener = maild.listen(self.desk, [("127.0.0.1", 0)], **options)
            async with listener as bound:
                self.port = bound[0][1]
                ready.set()
                await self._stop.wait()
        self.tasks = len(asyncio.all_tasks()) - 1

    def _remember(self, limits: MailLimits) -> Memory:
        self.memories.append(Memory(limits))
        return self.memories[0]

    @property
    def taken(self) -> int:
        """Octets of mails that the mailbox counts."""
        return self.memories[0].taken

    @contextmanager
    def talk(self, *lines: str) -> Iterator[Talk]:
        """A client that has said these lines, after the greeting."""
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            talk = Talk(connection)
            assert talk.reply() == f"220 {HOST} ESMTP\r\n".encode()
            for line in lines:
                talk.say(line)
            yield talk
            talk.connection.close()

    def deliver(self, mail: bytes = MAIL, to: str = TO) -> bytes:
        """The reply to a mail over a connection of its own."""
        with self.talk("EHLO sender.example", "MAIL FROM:<>", f"RCPT TO:<{to}>", "DATA") as talk:
            talk.send(mail + b".\r\n")
            return talk.reply()


@dataclass
class Talk:
    """A client that sends what it is told, and reads whole replies."""

    connection: socket.socket
    heard: bytearray = field(default_factory=bytearray)

    def send(self, octets: bytes) -> None:
        self.connection.sendall(octets)

    def say(self, line: str) -> bytes:
        self.send(line.encode("utf-8", "surrogateescape") + b"\r\n")
        return self.reply()

    def reply(self) -> bytes:
        """The next reply, with all its lines; b"" when the connection has ended."""
        lines = b""
        while not lines or lines.splitlines()[-1][3:4] == b"-":
            if not (line := self._line()):
                break
            lines += line
        return lines

    def rest(self) -> bytes:
        """All that comes until the connection ends."""
        with suppress(ConnectionError):
            while piece := self.connection.recv(65536):
                self.heard += piece
        return bytes(self.heard)

    def secure(self, context: ssl.SSLContext) -> None:
        assert self.say("STARTTLS").startswith(b"220 ")
        self.connection = context.wrap_socket(self.connection, server_hostname=HOST)

    def _line(self) -> bytes:
        while (end := self.heard.find(b"\n")) < 0:
            try:
                piece = self.connection.recv(65536)
            except ConnectionError:
                return b""
            if not piece:
                return b""
            self.heard += piece
        line = bytes(self.heard[: end + 1])
        del self.heard[: end + 1]
        return line
