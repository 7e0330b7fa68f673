"""SQLite's tables: by its backup API, never a copy of the file alone, which lacks what is in the journal beside it."""

from __future__ import annotations

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import quote

from trinco.panel import files
from trinco.panel.backups.archive import Progress
from trinco.panel.backups.errors import BackupFailed, BackupRefused
from trinco.panel.backups.tables import Migrate
from trinco.panel.databases import database

PAGES: Final = 2_000
"""Copied at a time: some 8 MiB, then there is a moment to tell how far it is, and to stop."""
SECONDS: Final = 20.0
_BESIDE: Final = ("-wal", "-shm", "-journal")


class Tables:
    """See `tables.Tables`."""

    kind = "sqlite"
    member = "database.sqlite3"

    def __init__(self, url: str) -> None:
        self._path = Path(str(database(url)["NAME"])).absolute()

    def dump(self, target: Path, progress: Progress) -> tuple[str, ...]:
        """See `tables.Tables`. A read transaction holds the moment: who writes meanwhile neither waits nor disturbs."""
        with _connected(self._path) as source, _connected(target, "rwc") as copy:
            source.execute("BEGIN")
            migrations = _migrations(source)
            source.backup(copy, pages=PAGES, progress=lambda _status, left, total: progress(total - left, total))
            copy.execute("PRAGMA journal_mode=DELETE")  # all in one file
            _require_sound(copy)
        return migrations

    def empty(self) -> bool:
        """See `tables.Tables`."""
        if not self._path.exists():
            return True
        with _connected(self._path) as there:
            return not there.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]

    def load(self, source: Path, migrate: Migrate, progress: Progress) -> None:
        """See `tables.Tables`. All is done beside the database; one rename at the end puts it in place."""
        progress(0, 0)
        self._require_alone()
        beside = self._path.with_name(f"{self._path.name}.restoring")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        _remove(beside)
        try:
            shutil.move(source, beside)
            with _connected(beside) as loaded:
                _require_sound(loaded)
            migrate(f"sqlite:///{quote(str(beside))}")
            with _connected(beside) as loaded:
                loaded.execute("PRAGMA journal_mode=DELETE")
            self._replace(beside)
        finally:
            _remove(beside)

    def _replace(self, beside: Path) -> None:
        self._require_alone()  # and what the old one's journal held is in its file, so that nothing beside it is missed
        for ending in _BESIDE:
            self._path.with_name(self._path.name + ending).unlink(missing_ok=True)
        files.settle(beside, self._path)

    def _require_alone(self) -> None:
        """Raises BackupRefused while any process has the database open: it would go on with a file that is gone."""
        if not self._path.exists():
            return
        try:
            with _connected(self._path, seconds=1.0) as there:
                mode = there.execute("PRAGMA journal_mode=DELETE").fetchone()[0]
        except BackupFailed:
            mode = ""
        if mode != "delete":
            raise BackupRefused(f"somebody has {self._path} open: end the panel, the worker and the edges first")


@contextmanager
def _connected(path: Path, mode: str = "rw", seconds: float = SECONDS) -> Iterator[sqlite3.Connection]:
    """A connection, outside any transaction. Raises BackupFailed for what goes wrong with it."""
    try:
        address = f"file:{quote(str(path))}?mode={mode}"
        with closing(sqlite3.connect(address, uri=True, isolation_level=None, timeout=seconds)) as connection:
            yield connection
    except sqlite3.Error as error:
        raise BackupFailed(f"{path}: {error}") from error


def _migrations(connection: sqlite3.Connection) -> tuple[str, ...]:
    rows = connection.execute("SELECT app || '.' || name FROM django_migrations ORDER BY id")
    return tuple(name for (name,) in rows)


def _require_sound(connection: sqlite3.Connection) -> None:
    """Raises BackupFailed for a file that SQLite itself finds damaged."""
    found = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise BackupFailed(f"the tables are damaged: {found}")


def _remove(path: Path) -> None:
    for ending in ("", *_BESIDE):
        path.with_name(path.name + ending).unlink(missing_ok=True)
