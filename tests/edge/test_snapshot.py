"""The snapshot: what was written is what is loaded, and a written file is small beside what it changes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from tests.edge.publications import CHAIN, ZONE, change, hosted, label_of, publication

from trinco.core.errors import TrincoError
from trinco.core.hosting import Change, Publication
from trinco.edge.snapshot import KEPT, SnapshotError, Store, sole_user


def loaded(directory: Path) -> Publication | None:
    store = Store(directory)
    try:
        return store.load()
    finally:
        store.close()


@pytest.fixture
def store(tmp_path: Path):
    made = Store(tmp_path / "edge" / "one")
    yield made
    made.close()


class TestSaveAndLoad:
    """DESIGN 1: the Publication on disk is the Publication in memory."""

    def test_an_empty_directory_holds_none(self, store, tmp_path):
        assert store.load() is None
        assert store.needs_base

    def test_the_same_comes_back(self, store, tmp_path):
        saved = publication(1500, revision=7)
        store.save(saved)
        assert loaded(tmp_path / "edge" / "one") == saved

    def test_a_domain_with_nothing_yet_comes_back(self, store, tmp_path):
        bare = hosted(1, 3, policy=None, policy_id=None, tlsrpt=None, certificate=None)
        saved = Publication(3, ZONE, {bare.label: bare})
        store.save(saved)
        assert loaded(tmp_path / "edge" / "one") == saved

    def test_changes_come_back_on_top(self, store, tmp_path):
        saved = publication(3)
        changes = [
            change(2, 1),
            change(3, 4, removed=(label_of(0),)),
            Change(4, ZONE, (hosted(5, 4),), chains={"d" * 64: (b"other",)}),
        ]
        store.save(saved)
        for one in changes:
            store.append(one)
            saved = saved.apply(one)
        assert loaded(tmp_path / "edge" / "one") == saved
        assert saved.chains == {CHAIN: (b"issuer",), "d" * 64: (b"other",)}

    def test_changes_go_on_after_a_restart(self, store, tmp_path):
        store.save(publication(2))
        store.append(change(2, 0))
        store.close()
        again = Store(tmp_path / "edge" / "one")
        again.load()
        again.append(change(3, 1))
        again.close()
        assert loaded(tmp_path / "edge" / "one") == publication(2).apply(change(2, 0)).apply(change(3, 1))

    def test_a_change_is_small_beside_the_base(self, store, tmp_path):
        store.save(publication(1000))
        store.append(change(2, 7))
        directory = tmp_path / "edge" / "one"
        base, journal = (directory / f"0000000001.{kind}" for kind in ("base", "journal"))
        assert journal.stat().st_size * 100 < base.stat().st_size

    def test_a_new_base_is_due_when_the_journal_has_grown(self, store):
        store.save(publication(10))
        revision = 1
        while not store.needs_base:
            revision += 1
            store.append(change(revision, *range(100)))
            assert revision < 100
        store.save(publication(10, revision))
        assert not store.needs_base

    def test_three_generations_are_kept(self, store, tmp_path):
        for revision in range(1, 7):
            store.save(publication(1, revision))
        names = sorted(path.name for path in (tmp_path / "edge" / "one").glob("*.base"))
        assert names == [f"{number:010}.base" for number in range(7 - KEPT, 7)]

    def test_what_a_crash_left_in_the_making_goes(self, store, tmp_path):
        left = tmp_path / "edge" / "one" / "0000000001.tmp"
        left.write_bytes(b"half")
        store.save(publication(1))
        assert not left.exists()


class TestRefusals:
    """A change stands on a sound base, or it is refused: nothing on disk is ever a mixture."""

    def test_no_change_without_a_base(self, store):
        with pytest.raises(SnapshotError):
            store.append(change(2, 0))

    def test_no_whole_change_in_a_journal(self, store):
        store.save(publication(1))
        with pytest.raises(SnapshotError):
            store.append(Change(2, ZONE, whole=True))

    def test_a_directory_that_is_a_file(self, tmp_path):
        (tmp_path / "edge").write_bytes(b"")
        with pytest.raises(TrincoError, match="cannot use the snapshot directory"):
            Store(tmp_path / "edge")


class TestSecrecy:
    """RELIABILITY 2, row 8: keys are sealed, and their files are the owner's alone all the same."""

    def test_modes(self, store, tmp_path):
        store.save(publication(1))
        directory = tmp_path / "edge" / "one"
        modes = {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}
        assert (stat.S_IMODE(directory.stat().st_mode), modes) == (0o700, {0o600})

    def test_an_open_directory_is_closed(self, tmp_path):
        (tmp_path / "edge").mkdir(mode=0o755)
        Store(tmp_path / "edge")
        assert stat.S_IMODE((tmp_path / "edge").stat().st_mode) == 0o700


class TestSoleUser:
    """Two edges of one name would acknowledge for each other: the second does not start."""

    def test_the_second_is_refused(self, tmp_path):
        with (
            sole_user(tmp_path / "one"),
            pytest.raises(SnapshotError, match="another edge"),
            sole_user(tmp_path / "one"),
        ):
            pass

    def test_the_identity_stays(self, tmp_path):
        with sole_user(tmp_path / "one") as first:
            pass
        with sole_user(tmp_path / "one") as second, sole_user(tmp_path / "two") as other:
            assert first == second
            assert first != other
            assert len(first) == 16
