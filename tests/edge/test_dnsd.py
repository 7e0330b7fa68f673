"""The listener on real sockets: UDP and TCP, IPv4 and IPv6, both event loops, asked by dig and by hand."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import dns.message
import pytest
import uvloop
from dnszone import BASE, LABEL, LONG, PUBLICATION, SOA, ZONE, Said, hosted, query, said
from tests.support import needs

from trinco.core.hosting import Change
from trinco.edge import dnsd, dnstcp, dnsudp, mmsg
from trinco.edge.answers import Answers
from trinco.edge.dnsd import Limits, listen
from trinco.edge.ratelimit import Rates

STS = f"{LABEL}.mta-sts.{BASE}"
TXT = f'{STS}. 300 IN TXT "v=STSv1; id=20260101T000000Z0a1b2c3d;"'
OPEN = Limits(rates=None)
ADDRESSES = ["127.0.0.1", "::1"]
LOOPS: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
    "asyncio": asyncio.new_event_loop,
    "uvloop": uvloop.new_event_loop,
}


def run(test: Coroutine[Any, Any, None], loop: str = "asyncio") -> None:
    with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
        runner.run(test)


@asynccontextmanager
async def serving(host: str = "127.0.0.1", limits: Limits = OPEN) -> AsyncIterator[tuple[str, int]]:
    async with listen(Answers(PUBLICATION), [(host, 0)], limits=limits) as bound:
        yield bound[0]


async def by_udp(
    server: tuple[str, int], message: bytes, *, patience: float = 5, host: str | None = None
) -> bytes | None:
    """The reply, or None when there is none in time."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET6 if ":" in server[0] else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.connect((host or server[0], server[1]))
        await loop.sock_sendall(sock, message)
        try:
            return await asyncio.wait_for(loop.sock_recv(sock, 65535), patience)
        except TimeoutError:
            return None


async def by_tcp(server: tuple[str, int], *messages: bytes) -> list[bytes]:
    """The replies to messages sent all at once on one connection."""
    reader, writer = await asyncio.open_connection(*server)
    writer.write(b"".join(struct.pack("!H", len(message)) + message for message in messages))
    replies = [await framed(reader) for _ in messages]
    writer.close()
    await writer.wait_closed()
    return replies


async def framed(reader: asyncio.StreamReader) -> bytes:
    (length,) = struct.unpack("!H", await reader.readexactly(2))
    return await reader.readexactly(length)


def read(reply: bytes | None) -> Said:
    assert reply is not None
    return said(dns.message.from_wire(reply))


@pytest.fixture(params=["recvmmsg", "plain"])
def reading(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both ways to read datagrams."""
    if request.param == "plain":
        monkeypatch.setattr(mmsg, "available", lambda: False)
    return str(request.param)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("host", ADDRESSES)
class TestTransports:
    """RFC 7766 5: a name server answers by UDP and by TCP alike."""

    def test_udp(self, host: str, loop: str, reading: str) -> None:
        async def test() -> None:
            async with serving(host) as server:
                assert read(await by_udp(server, query(STS, "TXT").to_wire())) == Said("NOERROR", "QR AA", [TXT])

        run(test(), loop)

    def test_tcp(self, host: str, loop: str) -> None:
        async def test() -> None:
            async with serving(host) as server:
                (reply,) = await by_tcp(server, query(STS, "TXT").to_wire())
                assert read(reply) == Said("NOERROR", "QR AA", [TXT])

        run(test(), loop)

    def test_what_is_truncated_by_udp_is_whole_by_tcp(self, host: str, loop: str) -> None:
        async def test() -> None:
            asked = query(f"{LONG}.tlsrpt.{BASE}", "TXT").to_wire()
            async with serving(host) as server:
                assert read(await by_udp(server, asked)) == Said("NOERROR", "QR AA TC")
                (reply,) = await by_tcp(server, asked)
                assert len(read(reply).answer) == 1

        run(test(), loop)


class TestDatagrams:
    """One wrong datagram is one wrong datagram: those before and behind it in the same batch are answered."""

    def test_many_at_once_each_get_their_own_reply(self, reading: str) -> None:
        async def test() -> None:
            async with serving() as server:
                names = [f"{LABEL}.mta-sts.{BASE}", f"nobody{LABEL}.policy.{BASE}", BASE]
                messages = [query(names[at % 3], "TXT", id=at).to_wire() for at in range(300)]
                replies = await volley(server, messages, 300)
                assert {reply[:2]: reply[12 : len(reply)][:20] for reply in replies} == {
                    message[:2]: message[12:][:20] for message in messages
                }

        run(test())

    def test_silence_for_some_of_a_batch(self, reading: str) -> None:
        async def test() -> None:
            async with serving() as server:
                good = query(STS, "TXT").to_wire()
                kinds = (good, b"short", good[:2] + b"\x80" + good[3:])
                messages = [struct.pack("!H", at) + kinds[at % 3][2:] for at in range(150)]
                replies = await volley(server, messages, 50)
                assert sorted(reply[:2] for reply in replies) == [struct.pack("!H", at) for at in range(0, 150, 3)]

        run(test())

    def test_a_datagram_larger_than_any_query_does_no_harm(self, reading: str) -> None:
        async def test() -> None:
            async with serving() as server:
                asked = query(STS, "TXT").to_wire()
                reply = await by_udp(server, asked + bytes(30000))
                assert reply is not None
                assert reply[3] & 15 == 1
                assert read(await by_udp(server, asked)).answer == [TXT]

        run(test())

    def test_a_fault_of_ours_costs_one_reply(self, reading: str, monkeypatch: pytest.MonkeyPatch) -> None:
        whole = Answers.answer

        def broken(self: Answers, message: bytes, *, tcp: bool = False) -> bytes | None:
            if message[:2] == b"xx":
                raise RuntimeError("a fault")
            return whole(self, message, tcp=tcp)

        monkeypatch.setattr(Answers, "answer", broken)
        log = Recorder()
        monkeypatch.setattr(dnsudp, "_log", log)
        monkeypatch.setattr(dnstcp, "_log", log)

        async def test() -> None:
            async with serving() as server:
                asked = query(STS, "TXT").to_wire()
                assert await by_udp(server, b"xx" + asked[2:], patience=0.2) is None
                assert read(await by_udp(server, asked)).answer == [TXT]
                reader, writer = await asyncio.open_connection(*server)
                writer.write(struct.pack("!H", len(asked)) + b"xx" + asked[2:])
                assert await reader.read() == b""
                writer.close()

        run(test())
        assert log.events == [("dns.query_failed", "udp"), ("dns.query_failed", "tcp")]


class Recorder:
    """Stands in for the room's log."""

    def __init__(self) -> None:
        self.events: list[tuple[str, str]] = []

    def exception(self, event: str, *, transport: str) -> None:
        self.events.append((event, transport))


async def volley(server: tuple[str, int], messages: list[bytes], expected: int) -> list[bytes]:
    """Send all at once from one socket, before the server gets a turn; the replies, as many as expected and no more."""
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        sock.connect(server)
        for message in messages:
            sock.send(message)
        replies = [await asyncio.wait_for(loop.sock_recv(sock, 4096), 60) for _ in range(expected)]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loop.sock_recv(sock, 4096), 0.05)
    return replies


