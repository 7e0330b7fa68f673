"""An import in words: how far it is, and why a line was refused."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Q
from django.utils.translation import gettext as _

from trinco.core.mailhosts import too_wide
from trinco.panel import mounts
from trinco.panel.accounts import mfa
from trinco.panel.accounts.access import Access
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import SERVED
from trinco.panel.policies.errors import WildcardTooWide
from trinco.panel.policies.import_models import REFUSED, DomainImport, Ending, ImportLine, ImportState
from trinco.panel.policies.imports import tally, tally_by_client
from trinco.panel.web.reasons import said
from trinco.panel.web.refusals import refusal

COLUMNS = ("line", "domain", "result", "reason", "organisation")


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
class ClientTally:
    """How far it is for one of the organisations that the list names."""

    organisation: Organisation
    added: int
    there: int
    left: int

    @property
    def root(self) -> str:
        return mounts.root(self.organisation.pk)


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


def clients(job: DomainImport) -> list[ClientTally]:
    """By name; none where the list names no organisation. Two queries."""
    counts = tally_by_client(job)
    rows = Organisation.objects.filter(pk__in=counts).order_by("name", "pk")
    return [
        ClientTally(row, each[Ending.ADDED], each[Ending.THERE], each[Ending.WAITING])
        for row in rows
        for each in [counts[row.pk]]
    ]


def bad_lines(access: Access, lines: Sequence[ImportLine]) -> list[BadLine]:
    """Those of a page."""
    held = _holders(access, lines)
    return [BadLine(line.number, line.text, why(line, held)) for line in lines]


def result_rows(access: Access, lines: Sequence[ImportLine]) -> Iterator[dict[str, Any]]:
    """Every line, for a file whose columns and results are read by programs."""
    held = _holders(access, lines)
    for line in lines:
        result = "refused" if line.ending in REFUSED else line.ending
        domain, whose = line.name or line.text, line.client.name if line.client else ""
        yield {
            "line": line.number,
            "domain": domain,
            "result": result,
            "reason": why(line, held),
            "organisation": whose,
        }


def _holders(access: Access, lines: Iterable[ImportLine]) -> dict[str, str]:
    """Who has what is taken, by its name: the organisation itself or a client that the person may enter now. Of a
    stranger nothing is said."""
    taken = [line.name for line in lines if line.ending == Ending.TAKEN]
    if not taken:
        return {}
    open_ = Q(pk=access.organisation.pk) | Q(pk__in=mfa.open_clients(access).values("pk"))
    rows = HostedDomain.objects.of_any(Organisation.objects.filter(open_))
    return dict(rows.filter(name__in=taken, state__in=SERVED).values_list("name", "organisation__name"))


def why(line: ImportLine, held: Mapping[str, str]) -> str:
    """The reason of a refusal, one sentence; "" for what was not refused. `held`: who has what is taken, as far as the
    reader may know."""
    words = {
        Ending.NAME: lambda: said(line.detail),
        Ending.MX: lambda: said(line.detail),
        Ending.TAGS: lambda: _("Its tags: %(why)s") % {"why": said(line.detail)},
        Ending.WIDE: lambda: _wide(line.detail),
        Ending.TWICE: lambda: _("Stands in line %(n)s already.") % {"n": line.detail},
        Ending.OURS: lambda: _("lies in the zone of this installation itself"),
        Ending.TAKEN: lambda: _taken(held.get(line.name, "")),
        Ending.CLIENT: lambda: _client(line.detail),
        Ending.SEVERAL: lambda: _("Several organisations are called “%(name)s”.") % {"name": line.detail},
        Ending.SSO: lambda: _("“%(name)s” wants single sign-on. Come in by it, then go on.") % {"name": line.detail},
        Ending.FACTOR: lambda: _("“%(name)s” wants a second factor. Set one up, then go on.") % {"name": line.detail},
    }.get(Ending(line.ending))
    return words() if words else ""


def _taken(holder: str) -> str:
    if holder:
        return _("It is served for “%(name)s” already.") % {"name": holder}
    return _("It is served for somebody else. Add it by itself: your records decide whose it is.")


def _client(name: str) -> str:
    if not name:
        return _("The line names no organisation.")
    return _("You and your clients have no organisation “%(name)s”.") % {"name": name}


def _wide(pattern: str) -> str:
    width = too_wide(pattern)
    return refusal(WildcardTooWide(pattern, width)) if width else pattern
