"""One run: the town, the load, the faults of a plan, and what the checker has to say about it."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.chaos import outside, reports
from tests.chaos.faults import Chaos
from tests.chaos.plan import KINDS, Fault, drawn
from tests.chaos.town import NAMES, Town, built, until
from tests.edge.installation import CLEAN, PATHS


@dataclass
class Outcome:
    """What a run found. Good is one without violations."""

    seed: int
    plan: Sequence[Fault]
    seconds: float
    violations: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    counts: dict[str, Any] = field(default_factory=dict)

    def told(self) -> str:
        kinds = Counter(fault.kind for fault in self.plan)
        lines = [f"seed {self.seed}: {len(self.plan)} faults in {self.seconds:.0f} s: {dict(sorted(kinds.items()))}"]
        lines += [f"  {name}: {value}" for name, value in self.counts.items()]
        lines += [f"note: {note}" for note in self.notes]
        lines += [f"VIOLATION: {each}" for each in self.violations]
        return "\n".join([*lines, f"violations: {len(self.violations)}"])


class Publishing:
    """Tenants who change their policies all the time."""

    def __init__(self, town: Town, dice: random.Random) -> None:
        self.numbers = dict.fromkeys(NAMES, 0)
        self._town, self._dice = town, dice
        self._enough = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._enough.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._enough.is_set():
            name = self._dice.choice(NAMES)
            self.numbers[name] += 1
            self._town.do("publish", name, self.numbers[name])
            self._enough.wait(self._dice.choice((0.0, 0.3, 1.0, 2.0)))


@contextmanager
def checked(town: Town, outcome: Outcome) -> Iterator[None]:
    """The checker looks while the block runs; what it found is in the outcome afterwards."""
    environment = CLEAN | {"PYTHONPATH": PATHS}
    command = [sys.executable, "-m", "tests.chaos.checker", str(town.described())]
    with (town.data / "checker.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(60)
        tally = json.loads((town.data / "tally.json").read_text())
        outcome.violations += tally["violations"]
        outcome.counts |= tally["counts"] | {f"longest silence, {kind}": s for kind, s in tally["longest"].items()}
        log_said = (town.data / "checker.log").read_text()
        outcome.violations += [f"the checker said: {log_said}"] if log_said else []


def run(data: Path, seed: int, seconds: float, say: Callable[[str], None], kinds: Sequence[str] = ()) -> Outcome:
    """Raises AssertionError when the town does not even start."""
    outcome = Outcome(seed, drawn(seed, seconds, kinds or tuple(KINDS)), seconds)
    with built(data) as town:
        until(lambda: outside.agreed(town), lambda: outside.disagreement(town))
        say(f"the town is there: {data}")
        with checked(town, outcome):
            chaos = Chaos(town, outcome.plan, say)
            publishing, sending = Publishing(town, random.Random(seed)), reports.Sending(town)
            chaos.run(seconds)
            publishing.end()
            _recovered(town, outcome)
            wrong, counts = reports.judged(town, sending.end())
            chaos.end()
        outcome.violations += wrong
        outcome.counts |= counts
        outcome.violations += chaos.problems
        outcome.notes += chaos.ended
        outcome.counts["policies published"] = sum(publishing.numbers.values())
    return outcome


def _recovered(town: Town, outcome: Outcome) -> None:
    """Unaided, once nothing goes wrong any more."""
    began = time.monotonic()
    try:
        until(lambda: outside.agreed(town), lambda: outside.disagreement(town))
    except AssertionError as error:
        outcome.violations.append(f"not everybody came back: {error}")
    outcome.counts["seconds until all agreed again"] = round(time.monotonic() - began, 1)
