"""Files that are written whole."""

from __future__ import annotations

import os
import stat
import threading

import pytest

from trinco.panel import files


def names(directory):
    return sorted(path.name for path in directory.iterdir())


class TestWrite:
    def test_private_and_whole(self, tmp_path):
        path = tmp_path / "key"
        files.write(path, b"one")
        files.write(path, b"two")
        assert (path.read_bytes(), oct(stat.S_IMODE(path.stat().st_mode)), names(tmp_path)) == (
            b"two",
            "0o600",
            ["key"],
        )

    @pytest.mark.parametrize("umask", [0o000, 0o077])
    def test_public(self, tmp_path, umask):
        before = os.umask(umask)
        files.publish(tmp_path / "ca.pem", b"x")
        os.umask(before)
        assert stat.S_IMODE((tmp_path / "ca.pem").stat().st_mode) == 0o644

    def test_a_failure_leaves_the_old_one_and_no_scrap(self, tmp_path, monkeypatch):
        path = tmp_path / "key"
        files.write(path, b"old")

        def full(_descriptor):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(files.os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            files.write(path, b"new")
        assert (path.read_bytes(), names(tmp_path)) == (b"old", ["key"])


class TestMadeOnce:
    def test_of_many_that_start_together_all_read_the_same(self, tmp_path):
        path, found, counter = tmp_path / "deep" / "secret", [], iter(range(1000))
        threads = [
            threading.Thread(target=lambda: found.append(files.made_once(path, lambda: f"secret{next(counter)}")))
            for _ in range(16)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert (len(found), len(set(found)), names(path.parent)) == (16, 1, ["secret"])

    def test_what_is_there_stays(self, tmp_path):
        path = tmp_path / "secret"
        path.write_text("given\n")
        assert files.made_once(path, lambda: "new") == "given"
