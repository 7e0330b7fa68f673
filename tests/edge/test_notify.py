"""NOTIFY on real sockets, to made-up secondaries that answer, refuse, say nothing or lie."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise
from typing import Any

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import pytest
from dnszone import BASE, LABEL, PUBLICATION, SOA, hosted
from structlog.testing import capture_logs
from test_dnsd import run
from transfer_rig import SIGNED, WRONG, Primary, primary

from trinco.edge import notify
from trinco.edge.notify import Secondary, notifying

Answer = Callable[[dns.message.Message], bytes | None]


def acknowledge(asked: dns.message.Message) -> bytes:
    return dns.message.make_response(asked).to_wire()


class Peer(asyncio.DatagramProtocol):
    """A secondary that keeps what it hears."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.heard: list[dns.message.Message] = []

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        message = dns.message.from_wire(data, keyring=SIGNED)
        self.heard.append(message)
        reply = self.answer(message)
        if reply is not None:
            self.transport.sendto(reply, addr)

    @property
    def serials(self) -> list[int]:
        return [message.answer[0][0].serial for message in self.heard]


@asynccontextmanager
async def peer(answer: Answer = acknowledge) -> AsyncIterator[tuple[Peer, tuple[str, int]]]:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: Peer(answer), ("127.0.0.1", 0))
    yield protocol, transport.get_extra_info("sockname")
    transport.close()


@asynccontextmanager
async def told(*answers: Answer) -> AsyncIterator[tuple[Primary, list[Peer], list[Secondary]]]:
    """A primary whose secondaries answer like that."""
    async with primary() as server:
        peers, endpoints, stack = [], [], []
        for answer in answers:
            opened = peer(answer)
            one, endpoint = await opened.__aenter__()
            peers.append(one)
            endpoints.append(endpoint)
            stack.append(opened)
        async with notifying(server.history, endpoints, server.keys, [server.server]) as secondaries:
            yield server, peers, secondaries
        for opened in stack:
            await opened.__aexit__(None, None, None)


async def until(holds: Callable[[], Any], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not holds():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notify, "PATIENCE", 0.1)


