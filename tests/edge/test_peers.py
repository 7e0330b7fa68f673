"""What the other name servers of the zone serve, asked over real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import dns.message
import pytest
from msgspec.structs import replace
from tests.edge.publications import ZONE, publication

from trinco.core.hosting import NameServer, Publication, Zone
from trinco.core.names import Domain
from trinco.edge import dnsd, peers
from trinco.edge.answers import Answers


def zone(*addresses: str) -> Zone:
    servers = tuple(NameServer(f"ns{number}.trinco.example", (address,)) for number, address in enumerate(addresses))
    return replace(ZONE, nameservers=servers)


def asked(served: Publication, revision: int, *addresses: str) -> bool:
    async def ask() -> bool:
        async with dnsd.listen(Answers(served), [("127.0.0.1", 0)]) as bound:
            return await peers.newer(zone(*addresses), revision, bound[0][1])

    return asyncio.run(ask())


class TestNewer:
    """RELIABILITY 5, 3: a newer state elsewhere stops an edge that is cut off; the same state lets it serve for ever."""

    def test_somebody_is_ahead(self, monkeypatch):
        monkeypatch.setattr(peers, "PATIENCE", 60.0)
        assert asked(publication(1, 8), 7, "127.0.0.1")

    @pytest.mark.parametrize("revision", [8, 9])
    def test_nobody_is_ahead(self, revision):
        assert not asked(publication(1, 8), revision, "127.0.0.1")

    def test_one_of_several_is_enough(self, monkeypatch):
        monkeypatch.setattr(peers, "PATIENCE", 5.0)  # so long the silent one is waited for as well
        assert asked(publication(1, 8), 7, "127.0.0.99", "127.0.0.1")

    def test_who_does_not_answer_is_not_ahead(self):
        assert not asked(publication(1, 8), 7, "127.0.0.99")

    def test_nobody_to_ask(self):
        assert not asked(publication(1, 8), 7)

    def test_who_serves_another_zone_is_not_ahead(self):
        foreign = Publication(8, replace(ZONE, base=Domain.trusted("other.example")))
        assert not asked(foreign, 7, "127.0.0.1")


class TestStrangers:
    """A datagram that answers something else, or nothing, is not an answer, and does not end the waiting for one."""

    def answered(self, *datagrams: Callable[[dns.message.Message], bytes]) -> bool:
        class Server(asyncio.DatagramProtocol):
            def connection_made(self, transport):
                self.transport = transport

            def datagram_received(self, data, addr):
                for datagram in datagrams:
                    self.transport.sendto(datagram(dns.message.from_wire(data)), addr)

        async def ask() -> bool:
            loop = asyncio.get_running_loop()
            transport, _ = await loop.create_datagram_endpoint(Server, local_addr=("127.0.0.1", 0))
            port = transport.get_extra_info("sockname")[1]
            try:
                return await peers.newer(zone("127.0.0.1"), 7, port)
            finally:
                transport.close()

        return asyncio.run(ask())

    def reply(self, query: dns.message.Message, *, other_id: bool = False) -> bytes:
        answers = Answers(publication(1, 8))
        made = bytearray(answers.answer(query.to_wire(), tcp=False) or b"")
        made[0] ^= other_id
        return bytes(made)

    def test_a_sound_answer_behind_noise_counts(self, monkeypatch):
        monkeypatch.setattr(peers, "PATIENCE", 60.0)
        assert self.answered(lambda _: b"noise", lambda query: self.reply(query, other_id=True), self.reply)

    def test_noise_alone_does_not(self):
        assert not self.answered(lambda _: b"noise", lambda query: self.reply(query, other_id=True))

    def test_who_refuses_is_not_asked_for_long(self, monkeypatch):
        monkeypatch.setattr(peers, "PATIENCE", 600.0)

        async def ask() -> bool:
            async with asyncio.timeout(60):
                return await peers.newer(zone("127.0.0.1"), 7, 9)

        assert not asyncio.run(ask())


class TestSerialArithmetic:
    """RFC 1982 section 3.2: serial numbers go round."""

    @pytest.mark.parametrize(
        ("serial", "revision", "later"),
        [(1, 0, True), (0, 1, False), (0, 2**32 - 1, True), (2**32 - 1, 0, False), (5, 2**32 + 4, True), (3, 3, False)],
    )
    def test_later(self, serial, revision, later):
        assert peers.is_later(serial, revision) is later
