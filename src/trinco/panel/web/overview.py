"""The question behind the overview: which domains, worst first, and how many of each kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from django.db.models import Count, Exists, Max, OuterRef, Q, QuerySet
from django.http import QueryDict

from trinco.core.errors import DomainSyntaxError
from trinco.core.mtasts.policy import Mode
from trinco.core.names import Domain
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, Level, MxSighting, State
from trinco.panel.policies.models import Standing
from trinco.panel.reports.models import DailyTotal

CHIPS = {
    "all": tuple(Level),
    "attention": (Level.CRITICAL, Level.ATTENTION),
    "ready": (Level.READY,),
    "setup": (Level.SETUP,),
}
"""The filters above the table, and the levels that each shows."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What the address asks for."""

    show: str = "all"
    search: str = ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many domains of each level, and how many policies of each mode."""

    levels: dict[int, int]
    modes: dict[str, int]

    def of(self, show: str) -> int:
        """How many domains a chip shows."""
        return sum(self.levels.get(level, 0) for level in CHIPS[show])

    @property
    def critical(self) -> int:
        return self.levels.get(Level.CRITICAL, 0)

    @property
    def policies(self) -> int:
        return sum(self.modes.values())


def typed(given: QueryDict, name: str) -> str:
    """What was typed into a filter, as a database can be asked for it: PostgreSQL refuses NUL."""
    return str(given.get(name, "")).replace("\0", "").strip()[:253]


def hosted(organisation: Organisation) -> QuerySet[HostedDomain]:
    """All domains of an organisation that it has not given up."""
    return HostedDomain.objects.of(organisation).exclude(state=State.GONE)


def counts(organisation: Organisation) -> Counts:
    """Two queries."""
    levels = hosted(organisation).order_by().values_list("level").annotate(Count("pk"))
    standings = Standing.objects.of(organisation).exclude(domain__state__in=[State.GONE, State.SETUP])
    modes = standings.values_list("current__mode").annotate(Count("pk"))
    return Counts(dict(levels), {**{mode.value: 0 for mode in Mode}, **dict(modes)})


def last_reported(organisation: Organisation) -> date | None:
    """The newest day that any report of theirs is about."""
    found: date | None = DailyTotal.objects.of(organisation).aggregate(day=Max("day"))["day"]
    return found


def hosted_by(clients: QuerySet[Organisation]) -> QuerySet[HostedDomain]:
    """All domains of these organisations that they have not given up, worst first. The caller may see all of them."""
    rows = HostedDomain.objects.of_any(clients).exclude(state=State.GONE)
    return rows.select_related("organisation").order_by("level", "name", "pk")


def matching(organisation: Organisation, wanted: Filter) -> QuerySet[HostedDomain]:
    """The domains of a filter, worst first."""
    rows = hosted(organisation).filter(level__in=CHIPS[wanted.show])
    return named(rows, wanted.search).order_by("level", "name")


def named(rows: QuerySet[HostedDomain], search: str) -> QuerySet[HostedDomain]:
    """Those of them with this in their name, or in a mail server's."""
    return rows.filter(_named(search)) if search else rows


def _named(search: str) -> Q:
    """A part of the name or of a mail server's name; also as people write it, with accents."""
    texts = {search.lower(), _ascii(search)}
    return Q(*(_contains(text) for text in texts), _connector=Q.OR)


def _contains(text: str) -> Q:
    servers = MxSighting.objects.everywhere().filter(domain=OuterRef("pk"), host__contains=text)
    return Q(Q(name__contains=text), Exists(servers), _connector=Q.OR)


def _ascii(search: str) -> str:
    try:
        return str(Domain.parse(search))
    except DomainSyntaxError:
        return search.lower()
