"""Looks at every edge from outside, all the time, and holds what it sees against one rule.

RFC 8461 section 8.1: whoever has seen a new id must not get an old body. So each look takes the ids first, of every name
server, and then the bodies of every policy host: no body may be older than the newest of the ids. Looks overlap, since
an edge that is stopped makes one wait.
"""

from __future__ import annotations

import random
import re
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Self

from tests.edge.installation import Edge, Installation

EVERY = 0.05
AT_ONCE = 64
_NUMBER = re.compile(rb"\r\nmx: v([0-9]+)\.")


@dataclass
class Prober:
    """`numbers` tells which version an id belongs to, `focus` which domain changed last: most looks go there."""

    made: Installation
    numbers: dict[str, int] = field(default_factory=dict)
    focus: str = ""
    looks: int = 0
    ids: int = 0
    bodies: int = 0
    silences: int = 0
    announced: set[str] = field(default_factory=set)
    violations: list[str] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._context = self.made.context()
        self._newest: dict[tuple[str, str], int] = {}
        self._pool = ThreadPoolExecutor(AT_ONCE)
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._pool.shutdown()

    def _watch(self) -> None:
        dice, next_at = random.Random(8461), time.monotonic()
        while not self._stop.is_set():
            anywhere = not self.focus or dice.random() < 0.2
            self._pool.submit(self._look, dice.choice(list(self.made.labels)) if anywhere else self.focus)
            next_at = max(next_at + EVERY, time.monotonic())
            self._stop.wait(next_at - time.monotonic())

    def _look(self, domain: str) -> None:
        self.looks += 1
        try:
            newest = max(self._number(edge, domain) for edge in self.made.edges)
            for edge in self.made.edges:
                self._compare(edge, domain, newest)
        except Exception as error:  # noqa: BLE001 - the outermost loop of a thread: the test fails for it
            self.faults.append(f"{type(error).__name__}: {error}")

    def _compare(self, edge: Edge, domain: str, newest: int) -> None:
        body = edge.body(domain, self._context)
        if body is None:
            self.silences += 1
            return
        self.bodies += 1
        found = _NUMBER.search(body)
        served = int(found[1]) if found else -1
        if served < newest:
            self.violations.append(f"{domain}: the id of version {newest} is announced, {edge.name} serves {served}")

    def _number(self, edge: Edge, domain: str) -> int:
        """The version whose id this edge announces; 0 for none. An edge never goes back, not even over its lives."""
        key = (edge.name, domain)
        before = self._newest.get(key, 0)
        told = edge.policy_id(self.made.labels[domain])
        if not told:
            return 0
        self.ids += 1
        self.announced.add(told)
        number = self.numbers[told]
        if number < before:
            self.violations.append(f"{domain}: {edge.name} went back from version {before} to {number}")
        self._newest[key] = max(number, self._newest.get(key, 0))
        return number
