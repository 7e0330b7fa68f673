"""`trinco backup` and `trinco restore` on PostgreSQL: by its own programs, in one transaction."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.support import needs
from tests.support_backup import HOSTED, KEYS_OPEN, PASSPHRASE, Place
from tests.support_postgres import server

from trinco.panel.backups import archive

NAMES = ("correio.example", "lyonnaise.example")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """An installation with two live domains and their certificates, on a server of its own."""
    assert needs("pg_dump")
    assert needs("pg_restore")
    assert needs("psql")
    with server() as url:
        made = Place(tmp_path_factory.mktemp("place") / "data", {"DATABASE": url})
        made.ask(f"host{NAMES}")
        yield made


@pytest.fixture(scope="module")
def taken(place: Place) -> Path:
    """The archive; the bundle and its passphrase are beside it."""
    path = place.data.parent / "backup.tar"
    path.with_suffix(".pass").write_text(PASSPHRASE)
    keys = ("--keys", path.with_suffix(".keys"), "--passphrase-file", path.with_suffix(".pass"))
    assert place.trinco("backup", path, *keys)[0] == 0
    return path


def rows(place: Place, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(place.settings["DATABASE"]) as connection:
        return connection.execute(query).fetchall()


def change(place: Place, *statements: str) -> None:
    with psycopg.connect(place.settings["DATABASE"]) as connection:
        for statement in statements:
            connection.execute(statement)


def cut(taken: Path, folder: Path) -> Path:
    """An archive that is sound, of a dump that is not: the data of its last tables are missing."""
    whole, short, target = folder / "whole", folder / "short", folder / "cut.tar"
    with archive.opened(taken) as opened:
        opened.extract("database.pgdump", whole, _quiet)
        short.write_bytes(whole.read_bytes()[:-2000])
        archive.write(target, opened.manifest, {"database.pgdump": short}, _quiet)
    return target


def _quiet(_done: int, _total: int) -> None:
    pass


class TestPostgresql:
    """RELIABILITY 3: backup and restore; nothing is half done."""

    def test_no_key_is_in_the_archive(self, place, taken, tmp_path):
        dump = tmp_path / "dump"
        with archive.opened(taken) as opened:
            assert opened.manifest.database == "postgresql"
            opened.extract("database.pgdump", dump, _quiet)
        text = subprocess.run([needs("pg_restore"), "--file=-", str(dump)], check=True, capture_output=True).stdout
        seal = (place.data / "secrets" / "seal_key").read_bytes().strip()
        assert b"COPY public.certificates_certificate " in text
        assert [word for word in (b"PRIVATE KEY", seal) if word in text + taken.read_bytes()] == []

    def test_what_was_changed_is_as_it_was_and_what_is_not_ours_stays(self, place, taken):
        before = rows(place, HOSTED)
        change(
            place,
            "UPDATE domains_hosteddomain SET name = 'lost.example' WHERE name = 'correio.example'",
            "CREATE TABLE domains_of_a_later_version (domain_id bigint REFERENCES domains_hosteddomain (id))",
            "CREATE TABLE IF NOT EXISTS somebody_elses (octets bytea)",
        )
        assert place.trinco("restore", taken)[0] == 2
        assert place.trinco("restore", taken, "--replace")[0] == 0
        assert rows(place, HOSTED) == before
        tables = [name for (name,) in rows(place, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        assert ("somebody_elses" in tables, "domains_of_a_later_version" in tables) == (True, False)
        assert place.ask(KEYS_OPEN) == len(NAMES)

    def test_a_restore_that_fails_in_its_middle_changes_nothing(self, place, taken, tmp_path):
        change(place, "UPDATE domains_hosteddomain SET name = 'kept.example' WHERE name = 'lyonnaise.example'")
        before = rows(place, HOSTED)
        status, said = place.trinco("restore", cut(taken, tmp_path), "--replace")
        assert (status, said.startswith("trinco restore: pg_restore: ")) == (3, True)
        assert rows(place, HOSTED) == before

    def test_without_the_programs_it_is_refused(self, place, taken, tmp_path):
        bare = Place(place.data, place.settings, {"PATH": str(tmp_path)})
        assert bare.trinco("backup", tmp_path / "a.tar") == (
            2,
            "trinco backup: pg_dump is not here: install PostgreSQL's client programs (Debian: postgresql-client)\n",
        )
        assert list(tmp_path.iterdir()) == []

    def test_an_archive_of_sqlite_is_refused(self, place, taken, tmp_path):
        other = Place(tmp_path / "data", {"DATABASE": f"sqlite:///{tmp_path}/db"})
        status, said = other.trinco("restore", taken)
        assert (status, "the archive is of postgresql, and TRINCO_DATABASE says sqlite" in said) == (2, True)
