"""Transfers under load and in bad company: too many at once, clients that do not read, clients that go away."""

from __future__ import annotations

import asyncio
import gc
import random
import struct
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import dns.exception
import dns.message
import dns.rcode
import pytest
from dnszone import BASE, LABEL, PUBLICATION, hosted, query
from test_dnsd import by_tcp, by_udp, framed, read, run
from test_dnsd_tcp import closed, closed_after
from tests.edge.held_clock import HeldClock
from transfer_rig import SIGNED, as_file, asking, fetched, first, many, primary, sluggish

from trinco.edge.dnsd import Limits
from trinco.edge.transfer import Bounds

loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
QUICK = Limits(rates=None, idle=0.5)
TWO = Bounds(transfers=2, per_address=2)


@pytest.fixture
def held() -> Iterator[HeldClock]:
    """The seconds of the server."""
    with HeldClock().instead() as clock:
        yield clock


async def begun(server: tuple[str, int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A transfer that is under way, and not read on. Small buffers: the server soon waits."""
    sock = sluggish()
    await asyncio.get_running_loop().sock_connect(sock, server)
    reader, writer = await asyncio.open_connection(sock=sock, limit=1024)
    wire = asking().to_wire()
    writer.write(struct.pack("!H", len(wire)) + wire)
    await reader.readexactly(2)
    return reader, writer


def rcode(reply: bytes) -> int:
    return reply[3] & 0xF


@pytest.fixture(scope="module")
def large():
    """More than all buffers on the way hold."""
    return many(30_000)


@loops
class TestStorm:
    """RFC 5936 4.1: a server may limit how many transfers there are; the rest are told to come later."""

    def test_at_most_so_many_at_once(self, loop: str, large) -> None:
        async def test() -> None:
            async with primary(large, bounds=TWO) as server:
                transfers = [await begun(server.server) for _ in range(2)]
                assert rcode(await first(server.server, asking())) == dns.rcode.SERVFAIL
                assert read(await by_udp(server.server, query(BASE, "SOA").to_wire())).rcode == "NOERROR"
                transfers[0][1].transport.abort()
                while server.transfers._under_way.total() == 2:
                    await asyncio.sleep(0.01)
                assert rcode(await first(server.server, asking())) == dns.rcode.NOERROR
                transfers[1][1].transport.abort()

        run(test(), loop)

    def test_per_address(self, loop: str, large) -> None:
        async def test() -> None:
            async with primary(large, bounds=Bounds(per_address=1)) as server:
                _, writer = await begun(server.server)
                assert rcode(await first(server.server, asking())) == dns.rcode.SERVFAIL
                writer.transport.abort()

        run(test(), loop)

    def test_those_that_end_count_no_more(self, loop: str) -> None:
        async def test() -> None:
            async with primary(bounds=TWO) as server:
                for _ in range(8):
                    assert rcode(await first(server.server, asking())) == dns.rcode.NOERROR

        run(test(), loop)


@loops
class TestNobodyReads:
    """RELIABILITY 16's rule for DNS: what is not read ends, and holds no memory meanwhile."""

    def test_a_transfer_that_is_not_read_ends(self, held: HeldClock, loop: str, large) -> None:
        async def test() -> None:
            async with primary(large, limits=QUICK, bounds=Bounds(per_address=1)) as server:
                reader, writer = await begun(server.server)
                while server.transfers._under_way.total():
                    held.now += 0.1
                    await asyncio.sleep(0.01)
                assert rcode(await first(server.server, asking())) == dns.rcode.NOERROR
                await closed(reader)
                writer.close()

        run(test(), loop)

    def test_a_transfer_that_is_read_slowly_ends_at_its_limit(self, held: HeldClock, loop: str, large) -> None:
        async def test() -> None:
            async with primary(large, bounds=Bounds(seconds=0.5)) as server:
                reader, writer = await begun(server.server)
                began = held.now
                while server.transfers._under_way.total():
                    held.now += 1 / 64
                    await reader.read(4096)
                    await asyncio.sleep(0.005)
                assert held.now - began > 0.5
                writer.transport.abort()

        run(test(), loop)

    def test_it_holds_some_messages_and_not_the_zone(self, loop: str, large) -> None:
        """RELIABILITY 3: memory is bounded. 30,000 domains are 12 MB on the wire."""

        async def test() -> None:
            async with primary(large, bounds=Bounds(16, 16)) as server:
                gc.collect()
                before = resident()
                transfers = [await begun(server.server) for _ in range(16)]
                await asyncio.sleep(0.3)
                assert resident() - before < 16 * 1.5
                for _, writer in transfers:
                    writer.transport.abort()

        run(test(), loop)

    def test_one_that_is_read_late_is_whole(self, loop: str) -> None:
        held = many(600)

        async def test() -> None:
            async with primary(held) as server:
                reader, writer = await begun(server.server)
                await asyncio.sleep(0.3)
                await server.take(hosted(LABEL))
                received = b""
                while received.count(b"\x0ahostmaster") < 2:
                    received += await reader.read(65536)
                assert b"l0000000000000000000000599" in received
                writer.close()

        run(test(), loop)


def resident() -> float:
    """MiB of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


@loops
class TestOthers:
    """A transfer takes turns: questions of others are answered beside it."""

    def test_answers_beside_transfers(self, loop: str, large) -> None:
        async def test() -> None:
            async with primary(large) as server:
                stop = asyncio.Event()

                async def drink() -> None:
                    reader, writer = await asyncio.open_connection(*server.server)
                    wire = asking().to_wire()
                    writer.write(struct.pack("!H", len(wire)) + wire)
                    while not stop.is_set() and await reader.read(1 << 20):
                        pass
                    writer.transport.abort()

                drinking = [asyncio.ensure_future(drink()) for _ in range(3)]
                waits = []
                for _ in range(40):
                    began = time.thread_time()  # of all of them, and of nobody else on a busy machine
                    assert await by_udp(server.server, query(BASE, "SOA").to_wire())
                    waits.append(time.thread_time() - began)
                stop.set()
                await asyncio.gather(*drinking)
                assert sorted(waits)[36] < 0.1

        run(test(), loop)

    def test_half_a_question_ends_as_ever(self, held: HeldClock, loop: str) -> None:
        async def test() -> None:
            async with primary(limits=QUICK) as server:
                reader, writer = await asyncio.open_connection(*server.server)
                writer.write(struct.pack("!H", 200) + asking().to_wire()[:40])
                assert await closed_after(reader, held) >= 0.5
                writer.close()

        run(test(), loop)

    def test_a_client_that_says_no_more_gets_what_it_asked_for(self, loop: str) -> None:
        """Half closed behind its question."""

        async def test() -> None:
            async with primary() as server:
                reader, writer = await asyncio.open_connection(*server.server)
                wire = asking().to_wire()
                writer.write(struct.pack("!H", len(wire)) + wire)
                writer.write_eof()
                assert rcode(await framed(reader)) == dns.rcode.NOERROR
                writer.close()

        run(test(), loop)


def valid(message: bytes) -> bool:
    try:
        return dns.message.from_wire(message, keyring=SIGNED).had_tsig
    except dns.exception.DNSException:
        return False


class TestAnything:
    """RELIABILITY 12: no message makes the server fail, signed or not; a forged one changes nothing."""

    def mutations(self, count: int) -> list[bytes]:
        dice, found = random.Random(8945), []
        seeds = [asking(), asking("IXFR", serial=5), asking("IXFR"), asking(key=None), asking("SOA"), asking("TXT")]
        wires = [seed.to_wire() for seed in seeds]
        for _ in range(count):
            packet = bytearray(dice.choice(wires))
            for _ in range(dice.choice((1, 1, 2, 4))):
                at = dice.randrange(2, len(packet))
                packet[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
            found.append(bytes(packet[: dice.randrange(len(packet))] if dice.randrange(6) == 0 else packet))
        return [each for each in found if len(each) > 11]

    def test_mutated_questions_transfer_nothing(self) -> None:
        """Whose signature does not hold, as dnspython reads it, gets no record. (Id and TTL are not signed.)"""

        async def test() -> None:
            async with primary() as server:
                transfers = server.transfers
                for message in self.mutations(3000):
                    if not transfers.asked(message):
                        continue
                    replies = list(transfers.replies(message, "127.0.0.1"))
                    assert len(replies) <= 1
                    given = any(not reply[3] & 0xF for reply in replies)
                    assert not given or valid(message), message.hex()

        run(test())

    def test_mutated_questions_by_udp_are_answered_or_not(self) -> None:
        async def test() -> None:
            async with primary() as server:
                for message in self.mutations(3000):
                    reply = server.serving.answers.answer(message)
                    if reply is not None:
                        dns.message.from_wire(reply, keyring=False, ignore_trailing=False)

        run(test())

    def test_the_server_goes_on(self) -> None:
        async def test() -> None:
            async with primary() as server:
                for message in self.mutations(60):
                    reader, writer = await asyncio.open_connection(*server.server)
                    writer.write(struct.pack("!H", len(message)) + message)
                    writer.write_eof()
                    with suppress(ConnectionError):
                        await asyncio.wait_for(reader.read(), 60)
                    writer.close()
                assert await fetched(server.server) == as_file(PUBLICATION)

        run(test())

    def test_a_reply_that_was_changed_on_the_way_is_not_taken(self) -> None:
        """RELIABILITY 15: the signature covers every octet of every message."""
        asked = asking()

        async def test() -> None:
            async with primary() as server:
                wire = bytearray(await first(server.server, asked))
            at = wire.index(b"20260101T")
            wire[at] += 1
            with pytest.raises(dns.exception.DNSException):
                dns.message.from_wire(bytes(wire), keyring=SIGNED, request_mac=asked.mac)

        run(test())

    def test_notify_to_us_is_not_implemented(self) -> None:
        """RFC 1996 3.2: we are nobody's secondary."""

        async def test() -> None:
            message = query(BASE, "SOA").to_wire()
            async with primary() as server:
                (reply,) = await by_tcp(server.server, message[:2] + b"\x24" + message[3:])
            assert rcode(reply) == dns.rcode.NOTIMP

        run(test())
