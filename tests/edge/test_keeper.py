"""Between serving and acknowledging: whatever goes wrong, nothing is acknowledged that is not on disk."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from trinco.core.hosting import Change
from trinco.edge.keeper import Keeper


class Disk:
    """A store whose first write meets a fault that is not the disk's."""

    needs_base = False

    def __init__(self) -> None:
        self.written: list[int] = []
        self.faults = 1

    def append(self, change: Change) -> None:
        if self.faults:
            self.faults -= 1
            raise RuntimeError("can't start new thread")
        self.written.append(change.revision)


class Proofs:
    """Everything is proven at once."""

    failing: tuple[str, ...] = ()
    unfinished = False
    possible = True

    def change(self, *_: Any) -> None: ...

    def proven(self, upto: int) -> int:
        return upto


class Line:
    def __init__(self) -> None:
        self.acknowledged: list[int] = []

    async def ask(self, question: Any) -> None:
        question(SimpleNamespace(acknowledge=lambda revision, _: self.acknowledged.append(revision)))


def change(revision: int) -> Change:
    return Change(revision, None)  # type: ignore[arg-type]


class TestFault:
    """RELIABILITY 5.1: an edge fsyncs its snapshot and only then acknowledges."""

    def test_a_change_that_met_a_fault_is_written_before_what_follows_it(self) -> None:
        disk, line = Disk(), Line()
        serving: Any = SimpleNamespace(held=SimpleNamespace(revision=1, domains={}))
        keeper = Keeper(disk, line, serving, Proofs(), lambda: None)  # type: ignore[arg-type]

        async def scenario() -> None:
            keeper.change(serving.held, change(1), change(1))
            with pytest.raises(RuntimeError):
                await keeper.step()
            assert line.acknowledged == []
            serving.held.revision = 2
            keeper.change(serving.held, change(2), change(2))
            await keeper.step()

        asyncio.run(scenario())
        assert (disk.written, line.acknowledged) == ([1, 2], [2])

    def test_it_is_tried_again_without_anything_new(self) -> None:
        disk, line = Disk(), Line()
        serving: Any = SimpleNamespace(held=SimpleNamespace(revision=1, domains={}))
        keeper = Keeper(disk, line, serving, Proofs(), lambda: None)  # type: ignore[arg-type]

        async def scenario() -> None:
            keeper.change(serving.held, change(1), change(1))
            with pytest.raises(RuntimeError):
                await keeper.step()
            async with asyncio.timeout(60):
                await keeper.step()

        asyncio.run(scenario())
        assert line.acknowledged == [1]
