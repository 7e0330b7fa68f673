"""An edge that has secondaries: what they have, the world has seen."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.edge.node_rig import Edge, Panel, until
from tests.edge.publications import ZONE, publication

from trinco.core.hosting import Publication, Zone
from trinco.edge.node import World, run
from trinco.edge.snapshot import Store


def started(panel: Panel, directory: Path, *, latest: int, zone: Zone = ZONE) -> Publication:
    """What an edge serves after its start, with secondaries that have this revision."""

    async def seen(revision: int) -> int:
        return max(revision, latest)

    async def scenario() -> Publication:
        edge = Edge(panel, directory)
        world = World(zone, edge._open, edge._fetch, edge._outrun, edge.clock, seen)
        async with run(panel, Store(directory), world) as node:
            await until(lambda: panel.acknowledged)
            return node.held

    return asyncio.run(scenario())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "edge"


class TestSeen:
    """RELIABILITY 5, 14: after a restore serials go on above what the secondaries have."""

    def test_a_new_edge_tells_what_they_have(self, directory):
        panel = Panel(publication(3, 5))
        assert started(panel, directory, latest=40).revision > 40
        assert panel.registered_with == [Publication(40, ZONE)]

    def test_an_edge_with_a_snapshot_tells_it_with_their_serial(self, directory):
        panel = Panel(publication(3, 5))
        assert started(panel, directory, latest=0) == publication(3, 5)
        assert started(panel, directory, latest=40).revision > 40
        assert panel.registered_with == [None, replace(publication(3, 5), revision=40)]

    def test_who_are_behind_change_nothing(self, directory):
        panel = Panel(publication(3, 5))
        assert started(panel, directory, latest=4) == publication(3, 5)

    def test_the_database_may_be_ahead_of_them(self, directory):
        """An edge that was away for a while, whose secondaries followed another one."""
        panel = Panel(publication(3, 5))
        started(panel, directory, latest=0)
        panel.publication = publication(3, 9)
        assert started(panel, directory, latest=8) == publication(3, 9)


class TestOtherSettings:
    """The panel is told of the zone as it was: another one wants a later serial (RFC 1035 section 3.3.13)."""

    def test_what_was_served_is_told_in_its_own_zone(self, directory):
        panel = Panel(publication(3, 5))
        started(panel, directory, latest=0)
        started(panel, directory, latest=0, zone=replace(ZONE, policy_addresses=("192.0.2.77",)))
        assert panel.registered_with == [None, publication(3, 5)]
