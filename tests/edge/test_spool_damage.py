"""The spool when the disk is not what it was: torn, flipped, full, or the process killed in the middle."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.edge.arrivals import arrival
from tests.edge.full_disk import EXPECTED
from tests.edge.test_spool import held, names, refusal, running, together

from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge import shelf, spool, spoolfile
from trinco.edge.spool import Spool, SpoolLimits

SENT = [arrival(b"one" * 20), arrival(b"two" * 20), arrival(b"three" * 20)]
WHOLE = b"".join(spoolfile.write(SENT))
ENDS = [len(b"".join(spoolfile.write(SENT[:count]))) for count in range(4)]


class TestOctets:
    """A record stands for itself, and nothing that was not written is ever read as one."""

    def test_what_was_written_is_read(self):
        assert spoolfile.read(WHOLE) == spoolfile.Content(SENT)

    def test_torn_anywhere(self):
        """A file that lacks its last records whole is one that was never renamed."""
        for length in range(len(WHOLE)):
            content = spoolfile.read(WHOLE[:length])
            assert content.arrivals == SENT[: sum(end <= length for end in ENDS[1:])]
            assert bool(content.fault) is (length not in ENDS[1:])

    def test_an_octet_flipped_anywhere(self):
        for place in range(len(WHOLE)):
            damaged = bytearray(WHOLE)
            damaged[place] ^= 0x40
            content = spoolfile.read(bytes(damaged))
            assert (content.arrivals, bool(content.fault)) == (beside(place), True)

    @pytest.mark.parametrize(
        "octets", [b"", b"{}", bytes(4096), b"trinco\0B" + WHOLE[8:], WHOLE[:8] + b"\0\0\0\2" + WHOLE[12:]]
    )
    def test_of_another_make(self, octets):
        assert spoolfile.read(octets) == spoolfile.Content([], "of another make")

    def test_a_report_that_looks_like_records_is_none(self):
        """Behind a length that cannot be believed nothing is looked for: it may be what a stranger wrote."""
        forged = arrival(WHOLE)
        octets = bytearray(b"".join(spoolfile.write([forged])))
        octets[12] ^= 1
        assert spoolfile.read(bytes(octets)).arrivals == []


def beside(place: int) -> list[Arrival]:
    """What is sound when this octet is not: the records before, and those behind unless a length is hit."""
    hit = sum(end <= place for end in ENDS) - 1
    if hit < 0:
        return []
    return SENT[:hit] if place < ENDS[hit] + 24 else SENT[:hit] + SENT[hit + 1 :]


class TestDamagedFile:
    """A damaged file never stops the others: what is sound in it is delivered, and it is kept aside."""

    def damage(self, directory: Path, octets: bytes) -> list[dict[str, Any]]:
        """Three batches, of which the second is damaged; one life that carries all; what was logged."""

        async def put(spool: Spool) -> None:
            for _ in range(3):
                await together(spool, SENT)

        async def carry(spool: Spool) -> list[int]:
            counts = []
            list(spool.batches())
            for path, arrivals in spool.batches():
                counts.append(len(arrivals))
                spool.done(path)
            return counts

        running(directory, put)
        (directory / names(directory)[1]).write_bytes(octets)
        with capture_logs() as logs:
            self.counts = running(directory, carry)
        return [line for line in logs if line["event"] == "spool_damaged"]

    @pytest.mark.parametrize(("octets", "sound"), [(WHOLE[: ENDS[2] + 30], 2), (WHOLE[:7], 0), (b"", 0)])
    def test_the_others_go_on(self, tmp_path, octets, sound):
        logs = self.damage(tmp_path, octets)
        assert self.counts == [3, *([sound] if sound else []), 3]
        assert [(line["file"], line["reports"]) for line in logs] == [("000000000002.spool", sound)]
        assert (tmp_path / "damaged" / "000000000002.spool").read_bytes() == octets
        assert names(tmp_path) == []

    def test_its_number_is_not_used_again(self, tmp_path):
        self.damage(tmp_path, b"")
        (tmp_path / names(tmp_path, "*.numbers")[0]).unlink()
        running(tmp_path, lambda spool: spool.put(arrival()))
        assert names(tmp_path) == ["000000000003.spool"]

    def test_one_that_the_disk_has_lost(self, tmp_path, monkeypatch):
        """EIO is for ever; another error, as too many open files, passes."""

        async def put(spool: Spool) -> None:
            await spool.put(arrival())
            await spool.put(arrival())

        def failing(number: int) -> list[list[Any]]:
            def read(path: Path, real: Any = Path.read_bytes) -> bytes:
                if path.name == "000000000001.spool":
                    raise OSError(number, os.strerror(number))
                return bytes(real(path))

            with monkeypatch.context() as patched:
                patched.setattr(Path, "read_bytes", read)
                return held(tmp_path)

        running(tmp_path, put)
        assert (len(failing(errno.EMFILE)), len(names(tmp_path))) == (1, 2)
        assert (len(failing(errno.EIO)), len(names(tmp_path))) == (1, 1)
        assert names(tmp_path, "damaged/*") == ["000000000001.spool"]

    def test_one_that_cannot_be_opened_is_told_once(self, tmp_path, monkeypatch):
        """Nothing waits behind it, and it is delivered when it can be opened."""
        for number in (1, 2):
            (tmp_path / f"{number:012}.spool").write_bytes(WHOLE)

        def read(path: Path, real: Any = Path.read_bytes) -> bytes:
            if path.name == "000000000001.spool" and shut:
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            return bytes(real(path))

        async def looks(spool: Spool) -> list[int]:
            found = []
            for each in (True, True, False, True):
                shut[:] = [each] if each else []
                found.append(len(list(spool.batches())))
            return found

        shut: list[bool] = []
        monkeypatch.setattr(Path, "read_bytes", read)
        with capture_logs() as logs:
            assert running(tmp_path, looks) == [1, 1, 2, 1]
        assert [line["event"] for line in logs] == ["spool_unreadable"] * 2


class TestNoRoomForDamaged:
    """A damaged file on a disk without a free inode: nothing waits behind it."""

    def test_the_others_are_delivered(self, tmp_path, monkeypatch):
        """It has no sound record, or two; it is put aside when that is possible again."""
        for number, octets in enumerate([b"garbage", WHOLE[:-1], WHOLE], 1):
            (tmp_path / f"{number:012}.spool").write_bytes(octets)
        (tmp_path / "damaged").write_text("in the way")

        async def carry(spool: Spool) -> list[int]:
            taken = []
            for path, arrivals in spool.batches():
                taken.append(len(arrivals))
                spool.done(path)
            return taken

        async def twice(spool: Spool) -> list[list[int]]:
            first = [await carry(spool), await carry(spool)]
            (tmp_path / "damaged").unlink()
            monkeypatch.setattr(shelf.time, "monotonic", lambda: time.time() * 2)
            return [*first, await carry(spool)]

        with capture_logs() as logs:
            assert running(tmp_path, twice) == [[2, 3], [], [2]]
        events = ["spool_damaged", "spool_not_put_aside"] * 2
        assert [line["event"] for line in logs] == events
        assert names(tmp_path) == []
        assert names(tmp_path, "damaged/*") == ["000000000001.spool", "000000000002.spool"]

    def test_a_directory_is_durable_before_what_is_in_it(self, tmp_path, monkeypatch):
        synced: list[Path] = []
        real = shelf._sync_directory
        monkeypatch.setattr(shelf, "_sync_directory", lambda directory: (synced.append(directory), real(directory))[1])
        inner = tmp_path / "edge" / "spool"
        running(inner, lambda spool: spool.put(SENT[0]))
        assert synced[:2] == [tmp_path, tmp_path / "edge"]
        (inner / "000000000001.spool").write_bytes(b"garbage")
        synced.clear()
        assert held(inner) == []
        assert synced[-2:] == [inner, inner / "damaged"]

    def test_those_above_are_too_whoever_made_them(self, tmp_path, monkeypatch):
        """The edge makes its own directory for its snapshots, and a power cut comes between a directory and its sync."""
        inner = tmp_path / "edge" / "name" / "spool"
        inner.mkdir(parents=True)
        synced: list[Path] = []
        monkeypatch.setattr(shelf, "_sync_directory", synced.append)
        running(inner, lambda spool: spool.put(SENT[0]))
        disk = tmp_path.stat().st_dev
        above = [path for path in inner.parents if path.stat().st_dev == disk]
        assert synced[: len(above)] == above
        assert inner in synced[len(above) :]

    def test_what_may_not_be_read_is_nothing_of_ours(self, tmp_path, monkeypatch):
        real = shelf._sync_directory

        def sync(directory: Path) -> None:
            if directory == tmp_path:
                raise PermissionError
            real(directory)

        monkeypatch.setattr(shelf, "_sync_directory", sync)
        inner = tmp_path / "spool"
        inner.mkdir()
        running(inner, lambda spool: spool.put(SENT[0]))
        assert held(inner) == [[SENT[0]]]


class TestKilled:
    """kill -9 at any moment: what was in the making is removed at the next start, and was accepted from nobody."""

    def test_what_is_left_in_the_making_goes(self, tmp_path):
        running(tmp_path, lambda spool: spool.put(arrival()))
        (tmp_path / "000000000009.tmp").write_bytes(WHOLE[:50])
        (tmp_path / "somebodys.txt").write_bytes(b"not ours")
        assert len(held(tmp_path)) == 1
        assert names(tmp_path, "*.t*") == ["somebodys.txt"]


class TestDiskFull:
    """RELIABILITY 3: "Disk full: 452/503, no half files, recovers unaided"."""

    @pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
    @pytest.mark.parametrize("step", ["open", "write", "fdatasync", "rename", "fsync"])
    def test_at_each_step(self, tmp_path, monkeypatch, step, number):
        monkeypatch.setattr(spool, "QUIET", 0.0)

        def fail(*_: Any, **__: Any) -> Any:
            raise OSError(number, os.strerror(number))

        async def fill(spool: Spool) -> list[Any]:
            await spool.put(SENT[0])
            with monkeypatch.context() as patched:
                patched.setattr(*((spoolfile, "write") if step == "write" else (os, step)), fail)
                results = [await refusal(spool), await refusal(spool)]
            return [*results, sorted(path.suffix for path in tmp_path.iterdir()), await refusal(spool)]

        with capture_logs() as logs:
            results = running(tmp_path, fill)
        refused = ("452 4.3.1", 503)
        assert results == [refused, refused, [".numbers", ".spool"], None]
        assert [line["event"] for line in logs] == ["spool_not_written", "spool_written_again"]
        assert [len(batch) for batch in held(tmp_path)] == [1, 1]

    def test_large_ones_that_find_no_room_between_small_ones_are_told_once(self, tmp_path):
        async def fill(spool: Spool) -> list[Any]:
            results = []
            for _ in range(3):
                results += [await refusal(spool, arrival(b"x" * (2 << 20))), await refusal(spool)]
            return results

        with capture_logs() as logs:
            results = running(tmp_path, fill, SpoolLimits(octets=1 << 20))
        assert results == [("452 4.3.1", 503), None] * 3
        assert [line["event"] for line in logs] == ["spool_full"]

    def test_from_the_start(self, tmp_path):
        """A directory that cannot be made is no reason not to start, and is made when it can be."""
        (tmp_path / "edge").write_bytes(b"a file where a directory should be")

        async def fill(spool: Spool) -> list[Any]:
            first = await refusal(spool)
            (tmp_path / "edge").unlink()
            return [first, await refusal(spool)]

        assert running(tmp_path / "edge" / "spool", fill) == [("452 4.3.1", 503), None]

    def test_a_fault_of_ours_leaves_nobody_waiting(self, tmp_path, monkeypatch):
        def fail(*_: Any) -> Any:
            raise ValueError

        monkeypatch.setattr(spoolfile, "write", fail)
        assert running(tmp_path, refusal) == ("452 4.3.1", 503)


class TestRealDisk:
    """The same where the kernel says no in the middle of a file: on a disk of 1 MiB that is full, and at a limit."""

    def test_a_full_disk_or_a_limit_where_mounts_are_not_ours(self, tmp_path):
        mounted = 'mount -t tmpfs -o size=1m,mode=0700 tmpfs "$1" && exec "$2" -m tests.edge.full_disk "$1"'
        seen = last_line("unshare", "-rm", "sh", "-c", mounted, "sh", str(tmp_path), sys.executable)
        limited = [sys.executable, "-m", "tests.edge.full_disk", str(tmp_path), "262144"]
        assert (seen or last_line(*limited)) == EXPECTED

    def test_a_limit(self, tmp_path):
        assert last_line(sys.executable, "-m", "tests.edge.full_disk", str(tmp_path), "262144") == EXPECTED


def last_line(*command: str) -> str:
    """What a program says at its end; "" when it says nothing."""
    done = subprocess.run(
        command, check=False, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, timeout=300
    )
    return "".join(done.stdout.splitlines()[-1:])
