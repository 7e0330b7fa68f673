"""Files that a TLS library reads certificates and keys from."""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

import pytest

from trinco.net.certfile import file_of

DATA = b"-----BEGIN " + b"x" * 100_000


@pytest.fixture(params=["in memory", "on disk"])
def folder(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    if request.param == "on disk":
        monkeypatch.delattr(os, "memfd_create")
    return tmp_path


class TestFile:
    """A key is where nobody else can read it, for as long as it is read."""

    def test_has_the_content(self, folder: Path) -> None:
        with file_of(DATA) as path:
            assert Path(path).read_bytes() == DATA

    def test_is_gone_at_the_end(self, folder: Path) -> None:
        with file_of(DATA) as path:
            pass
        assert (Path(path).exists(), list(folder.iterdir())) == (False, [])

    def test_is_gone_after_a_fault(self, folder: Path) -> None:
        with pytest.raises(ValueError, match="no key"), file_of(DATA) as path:
            raise ValueError("no key")
        assert (Path(path).exists(), list(folder.iterdir())) == (False, [])

    def test_on_a_disk_it_is_its_owners_alone(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delattr(os, "memfd_create")
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
        with file_of(DATA) as path:
            assert (Path(path).parent, stat.S_IMODE(Path(path).stat().st_mode)) == (tmp_path, 0o600)

    def test_in_memory_it_is_on_no_disk(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "absent"))
        with file_of(DATA) as path:
            assert "memfd:trinco" in str(Path(path).readlink())
