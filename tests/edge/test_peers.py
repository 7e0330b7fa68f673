"""What the other name servers of the zone serve, asked over real sockets."""

from __future__ import annotations

import asyncio

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

    def test_somebody_is_ahead(self):
        assert asked(publication(1, 8), 7, "127.0.0.1")

    @pytest.mark.parametrize("revision", [8, 9])
    def test_nobody_is_ahead(self, revision):
        assert not asked(publication(1, 8), revision, "127.0.0.1")

    def test_one_of_several_is_enough(self):
        assert asked(publication(1, 8), 7, "127.0.0.99", "127.0.0.1")

    def test_who_does_not_answer_is_not_ahead(self):
        assert not asked(publication(1, 8), 7, "127.0.0.99")

    def test_nobody_to_ask(self):
        assert not asked(publication(1, 8), 7)

    def test_who_serves_another_zone_is_not_ahead(self):
        foreign = Publication(8, replace(ZONE, base=Domain.trusted("other.example")))
        assert not asked(foreign, 7, "127.0.0.1")


class TestSerialArithmetic:
    """RFC 1982 section 3.2: serial numbers go round."""

    @pytest.mark.parametrize(
        ("serial", "revision", "later"),
        [(1, 0, True), (0, 1, False), (0, 2**32 - 1, True), (2**32 - 1, 0, False), (5, 2**32 + 4, True), (3, 3, False)],
    )
    def test_later(self, serial, revision, later):
        assert peers.is_later(serial, revision) is later
