"""The snapshot when the disk is not what it was: torn, flipped, full, or the process killed."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from tests.edge.publications import change, publication

from trinco.core.hosting import Publication
from trinco.edge import generation
from trinco.edge.snapshot import SnapshotError, Store

BASE_1, JOURNAL_1, BASE_2, JOURNAL_2 = (
    f"000000000{number}.{kind}" for number in (1, 2) for kind in ("base", "journal")
)
CHANGES = [change(revision, revision % 5) for revision in range(11, 21)]


def loaded(directory: Path) -> Publication | None:
    store = Store(directory)
    try:
        return store.load()
    finally:
        store.close()


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Two generations: revision 1 with the changes to 3, then revision 10 with the changes 11 to 20."""
    store = Store(tmp_path)
    store.save(publication(40))
    store.append(change(2, 1))
    store.append(change(3, 2))
    store.save(publication(40, 10))
    for one in CHANGES:
        store.append(one)
    store.close()
    return tmp_path


def before() -> Publication:
    return publication(40).apply(change(2, 1)).apply(change(3, 2))


def after(count: int) -> Publication:
    result = publication(40, 10)
    for one in CHANGES[:count]:
        result = result.apply(one)
    return result


def offsets(size: int, count: int = 200) -> list[int]:
    return sorted(random.Random(8461).sample(range(size), min(count, size)))


class TestTornOrCorrupt:
    """RELIABILITY 3: a torn or corrupt snapshot gives way to the one before; never an exception, never a mixture."""

    def test_a_base_cut_anywhere_gives_way(self, directory):
        content = (directory / BASE_2).read_bytes()
        for offset in offsets(len(content)):
            (directory / BASE_2).write_bytes(content[:offset])
            assert loaded(directory) == before(), offset

    def test_a_base_with_one_bit_flipped_gives_way(self, directory):
        content = bytearray((directory / BASE_2).read_bytes())
        for offset in offsets(len(content)):
            content[offset] ^= 0x10
            (directory / BASE_2).write_bytes(content)
            assert loaded(directory) == before(), offset
            content[offset] ^= 0x10

    def test_a_base_with_more_behind_it_gives_way(self, directory):
        with (directory / BASE_2).open("ab") as file:
            file.write(b"more")
        assert loaded(directory) == before()

    def test_a_journal_cut_anywhere_keeps_what_came_before(self, directory):
        content = (directory / JOURNAL_2).read_bytes()
        states = [after(count) for count in range(len(CHANGES) + 1)]
        seen = set()
        for offset in offsets(len(content)):
            (directory / JOURNAL_2).write_bytes(content[:offset])
            seen.add(states.index(loaded(directory)))
        assert seen == set(range(len(CHANGES)))

    def test_a_journal_with_one_bit_flipped_keeps_what_came_before(self, directory):
        content = bytearray((directory / JOURNAL_2).read_bytes())
        states = [after(count) for count in range(len(CHANGES) + 1)]
        for offset in offsets(len(content)):
            content[offset] ^= 0x10
            (directory / JOURNAL_2).write_bytes(content)
            # The load before has cut the file: what came after the tear is gone for good, what came before is whole.
            assert states.index(loaded(directory)) < len(CHANGES), offset
            content[offset] ^= 0x10

    def test_a_journal_of_another_base_is_left_alone(self, directory):
        (directory / JOURNAL_2).write_bytes((directory / JOURNAL_1).read_bytes())
        assert loaded(directory) == after(0)

    def test_no_sound_file_is_no_snapshot(self, directory):
        for name in (BASE_1, BASE_2):
            (directory / name).write_bytes(b"\0" * 4096)
        assert loaded(directory) is None

    def test_foreign_files_are_left_alone(self, directory):
        (directory / "notes.base").write_bytes(b"not ours")
        (directory / "000\u0661.base").write_bytes(b"not ours")
        assert loaded(directory) == after(len(CHANGES))

    def test_one_line_says_so(self, directory):
        (directory / BASE_2).write_bytes(b"")
        with capture_logs() as lines:
            loaded(directory)
        assert lines == [{"event": "snapshot_damaged", "log_level": "warning", "file": BASE_2, "reason": "torn"}]

    def test_one_line_says_so_of_a_journal(self, directory):
        with (directory / JOURNAL_2).open("ab") as file:
            file.write(b"\0\0\0\1")
        with capture_logs() as lines:
            loaded(directory)
        expected = {"event": "snapshot_journal_damaged", "log_level": "warning", "file": JOURNAL_2, "changes_kept": 10}
        assert lines == [expected]

    def test_a_later_format_is_not_misread(self, directory, monkeypatch):
        monkeypatch.setattr(generation, "FORMAT", 2)
        store = Store(directory)
        store.save(publication(1, 99))
        store.close()
        monkeypatch.undo()
        assert loaded(directory) == after(len(CHANGES))

    def test_the_next_write_after_a_fall_back_is_a_new_base(self, directory):
        (directory / BASE_2).write_bytes(b"")
        store = Store(directory)
        fallen_back = store.load()
        assert (fallen_back, store.needs_base) == (before(), True)
        store.save(fallen_back.apply(change(30, 3)))
        store.close()
        assert loaded(directory) == before().apply(change(30, 3))

    def test_the_next_change_after_a_torn_journal_goes_over_the_tear(self, directory):
        content = (directory / JOURNAL_2).read_bytes()
        (directory / JOURNAL_2).write_bytes(content[:-5])
        store = Store(directory)
        assert store.load() == after(9)
        store.append(change(30, 3))
        store.close()
        assert loaded(directory) == after(9).apply(change(30, 3))


