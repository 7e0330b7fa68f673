"""Real child processes: started again when they end, ended in order, never left behind."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from trinco.cli import supervisor
from trinco.cli.supervisor import Child, Program, supervise

SERVER = """
import os, signal, sys, time
name, journal = sys.argv[1:3]
def note(word):
    with open(journal, "a") as file:
        file.write(f"{word} {name} {os.getpid()}\\n")
def ended(*_):
    note("ended")
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if name == "stubborn" else ended)
print("hello from", name, flush=True)
note("started")  # after the line: whoever reads the note may end us
if name == "brief":
    sys.exit(3)
time.sleep(60)
"""


LEASHING = """
import os, subprocess, sys, time
leash = [sys.executable, "-m", "trinco.cli.leash", str(os.getpid())]
subprocess.Popen([*leash, "made_up_server", "first", sys.argv[1]], start_new_session=True)
time.sleep(60)
"""


@pytest.fixture
def journal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in which the made-up programs write what happens to them."""
    monkeypatch.setattr(supervisor, "PATIENCE", 60.0)  # a machine may be busy: nobody who ends by themselves is killed
    monkeypatch.setattr(supervisor, "STOP_SECONDS", 600.0)
    (tmp_path / "made_up_server.py").write_text(SERVER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), *filter(None, sys.path)]))
    return tmp_path / "journal"


def program(name: str, journal: Path) -> Program:
    return Program(name, "made_up_server", (name, str(journal)))


def notes(journal: Path) -> list[tuple[str, str]]:
    lines = journal.read_text().splitlines() if journal.exists() else []
    return [(word, name) for word, name, _pid in map(str.split, lines)]


def pids(journal: Path) -> list[int]:
    return [int(line.split()[2]) for line in journal.read_text().splitlines() if line.startswith("started")]


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # in between
        return True


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.02)


def run(programs: list[Program], until_true: Callable[[], bool]) -> list[tuple[str, str]]:
    """Supervise the programs, each a stage of its own, until something holds; gives what was said."""
    said: list[tuple[str, str]] = []

    async def all_of_it() -> None:
        stop = asyncio.Event()
        task = asyncio.create_task(supervise([[each] for each in programs], stop, lambda *line: said.append(line)))
        try:
            await until(until_true)
        finally:
            stop.set()
            await asyncio.wait_for(task, 60)

    asyncio.run(all_of_it())
    return said


class TestSupervise:
    def test_ends_the_programs_in_their_order(self, journal: Path) -> None:
        names = ["first", "second", "third"]
        run([program(name, journal) for name in names], lambda: len(notes(journal)) == 3)
        assert [name for word, name in notes(journal) if word == "ended"] == names

    def test_passes_on_each_line_under_the_name(self, journal: Path) -> None:
        said = run([program("first", journal)], lambda: len(notes(journal)) == 1)
        assert ("first", "hello from first") in said

    def test_starts_again_what_ended_and_says_so_once(self, journal: Path) -> None:
        said = run([program("brief", journal)], lambda: len(notes(journal)) == 2)
        assert ("trinco", "brief ended (exit 3); starting again in 0.5 s") in said

    def test_leaves_nobody_behind_when_one_does_not_want_to_end(
        self, journal: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        end = Child.end

        async def end_soon(child: Child, deadline: float) -> None:
            monkeypatch.setattr(supervisor, "PATIENCE", 0.3 if child.program.name == "stubborn" else 60.0)
            await end(child, deadline)

        monkeypatch.setattr(Child, "end", end_soon)
        run([program("stubborn", journal), program("willing", journal)], lambda: len(notes(journal)) == 2)
        assert [name for word, name in notes(journal) if word == "ended"] == ["willing"]
        assert all(is_gone(pid) for pid in pids(journal))

    def test_a_killed_program_is_named_with_its_signal(self, journal: Path) -> None:
        def killed_once() -> bool:
            started = pids(journal) if journal.exists() else []
            if len(started) == 1 and not is_gone(started[0]):
                os.kill(started[0], signal.SIGKILL)
            return len(started) == 2

        said = run([program("first", journal)], killed_once)
        assert ("trinco", "first ended (killed by SIGKILL); starting again in 0.5 s") in said


class TestChild:
    def test_has_a_process_while_it_runs(self, journal: Path) -> None:
        async def all_of_it() -> tuple[int | None, bool, int | None]:
            child = Child(program("first", journal), lambda _name, _line: None)
            before = child.pid
            task = asyncio.create_task(child.run())
            await until(lambda: len(notes(journal)) == 1 and child.pid is not None)
            running = child.pid == pids(journal)[0]
            await child.end(asyncio.get_running_loop().time() + 60)
            await asyncio.wait_for(task, 60)
            return before, running, child.pid

        assert asyncio.run(all_of_it()) == (None, True, None)


class TestLeash:
    """A supervisor that is killed outright takes its programs with it (prctl(2), PR_SET_PDEATHSIG)."""

    def test_a_program_ends_with_its_supervisor(self, journal: Path) -> None:
        supervisor = subprocess.Popen([sys.executable, "-c", LEASHING, str(journal)])
        self.wait(lambda: notes(journal) == [("started", "first")])
        supervisor.kill()
        supervisor.wait(60)
        self.wait(lambda: notes(journal)[-1:] == [("ended", "first")])

    @staticmethod
    def wait(true: Callable[[], bool]) -> None:
        deadline = time.monotonic() + 60
        while not true():
            assert time.monotonic() < deadline
            time.sleep(0.05)
