"""TCP connections: pipelining, deadlines, caps, and clients that misbehave."""

from __future__ import annotations

import asyncio
import itertools
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import suppress

import dns.message
import pytest
from dnszone import BASE, LABEL, LONG, PUBLICATION, query, said
from test_dnsd import STS, TXT, by_tcp, framed, read, run, serving
from tests.edge.held_clock import HeldClock

from trinco.edge import dnstcp
from trinco.edge.answers import Answers
from trinco.edge.dnsd import Limits

ASKED = query(STS, "TXT").to_wire()
FRAME = struct.pack("!H", len(ASKED)) + ASKED
QUICK = Limits(rates=None, idle=0.5)
STEP = 0.0625

loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


async def closed(reader: asyncio.StreamReader) -> None:
    """Wait until the server closes; what it sends until then is dropped."""
    with suppress(ConnectionError):
        while await asyncio.wait_for(reader.read(65536), 60):
            pass


async def closed_after(reader: asyncio.StreamReader, held: HeldClock, writes: Callable[[], None] = int) -> float:
    """Seconds until the server closes, with what is written meanwhile."""
    began, closing = held.now, asyncio.ensure_future(closed(reader))
    while not closing.done():
        writes()
        held.now += STEP
        await asyncio.sleep(0.01)
    return held.now - began


@pytest.fixture
def held() -> Iterator[HeldClock]:
    """The seconds of the server."""
    with HeldClock().instead() as clock:
        yield clock


@loops
class TestPipelining:
    """RFC 7766 6.2.1.1: a client may send many queries without waiting; 6.2.1: the connection stays for more."""

    def test_many_questions_at_once(self, loop: str) -> None:
        async def test() -> None:
            names = [f"{LABEL}.mta-sts.{BASE}", f"{LONG}.tlsrpt.{BASE}", f"nobody.{BASE}"]
            messages = [query(names[at % 3], "TXT", id=at).to_wire() for at in range(500)]
            async with serving() as server:
                replies = [dns.message.from_wire(reply) for reply in await by_tcp(server, *messages)]
            assert [reply.id for reply in replies] == list(range(500))
            assert [reply.rcode() for reply in replies[:3]] == [0, 0, 3]
            assert [len(reply.answer) for reply in replies[:3]] == [1, 1, 0]

        run(test(), loop)

    def test_one_question_after_the_other(self, loop: str) -> None:
        async def test() -> None:
            async with serving() as server:
                reader, writer = await asyncio.open_connection(*server)
                for _ in range(5):
                    writer.write(FRAME)
                    assert read(await framed(reader)).answer == [TXT]
                writer.close()

        run(test(), loop)

    def test_octet_by_octet(self, loop: str) -> None:
        async def test() -> None:
            async with serving() as server:
                reader, writer = await asyncio.open_connection(*server)
                writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                for octet in FRAME:
                    writer.write(bytes((octet,)))
                    await asyncio.sleep(0)
                assert read(await framed(reader)).answer == [TXT]
                writer.close()

        run(test(), loop)

    def test_questions_before_the_end_of_the_clients_stream_are_answered(self, loop: str) -> None:
        async def test() -> None:
            async with serving() as server:
                reader, writer = await asyncio.open_connection(*server)
                writer.write(FRAME * 200)
                writer.write_eof()
                assert [read(await framed(reader)).answer for _ in range(200)] == [[TXT]] * 200
                assert await reader.read() == b""
                writer.close()

        run(test(), loop)

    def test_the_longest_message(self, loop: str) -> None:
        async def test() -> None:
            async with serving() as server:
                (reply,) = await by_tcp(server, ASKED + bytes(65535 - len(ASKED)))
                assert said(dns.message.from_wire(reply)).rcode == "FORMERR"

        run(test(), loop)


@loops
class TestNothingToSay:
    """What gets silence by UDP ends the connection by TCP, after the replies to what came before."""

    @pytest.mark.parametrize(
        "message", [b"", b"short", ASKED[:2] + b"\x80" + ASKED[3:]], ids=["empty", "short", "reply"]
    )
    def test_closed(self, message: bytes, loop: str) -> None:
        async def test() -> None:
            async with serving() as server:
                reader, writer = await asyncio.open_connection(*server)
                writer.write(FRAME * 3 + struct.pack("!H", len(message)) + message + FRAME)
                assert [read(await framed(reader)).answer for _ in range(3)] == [[TXT]] * 3
                assert await asyncio.wait_for(reader.read(), 60) == b""
                writer.close()

        run(test(), loop)


