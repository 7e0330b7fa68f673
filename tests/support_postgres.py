"""A PostgreSQL server of our own: unix socket, no network, gone after the tests."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support import needs

HERE = Path(__file__).parent

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "40",
    "shared_buffers": "32MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
}


@dataclass
class Postgres:
    """A server that can be stopped, and started again with what it had."""

    binary: Path
    directory: Path
    user: str | None
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"postgresql://trinco@/postgres?host={self.directory}"

    def start(self) -> None:
        command = [str(self.binary), "-D", str(self.directory / "data"), "-k", str(self.directory)]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, user=self.user)
        _wait(self.binary.with_name("pg_isready"), self.directory, self.process)

    def stop(self) -> None:
        """Whoever is connected is thrown out (fast shutdown)."""
        if self.process is not None:
            self.process.send_signal(signal.SIGINT)
            self.process.wait(60)


@contextmanager
def postgres() -> Iterator[Postgres]:
    """A server that is started. Skips by name where PostgreSQL is not installed."""
    binary = Path(needs("postgres")).resolve()
    directory = Path(tempfile.mkdtemp(prefix="trinco-pg-"))
    made = Postgres(binary, directory, _unprivileged(directory))
    try:
        _initialised(binary.with_name("initdb"), directory / "data", made.user)
        try:
            made.start()
            yield made
        finally:
            made.stop()
    finally:
        shutil.rmtree(directory, ignore_errors=True)


@contextmanager
def server() -> Iterator[str]:
    """The URL of a server that is started."""
    with postgres() as made:
        yield made.url


def holds_again(room: str, names: Sequence[str]) -> None:
    """The tests of these files pass, on a server of their own. One list to a file, so that two workers share them."""
    with server() as url:
        usual = ["-m", "pytest", "-q", "-p", "no:xdist", "-m", "not slow"]
        command = [sys.executable, *usual, *[str(HERE / room / name) for name in names]]
        ours = ("TRINCO_", "DJANGO_", "PYTEST_")  # set for this process, and not for the one below
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment["TESTS_DATABASE"] = url
        done = subprocess.run(
            command, cwd=HERE.parent, env=environment, capture_output=True, text=True, check=False, timeout=1100
        )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout


def _unprivileged(directory: Path) -> str | None:
    """PostgreSQL does not run as root: who else, and theirs is the directory."""
    if os.geteuid() != 0:
        return None
    shutil.chown(directory, "postgres")
    return "postgres"


def _initialised(initdb: Path, data: Path, user: str | None) -> None:
    command = [str(initdb), "-D", str(data), "-A", "trust", "-U", "trinco", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    subprocess.run(command, check=True, capture_output=True, user=user, timeout=300)


def _wait(pg_isready: Path, directory: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while subprocess.run([str(pg_isready), "-q", "-h", str(directory)], check=False, timeout=300).returncode:
        assert process.poll() is None, (directory / "log").read_text()
        assert time.monotonic() < deadline, (directory / "log").read_text()
        time.sleep(0.05)