class TestFullDisk:
    """RELIABILITY 3: a full disk leaves no half file, keeps the old ones, and is got over unaided."""

    @pytest.fixture
    def full(self, monkeypatch):
        """A disk on which nothing can be synced any more."""

        def fail(_descriptor: int) -> None:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        return lambda: monkeypatch.setattr(os, "fsync", fail)

    def test_a_change_that_does_not_fit_is_not_kept(self, directory, full, monkeypatch):
        store = Store(directory)
        store.load()
        size = (directory / JOURNAL_2).stat().st_size
        full()
        with pytest.raises(SnapshotError, match="No space left"):
            store.append(change(30, 3))
        monkeypatch.undo()
        assert (directory / JOURNAL_2).stat().st_size == size
        store.append(change(31, 3))
        store.close()
        assert loaded(directory) == after(len(CHANGES)).apply(change(31, 3))

    def test_a_base_that_does_not_fit_leaves_the_old_ones(self, directory, full, monkeypatch):
        store = Store(directory)
        store.load()
        full()
        with pytest.raises(SnapshotError, match="No space left"):
            store.save(publication(40, 50))
        monkeypatch.undo()
        assert not list(directory.glob("*.tmp"))
        assert loaded(directory) == after(len(CHANGES))
        store.append(change(30, 3))
        store.save(publication(40, 51))
        store.close()
        assert loaded(directory) == publication(40, 51)

    def test_a_change_half_written_is_taken_off_again(self, directory, monkeypatch):
        store = Store(directory)
        store.load()
        size = (directory / JOURNAL_2).stat().st_size
        write = os.pwrite

        def half(descriptor: int, content: memoryview, offset: int) -> int:
            if offset != size:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(descriptor, content[:20], offset)

        monkeypatch.setattr(os, "pwrite", half)
        with pytest.raises(SnapshotError):
            store.append(change(30, 3))
        monkeypatch.undo()
        store.close()
        assert (directory / JOURNAL_2).stat().st_size == size


WRITER = """
import sys
from pathlib import Path
from tests.edge.publications import change, publication
from trinco.edge.snapshot import Store
store, revision = Store(Path(sys.argv[1])), int(sys.argv[2])
held = store.load() or publication(20, revision)
while True:
    revision += 1
    one = change(revision, revision % 20)
    held = held.apply(one)
    if store.needs_base or revision % 7 == 0:
        store.save(held)
    else:
        store.append(one)
    print(revision, flush=True)
"""


class TestKilled:
    """RELIABILITY 3: kill -9 at any moment loses nothing that was reported as written."""

    def test_what_was_reported_is_there(self, tmp_path):
        reported, dice = 1, random.Random(8461)
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
        for _ in range(5):
            command = [sys.executable, "-c", WRITER, str(tmp_path), str(reported)]
            with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as writer:
                assert writer.stdout is not None
                writer.stdout.readline()
                time.sleep(dice.uniform(0.0, 0.1))
                writer.send_signal(signal.SIGKILL)
                lines = writer.stdout.read().split("\n")
            reported = max([reported, *(int(line) for line in lines[:-1])])
            found = loaded(tmp_path)
            assert found is not None
            assert reported <= found.revision <= reported + 1
            assert {domain.revision for domain in found.domains.values()} <= set(range(found.revision + 1))
            reported = found.revision