@loops
class TestDeadlines:
    """RFC 7766 6.2.3: a server closes what is idle; nothing but a whole message counts as being busy."""

    def test_a_silent_client(self, held: HeldClock, loop: str) -> None:
        async def test() -> None:
            async with serving(limits=QUICK) as server:
                reader, writer = await asyncio.open_connection(*server)
                assert await closed_after(reader, held) >= 0.5
                writer.close()

        run(test(), loop)

    def test_half_a_message(self, held: HeldClock, loop: str) -> None:
        async def test() -> None:
            async with serving(limits=QUICK) as server:
                reader, writer = await asyncio.open_connection(*server)
                writer.write(FRAME + FRAME[:20])
                assert read(await framed(reader)).answer == [TXT]
                assert await closed_after(reader, held) >= 0.5
                writer.close()

        run(test(), loop)

    def test_a_message_that_drips_in(self, held: HeldClock, loop: str) -> None:
        async def test() -> None:
            async with serving(limits=QUICK) as server:
                reader, writer = await asyncio.open_connection(*server)
                octets = itertools.cycle(FRAME)
                assert await closed_after(reader, held, lambda: writer.write(bytes((next(octets),)))) >= 0.5
                writer.close()

        run(test(), loop)

    def test_replies_that_nobody_reads(self, held: HeldClock, loop: str) -> None:
        """What waits for the client stays within bounds, and goes with the connection."""

        async def test() -> None:
            async with serving(limits=QUICK) as server:
                sock = socket.socket()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, server)
                sent, began = 0, held.now
                while held.now < began + 1000:
                    try:
                        sent += sock.send(FRAME * 100)
                    except BlockingIOError:
                        held.now += STEP
                        await asyncio.sleep(0.01)
                    except ConnectionError:
                        break
                sock.close()
                assert 0.5 <= held.now - began < 1000
                assert sent < 8 << 20

        run(test(), loop)

    def test_replies_that_are_read_late_are_all_there(self, loop: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """More than the kernel holds: answering stops, and goes on when the client reads."""
        stops, stop = [], dnstcp.Connection.pause_writing
        monkeypatch.setattr(dnstcp.Connection, "pause_writing", lambda self: (stops.append(1), stop(self)))
        asked = query(f"{LONG}.tlsrpt.{BASE}", "TXT").to_wire()

        async def test() -> None:
            async with serving() as server:
                sock = socket.socket()
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 16384)
                sock.setblocking(False)
                await asyncio.get_running_loop().sock_connect(sock, server)
                reader, writer = await asyncio.open_connection(sock=sock, limit=4096)
                writer.write((struct.pack("!H", len(asked)) + asked) * 10_000)
                while not stops:
                    await asyncio.sleep(0.01)
                replies = [await framed(reader) for _ in range(10_000)]
                writer.close()
            assert set(replies) == {Answers(PUBLICATION).answer(asked, tcp=True)}

        run(test(), loop)

    def test_a_busy_client_stays(self, held: HeldClock, loop: str) -> None:
        async def test() -> None:
            async with serving(limits=QUICK) as server:
                reader, writer = await asyncio.open_connection(*server)
                for _ in range(8):
                    held.now += 0.25
                    await asyncio.sleep(0.13)  # somebody looks who is idle
                    writer.write(FRAME)
                    assert read(await framed(reader)).answer == [TXT]
                writer.close()

        run(test(), loop)


@loops
class TestCaps:
    """RFC 7766 6.2.2 and 10: connections are limited per client and in all, so that nobody has all of them."""

    def test_per_client(self, loop: str) -> None:
        async def test() -> None:
            async with serving(limits=Limits(rates=None, connections_per_client=3)) as server:
                clients = [await asyncio.open_connection(*server) for _ in range(3)]
                assert [await self.reply(*client) for client in clients] == [[TXT]] * 3
                reader, writer = await asyncio.open_connection(*server)
                await closed(reader)
                writer.close()
                clients.pop()[1].close()
                await asyncio.sleep(0.1)
                reader, writer = await asyncio.open_connection(*server)
                assert await self.reply(reader, writer) == [TXT]
                for _, each in (*clients, (reader, writer)):
                    each.close()

        run(test(), loop)

    def test_in_all_the_longest_idle_one_goes(self, loop: str) -> None:
        async def test() -> None:
            async with serving(limits=Limits(rates=None, connections=3)) as server:
                clients = [await asyncio.open_connection(*server) for _ in range(3)]
                for client in (clients[1], clients[0], clients[2]):
                    assert await self.reply(*client) == [TXT]
                newcomer = await asyncio.open_connection(*server)
                assert await self.reply(*newcomer) == [TXT]
                await closed(clients[1][0])
                assert await self.reply(*clients[0]) == [TXT]
                for _, writer in (*clients, newcomer):
                    writer.close()

        run(test(), loop)

    async def reply(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> list[str]:
        writer.write(FRAME)
        return read(await framed(reader)).answer


class TestClients:
    """One client is an IPv4 address, or the /56 of IPv6 that one subscriber has."""

    @pytest.mark.parametrize(
        ("one", "other", "same"),
        [
            ("192.0.2.1", "192.0.2.1", True),
            ("192.0.2.1", "192.0.2.2", False),
            ("2001:db8:0:100::1", "2001:db8:0:1ff::2", True),
            ("2001:db8:0:100::1", "2001:db8:0:200::1", False),
            ("fe80::1%lo", "fe80::2", True),
        ],
    )
    def test_who_is_one(self, one: str, other: str, same: bool) -> None:
        assert (dnstcp._client((one, 1)) == dnstcp._client((other, 2))) is same

    def test_who_is_gone_already_is_nobody(self) -> None:
        assert dnstcp._client(None) == b""
