"""An edge that is cut off from the database alone, while the others announce one policy after the other."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.edge.installation import LEAKS, Edge, Installation, installed, until
from tests.edge.prober import Prober
from tests.edge.relay import Relay
from tests.support_postgres import postgres

from trinco.edge.fence import LEASE, MOMENT

pytestmark = [pytest.mark.filterwarnings(LEAKS), pytest.mark.slow, pytest.mark.timeout(1800)]
NAME = "um.example"
ROUNDS = 20


@dataclass
class Cut:
    """An installation, and the way of its first edge to the database."""

    made: Installation
    cut: Callable[[], None]
    mend: Callable[[], None]


@contextmanager
def on_sqlite(data: Path) -> Iterator[Cut]:
    """The first edge knows the database by a path that can be taken away."""
    way = data / "way"
    with installed(data, NAME) as made:
        way.symlink_to(data)
        made.edges[0].environment["TRINCO_DATABASE"] = f"sqlite:///{way / 'trinco.sqlite3'}"
        yield Cut(made, way.unlink, lambda: way.symlink_to(data))


@contextmanager
def on_postgresql(data: Path, how: str) -> Iterator[Cut]:
    with postgres() as server:
        relay = Relay(server.directory / ".s.PGSQL.5432")
        with relay.running(), installed(data, NAME, database=server.url) as made:
            made.edges[0].environment["TRINCO_DATABASE"] = f"postgresql://trinco@127.0.0.1:{relay.port}/postgres"
            yield Cut(made, getattr(relay, how), relay.mend)


WAYS: dict[str, Callable[[Path], Iterator[Cut]]] = {
    "SQLite": on_sqlite,
    "PostgreSQL hangs": lambda data: on_postgresql(data, "hang"),
    "PostgreSQL refuses": lambda data: on_postgresql(data, "refuse"),
}


@dataclass
class Rounds:
    """Cuts the first edge off, publishes around the end of its lease, and lets it come back."""

    cut: Cut
    prober: Prober
    dice: random.Random
    version: int = 1

    def play(self) -> None:
        first, second = self.cut.made.edges
        self.cut.cut()
        time.sleep(LEASE + self.dice.uniform(-1.0, 2.0))
        for _ in range(self.dice.choice([1, 1, 3])):
            self._publish()
            time.sleep(self.dice.uniform(0.0, 0.5))
        until(lambda: self._announced(second), second.say)
        time.sleep(MOMENT + 0.5)
        assert first.body(NAME, self.prober.made.context()) is None
        self.cut.mend()
        until(lambda: self._announced(first), first.say)

    def _publish(self) -> None:
        self.version += 1
        self.prober.numbers[self.cut.made.do("publish", NAME, self.version)] = self.version

    def _announced(self, edge: Edge) -> bool:
        told = edge.policy_id(self.cut.made.labels[NAME])
        return bool(told) and self.prober.numbers[told] == self.version and edge.body(NAME, self._context) is not None

    @property
    def _context(self):
        return self.cut.made.context()


@contextmanager
def silent(edge: Edge) -> Iterator[None]:
    """One more name server of the zone, for this edge alone, that answers nothing: the edge looks around more slowly."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as deaf:
        deaf.bind(("127.0.0.9", edge.dns_port))
        edge.environment["TRINCO_NAMESERVERS"] += " ns9.trinco.example=127.0.0.9"
        yield


class TestPartition:
    """RFC 8461 section 8.1, RELIABILITY 5: never a new id with an old body, also where one edge does not hear of it."""

    @pytest.mark.parametrize("way", WAYS)
    def test_no_id_is_ahead_of_a_body(self, tmp_path, way):
        with WAYS[way](tmp_path) as cut, silent(cut.made.edges[0]):
            cut.made.do("announce")
            for edge in cut.made.edges:
                edge.start(wait=False)
            until(lambda: all(edge.ready for edge in cut.made.edges))
            until(lambda: cut.made.announced(NAME))
            with Prober(cut.made, {cut.made.do("current", NAME)[0]: 1}, focus=NAME) as prober:
                game = Rounds(cut, prober, random.Random(way))
                for _ in range(ROUNDS):
                    game.play()
        assert (prober.violations, prober.faults) == ([], [])
        assert len(prober.announced) > ROUNDS
        assert prober.bodies > prober.looks
