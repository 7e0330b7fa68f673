"""`trinco keys rotate` is killed again and again, and loses nothing."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from trinco.panel.seal import Seal, written

ORDERS = 200
FILL = f"""
import django; django.setup()
from django.utils import timezone
from trinco.panel.certificates.account import Account
from trinco.panel import keyring
from trinco.panel.certificates.models import Order
place, now = Account.objects.create(directory="https://ca.example/dir"), timezone.now()
rows = [
    Order(account=place, host=f"h{{n}}", names=[], sealed_key=keyring.current().seal(b"key %d" % n, f"h{{n}}"), csr=b"x",
          created_at=now, stage_at=now, step_at=now)
    for n in range({ORDERS})
]
Order.objects.everywhere().bulk_create(rows)
"""


class Place:
    """An installation of its own, with orders whose keys rest sealed."""

    def __init__(self, data: Path) -> None:
        self.data = data
        ours = {key: value for key, value in os.environ.items() if not key.startswith(("TRINCO_", "DJANGO_"))}
        self.environment = {**ours, "TRINCO_DATA": str(data), "TRINCO_LOG": "error"}
        self.run("-m", "trinco", "migrate")
        self.run("-c", FILL, DJANGO_SETTINGS_MODULE="trinco.panel.settings")

    def run(self, *arguments: str, **more: str) -> str:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, env={**self.environment, **more}, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def keys(self, *arguments: str) -> str:
        return self.run("-m", "trinco", "keys", *arguments)

    def sealed(self) -> dict[str, bytes]:
        with sqlite3.connect(f"file:{self.data}/trinco.sqlite3?mode=ro", uri=True, timeout=300) as tables:
            return dict(tables.execute("select host, sealed_key from certificates_order"))

    def under_the_first(self) -> int:
        seal = Seal.of((self.data / "secrets" / "seal_key").read_text())
        return sum(seal.foremost(value, host) for host, value in self.sealed().items())

    def opened(self) -> dict[str, bytes]:
        seal = Seal.of((self.data / "secrets" / "seal_key").read_text())
        return {host: seal.open(value, host) for host, value in self.sealed().items()}

    def killed_after(self, count: int) -> None:
        """Rotate, and SIGKILL once so many values rest under the new key."""
        command = [sys.executable, "-m", "trinco", "keys", "rotate"]
        process = subprocess.Popen(command, env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while process.poll() is None and time.monotonic() < deadline:
            if "+" not in (self.data / "secrets" / "seal_key").read_text() and self.under_the_first() >= count:
                process.send_signal(signal.SIGKILL)
            time.sleep(0.002)
        assert process.wait(60) == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_killed_five_times(tmp_path):
    """Every value opens with the keys of the file after every kill, and the old key can go in the end."""
    place = Place(tmp_path)
    plain = {f"h{number}": b"key %d" % number for number in range(ORDERS)}
    assert "waits" in place.keys("new")
    for count in (1, 20, 60, 100, 140):
        place.killed_after(count)
        assert place.opened() == plain
        assert place.under_the_first() < ORDERS
    assert "values were sealed anew" in place.keys("rotate")
    assert "1 old keys are gone." in place.keys("retire")
    assert len(written((tmp_path / "secrets" / "seal_key").read_text())) == 1
    assert place.opened() == plain
