"""The senders of TLS reports beside the town, and what became of what they sent."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from typing import Any

from tests.chaos.town import Town

_PATIENCE = 180.0
"""Seconds: a worker that is killed keeps what it had in hand for two minutes."""


class Sending:
    """Senders at work (`sending`), until `end`."""

    def __init__(self, town: Town) -> None:
        self._town = town
        command = [sys.executable, "-m", "tests.chaos.sending", str(town.described())]
        with (town.data / "sending.log").open("wb") as log:
            self._process = subprocess.Popen(command, env=town.usual, stdout=subprocess.PIPE, stderr=log, text=True)

    def end(self) -> dict[str, Any]:
        """Which reports were acknowledged, and how often one was sent."""
        self._process.terminate()
        said, _ = self._process.communicate(timeout=_PATIENCE)
        assert said, (self._town.data / "sending.log").read_text()
        found: dict[str, Any] = json.loads(said)
        return found


def judged(town: Town, sent: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """What is wrong with what the tables hold, once the spools are empty and all is digested; and how much there was."""
    acknowledged, held = set(sent["acknowledged"]), _at_rest(town, set(sent["acknowledged"]))
    found = {
        "accepted reports that are lost": sorted(acknowledged - set(held["ids"])),
        "reports that are counted twice": sorted({each for each in held["ids"] if held["ids"].count(each) > 1}),
        "sessions that are counted twice": held["sessions"] - len(held["ids"]),
        "arrivals that are no report": held["arrivals"] - held["copies"],
        "more arrivals than tries": max(0, held["arrivals"] - sent["attempts"]),
        "left in a spool": spooled(town),
        "parked": held["parked"],
    }
    counts = {"reports acknowledged": len(acknowledged), "reports sent": sent["attempts"], "arrivals": held["arrivals"]}
    return [f"{what}: {value}" for what, value in found.items() if value], counts


def _at_rest(town: Town, acknowledged: set[str]) -> dict[str, Any]:
    deadline = time.monotonic() + _PATIENCE
    while True:
        held: dict[str, Any] = town.do("reports")
        digested = acknowledged <= set(held["ids"]) and held["copies"] == held["arrivals"]
        if (digested and not spooled(town)) or time.monotonic() > deadline:
            return held
        time.sleep(0.5)


def spooled(town: Town) -> list[str]:
    """The files that no carrier has brought in."""
    spools = (town.data / "edge").glob("*/spool/**/*.*")
    return [str(path.relative_to(town.data)) for path in spools if path.suffix != ".numbers"]
