"""The spool: what was accepted is on disk, goes in order, and stays until somebody has it."""

from __future__ import annotations

import asyncio
import os
import stat
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from tests.edge.arrivals import arrival

from trinco.core.errors import Refused
from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge import shelf
from trinco.edge.shelf import BLOCK, RESERVED
from trinco.edge.spool import Spool, SpoolLimits


def running(directory: Path, talk: Callable[[Spool], Awaitable[Any]], limits: SpoolLimits | None = None) -> Any:
    """One life of a process with a spool."""

    async def life() -> Any:
        spool = Spool(directory, limits)
        try:
            async with asyncio.timeout(60):
                return await talk(spool)
        finally:
            await spool.close()

    return asyncio.run(life())


def held(directory: Path) -> list[list[Arrival]]:
    """The batches that the next life finds."""

    async def look(spool: Spool) -> list[list[Arrival]]:
        return [arrivals for _, arrivals in spool.batches()]

    found: list[list[Arrival]] = running(directory, look)
    return found


def names(directory: Path, pattern: str = "*.spool") -> list[str]:
    return sorted(path.name for path in directory.glob(pattern))


async def together(spool: Spool, arrivals: list[Arrival]) -> list[Any]:
    return await asyncio.gather(*map(spool.put, arrivals), return_exceptions=True)


class TestDurable:
    """DESIGN 3: "Accepted is durable. 250 and 201 are said after the commit, never before." """

    def test_what_was_put_is_there_in_the_next_life(self, tmp_path):
        sent = [arrival(b"one"), arrival(b"two" * 100_000), arrival(b"")]

        async def put(spool: Spool) -> None:
            for each in sent:
                await spool.put(each)

        running(tmp_path, put)
        assert held(tmp_path) == [[each] for each in sent]

    def test_each_step_to_the_disk_comes_before_the_return(self, tmp_path, monkeypatch):
        steps: list[str] = []
        spied = {"fdatasync": os.fdatasync, "rename": os.rename, "fsync": os.fsync}
        running(tmp_path, lambda spool: spool.put(arrival()))
        for name, real in spied.items():
            monkeypatch.setattr(os, name, lambda *given, name=name, real=real: (real(*given), steps.append(name))[0])

        async def put(spool: Spool) -> None:
            await spool.put(arrival())
            steps.clear()
            await spool.put(arrival())
            steps.append("accepted")

        running(tmp_path, put)
        assert steps == ["fdatasync", "rename", "fsync", "accepted"]

    def test_it_is_the_owners_alone(self, tmp_path):
        directory = tmp_path / "a" / "spool"
        running(directory, lambda spool: spool.put(arrival()))
        modes = [stat.S_IMODE(path.stat().st_mode) for path in (directory, *directory.iterdir())]
        assert modes == [0o700, 0o600, 0o600]

    def test_a_door_that_is_left_loses_nothing(self, tmp_path):
        """A peer that hangs up ends its door, and nothing else."""
        sent = [arrival(str(number).encode()) for number in range(20)]

        async def put(spool: Spool) -> list[Any]:
            doors = [asyncio.create_task(spool.put(each)) for each in sent]
            await asyncio.sleep(0)
            doors[0].cancel()
            doors[11].cancel()
            return await asyncio.gather(*doors, return_exceptions=True)

        results = running(tmp_path, put)
        assert [type(result) for result in results].count(asyncio.CancelledError) == 2
        assert results.count(None) == 18
        assert [each for batch in held(tmp_path) for each in batch] == sent


class TestTogether:
    """PERFORMANCE, Store: group commit. Whoever comes while one batch is written goes with the next one."""

    def test_those_who_come_meanwhile_share_a_file(self, tmp_path):
        sent = [arrival(str(number).encode()) for number in range(250)]
        assert running(tmp_path, lambda spool: together(spool, sent)) == [None] * 250
        batches = held(tmp_path)
        assert [len(batch) for batch in batches] == [100, 100, 50]
        assert [each for batch in batches for each in batch] == sent

    def test_a_batch_has_a_size(self, tmp_path):
        sent = [arrival(b"x" * 400_000) for _ in range(5)]
        limits = SpoolLimits(batch_octets=1_000_000)
        running(tmp_path, lambda spool: together(spool, sent), limits)
        assert [len(batch) for batch in held(tmp_path)] == [2, 2, 1]

    def test_one_that_is_larger_than_a_batch_goes_alone(self, tmp_path):
        sent = [arrival(b"x" * 3_000_000), arrival()]
        running(tmp_path, lambda spool: together(spool, sent), SpoolLimits(batch_octets=1_000_000))
        assert [len(batch) for batch in held(tmp_path)] == [1, 1]


