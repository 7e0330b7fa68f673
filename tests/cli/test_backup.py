"""`trinco backup` and `trinco restore` as commands, on SQLite."""

from __future__ import annotations

import hashlib
import os
import shutil
import signal
import sqlite3
import tarfile
import time
from contextlib import closing
from pathlib import Path

import pytest
from tests.support_backup import HOSTED, KEYS_OPEN, PASSPHRASE, Place

from trinco.cli.serve import alone
from trinco.panel.backups import archive, keys

NAMES = ("correio.example", "lyonnaise.example")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """An installation with two live domains and their certificates. Nobody changes it."""
    made = Place(tmp_path_factory.mktemp("place") / "data")
    made.ask(f"host{NAMES}")
    return made


@pytest.fixture(scope="module")
def passphrase(place: Place) -> Path:
    path = place.data.parent / "passphrase"
    path.write_text(PASSPHRASE + "\n")
    return path


@pytest.fixture(scope="module")
def taken(place: Place, passphrase: Path) -> Path:
    """The archive; `taken.with_suffix(".keys")` is the bundle."""
    path = place.data.parent / "backup.tar"
    status, said = place.trinco("backup", path, "--keys", path.with_suffix(".keys"), "--passphrase-file", passphrase)
    assert (status, said.splitlines()) == (0, [said.strip()])
    return path


@pytest.fixture
def empty(tmp_path: Path) -> Place:
    return Place(tmp_path / "data")


@pytest.fixture
def other(place: Place, tmp_path: Path) -> Place:
    """A copy of the installation, to be replaced."""
    shutil.copytree(place.data, tmp_path / "data")
    return Place(tmp_path / "data")


def with_keys(taken: Path, passphrase: Path) -> tuple[object, ...]:
    return (taken, "--keys", taken.with_suffix(".keys"), "--passphrase-file", passphrase)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


class TestBackup:
    """RELIABILITY 5, 14: SQLite by backup API, never cp of the .db alone with WAL; keys in a separate encrypted bundle."""

    def test_the_archive_says_what_it_is(self, place, taken):
        with archive.opened(taken) as opened:
            manifest = opened.manifest
        seal = keys.fingerprint((place.data / "secrets" / "seal_key").read_bytes())
        assert (manifest.format, manifest.database, manifest.seal) == (1, "sqlite", seal)
        assert "policies.0001_initial" in manifest.migrations
        assert [member.name for member in manifest.members] == ["database.sqlite3", "ca.pem"]

    def test_no_key_is_in_it(self, place, taken):
        """RELIABILITY row 8: grep of API schema, logs, dump for PRIVATE KEY."""
        secret = [(place.data / "secrets" / name).read_bytes().strip() for name in ("seal_key", "secret_key")]
        ca = (place.data / "ca" / "intermediate.key").read_bytes()
        never = [b"PRIVATE KEY", ca, *secret, *map(bytes.fromhex, map(bytes.decode, secret))]
        for path in (taken, taken.with_suffix(".keys")):
            content = path.read_bytes()
            assert [each for each in never if each in content or each.hex().encode() in content] == []

    def test_both_files_are_the_owners_alone(self, taken):
        assert [path.stat().st_mode & 0o777 for path in (taken, taken.with_suffix(".keys"))] == [0o600, 0o600]

    def test_nothing_else_is_left(self, taken):
        assert [path.name for path in taken.parent.iterdir() if path.name.startswith(".")] == []

    def test_nothing_is_overwritten(self, place, taken):
        before = digest(taken)
        assert place.trinco("backup", taken) == (2, f"trinco backup: {taken} exists already\n")
        assert digest(taken) == before

    def test_a_short_passphrase_is_refused_and_nothing_is_written(self, place, tmp_path):
        short = tmp_path / "short"
        short.write_text("hunter2\n")
        status, said = place.trinco("backup", tmp_path / "a", "--keys", tmp_path / "b", "--passphrase-file", short)
        assert (status, said) == (2, "trinco backup: the passphrase wants 12 characters or more\n")
        assert list(tmp_path.iterdir()) == [short]

    def test_without_anybody_to_ask_it_wants_a_file(self, place, tmp_path):
        status, said = place.trinco("backup", tmp_path / "a", "--keys", tmp_path / "b")
        assert (status, list(tmp_path.iterdir())) == (2, [])
        assert "--passphrase-file" in said

    def test_where_nothing_is_installed_nothing_is_made(self, empty):
        status, said = empty.trinco("backup", empty.data.parent / "a")
        assert (status, list(empty.data.parent.iterdir())) == (2, [])
        assert said.startswith("trinco backup: there is no installation in ")


