"""The archive and the bundle of keys, as files that somebody may have damaged or made."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from trinco import config
from trinco.panel.backups import archive, keys
from trinco.panel.backups.errors import ArchiveDamaged, BackupRefused

PASSPHRASE = "correct horse battery staple"
MANIFEST = archive.Manifest(1, "0.1.0", datetime(2026, 1, 2, tzinfo=UTC), "sqlite", ("a.0001_initial",), "f" * 16)
SEAL = b"0" * 64
BUNDLED = {keys.SEAL_KEY: SEAL, keys.SECRET_KEY: b"1" * 64, "ca/intermediate.key": b"\x00\xff"}


@pytest.fixture(scope="module")
def bundle() -> bytes:
    return keys.sealed(BUNDLED, PASSPHRASE)


def quiet(_done: int, _total: int) -> None:
    pass


@pytest.fixture
def whole(tmp_path: Path) -> Path:
    dump, path = tmp_path / "dump", tmp_path / "whole.tar"
    dump.write_bytes(bytes(range(256)) * 40)
    archive.write(path, MANIFEST, {"database.sqlite3": dump}, quiet)
    return path


def extracted(path: Path, target: Path) -> bytes:
    target.unlink(missing_ok=True)
    with archive.opened(path) as opened:
        opened.extract("database.sqlite3", target, quiet)
    return target.read_bytes()


def crafted(path: Path, manifest: object, *members: tarfile.TarInfo) -> Path:
    """An archive of somebody else's making."""
    with tarfile.open(path, "w") as tar:
        for info in members:
            tar.addfile(info, io.BytesIO(b"x" * info.size))
        content = msgspec.json.encode(manifest)
        info = tarfile.TarInfo(archive.MANIFEST)
        info.size = len(content)
        tar.addfile(info, io.BytesIO(content))
    return path