class TestTakenAway:
    """A batch stays until somebody says that it is done."""

    def test_done_removes_it(self, tmp_path):
        async def carry(spool: Spool) -> list[int]:
            await together(spool, [arrival(), arrival()])
            await spool.put(arrival())
            found = list(spool.batches())
            spool.done(found[0][0])
            return [len(arrivals) for _, arrivals in spool.batches()]

        assert running(tmp_path, carry) == [1]
        assert len(held(tmp_path)) == 1

    def test_done_twice_is_done(self, tmp_path):
        async def carry(spool: Spool) -> None:
            await spool.put(arrival())
            ((path, _),) = spool.batches()
            spool.done(path)
            spool.done(path)

        running(tmp_path, carry)
        assert names(tmp_path) == []

    def test_what_is_left_comes_again_later_and_later(self, tmp_path, monkeypatch):
        now = [1000.0]
        monkeypatch.setattr(shelf.time, "monotonic", lambda: now[0])

        async def carry(spool: Spool) -> list[float]:
            await spool.put(arrival())
            offered = []
            for _ in range(9 * 60):
                for path, _ in spool.batches():
                    offered.append((now[0] - 1000) / 60)
                    spool.leave(path)
                now[0] += 60
            return offered

        assert running(tmp_path, carry) == [0, 1, 3, 7, 15, 31, 63, 123, 183, 243, 303, 363, 423, 483]

    def test_what_is_left_comes_again_in_the_next_life(self, tmp_path):
        async def carry(spool: Spool) -> list[Any]:
            await spool.put(arrival())
            ((path, _),) = spool.batches()
            spool.leave(path)
            return list(spool.batches())

        assert running(tmp_path, carry) == []
        assert len(held(tmp_path)) == 1

    def test_what_somebody_else_removed_is_gone(self, tmp_path):
        async def carry(spool: Spool) -> list[int]:
            await spool.put(arrival())
            await spool.put(arrival())
            (tmp_path / names(tmp_path)[0]).unlink()
            return [len(arrivals) for _, arrivals in spool.batches()]

        assert running(tmp_path, carry) == [1]

    def test_another_thread_takes_away_while_this_one_puts(self, tmp_path):
        taken: list[Arrival] = []

        def carry(spool: Spool, ended: threading.Event) -> None:
            while not ended.is_set():
                for path, arrivals in spool.batches():
                    taken.extend(arrivals)
                    spool.done(path)

        async def put(spool: Spool) -> None:
            ended = threading.Event()
            thread = threading.Thread(target=carry, args=(spool, ended))
            thread.start()
            await asyncio.gather(*(together(spool, sent[start::5]) for start in range(5)))
            ended.set()
            await asyncio.to_thread(thread.join)

        sent = [arrival(str(number).encode()) for number in range(1000)]
        running(tmp_path, put)
        taken += [each for batch in held(tmp_path) for each in batch]
        assert sorted(each.id for each in taken) == sorted(each.id for each in sent)


class TestNumbers:
    """Numbers only go forward, so that what came first goes first, whatever happened in between."""

    def test_over_the_lives_of_a_process(self, tmp_path):
        for _ in range(3):
            running(tmp_path, lambda spool: spool.put(arrival()))
        assert names(tmp_path) == ["000000000001.spool", f"{RESERVED + 1:012}.spool", f"{2 * RESERVED + 1:012}.spool"]

    def test_of_an_empty_spool(self, tmp_path):
        seen = []

        async def carry(spool: Spool) -> None:
            await spool.put(arrival())
            ((path, _),) = spool.batches()
            seen.append(path.name)
            spool.done(path)

        for _ in range(3):
            running(tmp_path, carry)
        assert seen == sorted(set(seen))

    def test_beyond_those_that_were_reserved(self, tmp_path, monkeypatch):
        monkeypatch.setattr("trinco.edge.shelf.RESERVED", 2)

        async def put(spool: Spool) -> None:
            for _ in range(5):
                await spool.put(arrival())

        running(tmp_path, put)
        assert (names(tmp_path)[-1], names(tmp_path, "*.numbers")) == ("000000000005.spool", ["000000000006.numbers"])
        running(tmp_path, put)
        assert names(tmp_path)[5] == "000000000007.spool"


class TestFull:
    """RELIABILITY 3: "spool >= 24 h or 1 GiB, then 451/503 (senders SHOULD retry 24 h)"."""

    @pytest.mark.parametrize(
        "limits", [SpoolLimits(octets=3 * BLOCK), SpoolLimits(batches=3), SpoolLimits(octets=4 * BLOCK - 100)]
    )
    def test_senders_come_again(self, tmp_path, limits):
        async def fill(spool: Spool) -> list[Any]:
            results = [await refusal(spool) for _ in range(4)]
            spool.done(next(iter(spool.batches()))[0])
            return [*results, await refusal(spool)]

        refused = ("452 4.3.1", 503)
        assert running(tmp_path, fill, limits) == [None, None, None, refused, None]

    def test_what_is_there_at_the_start_counts(self, tmp_path):
        running(tmp_path, lambda spool: spool.put(arrival()))

        async def fill(spool: Spool) -> list[Any]:
            list(spool.batches())
            return [await refusal(spool), await refusal(spool)]

        assert running(tmp_path, fill, SpoolLimits(batches=2)) == [None, ("452 4.3.1", 503)]

    def test_memory_has_a_limit(self, tmp_path):
        sent = [arrival(b"x" * 100_000) for _ in range(10)]
        results = running(tmp_path, lambda spool: together(spool, sent), SpoolLimits(waiting=550_000))
        assert [type(result) for result in results] == [type(None)] * 5 + [Refused] * 5


async def refusal(spool: Spool, sent: Arrival | None = None) -> tuple[str, int | None] | None:
    """How the doors say it; None: it was taken."""
    try:
        await spool.put(sent or arrival())
    except Refused as refused:
        return (refused.smtp_reply or "")[:9], refused.http_status
    return None