class TestRestore:
    """RELIABILITY 3: Backup/restore. The whole comes back, or nothing is changed."""

    def test_the_whole_comes_back_in_an_empty_place(self, place, empty, taken, passphrase):
        status, said = empty.trinco("restore", *with_keys(taken, passphrase))
        assert (status, said.startswith("Restored what was taken at ")) == (0, True)
        assert empty.rows(HOSTED) == place.rows(HOSTED)
        assert empty.ask(KEYS_OPEN) == len(NAMES)
        assert (empty.data / "ca.pem").read_bytes() == (place.data / "ca.pem").read_bytes()
        assert (empty.database.stat().st_mode & 0o777, (empty.data / "restoring").exists()) == (0o600, False)

    def test_without_the_keys_it_does_not_begin(self, empty, taken):
        status, said = empty.trinco("restore", taken)
        assert (status, "see --keys" in said) == (2, True)
        assert [path.name for path in empty.data.iterdir()] == ["serve.lock"]

    def test_another_passphrase_opens_nothing(self, empty, taken, tmp_path):
        wrong = tmp_path / "wrong"
        wrong.write_text(PASSPHRASE + "s")
        status, said = empty.trinco("restore", *with_keys(taken, wrong))
        assert (status, said) == (
            3,
            "trinco restore: the bundle of keys does not open: another passphrase, or it is damaged\n",
        )
        assert [path.name for path in empty.data.iterdir()] == ["serve.lock"]

    def test_what_is_there_is_replaced_by_order_only(self, other, taken):
        rename(other.database, "correio.example", "nova.example")
        before = digest(other.database)
        status, said = other.trinco("restore", taken)
        assert (status, "--replace" in said, digest(other.database)) == (2, True, before)
        assert other.trinco("restore", taken, "--replace")[0] == 0
        assert [name for name, _ in other.rows(HOSTED)] == list(NAMES)

    def test_not_while_serve_runs(self, other, taken):
        before = digest(other.database)
        with alone(other.data):
            status, said = other.trinco("restore", taken, "--replace")
        assert (status, "another one works with" in said, digest(other.database)) == (2, True, before)

    def test_not_while_anybody_has_the_database_open(self, other, taken):
        with closing(sqlite3.connect(other.database)) as open_one:
            open_one.execute("PRAGMA journal_mode=WAL").fetchone()
            open_one.execute("SELECT count(*) FROM django_migrations").fetchone()
            status, said = other.trinco("restore", taken, "--replace")
        assert (status, "end the panel, the worker and the edges first" in said) == (2, True)

    def test_a_journal_that_a_crash_left_is_not_played_into_it(self, other, taken):
        """RELIABILITY 5, 14: delete -wal/-shm before restore."""
        crashed(other.database)
        assert other.database.with_name("trinco.sqlite3-wal").stat().st_size
        assert other.trinco("restore", taken, "--replace")[0] == 0
        assert [name for name, _ in other.rows(HOSTED)] == list(NAMES)
        assert other.rows("PRAGMA integrity_check") == [("ok",)]

    def test_an_archive_of_a_later_trinco_is_refused(self, other, taken, tmp_path):
        later = tmp_path / "later.tar"
        rewritten(taken, later, b'"reports.0001_initial"', b'"reports.9001_initial"')
        before = digest(other.database)
        status, said = other.trinco("restore", later, "--replace")
        assert (status, "does not know reports.9001_initial" in said, digest(other.database)) == (2, True, before)

    def test_one_changed_octet_is_found_before_anything_is_changed(self, other, taken, tmp_path):
        damaged = tmp_path / "damaged.tar"
        octets = bytearray(taken.read_bytes())
        octets[200_000] ^= 1
        damaged.write_bytes(octets)
        before = digest(other.database)
        status, said = other.trinco("restore", damaged, "--replace")
        assert (status, "its SHA-256 differs" in said, digest(other.database)) == (3, True, before)


class TestStopped:
    """A command that is stopped leaves what was there, and nothing half done beside it."""

    @pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
    def test_a_backup(self, other, number):
        target = other.data.parent / "stopped.tar"
        process = begun(other, target)
        process.send_signal(number)
        said, _ = process.communicate(timeout=300)
        assert (process.returncode, said) == (3, "trinco backup: stopped\n")
        assert sorted(path.name for path in target.parent.iterdir()) == ["data"]

    @pytest.mark.slow
    def test_a_backup_that_was_killed_is_no_obstacle_to_the_next(self, other):
        target = other.data.parent / "killed.tar"
        process = begun(other, target)
        process.kill()
        process.communicate(timeout=300)
        assert (target.exists(), target.with_name(".killed.tar.part").exists()) == (False, True)
        (other.data / archive.ROOT).unlink()
        assert other.trinco("backup", target)[0] == 0
        assert sorted(path.name for path in target.parent.iterdir()) == ["data", "killed.tar"]


def begun(place: Place, target: Path):
    """A backup that has begun to copy, and comes to no end: it waits for what a pipe does not give."""
    (place.data / archive.ROOT).unlink(missing_ok=True)
    os.mkfifo(place.data / archive.ROOT)
    process = place.start("backup", target)
    deadline = time.monotonic() + 60
    while not list(target.parent.glob(f".{target.name}.part/database.sqlite3")):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    return process


def rename(database: Path, name: str, other: str) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("UPDATE domains_hosteddomain SET name = ? WHERE name = ?", (other, name))


def crashed(database: Path) -> None:
    """Its journal holds what was committed and not yet moved, as after a kill -9."""
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA journal_mode=WAL").fetchone()
        rename(database, "correio.example", "lost.example")
        kept = {ending: database.with_name(database.name + ending).read_bytes() for ending in ("", "-wal")}
    for ending, content in kept.items():
        database.with_name(database.name + ending).write_bytes(content)


def rewritten(source: Path, target: Path, before: bytes, after: bytes) -> None:
    """The archive with another word in its manifest."""
    shutil.copy(source, target)
    with tarfile.open(target) as tar:
        info = tar.getmember(archive.MANIFEST)
    octets = bytearray(target.read_bytes())
    at = octets.index(before, info.offset_data)
    octets[at : at + len(before)] = after
    target.write_bytes(octets)
