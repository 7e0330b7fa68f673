"""A process that takes reports by both doors and is killed at random moments, as often as the promise says."""

from __future__ import annotations

import json
import os
import random
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.edge.installation import CLEAN, LEAKS, PATHS, until
from tests.edge.report_senders import Sender, by_https, by_mail
from tests.support_postgres import postgres

from trinco.cli import ports

pytestmark = pytest.mark.filterwarnings(LEAKS)
ADDRESS = "127.0.0.77"
"""Nobody's connections come from there, so that none takes the port of a door that is closed for a moment."""
NAMES = ("correio.example", "um.example")


@dataclass
class Driver:
    """The process whose lives are ended, and where its doors are."""

    process: subprocess.Popen[str]
    data: Path
    smtp: int
    https: int

    def do(self, deed: str, *arguments: Any) -> Any:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([deed, *arguments]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, (self.data / "driver.log").read_text()
        return json.loads(line)

    @property
    def spooled(self) -> list[str]:
        return [path.name for path in (self.data / "spool").rglob("*.*") if path.suffix != ".numbers"]

    def senders(self, labels: dict[str, str], pause: float = 0.01) -> list[Sender]:
        """Two by mail and two by HTTPS."""
        context = ssl.create_default_context(cafile=self.data / "ca.pem")
        ways = {"mail": by_mail(ADDRESS, self.smtp), "https": by_https(ADDRESS, self.https, context)}
        return [
            Sender(f"{way}{number}", name, labels[name], deliver, pause)
            for way, deliver in ways.items()
            for number, name in enumerate(NAMES)
        ]


@contextmanager
def driven(data: Path, **settings: str) -> Iterator[Driver]:
    wanted = [(ADDRESS, 0, ports.TCP), (ADDRESS, 0, ports.UDP)]
    smtp, https, dns = (ports.free(wanted) for _ in range(3))
    environment = CLEAN | {
        "PYTHONPATH": PATHS,
        "TRINCO_DATA": str(data),
        "TRINCO_PLAYGROUND": "on",
        "TRINCO_SMTP_LISTEN": f"{ADDRESS}:{smtp}",
        "TRINCO_POLICY_LISTEN": f"{ADDRESS}:{https}",
        "TRINCO_DNS_LISTEN": f"{ADDRESS}:{dns}",
        **settings,
    }
    command = [sys.executable, "-m", "tests.edge.reports_driver"]
    pipe = subprocess.PIPE
    with (
        (data / "driver.log").open("wb") as log,
        subprocess.Popen(
            command, env=environment, stdin=pipe, stdout=pipe, stderr=log, text=True, start_new_session=True
        ) as process,
    ):
        try:
            yield Driver(process, data, smtp, https)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


def outcome(driver: Driver, senders: list[Sender]) -> dict[str, Any]:
    """What became of it, once everything is over."""
    acknowledged = sorted(report_id for sender in senders for report_id in sender.acknowledged)
    counted = driver.do("count")
    print(
        f"{len(acknowledged)} acknowledged, {sum(sender.attempts for sender in senders)} sent, {counted['arrivals']} kept"
    )
    return {
        "lost": sorted(set(acknowledged) - set(counted["ids"])),
        "counted twice": len(counted["ids"]) - len(set(counted["ids"])) + counted["sessions"] - len(counted["ids"]),
        "never acknowledged": sorted(set(counted["ids"]) - set(acknowledged)),
        "copies": counted["copies"] - counted["arrivals"],
        "more than was sent": max(0, counted["arrivals"] - sum(sender.attempts for sender in senders)),
        "spooled": driver.spooled,
    }


GOOD = {
    "lost": [],
    "counted twice": 0,
    "never acknowledged": [],
    "copies": 0,
    "more than was sent": 0,
    "spooled": [],
}


def killed(driver: Driver, kills: int) -> list[Sender]:
    """Kill it that often while reports arrive, then let everything come to its end."""
    senders = driver.senders(driver.do("host", *NAMES))
    chance = random.Random(8460)
    for _ in range(kills):
        driver.do("start")
        time.sleep(chance.uniform(0.0, 0.3))
        driver.do("kill")
    driver.do("start")
    for sender in senders:
        sender.end()
    assert driver.do("stop") == 0
    return senders


class TestKilled:
    """RELIABILITY 3: "Accepted report is durable: 250/2xx only after fsync. 1,000 kill -9: lost 0, counted twice 0"."""

    def test_a_few_times(self, tmp_path):
        with driven(tmp_path) as driver:
            senders = killed(driver, 25)
            assert outcome(driver, senders) == GOOD
        assert all(len(sender.acknowledged) > 10 for sender in senders)

    @pytest.mark.slow
    @pytest.mark.timeout(1800)
    def test_a_thousand_times(self, tmp_path):
        with driven(tmp_path) as driver:
            assert outcome(driver, killed(driver, 1000)) == GOOD


class TestDatabaseAway:
    """RELIABILITY 3: "Database down: mail and HTTPS ingest keep accepting. Stop PostgreSQL 10 min under 20 reports/s,
    start, all there once"."""

    def test_a_file_that_is_not_there_for_a_moment(self, tmp_path):
        with driven(tmp_path) as driver:
            here, gone = tmp_path / "trinco.sqlite3", tmp_path / "away"
            assert outage(driver, lambda: driver.do("shelve", str(gone)), lambda: gone.rename(here), 1.5) == GOOD

    @pytest.mark.slow
    @pytest.mark.timeout(1800)
    def test_a_server_that_is_stopped_for_ten_minutes(self, tmp_path):
        with postgres() as database, driven(tmp_path, TRINCO_DATABASE=database.url) as driver:
            assert outage(driver, database.stop, database.start, 600) == GOOD


def outage(driver: Driver, stop: Callable[[], Any], start: Callable[[], Any], seconds: float) -> dict[str, Any]:
    """Both doors go on taking reports; the kill in the middle is for what a restart must find in the spool."""
    labels = driver.do("host", *NAMES)
    driver.do("start")
    senders = driver.senders(labels, pause=0.2)
    until(lambda: all(sender.acknowledged for sender in senders))
    stop()
    before = [len(sender.acknowledged) for sender in senders]
    time.sleep(seconds / 2)
    driver.do("kill")
    driver.do("start")
    time.sleep(seconds / 2)
    assert all(len(sender.acknowledged) > count for sender, count in zip(senders, before, strict=True))
    assert driver.spooled
    start()
    until(lambda: not driver.spooled)
    for sender in senders:
        sender.end()
    assert driver.do("stop") == 0
    return outcome(driver, senders)
