"""What can be wrong with a declaration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trinco.core.errors import InputError, TrincoError


@dataclass(frozen=True, slots=True)
class Problem:
    """One fault of a file. `line` counts from 1; 0: the file as a whole."""

    line: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.reason}" if self.line else self.reason


class DeclarationSyntaxError(InputError):
    """A file that declares nothing that could be done: nothing of it is. `problems` has each fault with its line."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("; ".join(map(str, problems)))
        self.problems = tuple(problems)


class AmbiguousOrganisation(TrincoError):
    """Several organisations have this name: it says nothing about which is meant."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class OtherOrganisation(TrincoError):
    """The file speaks of an organisation that is not the one whose token is used."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


class NotAllowed(TrincoError):
    """The person, or the token, may not do this in the organisation. `takes`: what would."""

    def __init__(self, takes: str) -> None:
        super().__init__(takes)
        self.takes = takes
