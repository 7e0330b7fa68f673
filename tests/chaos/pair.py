"""PostgreSQL with a standby that holds every commit before it is acknowledged, and takes over when the first is killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support import needs

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "80",
    "shared_buffers": "32MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "on",
    "autovacuum": "off",
    "wal_level": "replica",
    "max_wal_senders": "8",
    "wal_keep_size": "256MB",
}
_PATIENCE = 60.0


@dataclass
class Server:
    """One server, with a directory of its own. `environment`: beside the usual."""

    binary: Path
    directory: Path
    user: str | None
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self.directory / "data"

    @property
    def socket(self) -> Path:
        return self.directory / ".s.PGSQL.5432"

    def run(self, program: str, *arguments: str) -> str:
        """What a program of PostgreSQL says. Raises CalledProcessError."""
        command = [str(self.binary.with_name(program)), *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, user=self.user, timeout=_PATIENCE)
        return done.stdout.strip()

    def ask(self, statement: str) -> str:
        return self.run("psql", "-h", str(self.directory), "-U", "trinco", "-d", "postgres", "-Atqc", statement)

    def start(self) -> None:
        command = [str(self.binary), "-D", str(self.data), "-k", str(self.directory)]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        environment = {**os.environ, **self.environment}
        with (self.directory / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, user=self.user, env=environment)
        self.until(lambda: self.ask("SELECT 1") == "1")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)

    def stop(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(20)

    def until(self, holds) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                if holds():
                    return
            except subprocess.CalledProcessError:
                assert self.process is None or self.process.poll() is None, (self.directory / "log").read_text()
            assert time.monotonic() < deadline, (self.directory / "log").read_text()
            time.sleep(0.05)


@dataclass
class Pair:
    """The server that takes writes, and the one that follows."""

    home: Path
    first: Server
    standby: Server | None = None
    lives: int = 1

    def follow(self) -> None:
        """Give the first server a standby, which every commit waits for from now on."""
        self.lives += 1
        standby = _server(self.home, self.lives, self.first.environment)
        copy = ["-h", str(self.first.directory), "-U", "trinco", "-D", str(standby.data), "-R", "-X", "stream"]
        standby.run("pg_basebackup", *copy, "-c", "fast")
        with (standby.data / "postgresql.auto.conf").open("a") as conf:
            conf.write("synchronous_standby_names = ''\n")
        standby.start()
        self.first.until(
            lambda: self.first.ask("SELECT count(*) FROM pg_stat_replication WHERE state='streaming'") == "1"
        )
        self.first.ask("ALTER SYSTEM SET synchronous_standby_names = '*'")
        self.first.ask("SELECT pg_reload_conf()")
        self.first.until(lambda: self.first.ask("SELECT sync_state FROM pg_stat_replication") == "sync")
        self.standby = standby

    def promote(self) -> Server:
        """The first is killed, the standby takes over, alone for now."""
        assert self.standby is not None
        self.first.kill()
        new, self.standby = self.standby, None
        new.run("pg_ctl", "promote", "-D", str(new.data), "-w")
        shutil.rmtree(self.first.data, ignore_errors=True)
        self.first = new
        return new


def _server(home: Path, number: int, environment: dict[str, str]) -> Server:
    binary = Path(needs("postgres")).resolve()
    directory = home / str(number)
    directory.mkdir()
    user = "postgres" if os.geteuid() == 0 else None
    if user:
        shutil.chown(directory, user)
    return Server(binary, directory, user, environment)


@contextmanager
def running(environment: dict[str, str]) -> Iterator[Pair]:
    """A pair that runs. `environment`: of the servers, beside the usual."""
    home = Path(tempfile.mkdtemp(prefix="trinco-pair-"))
    home.chmod(0o755)
    first = _server(home, 1, environment)
    made = Pair(home, first)
    try:
        first.run(
            "initdb", "-D", str(first.data), "-A", "trust", "-U", "trinco", "-E", "UTF8", "--locale=C.UTF-8", "-N"
        )
        first.start()
        yield made
    finally:
        for server in (made.standby, made.first):
            if server is not None:
                server.stop()
        shutil.rmtree(home, ignore_errors=True)
