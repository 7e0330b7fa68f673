"""A pool of transactions between: PgBouncer with one connection for all."""

from __future__ import annotations

import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from tests.support import needs
from tests.support_postgres import Postgres, postgres

from trinco.panel import wall
from trinco.panel.postgresql.base import Cursor

CONFIGURED = """[databases]
postgres = host={directory} user=trinco pool_size={size}
[pgbouncer]
unix_socket_dir = {directory}
listen_port = 6432
pool_mode = transaction
auth_type = any
"""
WHO = "SELECT current_user || ' ' || coalesce(current_setting('trinco.organisations', true), '')"


@pytest.fixture(scope="module")
def pool() -> Iterator[str]:
    """What leads through the pool."""
    program = needs("pgbouncer")
    with postgres() as server:
        process = started(program, server)
        try:
            with connected(address := f"postgresql://trinco@/postgres?host={server.directory}&port=6432") as connection:
                connection.execute(f"CREATE ROLE {wall.ROLE} NOLOGIN")
            yield address
        finally:
            process.terminate()
            process.wait(60)


def started(program: str, server: Postgres, size: int = 1) -> subprocess.Popen[bytes]:
    settings = server.directory / "pgbouncer.ini"
    settings.write_text(CONFIGURED.format(directory=server.directory, size=size))
    if server.user:
        shutil.chown(settings, server.user)
    with (server.directory / "pool.log").open("wb") as log:
        process = subprocess.Popen([program, "-q", str(settings)], stdout=log, stderr=log, user=server.user)
    deadline = time.monotonic() + 60
    while not Path(server.directory, ".s.PGSQL.6432").exists():
        assert process.poll() is None, (server.directory / "pool.log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return process


def connected(address: str) -> psycopg.Connection[tuple[str]]:
    """As the panel connects: each statement a transaction of its own."""
    return psycopg.connect(address, autocommit=True, cursor_factory=Cursor)


def heard(address: str, key: int | None, found: dict[int | None, set[str]]) -> None:
    """What PostgreSQL takes a client for, in 200 statements; every third pair is one transaction."""
    with connected(address) as connection, wall.within([key]) if key else wall.lifted():
        for turn in range(100):
            if turn % 3:
                found[key].update(row[0] for _ in range(2) for row in connection.execute(WHO))
            else:
                with connection.transaction():
                    found[key].update(row[0] for _ in range(2) for row in connection.execute(WHO))


class TestPool:
    """RELIABILITY 5.15: under a pooler, one connection is reused by two tenants."""

    def test_each_is_taken_for_itself(self, pool: str) -> None:
        found: dict[int | None, set[str]] = {7: set(), 8: set(), None: set()}
        threads = [threading.Thread(target=heard, args=(pool, key, found)) for key in found]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert found == {7: {f"{wall.ROLE} 7"}, 8: {f"{wall.ROLE} 8"}, None: {"trinco "}}
