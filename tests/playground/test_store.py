"""The made-up internet on disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from trinco.playground import store
from trinco.playground.world import Record, World, Zone

RECORDS = (Record("a.example", "TXT", "línea"), Record("b.example", "A", "127.0.0.1"))


class TestZones:
    def test_come_back_as_they_were_saved(self, tmp_path: Path) -> None:
        store.save(tmp_path, World([Zone("example", "a note")], RECORDS))
        world = store.load(tmp_path)
        assert (world.zones, world.records("example")) == ((Zone("example", "a note"),), RECORDS)

    def test_are_not_there_at_first(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError):
            store.load(tmp_path)

    def test_are_replaced_whole_and_leave_nothing_beside(self, tmp_path: Path) -> None:
        store.save(tmp_path, World([Zone("example")], RECORDS))
        store.save(tmp_path, World([Zone("example")], RECORDS[:1]))
        assert [path.name for path in store.path(tmp_path).parent.iterdir()] == ["zones.json"]
        assert store.load(tmp_path).records("example") == RECORDS[:1]


class TestToken:
    def test_is_made_once_and_for_the_owner_alone(self, tmp_path: Path) -> None:
        first = store.token(tmp_path)
        assert len(first) >= 32
        assert store.token(tmp_path) == first
        assert (tmp_path / store.TOKEN).stat().st_mode & 0o777 == 0o600
