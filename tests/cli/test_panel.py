"""`trinco panel` and `trinco worker` as the processes that they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from trinco.cli import panel, ports, worker

STOP_SECONDS = 30
"""Three times what is promised: other tests may keep the machine busy."""


def environment(data: Path, **settings: str) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "HOME": str(data / "home"),
        "TRINCO_DATA": str(data / "data"),
        **{f"TRINCO_{name}": value for name, value in settings.items()},
    }


@contextmanager
def running(data: Path, *arguments: str, **settings: str) -> Iterator[subprocess.Popen[str]]:
    """`trinco` with these arguments, which does not outlive the test."""
    (data / "home").mkdir(exist_ok=True)
    command = [sys.executable, "-W", "error::ResourceWarning", "-m", "trinco", *arguments]
    with subprocess.Popen(
        command, env=environment(data, **settings), stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def free_port() -> int:
    return ports.free([(ports.LOOPBACK, 0, ports.TCP)])


def ask(url: str, seconds: float = 60) -> tuple[int, str]:
    """Status and body, once somebody listens."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            with urllib.request.urlopen(url, timeout=60) as response:
                return response.status, response.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def stop(process: subprocess.Popen[str], number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
    """Exit status and standard error."""
    process.send_signal(number)
    _, err = process.communicate(timeout=STOP_SECONDS)
    return process.returncode, err


class TestPanel:
    """A graceful stop takes ten seconds at most; the panel is ready exactly when it can work."""

    def test_it_serves_and_ends(self, tmp_path):
        port = free_port()
        with running(tmp_path, "panel", "--migrate", PANEL_LISTEN=f"127.0.0.1:{port}") as process:
            assert ask(f"http://127.0.0.1:{port}/readyz") == (200, '{"status": "ready"}')
            status, page = ask(f"http://127.0.0.1:{port}/account/login/")
            assert (status, "password" in page) == (200, True)
            assert list((tmp_path / "home").rglob("*")) == []  # no control socket
            assert stop(process) == (0, "")

    def test_it_does_not_touch_the_tables_unasked(self, tmp_path):
        port = free_port()
        with running(tmp_path, "panel", PANEL_LISTEN=f"127.0.0.1:{port}") as process:
            assert ask(f"http://127.0.0.1:{port}/healthz") == (200, '{"status": "live"}')
            assert ask(f"http://127.0.0.1:{port}/readyz") == (503, '{"status": "migrations"}')
            assert stop(process, signal.SIGINT)[0] == 0

    def test_a_bad_setting_is_one_line(self, tmp_path):
        with running(tmp_path, "panel", PANEL_LISTEN="nowhere") as process:
            _, err = process.communicate(timeout=300)
        assert (process.returncode, err) == (
            2,
            "trinco: TRINCO_PANEL_LISTEN: wants ADDRESS:PORT, an IPv6 address in brackets\n",
        )

    def test_options(self):
        assert (panel.STOP_SECONDS < 4, panel.THREADS) == (True, 8)  # `trinco serve` waits for four


class TestWorker:
    @pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
    def test_it_ends_when_told(self, tmp_path, number):
        subprocess.run(
            [sys.executable, "-m", "django", "migrate", "--skip-checks", "-v0"],
            env={**environment(tmp_path), "DJANGO_SETTINGS_MODULE": "trinco.panel.settings"},
            check=True,
            timeout=100,
        )
        with running(tmp_path, "worker", RESOLVERS="127.0.0.1:9") as process:
            assert process.stderr is not None
            first = process.stderr.readline()
            assert first.split(" ", 1)[1] == f"info trinco.worker worker ready jobs={len(worker.JOBS)}\n"
            assert stop(process, number) == (0, "")
