"""One measured row of the table: ours, a named peer's, and the floor under which it is a defect."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Better(StrEnum):
    """Which way is good."""

    HIGHER = "higher"
    LOWER = "lower"


class Missing(Exception):
    """A peer or a tool that is not on this machine: the text says how to get it."""


@dataclass(frozen=True, slots=True)
class Row:
    """What was measured, in the median of its repeats.

    `floor` and `goal` are ratios to the peer where there is one, else in the row's own unit.
    """

    what: str
    ours: float
    unit: str
    better: Better
    floor: float
    goal: float
    against: str = ""
    """The peer with its version; "" where the row stands for itself."""
    peers: float | None = None
    """The peer's figure in the same unit, from the same run."""
    note: str = ""
    """How it was measured, in a few words: connections, seconds, repeats; the server's CPU per operation."""

    @property
    def measure(self) -> float:
        """What the floor is held against."""
        return self.ours if self.peers is None else self.ours / self.peers

    @property
    def holds(self) -> bool:
        """At the floor or better."""
        return self._reaches(self.floor)

    @property
    def verdict(self) -> str:
        """One word for the table."""
        if not self.holds:
            return "UNDER THE FLOOR"
        return "goal" if self._reaches(self.goal) else "floor"

    def _reaches(self, bound: float) -> bool:
        return self.measure >= bound if self.better is Better.HIGHER else self.measure <= bound
