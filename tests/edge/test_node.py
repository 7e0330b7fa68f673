"""A node in front of a panel in memory: what comes first, and what is said to whom."""

from __future__ import annotations

import asyncio
import errno
import os
from pathlib import Path

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests.edge.node_rig import Clock, Edge, Panel, until
from tests.edge.publications import ZONE, change, hosted, label_of, publication

from trinco.core.hosting import Publication
from trinco.edge import fence, keeper
from trinco.edge import node as node_module
from trinco.edge.snapshot import Store


@pytest.fixture
def panel() -> Panel:
    return Panel(publication(3))


@pytest.fixture
def edge(panel, tmp_path) -> Edge:
    return Edge(panel, tmp_path / "edge")


def on_disk(directory: Path) -> Publication | None:
    store = Store(directory)
    try:
        return store.load()
    finally:
        store.close()


def snapshot(directory: Path, held: Publication) -> None:
    store = Store(directory)
    store.save(held)
    store.close()


class TestStart:
    """edge.ports.Feed: an edge registers, then takes the changes, then opens, and then says that it serves."""

    def test_the_order(self, panel, edge):
        async def scenario() -> None:
            async with edge.running():
                await until(lambda: panel.acknowledged)

        asyncio.run(scenario())
        calls = [call for call in panel.heard if call not in ("renew", "revision")]
        assert calls == ["register", "changes", "open", "acknowledge", "close", "leave"]
        assert panel.acknowledged == [(1, [])]

    def test_it_answers_from_the_first_moment(self, panel, edge):
        async def scenario() -> None:
            async with edge.running() as node:
                assert (node.admit(), edge.served(2), node.stale_since) == (True, hosted(2, 1).policy, None)

        asyncio.run(scenario())

    def test_a_snapshot_saves_all_but_the_difference(self, panel, edge):
        snapshot(edge.directory, publication(3))
        panel.publish(change(2, 1))

        async def scenario() -> None:
            async with edge.running() as node:
                assert panel.registered_with == [publication(3)]
                assert node.held == panel.publication
                await until(lambda: panel.acknowledged)

        asyncio.run(scenario())
        assert on_disk(edge.directory) == panel.publication

    def test_without_database_and_snapshot_it_waits_behind_closed_doors(self, panel, edge):
        panel.away = True

        async def scenario() -> None:
            entering = asyncio.create_task(edge.running().__aenter__())
            await until(lambda: panel.heard.count("register") >= 2)
            assert "open" not in panel.heard
            panel.away = False
            node = await asyncio.wait_for(entering, 60)
            assert node.held == panel.publication
            await asyncio.sleep(0)

        asyncio.run(scenario())

    def test_an_edge_of_the_same_name_elsewhere_is_waited_for(self, panel, edge):
        snapshot(edge.directory, publication(3))
        panel.named_elsewhere = True

        async def scenario() -> None:
            entering = asyncio.create_task(edge.running().__aenter__())
            await until(lambda: panel.heard.count("register") >= 2)
            assert "open" not in panel.heard
            entering.cancel()
            await asyncio.gather(entering, return_exceptions=True)

        asyncio.run(scenario())


