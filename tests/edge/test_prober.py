"""The promise as a whole: random updates, edges killed at random, and never a new id with an old body."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.edge.installation import LEAKS, Edge, Installation, installed, until
from tests.edge.prober import Prober

from trinco.edge.fence import LEASE

pytestmark = pytest.mark.filterwarnings(LEAKS)
DOMAINS = ("um.example", "dois.example")
LONGER_THAN_A_LEASE = LEASE + 3.0
FULL = ("kill",) * 6 + ("stop", "outage")


@dataclass
class Chaos:
    """Publishes at random and strikes at random. One edge at a time is down, so that somebody always answers; the next
    blow falls some `quiet` seconds after the last victim is back at work."""

    made: Installation
    prober: Prober
    dice: random.Random
    quiet: float
    kinds: tuple[str, ...]
    struck: Counter[str] = field(default_factory=Counter)
    versions: dict[str, int] = field(default_factory=lambda: dict.fromkeys(DOMAINS, 1))

    def __post_init__(self) -> None:
        self._moves = self._blows()
        self._due_at = 0.0

    def run(self, updates: int, pause: float) -> None:
        for _ in range(updates):
            self.publish()
            time.sleep(pause * 2 * self.dice.random())
            self._move()
        while not self.made.database.exists() or any(not edge.running or edge.stopped for edge in self.made.edges):
            self._move()
            time.sleep(0.05)

    def publish(self) -> None:
        name = self.dice.choice(DOMAINS)
        self.versions[name] += 1
        self.prober.focus = name
        self.prober.numbers[self.made.do("publish", name, self.versions[name])] = self.versions[name]

    def _move(self) -> None:
        if time.monotonic() >= self._due_at:
            self._due_at = time.monotonic() + next(self._moves)

    def _blows(self) -> Iterator[float]:
        """Each step gives the seconds until the next."""
        while True:
            yield 2 * self.quiet * self.dice.random()
            kind = self.dice.choice(self.kinds)
            self.struck[kind] += 1
            yield from getattr(self, f"_{kind}")(self.dice.choice(self.made.edges))

    def _kill(self, edge: Edge) -> Iterator[float]:
        edge.kill()
        yield 2 * self.dice.random()
        edge.start(wait=False)
        while not edge.ready:
            yield 0.0

    def _stop(self, edge: Edge) -> Iterator[float]:
        edge.signal(signal.SIGSTOP)
        yield LONGER_THAN_A_LEASE
        edge.signal(signal.SIGCONT)

    def _outage(self, _edge: Edge) -> Iterator[float]:
        """No edge finds the database, while the panel, which has it open, goes on publishing."""
        away = self.made.database.with_suffix(".away")
        self.made.database.rename(away)
        yield LONGER_THAN_A_LEASE
        away.rename(self.made.database)


@contextmanager
def probed(data: Path) -> Iterator[tuple[Installation, Prober]]:
    with installed(data, *DOMAINS, edges=2) as made:
        made.do("announce")
        for edge in made.edges:
            edge.start(wait=False)
        until(lambda: all(made.announced(name) for name in DOMAINS))
        prober = Prober(made, {made.do("current", name)[0]: 1 for name in DOMAINS})
        with prober:
            yield made, prober


def settled(made: Installation, chaos: Chaos) -> bool:
    """Everything is announced and served as it was last published, by both edges."""
    context = made.context()
    return all(made.announced(name) and edge.running for name in DOMAINS for edge in made.edges) and all(
        f"v{number}.{name}".encode() in (edge.body(name, context) or b"")
        for name, number in chaos.versions.items()
        for edge in made.edges
    )


def told(made: Installation) -> str:
    """What everybody says of how things stand, for a test that fails."""
    standings = {name: made.do("current", name) for name in DOMAINS}
    ids = {edge.name: [edge.policy_id(label) for label in made.labels.values()] for edge in made.edges}
    logs = "".join(f"\n--- {edge.name}\n{edge.say()}" for edge in made.edges)
    return f"{standings} {made.do('edges')} {ids}{logs}"


class TestProber:
    """RFC 8461 section 8.1, RELIABILITY 3: never a new id with an old body, whatever dies and when."""

    @pytest.mark.parametrize(
        ("updates", "pause", "quiet", "kinds"),
        [
            pytest.param(25, 0.2, 1.0, ("kill",), id="short"),
            pytest.param(500, 0.4, 3.0, FULL, id="full", marks=[pytest.mark.slow, pytest.mark.timeout(1800)]),
        ],
    )
    def test_no_id_is_ahead_of_a_body(self, tmp_path, updates, pause, quiet, kinds, record_property):
        with probed(tmp_path) as (made, prober):
            chaos = Chaos(made, prober, random.Random(updates), quiet, kinds)
            chaos.run(updates, pause)
            until(lambda: settled(made, chaos), lambda: told(made))
        report = {
            "updates": updates,
            "blows": dict(chaos.struck),
            "looks": prober.looks,
            "ids seen": prober.ids,
            "bodies seen": prober.bodies,
            "silences": prober.silences,
            "ids announced": len(prober.announced),
            "violations": len(prober.violations),
        }
        for name, value in report.items():
            record_property(name, value)
        print(report)
        assert (prober.violations, prober.faults) == ([], [])
        assert set(chaos.struck) == set(kinds)
        assert prober.bodies > prober.looks
        assert len(prober.announced) > len(DOMAINS)
