"""Two `trinco migrate` at once, as two containers that start together do."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.panel.test_wall_pool import started
from tests.support import needs
from tests.support_backup import Place
from tests.support_postgres import postgres

from trinco.panel.alone import WAITS

DONE = "The tables are up to date: "
NOTHING = f"{DONE}nothing to do\n"
HOLDER = """
import time
from trinco.cli import orm
from trinco.panel.alone import alone
with alone():
    print("held", flush=True)
    time.sleep(600)
"""


def line(process: subprocess.Popen[str]) -> str:
    """What it says next."""
    assert process.stdout
    return process.stdout.readline()


@contextmanager
def held(place: Place) -> Iterator[None]:
    """As another one holds it, on SQLite."""
    place.data.mkdir(exist_ok=True)
    descriptor = os.open(place.data, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


@pytest.fixture
def url() -> Iterator[str]:
    """PostgreSQL behind a pool of transactions."""
    program = needs("pgbouncer")
    with postgres() as server:
        process = started(program, server, size=2)
        try:
            yield f"postgresql://trinco@/postgres?host={server.directory}&port=6432"
        finally:
            process.terminate()
            process.wait(20)


class TestSqlite:
    """The second waits for the first, says so in one line, and then finds nothing to do."""

    def test_both_end_well(self, tmp_path: Path) -> None:
        place = Place(tmp_path / "data")
        place.data.mkdir()
        both = [place.start("migrate") for _ in range(2)]
        said = sorted(process.communicate(timeout=120)[0] for process in both)
        assert [process.returncode for process in both] == [0, 0], said
        assert [each.removeprefix(WAITS) == NOTHING for each in said].count(True) == 1, said
        assert [each.removeprefix(WAITS).startswith(DONE) for each in said] == [True, True], said

    def test_who_waits_can_be_interrupted(self, tmp_path: Path) -> None:
        place = Place(tmp_path / "data")
        with held(place):
            process = place.start("migrate")
            assert line(process) == WAITS
            process.send_signal(signal.SIGINT)
            said, _ = process.communicate(timeout=120)
        assert process.returncode not in (None, 0)
        assert "Traceback" not in said
        assert not place.database.exists() or place.rows("SELECT name FROM sqlite_master") == []


class TestPostgresql:
    """The same, also through a pool of transactions, where no session is one's own; and a kill frees it."""

    def test_who_waits_goes_on_when_the_holder_is_killed(self, tmp_path: Path, url: str) -> None:
        place = Place(tmp_path / "data", {"DATABASE": url})
        place.data.mkdir()
        command = [sys.executable, "-c", HOLDER]
        with subprocess.Popen(command, env=place.environment, stdout=subprocess.PIPE, text=True) as holder:
            assert line(holder) == "held\n"
            waiting = place.start("migrate")
            assert line(waiting) == WAITS
            holder.kill()
        assert waiting.communicate(timeout=120)[0].startswith(DONE)
        assert waiting.returncode == 0
        assert place.trinco("migrate") == (0, NOTHING)
