"""A PostgreSQL server of our own: unix socket, no network, gone after the tests."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import needs

_SETTINGS = {
    "listen_addresses": "",
    "max_connections": "40",
    "shared_buffers": "32MB",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
}


@contextmanager
def server() -> Iterator[str]:
    """The server's URL. Skips by name where PostgreSQL is not installed."""
    binary = Path(needs("postgres")).resolve()
    directory = Path(tempfile.mkdtemp(prefix="trinco-pg-"))
    user = _unprivileged(directory)
    try:
        _initialised(binary.with_name("initdb"), directory / "data", user)
        command = [str(binary), "-D", str(directory / "data"), "-k", str(directory)]
        for name, value in _SETTINGS.items():
            command += ["-c", f"{name}={value}"]
        with (directory / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, user=user)
        try:
            _wait(binary.with_name("pg_isready"), directory, process)
            yield f"postgresql://trinco@/postgres?host={directory}"
        finally:
            process.terminate()
            process.wait(20)
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _unprivileged(directory: Path) -> str | None:
    """PostgreSQL does not run as root: who else, and theirs is the directory."""
    if os.geteuid() != 0:
        return None
    shutil.chown(directory, "postgres")
    return "postgres"


def _initialised(initdb: Path, data: Path, user: str | None) -> None:
    command = [str(initdb), "-D", str(data), "-A", "trust", "-U", "trinco", "-E", "UTF8", "--locale=C.UTF-8", "-N"]
    subprocess.run(command, check=True, capture_output=True, user=user, timeout=60)


def _wait(pg_isready: Path, directory: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while subprocess.run([str(pg_isready), "-q", "-h", str(directory)], check=False, timeout=10).returncode:
        assert process.poll() is None, (directory / "log").read_text()
        assert time.monotonic() < deadline, (directory / "log").read_text()
        time.sleep(0.05)