class TestFollow:
    """RFC 8461 section 8.1: a changed body is served, on disk and fetched back before it is acknowledged."""

    def test_a_change_is_served_and_acknowledged(self, panel, edge):
        async def scenario() -> None:
            async with edge.running():
                await until(lambda: panel.acknowledged)
                panel.publish(change(2, 1))
                await until(lambda: panel.acknowledged[-1][0] == 2)
                assert edge.served(1) == hosted(1, 2).policy

        asyncio.run(scenario())

    def test_it_is_on_disk_and_fetched_when_it_is_acknowledged(self, panel, edge):
        found = []

        def look() -> None:
            found.append((on_disk(edge.directory), "d1.example" in edge.fetched))

        async def scenario() -> None:
            async with edge.running():
                await until(lambda: panel.acknowledged)
                edge.fetched.clear()
                panel.publish(change(2, 1))
                panel.on_acknowledge = look
                await until(lambda: found)

        asyncio.run(scenario())
        assert found == [(panel.publication, True)]

    def test_what_cannot_be_fetched_is_said(self, panel, edge, monkeypatch):
        monkeypatch.setattr(keeper, "AGAIN", 0.05)

        async def scenario() -> None:
            async with edge.running():
                edge.broken.add("d1.example")
                panel.publish(change(2, 1))
                await until(lambda: panel.acknowledged[-1:] == [(2, [label_of(1)])])
                edge.broken.clear()
                await until(lambda: panel.acknowledged[-1:] == [(2, [])])

        asyncio.run(scenario())

    def test_a_domain_that_goes_is_gone(self, panel, edge):
        async def scenario() -> None:
            async with edge.running():
                panel.publish(change(2, removed=(label_of(1),)))
                await until(lambda: edge.served(1) is None)
                await until(lambda: panel.acknowledged[-1:] == [(2, [])])

        asyncio.run(scenario())
        assert on_disk(edge.directory) == panel.publication

    def test_a_full_disk_is_not_acknowledged_and_got_over(self, panel, edge, monkeypatch):
        monkeypatch.setattr(keeper, "AGAIN", 0.05)
        real = os.fsync

        def full(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        async def scenario() -> None:
            async with edge.running():
                await until(lambda: panel.acknowledged)
                monkeypatch.setattr(os, "fsync", full)
                panel.publish(change(2, 1))
                panel.publish(change(3, 2))
                await until(lambda: edge.served(2) == hosted(2, 3).policy)
                await asyncio.sleep(0.3)
                assert panel.acknowledged == [(1, [])]
                monkeypatch.setattr(os, "fsync", real)
                await until(lambda: panel.acknowledged[-1] == (3, []))

        with capture_logs() as lines:
            asyncio.run(scenario())
        assert [line["event"] for line in lines] == ["snapshot_not_written"]
        assert on_disk(edge.directory) == panel.publication

    def test_what_was_missed_is_found_by_the_daily_look_at_everything(self, panel, edge, monkeypatch):
        monkeypatch.setattr(node_module, "RESYNC", 0.3)
        monkeypatch.setattr(node_module, "RENEW", 0.1)

        async def scenario() -> None:
            async with edge.running():
                await until(lambda: panel.acknowledged)
                missed = {**panel.publication.domains, label_of(1): hosted(1, 0)}
                panel.publication = replace(panel.publication, domains=missed)
                await until(lambda: edge.served(1) == hosted(1, 0).policy)
                await until(lambda: on_disk(edge.directory) == panel.publication)

        with capture_logs() as lines:
            asyncio.run(scenario())
        assert lines == [{"event": "resync_differs", "log_level": "warning", "changed": 1, "removed": 0}]

    @pytest.mark.parametrize("started", [False, True], ids=["at the start", "by the daily look"])
    def test_a_certificate_of_our_own_that_came_without_a_revision_is_taken(self, panel, edge, monkeypatch, started):
        """The version before took the revision, and left out of the snapshot what it did not know."""
        monkeypatch.setattr(node_module, "RESYNC", 0.3)
        monkeypatch.setattr(node_module, "RENEW", 0.1)
        certified = replace(panel.publication, zone=replace(ZONE, reports_certificate=hosted(1, 1).certificate))
        snapshot(edge.directory, panel.publication)

        async def scenario() -> None:
            panel.publication = panel.publication if started else certified
            async with edge.running():
                await until(lambda: panel.acknowledged)
                panel.publication = certified
                found = (certified.zone.reports_certificate, (b"issuer",))
                await until(lambda: edge.table.certificate(ZONE.reports_host.encode()) == found)
                await until(lambda: on_disk(edge.directory) == certified)

        with capture_logs() as lines:
            asyncio.run(scenario())
        assert [line["event"] for line in lines] == ["resync_differs"] * started

    def test_a_fault_of_ours_does_not_end_the_job(self, panel, edge):
        async def scenario() -> None:
            async with edge.running():
                await until(lambda: panel.acknowledged)
                real, panel.revision = panel.revision, lambda: 1 // 0
                panel.publish(change(2, 1))
                await until(lambda: lines)
                panel.revision = real
                await until(lambda: panel.acknowledged[-1][0] == 2)

        with capture_logs() as lines:
            asyncio.run(scenario())
        assert {line["event"] for line in lines} == {"edge_fault"}


class TestLease:
    """RELIABILITY 5, 2: an edge never rejoins before it has the newest version."""

    def test_it_is_renewed_in_time(self, panel, edge, monkeypatch):
        monkeypatch.setattr("trinco.edge.node.RENEW", 0.1)

        async def scenario() -> None:
            async with edge.running():
                await until(lambda: panel.heard.count("renew") > 3)

        asyncio.run(scenario())
        assert panel.heard.count("register") == 1

    def test_after_a_long_sleep_it_is_silent_until_it_has_caught_up(self, tmp_path):
        clock = Clock()
        panel = Panel(publication(3), clock)
        edge = Edge(panel, tmp_path, clock)

        async def scenario() -> None:
            async with edge.running() as node:
                await until(lambda: panel.acknowledged)
                panel.publish(change(2, 1))
                clock.slept = 30.0
                assert not node.admit()
                while not node.admit():
                    await asyncio.sleep(0)
                assert edge.served(1) == hosted(1, 2).policy
                await until(lambda: panel.acknowledged[-1] == (2, []))

        asyncio.run(scenario())
        assert panel.heard.count("register") == 2

    def test_it_acknowledges_anew_after_it_registered_anew(self, panel, edge):
        async def scenario() -> None:
            async with edge.running():
                await until(lambda: panel.acknowledged)
                panel.lease_until = 0.0
                await until(lambda: panel.acknowledged == [(1, []), (1, [])])

        asyncio.run(scenario())

    def test_a_restored_database_is_told_what_the_world_has_seen(self, panel, edge):
        async def scenario() -> None:
            async with edge.running() as node:
                panel.publish(change(5, 1))
                await until(lambda: panel.acknowledged[-1:] == [(5, [])])
                held = node.held
                panel.restore(publication(2))
                await until(lambda: len(panel.registered_with) == 2)
                assert panel.registered_with[1] == held
                await until(lambda: panel.acknowledged[-1][0] == 5 + 2**20)
                assert [edge.served(number) for number in range(3)] == [hosted(0, 1).policy, hosted(1, 1).policy, None]

        asyncio.run(scenario())
        assert on_disk(edge.directory) == panel.publication

    def test_it_is_given_back(self, panel, edge):
        async def scenario() -> None:
            async with edge.running():
                pass

        asyncio.run(scenario())
        assert panel.heard[-2:] == ["close", "leave"]

    def test_the_constants_fit_together(self):
        assert fence.RENEW * 2 + fence.MARGIN < fence.LEASE
