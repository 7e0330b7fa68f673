"""A node whose database is away: it serves on, starts from its snapshot, and falls silent only when others are ahead."""

from __future__ import annotations

import asyncio
import threading
import time
from itertools import pairwise

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests.edge.node_rig import Clock, Edge, Panel, until
from tests.edge.publications import change, hosted, publication

from trinco.core.hosting import Publication
from trinco.edge import line
from trinco.edge import node as node_module
from trinco.edge.fence import LEASE
from trinco.edge.snapshot import Store


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def panel(clock) -> Panel:
    return Panel(publication(3), clock)


@pytest.fixture
def edge(panel, tmp_path, clock) -> Edge:
    return Edge(panel, tmp_path / "edge", clock)


def snapshot(edge: Edge, held: Publication) -> None:
    store = Store(edge.directory)
    store.save(held)
    store.close()


class TestDatabaseAway:
    """RELIABILITY 3: policy host and DNS keep serving with the database down, for any time, and start without it."""

    def test_it_starts_from_the_snapshot(self, panel, edge):
        snapshot(edge, publication(3))
        panel.away = True

        async def scenario() -> None:
            async with edge.running() as node:
                assert (node.admit(), node.held, edge.served(1)) == (True, publication(3), hosted(1, 1).policy)
                assert node.stale_since is not None

        asyncio.run(scenario())
        assert panel.acknowledged == []

    @pytest.mark.parametrize(("held", "shown"), [(("::1",), ("::1",)), (("192.0.2.9",), ("127.0.0.1", "::1"))])
    def test_addresses_that_were_out_of_the_zone_stay_out(self, panel, edge, held, shown):
        before = publication(3)
        snapshot(edge, replace(before, zone=replace(before.zone, policy_addresses=held)))
        panel.away = True

        async def scenario() -> None:
            async with edge.running() as node:
                assert node.held.zone.policy_addresses == shown

        asyncio.run(scenario())

    def test_it_serves_on_when_its_lease_is_over(self, panel, edge, clock):
        async def scenario() -> None:
            async with edge.running() as node:
                panel.away = True
                await until(lambda: node.stale_since)
                for _ in range(3):
                    clock.slept += 600.0
                    await until(node.admit)
                assert edge.served(1) == hosted(1, 1).policy

        asyncio.run(scenario())

    def test_it_comes_back_by_itself(self, panel, edge, clock):
        async def scenario() -> None:
            async with edge.running() as node:
                await until(lambda: panel.acknowledged)
                panel.away = True
                await until(lambda: node.stale_since)
                panel.publish(change(2, 1))
                clock.slept += 600.0
                panel.away = False
                await until(lambda: panel.acknowledged[-1][0] == 2)
                assert node.stale_since is None

        with capture_logs() as lines:
            asyncio.run(scenario())
        assert [entry["event"] for entry in lines] == ["database_away", "database_back", "edge_lease_lost"]

    def test_it_is_asked_less_and_less_often_but_well_within_a_lease(self, panel, edge, monkeypatch):
        snapshot(edge, publication(3))
        panel.away, asked = True, list[float]()
        assert node_module.LONGEST_RETRY <= LEASE / 4
        monkeypatch.setattr(node_module, "LONGEST_RETRY", 0.3)

        class Heard(list[str]):
            def append(self, call: str) -> None:
                if call == "renew":
                    asked.append(time.monotonic())
                super().append(call)

        async def scenario() -> None:
            async with edge.running():
                panel.heard = Heard()
                await until(lambda: len(asked) == 6)

        asyncio.run(scenario())
        assert min(later - earlier for earlier, later in pairwise(asked[3:])) >= 0.3

    def test_a_database_that_hangs_is_away(self, panel, edge, monkeypatch):
        monkeypatch.setattr(line, "PATIENCE", 0.1)
        hang = threading.Event()

        async def scenario() -> None:
            async with edge.running() as node:
                await until(lambda: panel.acknowledged)
                real = panel.revision
                panel.revision = lambda: (hang.wait(60), real())[1]
                await until(lambda: node.stale_since)
                panel.revision = real
                hang.set()
                await until(lambda: node.stale_since is None)

        asyncio.run(scenario())


class TestOutrun:
    """RELIABILITY 5, 3: cut off from the database, an edge that is as new as the others serves for ever; one that is
    behind aborts, since an old body under a new id would be cached, and no body at all leaves the cached one in force."""

    def test_it_is_silent_while_another_is_ahead(self, panel, edge, clock):
        async def scenario() -> None:
            async with edge.running() as node:
                panel.away = edge.outrun = True
                await until(lambda: node.stale_since)
                clock.slept += 600.0
                await until(lambda: "edge_fenced" in [entry["event"] for entry in lines])
                assert not node.admit()
                edge.outrun = False  # it went down, or its answer was lost: what it announced is still out in the world
                await asyncio.sleep(0.5)
                assert not node.admit()
                panel.away = False
                await until(node.admit)

        with capture_logs() as lines:
            asyncio.run(scenario())
        assert [entry["event"] for entry in lines][:2] == ["database_away", "edge_fenced"]

    def test_it_does_not_even_start_to_answer(self, panel, edge):
        snapshot(edge, publication(3))
        panel.away = edge.outrun = True

        async def scenario() -> None:
            async with edge.running() as node:
                assert not node.admit()

        asyncio.run(scenario())

    def test_a_lease_that_runs_is_not_cut_short(self, panel, edge):
        """Another edge that is ahead has not announced anything yet: the panel waits for us."""

        async def scenario() -> None:
            async with edge.running() as node:
                edge.clock.stopped_at = edge.clock()
                panel.away = edge.outrun = True
                await until(lambda: node.stale_since)
                await asyncio.sleep(0.5)
                assert node.admit()

        asyncio.run(scenario())
