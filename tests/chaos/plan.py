"""What goes wrong when: drawn from a seed before anything runs, so that a seed is a run.

One edge at least is left alone at any moment, and one of the two secondaries: "every good probe is answered" is a promise
about what is left. An edge that is cut off from the database still reaches that one, as ARCHITECTURE ("An announcement
goes past a silent edge") says that it must; "cut but one" cuts everything else.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

EDGES = ("edge1", "edge2", "edge3")
SECONDARIES = ("nsd", "knot")
INSIDE = ("worker", "panel")
RECOVERY = 8.0
"""Seconds that an edge has to itself after its fault, before it counts as sound."""
_DAYS = 2 * 86400
_PROMOTED_FOR = 10.0


@dataclass(frozen=True, slots=True)
class Fault:
    """`at` and `seconds` are seconds from the beginning, and how long it lasts. `how`: a variant; `spared`: whom the
    target still reaches."""

    at: float
    kind: str
    target: str
    seconds: float
    how: str = ""
    spared: str = ""

    def __str__(self) -> str:
        how = f" ({self.how})" if self.how else ""
        how += f", {self.spared}," if self.spared else ""
        return f"{self.at:7.1f} s  {self.kind} {self.target}{how} for {self.seconds:.1f} s"


KINDS: dict[str, tuple[int, Sequence[str], float, Sequence[str]]] = {
    # How often, at whom, for how long at most, how.
    "kill": (5, EDGES, 6.0, ("",)),
    "stop": (5, EDGES, 14.0, ("",)),
    "kill inside": (3, INSIDE, 6.0, ("",)),
    "stop inside": (2, INSIDE, 12.0, ("",)),
    "kill secondary": (1, SECONDARIES, 6.0, ("",)),
    "stop secondary": (1, SECONDARIES, 10.0, ("",)),
    "cut database": (4, EDGES, 18.0, ("hang", "refuse")),
    "cut edges": (2, EDGES, 15.0, ("hang", "refuse")),
    "cut secondaries": (2, EDGES, 15.0, ("hang", "refuse")),
    "cut but one": (3, EDGES, 18.0, ("hang", "refuse")),
    "full disk": (3, EDGES, 12.0, ("",)),
    "clock": (4, (*EDGES, *INSIDE, "database"), 12.0, ("+2 days", "-2 days")),
    "promote": (1, ("database",), _PROMOTED_FOR, ("",)),
}
OFFSETS = {"+2 days": _DAYS, "-2 days": -_DAYS}


class _Draw:
    """The dice, and who is busy until when."""

    def __init__(self, seed: int, kinds: Sequence[str]) -> None:
        self._dice = random.Random(seed)
        self._kinds = kinds
        self._busy: dict[str, float] = {}
        self.now = 2.0

    def one(self) -> Fault | None:
        """The next fault; None: the one that was drawn would have been too much."""
        self.now += self._dice.expovariate(1 / 1.2) + 0.1
        weights = [KINDS[kind][0] for kind in self._kinds]
        kind = self._dice.choices(self._kinds, weights)[0]
        _, targets, longest, hows = KINDS[kind]
        target, how = self._dice.choice(targets), self._dice.choice(hows)
        seconds = longest if kind == "promote" else self._dice.uniform(0.3, 1.0) ** 2 * longest
        if not self._may(target):
            return None
        spared = self._spared(target) if kind == "cut but one" else ""
        for name in {target, spared or target}:
            self._busy[name] = self.now + seconds + RECOVERY
        return Fault(round(self.now, 2), kind, target, round(seconds, 2), how, spared)

    def _spared(self, target: str) -> str:
        """Somebody sound, who stays so."""
        return self._dice.choice([name for name in EDGES if name != target and not self._is_busy(name)])

    def _is_busy(self, name: str) -> bool:
        return self._busy.get(name, 0.0) > self.now

    def _may(self, target: str) -> bool:
        busy = {name for name, until in self._busy.items() if until > self.now}
        together = next((group for group in (EDGES, SECONDARIES) if target in group), (target, ""))
        return target not in busy and len(busy & set(together)) < len(together) - 1


def drawn(seed: int, seconds: float, kinds: Sequence[str] = tuple(KINDS)) -> list[Fault]:
    """The faults of a run of so many seconds, in their order; each is over by then."""
    draw, found = _Draw(seed, kinds), []
    while draw.now < seconds:
        fault = draw.one()
        if fault is not None and fault.at + fault.seconds <= seconds:
            found.append(fault)
    return found