class TestWildcard:
    """RFC 2181 4.1: a reply comes from the address that was asked."""

    @pytest.mark.parametrize(("wildcard", "asked"), [("0.0.0.0", "127.0.0.9"), ("::", "::1")])
    def test_reply_from_the_address_that_was_asked(self, wildcard: str, asked: str) -> None:
        async def test() -> None:
            async with serving(wildcard) as server:
                for _ in range(3):
                    reply = await by_udp(server, query(STS, "TXT").to_wire(), host=asked)
                    assert read(reply).answer == [TXT]

        run(test())

    def test_ipv4_and_ipv6_are_two_endpoints(self) -> None:
        async def test() -> None:
            async with serving("0.0.0.0") as (_, port), listen(Answers(PUBLICATION), [("::", port)], limits=OPEN):
                assert read(await by_udp(("::1", port), query(STS, "TXT").to_wire())).answer == [TXT]

        run(test())


class TestListening:
    """The block's life is the listeners' life."""

    def test_several_endpoints(self) -> None:
        async def test() -> None:
            endpoints = [("127.0.0.1", 0), ("127.0.0.2", 0), ("::1", 0)]
            async with listen(Answers(PUBLICATION), endpoints, limits=OPEN) as bound:
                assert [host for host, _ in bound] == ["127.0.0.1", "127.0.0.2", "::1"]
                for server in bound:
                    assert read(await by_udp(server, query(BASE, "SOA").to_wire())).answer == [SOA]

        run(test())

    def test_a_taken_port_is_an_error_and_leaves_nothing_open(self) -> None:
        async def test() -> None:
            async with serving() as (host, port):
                with pytest.raises(OSError, match="in use"):
                    async with listen(Answers(PUBLICATION), [(host, 0), (host, port)], limits=OPEN):
                        pass

        run(test())

    def test_a_port_that_is_taken_for_tcp_alone(self) -> None:
        async def test(server: tuple[str, int]) -> None:
            with pytest.raises(OSError, match="in use"):
                async with listen(Answers(PUBLICATION), [server], limits=OPEN):
                    pass

        with socket.create_server(("127.0.0.1", 0)) as taken:
            run(test(taken.getsockname()))

    def test_a_free_port_is_free_for_both(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """The port that UDP got may be taken for TCP: another is looked for."""
        with socket.create_server(("127.0.0.1", 0)) as taken:
            real, first = dnsd._name, [taken.getsockname()]
            monkeypatch.setattr(dnsd, "_name", lambda sock: first.pop() if first else real(sock))

            async def test() -> None:
                async with serving() as server:
                    assert server[1] != taken.getsockname()[1]
                    (reply,) = await by_tcp(server, query(STS, "TXT").to_wire())
                    assert read(reply).answer == [TXT]

            run(test())

    def test_a_burst_may_wait_in_the_kernel(self) -> None:
        """As much as the system lets anybody have, at the least."""
        allowed = int(Path("/proc/sys/net/core/rmem_max").read_text())
        with dnsd._socket(socket.SOCK_DGRAM, "127.0.0.1", 0, OPEN) as sock:
            assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) >= min(allowed, dnsd.RECEIVE_BUFFER)

    def test_processes_may_share_a_port(self) -> None:
        async def test() -> None:
            shared = Limits(rates=None, share_port=True)
            async with serving(limits=shared) as server, listen(Answers(PUBLICATION), [server], limits=shared) as bound:
                assert bound == [server]

        run(test())

    def test_nothing_is_left_afterwards(self) -> None:
        async def test() -> None:
            async with serving() as server:
                reader, writer = await asyncio.open_connection(*server)
            assert await reader.read() == b""
            writer.close()
            with pytest.raises(ConnectionError):
                await asyncio.open_connection(*server)
            assert await by_udp(server, b"x" * 20, patience=0.05) is None

        with pytest.raises(ConnectionError):
            run(test())

    def test_a_change_is_seen_by_the_next_question(self) -> None:
        async def test() -> None:
            answers = Answers(PUBLICATION)
            async with listen(answers, [("127.0.0.1", 0)], limits=OPEN) as bound:
                answers.apply(Change(8, ZONE, (hosted(LABEL, policy_id="2"),)))
                reply = await by_udp(bound[0], query(STS, "TXT").to_wire())
                assert read(reply).answer == [f'{STS}. 300 IN TXT "v=STSv1; id=2;"']

        run(test())


