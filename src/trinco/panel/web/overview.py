"""The question behind the overview: which domains, worst first, and how many of each kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db.models import Count, Min, QuerySet, Sum
from django.http import QueryDict
from django.utils import timezone

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts.models import Organisation
from trinco.panel.checks import schedule
from trinco.panel.domains.finding import Wanted, fitting
from trinco.panel.domains.models import HostedDomain, Level, State
from trinco.panel.policies.models import Standing
from trinco.panel.reports.day_models import OrganisationDay

CHIPS = {
    "all": tuple(Level),
    "attention": (Level.CRITICAL, Level.ATTENTION),
    "ready": (Level.READY,),
    "setup": (Level.SETUP,),
}
"""The filters above the table, and the levels that each shows."""


@dataclass(frozen=True, slots=True)
class Filter:
    """What the address asks for; empty: no matter."""

    show: str = "all"
    search: str = ""
    state: str = ""
    mode: str = ""
    tag: str = ""

    @property
    def parameters(self) -> dict[str, str]:
        """Those of its address, the empty ones left out."""
        show = self.show if self.show != "all" else ""
        told = {"show": show, "q": self.search, "state": self.state, "mode": self.mode, "tag": self.tag}
        return {name: value for name, value in told.items() if value}

    @property
    def several(self) -> bool:
        """Whether more is asked for than a chip and a search."""
        return bool(self.state or self.mode or self.tag)

    @property
    def narrow(self) -> bool:
        """Whether more is asked for than a chip."""
        return bool(self.search) or self.several

    @property
    def wanted(self) -> Wanted:
        """The same, as the database is asked for it."""
        levels = CHIPS[self.show] if self.show != "all" else ()
        return Wanted(levels, self.state, self.mode, self.tag, self.search)


STATES = (State.SETUP, State.LIVE, State.LEAVING)
"""Those that a list can be asked for."""


def asked(given: QueryDict, mode: str = "mode") -> Filter:
    """The filter of an address, or of a form in which the policies' mode has another name. What is not known in it is
    left aside, but for the tag: a list that shows too much would be changed as it stands there."""
    return Filter(
        _one_of(given.get("show"), CHIPS) or "all",
        typed(given, "q"),
        _one_of(given.get("state"), STATES),
        _one_of(given.get(mode), tuple(Mode)),
        typed(given, "tag"),
    )


def _one_of(value: str | None, known: Iterable[str]) -> str:
    return value if value is not None and value in [str(each) for each in known] else ""


@dataclass(frozen=True, slots=True)
class Counts:
    """How many domains of each level, and how many policies of each mode."""

    levels: dict[int, int]
    modes: dict[str, int]

    def of(self, show: str) -> int:
        """How many domains a chip shows."""
        return sum(self.levels.get(level, 0) for level in CHIPS[show])

    @property
    def attention(self) -> int:
        return self.of("attention")

    @property
    def ready(self) -> int:
        return self.of("ready")

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
    """The newest day that any report of theirs is about. One query."""
    days = OrganisationDay.objects.of(organisation).values_list("day").annotate(there=Sum("totals"))
    return days.filter(there__gt=0).order_by("-day").values_list("day", flat=True).first()


def overdue_since(domains: QuerySet[HostedDomain]) -> datetime | None:
    """When the one of them was looked at whose next look is the longest overdue; None: none is. One query."""
    found: datetime | None = schedule.overdue(domains, timezone.now()).aggregate(oldest=Min("checked_at"))["oldest"]
    return found


def hosted_by(clients: QuerySet[Organisation]) -> QuerySet[HostedDomain]:
    """All domains of these organisations that they have not given up, worst first. The caller may see all of them."""
    rows = HostedDomain.objects.of_any(clients).exclude(state=State.GONE)
    return rows.select_related("organisation").order_by("level", "name", "pk")


def matching(organisation: Organisation, filter_: Filter) -> QuerySet[HostedDomain]:
    """The domains of a filter, worst first."""
    return fitting(hosted(organisation), filter_.wanted).order_by("level", "name")


def levels(organisation: Organisation, filter_: Filter) -> dict[int, int]:
    """How many domains of each level fit, whatever the chip. One query."""
    rows = fitting(hosted(organisation), replace(filter_, show="all").wanted)
    return dict(rows.order_by().values_list("level").annotate(Count("pk")))


def searched(organisation: Organisation, filter_: Filter) -> tuple[dict[int, int], list[int]]:
    """`levels` and the keys of `matching` at once: a part of a name is dear to look for. One query."""
    rows = matching(organisation, replace(filter_, show="all")).values_list("level", "pk")
    found = list(rows)
    shown = CHIPS[filter_.show]
    return Counter(level for level, _key in found), [key for level, key in found if level in shown]


def named(rows: QuerySet[HostedDomain], search: str) -> QuerySet[HostedDomain]:
    """Those of them with this in their name, or in a mail server's."""
    return fitting(rows, Wanted(search=search))
