"""PostgreSQL's tables: by pg_dump, and back by pg_restore and psql in one transaction.

The programs are those of PostgreSQL and must be as new as the server, or newer. They are told the server and the name
on their command lines, the password in their environments.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

from trinco.panel.backups.archive import Progress
from trinco.panel.backups.errors import BackupFailed, BackupRefused
from trinco.panel.backups.tables import Migrate
from trinco.panel.databases import database

if importlib.util.find_spec("psycopg") is None:
    raise BackupRefused("TRINCO_DATABASE is PostgreSQL's, and psycopg is not installed: pip install 'trinco[postgres]'")

import psycopg
from psycopg import conninfo, sql

_LOOK: Final = 0.2
_CHUNK: Final = 1 << 20
_OURS: Final = """
    SELECT tablename FROM pg_tables WHERE schemaname = current_schema() AND (starts_with(tablename, 'django_')
    OR EXISTS (SELECT FROM django_migrations WHERE starts_with(tablename, app || '_'))) ORDER BY tablename
"""
"""The tables of the applications that have been migrated here: what else is in the database is not ours."""


class Tables:
    """See `tables.Tables`."""

    kind = "postgresql"
    member = "database.pgdump"

    def __init__(self, url: str) -> None:
        settings = database(url)
        named = {"dbname": "NAME", "user": "USER", "host": "HOST", "port": "PORT"}
        parameters = {name: settings[key] for name, key in named.items() if settings[key]} | settings["OPTIONS"]
        self._conninfo = conninfo.make_conninfo(**parameters)
        self._password = str(settings["PASSWORD"])
        self._url = url

    def dump(self, target: Path, progress: Progress) -> tuple[str, ...]:
        """See `tables.Tables`. A transaction exports its snapshot, and pg_dump sees what it sees."""
        program = _program("pg_dump")
        with self._connected() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            (snapshot,) = connection.execute("SELECT pg_export_snapshot()").fetchone() or ("",)
            names = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY id").fetchall()
            command = [
                program,
                "--format=custom",
                "--no-owner",
                "--no-privileges",
                f"--snapshot={snapshot}",
                f"--file={target}",
            ]
            with self._running([*command, f"--dbname={self._conninfo}"]) as running:
                while running.poll() is None:
                    progress(target.stat().st_size if target.exists() else 0, 0)
                    time.sleep(_LOOK)
        return tuple(name for (name,) in names)

    def empty(self) -> bool:
        """See `tables.Tables`."""
        with self._connected() as connection:
            return not _ours(connection)

    def load(self, source: Path, migrate: Migrate, progress: Progress) -> None:
        """See `tables.Tables`. The last line that psql gets is COMMIT, and it gets it when all went well."""
        psql = [_program("psql"), "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--output=/dev/null"]
        restore = [_program("pg_restore"), "--no-owner", "--clean", "--if-exists", "--file=-", str(source)]
        with self._running([*psql, f"--dbname={self._conninfo}"], stdin=subprocess.PIPE) as taking:
            _write(taking, f"BEGIN;\n{self._drops()}".encode())
            with self._running(restore, stdout=subprocess.PIPE) as giving:
                _pump(giving, taking, progress)
            _write(taking, b"COMMIT;\n")
        migrate(self._url)

    def _drops(self) -> str:
        """Statements that take away all of ours that is there, also what a later Trinco has made."""
        with self._connected() as connection:
            drops = [sql.SQL("DROP TABLE {} CASCADE;\n").format(sql.Identifier(name)) for name in _ours(connection)]
            return sql.Composed(drops).as_string(connection)

    @contextmanager
    def _connected(self) -> Iterator[psycopg.Connection[Any]]:
        """A connection, outside any transaction. Raises BackupFailed for what goes wrong with it."""
        try:
            with closing(psycopg.connect(self._conninfo, password=self._password, autocommit=True)) as connection:
                yield connection
        except psycopg.Error as error:
            raise BackupFailed(f"the database: {str(error).strip()}") from error

    @contextmanager
    def _running(self, command: Sequence[str], **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
        """A program of PostgreSQL. Raises BackupFailed with what it says when it fails; it ends with the block."""
        environment = os.environ | ({"PGPASSWORD": self._password} if self._password else {})
        with tempfile.TemporaryFile() as said:
            streams |= {"stderr": said, "env": environment, "start_new_session": True, "bufsize": 0}
            with subprocess.Popen(command, **streams) as process:  # noqa: S603 - programs of PostgreSQL, no shell
                try:
                    yield process
                except BrokenPipeError:
                    if process.stdin is None:
                        process.kill()
                        raise
                except BaseException:
                    process.kill()
                    raise
            if process.returncode:
                said.seek(0)
                raise BackupFailed(f"{Path(command[0]).name}: {said.read().decode(errors='replace').strip()}")


def _ours(connection: psycopg.Connection[Any]) -> list[str]:
    if connection.execute("SELECT to_regclass('django_migrations')").fetchone() == (None,):
        return []
    return [name for (name,) in connection.execute(_OURS)]


def _pump(giving: subprocess.Popen[bytes], taking: subprocess.Popen[bytes], progress: Progress) -> None:
    assert giving.stdout is not None
    octets = 0
    while chunk := giving.stdout.read(_CHUNK):
        _write(taking, chunk)
        octets += len(chunk)
        progress(octets, 0)


def _write(taking: subprocess.Popen[bytes], content: bytes) -> None:
    """All of it. Raises BrokenPipeError when the program has ended."""
    assert taking.stdin is not None
    left = memoryview(content)
    while left:
        left = left[os.write(taking.stdin.fileno(), left) :]


def _program(name: str) -> str:
    """The path of a program. Raises BackupRefused."""
    path = shutil.which(name)
    if path is None:
        raise BackupRefused(f"{name} is not here: install PostgreSQL's client programs (Debian: postgresql-client)")
    return path