class TestRates:
    """Above its rate a network gets nothing, or TC: a real client then comes by TCP, which is never limited."""

    def test_known_names_are_answered_up_to_the_rate(self, reading: str) -> None:
        async def test() -> None:
            async with serving(limits=Limits(rates=Rates(answers=5, slip=2))) as server:
                asked = query(STS, "TXT").to_wire()
                replies = await volley(server, [asked] * 25, 15)
                assert [read(reply) for reply in replies] == [Said("NOERROR", "QR AA", [TXT])] * 5 + [
                    Said("NOERROR", "QR AA TC")
                ] * 10
                assert len(await by_tcp(server, *[asked] * 25)) == 25

        run(test())

    def test_made_up_names_do_not_take_the_answers_of_real_ones(self, reading: str) -> None:
        async def test() -> None:
            async with serving(limits=Limits(rates=Rates(nxdomain=3, slip=0))) as server:
                made_up = [query(f"n{at}.policy.{BASE}").to_wire() for at in range(50)]
                assert [reply[3] & 15 for reply in await volley(server, made_up, 3)] == [3, 3, 3]
                assert read(await by_udp(server, query(STS, "TXT").to_wire())).answer == [TXT]

        run(test())


async def dig(server: tuple[str, int], *words: str) -> str:
    host, port = server
    argv = (needs("dig"), f"@{host}", "-p", str(port), "+tries=1", "+time=60", "+noall", "+answer", "+comments", *words)
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, _ = await process.communicate()
    return " ".join(out.decode().split())


@pytest.mark.parametrize("host", ADDRESSES)
@pytest.mark.parametrize("transport", ["+notcp", "+tcp"])
class TestDig:
    """What an operator sees."""

    def test_the_record_through_our_name(self, host: str, transport: str) -> None:
        async def test() -> None:
            async with serving(host) as server:
                said = await dig(server, transport, STS, "TXT")
                assert "status: NOERROR" in said
                assert TXT in said
                assert "flags: qr aa rd; QUERY: 1, ANSWER: 1, AUTHORITY: 0, ADDITIONAL: 1" in said

        run(test())

    def test_a_long_record(self, host: str, transport: str) -> None:
        async def test() -> None:
            async with serving(host) as server:
                assert "rua=mailto:rrrr" in await dig(server, transport, f"{LONG}.tlsrpt.{BASE}", "TXT", "+bufsize=512")

        run(test())

    def test_a_cookie_is_ignored(self, host: str, transport: str) -> None:
        async def test() -> None:
            async with serving(host) as server:
                said = await dig(
                    server, transport, STS, "TXT", "+cookie=0123456789abcdef", "+nsid", "+subnet=192.0.2.0/24"
                )
                assert TXT in said
                assert "COOKIE" not in said
                assert "CLIENT-SUBNET" not in said

        run(test())

    def test_badvers(self, host: str, transport: str) -> None:
        async def test() -> None:
            async with serving(host) as server:
                said = await dig(server, transport, BASE, "SOA", "+edns=1", "+noednsnegotiation")
                assert "status: BADVERS" in said

        run(test())
