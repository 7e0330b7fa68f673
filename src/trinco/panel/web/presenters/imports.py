"""An import in words: how far it is, and why a line was refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from trinco.core.mailhosts import too_wide
from trinco.panel.policies.errors import WildcardTooWide
from trinco.panel.policies.import_models import DomainImport, Ending, ImportLine, ImportState
from trinco.panel.policies.imports import tally
from trinco.panel.web.reasons import said
from trinco.panel.web.refusals import refusal

REFUSED = (Ending.NAME, Ending.TWICE, Ending.TAKEN, Ending.OURS, Ending.MX, Ending.WIDE)
COLUMNS = ("line", "domain", "result", "reason")


@dataclass(frozen=True, slots=True)
class Standing:
    """How far an import is. `left` lines wait."""

    job: DomainImport
    total: int
    added: int
    there: int
    refused: int
    left: int

    @property
    def done(self) -> int:
        return self.total - self.left

    @property
    def running(self) -> bool:
        return self.job.state == ImportState.RUNNING

    @property
    def word(self) -> str:
        return str(ImportState(self.job.state).label)


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was refused."""

    number: int
    text: str
    why: str


def standing(job: DomainImport) -> Standing:
    """One query."""
    counts = tally(job)
    refused = sum(counts[ending] for ending in REFUSED)
    total = sum(counts.values())
    return Standing(job, total, counts[Ending.ADDED], counts[Ending.THERE], refused, counts[Ending.WAITING])


def bad_lines(lines: Iterable[ImportLine]) -> list[BadLine]:
    """Those of a page."""
    return [BadLine(line.number, line.text, why(line)) for line in lines]


def result_rows(lines: Iterable[ImportLine]) -> Iterator[dict[str, Any]]:
    """Every line, for a file whose columns and results are read by programs."""
    for line in lines:
        result = "refused" if line.ending in REFUSED else line.ending
        yield {"line": line.number, "domain": line.name or line.text, "result": result, "reason": why(line)}


def why(line: ImportLine) -> str:
    """The reason of a refusal, one sentence; "" for what was not refused."""
    words = {
        Ending.NAME: lambda: said(line.detail),
        Ending.MX: lambda: said(line.detail),
        Ending.WIDE: lambda: _wide(line.detail),
        Ending.TWICE: lambda: _("Stands in line %(n)s already.") % {"n": line.detail},
        Ending.OURS: lambda: _("lies in the zone of this installation itself"),
        Ending.TAKEN: lambda: _("It is served for somebody else. Add it by itself: your records decide whose it is."),
    }.get(Ending(line.ending))
    return words() if words else ""


def _wide(pattern: str) -> str:
    width = too_wide(pattern)
    return refusal(WildcardTooWide(pattern, width)) if width else pattern
