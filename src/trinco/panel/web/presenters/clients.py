"""A provider's clients, each with how its domains stand: worst first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.db.models import QuerySet

from trinco.core.mtasts.policy import Mode
from trinco.panel import mounts
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains import counting
from trinco.panel.domains.models import Level
from trinco.panel.web.presenters.status import LOOKS

URGENT = (Level.CRITICAL, Level.ATTENTION, Level.READY, Level.SETUP)
"""The levels that want somebody: by how many there are of them clients are ordered."""
_MODES = (Mode.ENFORCE, Mode.TESTING, Mode.NONE)


@dataclass(frozen=True, slots=True)
class LevelCount:
    """So many domains of a client are of this level."""

    level: Level
    count: int

    @property
    def look(self) -> str:
        return LOOKS[self.level][0]

    @property
    def icon(self) -> str:
        return LOOKS[self.level][1]


@dataclass(frozen=True, slots=True)
class ClientLine:
    """An organisation, and how many of its domains are of each level."""

    organisation: Organisation
    counts: Mapping[int, int]

    @property
    def root(self) -> str:
        return mounts.root(self.organisation.pk)

    @property
    def domains(self) -> int:
        return sum(self.counts.values())

    @property
    def levels(self) -> list[LevelCount]:
        """Those of which there are some, worst first."""
        return [LevelCount(level, self.counts[level]) for level in Level if self.counts.get(level)]

    @property
    def worst(self) -> str:
        """The colour of the worst of its domains; "": it has none."""
        return self.levels[0].look if self.levels else ""

    @property
    def place(self) -> tuple[list[int], str, int]:
        """Where it stands in the list."""
        return [-self.counts.get(level, 0) for level in URGENT], self.organisation.name.casefold(), self.organisation.pk


@dataclass(frozen=True, slots=True)
class ClientRow:
    """A line that is shown, with how many policies of each mode are served."""

    line: ClientLine
    modes: list[tuple[str, int]]


def lines(organisations: QuerySet[Organisation]) -> list[ClientLine]:
    """All of them, worst first. The caller may see all of them. Two queries."""
    levels = counting.levels_of(organisations)
    found = [ClientLine(each, levels.get(each.pk, {})) for each in organisations]
    return sorted(found, key=lambda line: line.place)


def named(every: Iterable[ClientLine], find: str) -> list[ClientLine]:
    """Those with this in their name, in any case of its letters."""
    return [line for line in every if find.casefold() in line.organisation.name.casefold()]


def rows(shown: Iterable[ClientLine]) -> list[ClientRow]:
    """The lines of one page. One query."""
    lines_ = list(shown)
    keys = [line.organisation.pk for line in lines_]
    modes = counting.modes_of(Organisation.objects.filter(pk__in=keys))
    return [ClientRow(line, _served(modes.get(line.organisation.pk, {}))) for line in lines_]


def _served(modes: Mapping[str, int]) -> list[tuple[str, int]]:
    return [(mode.value, modes[mode.value]) for mode in _MODES if modes.get(mode.value)]