class TestTold:
    """RFC 1996 3.3 and 3.7: a NOTIFY for the zone, with the new SOA as a hint."""

    def test_at_the_start_and_at_each_revision(self) -> None:
        async def test() -> None:
            async with told(acknowledge, acknowledge) as (server, peers, secondaries):
                await until(lambda: [each.acknowledged for each in secondaries] == [7, 7])
                await server.take(hosted(LABEL))
                await until(lambda: [each.acknowledged for each in secondaries] == [8, 8])
                assert [each.serials for each in peers] == [[7, 8], [7, 8]]

        run(test())

    def test_the_message(self) -> None:
        async def test() -> None:
            async with told(acknowledge) as (_, peers, _):
                await until(lambda: peers[0].heard)
                message = peers[0].heard[0]
            assert message.opcode() == dns.opcode.NOTIFY
            assert dns.flags.to_text(message.flags & 0x87FF) == "AA"
            assert [rrset.to_text() for rrset in message.question] == [f"{BASE}. IN SOA"]
            assert [rrset.to_text() for rrset in message.answer] == [SOA]
            assert message.had_tsig

        run(test())

    def test_a_row_of_changes_is_told_in_a_few(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """RFC 1996 4.3: changes that come close together are one NOTIFY."""
        sent: list[float] = []
        exchange = notify.peers.exchange

        async def sending(*asked: Any) -> dns.message.Message:
            sent.append(time.monotonic())
            return await exchange(*asked)

        monkeypatch.setattr(notify.peers, "exchange", sending)

        async def test() -> None:
            async with told(acknowledge) as (server, peers, secondaries):
                await until(lambda: secondaries[0].acknowledged == 7)
                for number in range(30):
                    await server.take(hosted(LABEL, policy_id=str(number)))
                    await asyncio.sleep(0.01)
                await until(lambda: secondaries[0].acknowledged == 37)
            assert len(peers[0].heard) < 30
            assert min(later - earlier for earlier, later in pairwise(sent)) > notify.GAP * 0.9

        run(test())


class TestNotHeard:
    """RFC 1996 3.6: a NOTIFY is sent again until it is answered, with pauses that grow, and not for ever."""

    def test_again_with_longer_pauses_and_then_no_more(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(notify, "TRIES", 4)
        waits: list[float] = []
        told_in = Secondary._told

        async def waiting(secondary: Secondary, patience: float) -> bool:
            waits.append(patience)
            return await told_in(secondary, patience)

        monkeypatch.setattr(Secondary, "_told", waiting)

        async def test() -> None:
            with capture_logs() as logs:
                async with told(lambda _: None) as (_, peers, secondaries):
                    await until(lambda: [line for line in logs if line["event"] == "dns.notify_unanswered"])
                    assert len(peers[0].heard) == 4
                    assert secondaries[0].acknowledged is None
            assert waits == [0.1, 0.2, 0.4, 0.8]

        run(test())

    def test_something_newer_is_told_at_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(notify, "PATIENCE", 600.0)

        async def test() -> None:
            async with told(lambda _: None) as (server, peers, secondaries):
                await until(lambda: peers[0].heard)
                peers[0].answer = acknowledge
                await server.take(hosted(LABEL))
                await until(lambda: secondaries[0].acknowledged == 8)
                assert peers[0].serials == [7, 8]

        run(test())

    def test_one_that_is_silent_holds_no_other_up(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(notify, "PATIENCE", 600.0)

        async def test() -> None:
            async with told(lambda _: None, acknowledge) as (server, _, secondaries):
                for revision in (8, 9, 10):
                    await server.take(hosted(LABEL, policy_id=str(revision)))
                    await until(lambda revision=revision: secondaries[1].acknowledged == revision)
                assert secondaries[0].acknowledged is None

        run(test())

    def test_nobody_there(self) -> None:
        """ICMP says so at once; it is tried again all the same."""

        async def test() -> None:
            async with peer() as (_, endpoint):
                pass
            async with primary() as server, notifying(server.history, [endpoint], server.keys) as secondaries:
                await asyncio.sleep(0.3)
                loop = asyncio.get_running_loop()
                transport, late = await loop.create_datagram_endpoint(lambda: Peer(acknowledge), endpoint)
                await until(lambda: secondaries[0].acknowledged == 7)
                assert late.serials == [7]
                transport.close()

        run(test())


def answered(**how: Any) -> Answer:
    def answer(asked: dns.message.Message) -> bytes:
        reply = dns.message.make_response(asked)
        for name, value in how.items():
            getattr(reply, name)(value) if callable(getattr(reply, name)) else setattr(reply, name, value)
        return reply.to_wire()

    return answer


def unsigned(asked: dns.message.Message) -> bytes:
    plain = dns.message.from_wire(asked.to_wire(), keyring=False)
    reply = dns.message.make_response(plain)
    reply.tsig = None
    return reply.to_wire()


def forged(asked: dns.message.Message) -> bytes:
    reply = dns.message.make_response(asked)
    reply.use_tsig(WRONG)
    return reply.to_wire()


class TestNotAcknowledged:
    """RELIABILITY 15: what is not a signed answer to this very NOTIFY does not count."""

    @pytest.mark.parametrize(
        "answer",
        [
            unsigned,
            forged,
            lambda _: b"",
            lambda _: b"\xff" * 40,
            answered(id=1),
            answered(set_rcode=dns.rcode.REFUSED),
        ],
        ids=["unsigned", "forged", "empty", "noise", "another id", "refused"],
    )
    def test_told_again(self, answer: Answer) -> None:
        async def test() -> None:
            async with told(answer) as (_, peers, secondaries):
                await until(lambda: len(peers[0].heard) > 1)
                assert secondaries[0].acknowledged is None

        run(test())

    def test_a_refusal_is_logged(self) -> None:
        async def test() -> None:
            with capture_logs() as logs:
                async with told(answered(set_rcode=dns.rcode.NOTAUTH)) as (_, peers, _):
                    await until(lambda: len(peers[0].heard) > 1)
            refused = [line for line in logs if line["event"] == "dns.notify_refused"]
            assert refused[0]["rcode"] == "NOTAUTH"

        run(test())


class TestSource:
    """A secondary knows us by the address at which it asks us."""

    @pytest.mark.parametrize(
        ("listen", "to", "source"),
        [
            ([("192.0.2.1", 53)], "192.0.2.9", "192.0.2.1"),
            ([("192.0.2.1", 53), ("2001:db8::1", 53)], "2001:db8::9", "2001:db8::1"),
            ([("192.0.2.1", 53), ("192.0.2.2", 53)], "192.0.2.9", None),
            ([("0.0.0.0", 53), ("::", 53)], "192.0.2.9", None),
            ([], "192.0.2.9", None),
            ([("2001:db8::1", 53)], "192.0.2.9", None),
        ],
    )
    def test_which(self, listen: list[tuple[str, int]], to: str, source: str | None) -> None:
        assert notify._source((to, 53), listen) == source


def test_the_publication_is_what_the_hint_says() -> None:
    assert notify.notify(PUBLICATION).answer[0].to_text() == SOA
