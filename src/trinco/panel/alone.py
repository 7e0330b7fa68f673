"""One process at a time brings the tables up to date: whoever comes second waits, and finds nothing left to do.

On PostgreSQL it is an advisory lock of a transaction that stays open meanwhile on a connection of its own: a lock of
the session would be lost, or left behind, in a pool of transactions. It is asked for again and again, since a
transaction that waits for a lock holds a snapshot, which others then wait for. On SQLite it is the folder of the
tables. Neither outlives its holder, however that one ends.
"""

from __future__ import annotations

import fcntl
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from django.db import DEFAULT_DB_ALIAS, connection, connections

PAUSE: Final = 0.2
"""Seconds until it is asked for again."""
KEY: Final = int.from_bytes(b"trincomi")
"""Of the advisory lock: a number that nobody else takes in this database."""
_OPEN = (
    "SET LOCAL idle_in_transaction_session_timeout = 0",
    # A holder whose machine vanished is noticed within half a minute, and not within hours.
    "SET LOCAL tcp_keepalives_idle = 10",
    "SET LOCAL tcp_keepalives_interval = 5",
    "SET LOCAL tcp_keepalives_count = 3",
)
WAITS: Final = "Another process brings the tables up to date: waiting until it is done\n"
Lock = Callable[[], bool]
"""Takes it, if it is free."""


@contextmanager
def alone() -> Iterator[None]:
    """Hold the lock; wait for it, and say so, while another process has it. Raises DatabaseError, OSError."""
    with _database() if connection.vendor == "postgresql" else _folder() as take:
        told = False
        while not take():
            if not told:
                sys.stderr.write(WAITS)
                sys.stderr.flush()
            told = True
            time.sleep(PAUSE)
        yield


@contextmanager
def _database() -> Iterator[Lock]:
    own = connections.create_connection(DEFAULT_DB_ALIAS)
    own.set_autocommit(False)

    def take() -> bool:
        with own.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [KEY])
            taken = bool(cursor.fetchone()[0])
            for statement in _OPEN if taken else ():
                cursor.execute(statement)
        if not taken:
            own.rollback()
        return taken

    try:
        yield take
    finally:
        own.close()


@contextmanager
def _folder() -> Iterator[Lock]:
    """Tables in memory are nobody else's."""
    name = str(connection.settings_dict["NAME"])
    if ":memory:" in name or name.startswith("file:"):
        yield lambda: True
        return
    descriptor = os.open(Path(name).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield lambda: _flocked(descriptor)
    finally:
        os.close(descriptor)


def _flocked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