class TestArchive:
    """RELIABILITY 3: what is restored is what was written, octet for octet."""

    def test_what_was_written_comes_back(self, whole, tmp_path):
        assert extracted(whole, tmp_path / "out") == bytes(range(256)) * 40

    def test_cut_short_anywhere_it_is_refused(self, whole, tmp_path):
        octets, short = whole.read_bytes(), tmp_path / "short.tar"
        end = octets.rindex(b"}") + 1
        for at in range(0, end, max(1, end // 200)):
            short.write_bytes(octets[:at])
            with pytest.raises(ArchiveDamaged):
                extracted(short, tmp_path / "out")

    def test_an_octet_changed_anywhere_in_a_member_is_found(self, whole, tmp_path):
        octets, changed = whole.read_bytes(), tmp_path / "changed.tar"
        for at in range(512, 512 + 10_240, 101):
            changed.write_bytes(octets[:at] + bytes([octets[at] ^ 1]) + octets[at + 1 :])
            with pytest.raises(ArchiveDamaged, match="SHA-256 differs"):
                extracted(changed, tmp_path / "out")

    def test_a_member_that_is_no_file_is_not_followed(self, tmp_path):
        link = tarfile.TarInfo("database.sqlite3")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        manifest = msgspec.structs.replace(MANIFEST, members=(archive.Member("database.sqlite3", 0, "0" * 64),))
        with pytest.raises(ArchiveDamaged, match="is no file"):
            extracted(crafted(tmp_path / "link.tar", manifest, link), tmp_path / "out")

    def test_what_the_manifest_does_not_name_is_not_there(self, tmp_path):
        stray = tarfile.TarInfo("database.sqlite3")
        stray.size = 3
        with pytest.raises(ArchiveDamaged, match=r"the archive has no database\.sqlite3"):
            extracted(crafted(tmp_path / "stray.tar", MANIFEST, stray), tmp_path / "out")

    def test_a_member_that_is_longer_than_said_is_not_written_out(self, tmp_path):
        long = tarfile.TarInfo("database.sqlite3")
        long.size = 3
        manifest = msgspec.structs.replace(MANIFEST, members=(archive.Member("database.sqlite3", 1, "0" * 64),))
        with pytest.raises(ArchiveDamaged, match="longer"):
            extracted(crafted(tmp_path / "long.tar", manifest, long), tmp_path / "out")
        assert (tmp_path / "out").read_bytes() == b""

    def test_another_format_is_refused(self, tmp_path):
        later = msgspec.structs.replace(MANIFEST, format=2)
        with pytest.raises(ArchiveDamaged, match="of format 2, and this Trinco reads 1"):
            extracted(crafted(tmp_path / "later.tar", later), tmp_path / "out")

    @pytest.mark.parametrize("manifest", [{}, [], {"format": 1}, {**msgspec.to_builtins(MANIFEST), "members": [{}]}])
    def test_a_manifest_that_is_none_is_refused(self, tmp_path, manifest):
        with pytest.raises(ArchiveDamaged, match="manifest"):
            extracted(crafted(tmp_path / "odd.tar", manifest), tmp_path / "out")

    def test_nothing_is_written_over(self, whole, tmp_path):
        with pytest.raises(FileExistsError):
            archive.write(whole, MANIFEST, {}, quiet)


class TestKeys:
    """RELIABILITY row 8: private keys are never in a backup unencrypted."""

    def test_the_passphrase_opens_it(self, bundle):
        assert keys.opened(bundle, PASSPHRASE) == BUNDLED

    def test_twice_is_not_the_same(self, bundle):
        assert keys.sealed(BUNDLED, PASSPHRASE) != bundle

    def test_it_says_nothing_in_clear(self, bundle):
        assert [word for word in (b"secrets", b"intermediate", SEAL) if word in bundle] == []

    @pytest.mark.parametrize("passphrase", ["", PASSPHRASE.upper(), PASSPHRASE + " "])
    def test_another_passphrase_does_not(self, bundle, passphrase):
        with pytest.raises(ArchiveDamaged, match="another passphrase, or it is damaged"):
            keys.opened(bundle, passphrase)

    @pytest.mark.parametrize("at", [-1, -40, 30])
    def test_a_changed_octet_is_found(self, bundle, at):
        at %= len(bundle)
        with pytest.raises(ArchiveDamaged):
            keys.opened(bundle[:at] + bytes([bundle[at] ^ 1]) + bundle[at + 1 :], PASSPHRASE)

    @pytest.mark.parametrize("cost", [-1, 0, 9, 21, 63, 10**9])
    def test_a_cost_beyond_measure_is_not_paid(self, bundle, cost):
        """One who makes a bundle does not say how much memory its reader gives."""
        with pytest.raises(ArchiveDamaged, match="no bundle"):
            keys.opened(bundle.replace(b'"cost":17', b'"cost":%d' % cost), PASSPHRASE)

    @pytest.mark.parametrize(
        "octets",
        [
            b"",
            b"trinco keys 1",
            b"trinco keys 1\n",
            b"trinco keys 2\n{}\n",
            b"\n" * 9,
            b'trinco keys 1\n{"cost":"\xff"}\n',
        ],
    )
    def test_other_files_are_told_apart(self, octets):
        with pytest.raises(ArchiveDamaged, match="no bundle"):
            keys.opened(octets, PASSPHRASE)

    @pytest.mark.parametrize("name", ["../up", "secrets/../../up", "/etc/passwd", "secrets/", "edge/x", "secrets/.x"])
    def test_nothing_is_placed_outside_its_folders(self, name, monkeypatch):
        monkeypatch.setattr(keys, "_COST", 10)
        with pytest.raises(ArchiveDamaged, match="something else than keys"):
            keys.opened(keys.sealed({**BUNDLED, name: b""}, PASSPHRASE), PASSPHRASE)

    def test_they_are_placed_for_their_owner_alone(self, tmp_path):
        keys.place(tmp_path / "data", BUNDLED)
        found = {str(path.relative_to(tmp_path / "data")): path for path in (tmp_path / "data").glob("*/*")}
        assert {name: path.read_bytes() for name, path in found.items()} == BUNDLED
        assert {path.stat().st_mode & 0o777 for path in found.values()} == {0o600}

    def test_a_setting_stands_above_a_file(self, tmp_path):
        place = replace(config.load({}), data=tmp_path, seal_key="2" * 64)
        keys.place(tmp_path, BUNDLED)
        assert keys.here(place) == {**BUNDLED, keys.SEAL_KEY: b"2" * 64}

    def test_and_is_not_replaced_by_one(self, tmp_path):
        place = replace(config.load({}), data=tmp_path, seal_key="2" * 64)
        with pytest.raises(BackupRefused, match="TRINCO_SEAL_KEY is another key"):
            keys.refuse_settings(place, BUNDLED)
