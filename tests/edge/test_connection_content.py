"""What a connection with content does to its transport, octet by octet and without a socket."""

from __future__ import annotations

import asyncio
from typing import Any

from tests.edge.report_rig import HOST, REPORT, Desk, head, post

from trinco.edge import http1
from trinco.edge.connection import DRAINED, Connection
from trinco.edge.exchange import House
from trinco.edge.limits import Limits, Log, Phase, Roster
from trinco.edge.listener import Listener
from trinco.edge.report_host import ReportDoor


class Clear:
    """An engine that encrypts nothing."""

    established = True
    ended = False

    def __init__(self) -> None:
        self.said = b""

    def receive(self, data: bytes) -> bytes:
        return data

    def send(self, plaintext: bytes) -> None:
        self.said += plaintext

    def close(self) -> None:
        self.said += b"[closed]"

    def outgoing(self) -> bytes:
        said, self.said = self.said, b""
        return said


class Transport(asyncio.Transport):
    """Remembers what is done to it."""

    def __init__(self) -> None:
        super().__init__({"peername": ("192.0.2.1", 5)})
        self.reading = True
        self.written = b""

    def write(self, data: Any) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def write_eof(self) -> None:
        self.written += b"[eof]"


class Talk:
    """One connection at the name of the reports host, whose handshake is done."""

    def __init__(self, desk: Desk, limits: Limits | None = None) -> None:
        limits, clock = limits or Limits(), asyncio.get_running_loop().time
        self.house = House(ReportDoor(desk, HOST), limits, clock)
        self.buffer = memoryview(bytearray(16384))
        self.transport = Transport()
        listener = Listener(
            contexts=None,  # type: ignore[arg-type]  # never asked: the handshake is done
            answer=lambda *_: http1.plain(404),
            admit=lambda: True,
            limits=limits,
            roster=Roster(limits, clock),
            log=Log(limits, clock),
            buffer=self.buffer,
            house=self.house,
        )
        self.connection = Connection(listener)
        self.connection.connection_made(self.transport)
        self.connection._engine = Clear()
        self.connection._server_name = HOST.encode()

    def say(self, octets: bytes) -> bytes:
        """What is answered at once."""
        self.buffer[: len(octets)] = octets
        self.connection.buffer_updated(len(octets))
        return self.heard()

    def heard(self) -> bytes:
        written, self.transport.written = self.transport.written, b""
        return written

    async def settle(self) -> bytes:
        for _ in range(6):
            await asyncio.sleep(0)
        return self.heard()


class TestWhileAnswering:
    """Nothing more is read while an answer is awaited, whatever the peer does with what was said before."""

    def test_reading_is_paused_until_the_answer(self) -> None:
        async def work() -> None:
            desk, release = Desk(), asyncio.Event()
            desk.gate = release.wait
            talk = Talk(desk)
            assert (talk.say(post(REPORT)), talk.transport.reading) == (b"", False)
            assert talk.connection.phase is Phase.ANSWER
            release.set()
            assert (await talk.settle()).startswith(b"HTTP/1.1 201 ")
            assert (talk.transport.reading, talk.connection.phase) == (True, Phase.IDLE)

        asyncio.run(work())

    def test_a_peer_that_reads_again_does_not_resume_it(self) -> None:
        async def work() -> None:
            desk, release = Desk(), asyncio.Event()
            desk.gate = release.wait
            talk = Talk(desk)
            talk.say(post(REPORT))
            talk.connection.pause_writing()
            talk.connection.resume_writing()
            assert (talk.transport.reading, talk.heard()) == (False, b"")
            talk.connection.pause_writing()
            release.set()
            assert (await talk.settle()).startswith(b"HTTP/1.1 201 ")
            assert talk.transport.reading is False
            talk.connection.resume_writing()
            assert talk.transport.reading is True

        asyncio.run(work())

    def test_after_a_refusal_it_is_read_to_be_thrown_away(self) -> None:
        async def work() -> None:
            desk, release = Desk(), asyncio.Event()
            desk.gate = release.wait
            talk = Talk(desk, Limits(answer=0.0))
            talk.say(post(REPORT))
            await asyncio.sleep(0.01)
            talk.connection.overdue(Phase.ANSWER)
            written = talk.heard()
            assert (written.startswith(b"HTTP/1.1 503 "), written.endswith(b"[closed][eof]")) == (True, True)
            assert talk.transport.reading is True
            assert (talk.say(b"more"), talk.house.held) == (b"", len(REPORT))
            for _ in range(DRAINED // 8192):
                talk.say(b"x" * 8192)
            assert talk.transport.reading is False  # and not closed: that would take the answer from the peer
            release.set()
            assert (await talk.settle(), talk.house.held, len(desk.arrivals)) == (b"", 0, 1)

        asyncio.run(work())


class TestPhases:
    """Each step of an exchange starts a deadline, and no octet does."""

    def test_head_content_answer_and_the_next_request(self) -> None:
        async def work() -> None:
            talk, whole = Talk(Desk()), post(REPORT)
            phases = []
            for octets in (whole[:10], whole[10:-5], whole[-5:-1]):
                talk.say(octets)
                phases.append(talk.connection.phase)
            assert phases == [Phase.HEADER, Phase.CONTENT, Phase.CONTENT]
            talk.say(whole[-1:] + head(path="/")[:5])
            assert talk.connection.phase is Phase.ANSWER
            await talk.settle()
            assert talk.connection.phase is Phase.HEADER

        asyncio.run(work())

    def test_the_word_to_go_on_is_said_once_and_only_before_content(self) -> None:
        async def work() -> None:
            talk, request = Talk(Desk()), post(REPORT, "Expect: 100-continue")
            beginning = request.index(b"\r\n\r\n") + 4
            assert talk.say(request[:beginning]) == http1.CONTINUE
            assert talk.say(request[beginning : beginning + 5]) == b""
            talk.say(request[beginning + 5 :])
            assert (await talk.settle()).startswith(b"HTTP/1.1 201 ")
            assert talk.say(request[: beginning + 1]) == b""

        asyncio.run(work())
