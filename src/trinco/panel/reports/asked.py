"""What an address asks about the reports, as a `Scope`: the same words for pages, exports and the API.

    domain=<name>   from=YYYY-MM-DD  to=YYYY-MM-DD   range=7|30|90|365   day=YYYY-MM-DD   sender=<submitter>   trust=all

`range` counts back from `to`. Unless that is given it is yesterday (UTC), since senders tell of a day when it is over,
and today as soon as one has told of it. `day` narrows the rows to one day of the range.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta

from trinco.core.errors import DomainSyntaxError, InputError
from trinco.core.names import Domain
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.reports.models import DOMAIN_LENGTH
from trinco.panel.reports.scope import Scope, session_totals

RANGES = (7, 30, 90, 365)
"""Days that `range` may be."""
RANGE = 30
LONGEST = 3660
"""Days: ten years."""
PARAMETERS = ("domain", "from", "to", "range", "day", "sender", "trust")


class BadParameter(InputError):
    """A parameter of an address that cannot be used; `source` is its name."""


class NoSuchDomain(BadParameter):
    """The name of a domain that this organisation does not have."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What was asked. `faults` has a sentence in English for each parameter that was left aside."""

    span: Scope
    """The whole range: what a chart draws."""
    day: date | None = None
    """The one day whose rows are wanted; None: all of them."""
    range: int | None = None
    """The days of the range where it was chosen by their number, or not at all; None: chosen by its dates."""
    faults: tuple[BadParameter, ...] = ()

    @property
    def scope(self) -> Scope:
        """What rows and sums are about."""
        return self.span if self.day is None else replace(self.span, first=self.day, last=self.day)


def asked_by_now(organisation: Organisation, given: Mapping[str, str], today: date) -> Asked:
    """`asked`, where days that are counted back end with the last one that somebody can have told of, as they do in the
    list of domains: the same thirty days have the same sessions on every page. Raises NoSuchDomain."""
    found = asked(organisation, given, today)
    span = found.span
    if found.range is None or given.get("to", "").strip() or found.day in (span.first, span.last):
        return found
    if session_totals(replace(span, first=today, submitter=None)).exists():
        return found
    before = timedelta(days=1)
    return replace(found, span=replace(span, first=span.first - before, last=span.last - before))


def asked(organisation: Organisation, given: Mapping[str, str], today: date) -> Asked:
    """What these parameters ask for, with `today` where no `to` is given. A bad one is left aside and stands in
    `faults`. Raises NoSuchDomain."""
    faults: list[BadParameter] = []
    first, last, days = _range(given, today, faults)
    span = Scope(
        organisation=organisation,
        first=first,
        last=last,
        domain=_domain(organisation, given.get("domain", "")),
        submitter=_sender(given),
        everything=_everything(given, faults),
    )
    day = _date(given, "day", faults)
    if day is not None and not first <= day <= last:
        span = replace(span, first=day, last=day)
    return Asked(span, day, days, tuple(faults))


def _range(given: Mapping[str, str], today: date, faults: list[BadParameter]) -> tuple[date, date, int | None]:
    """First and last day, and the number of days where it was not chosen by dates."""
    first, last = _date(given, "from", faults), _date(given, "to", faults) or today
    days = _days(given, faults)
    if first is None:
        return last - timedelta(days=days - 1), last, days
    if first > last:
        faults.append(BadParameter("lies after `to`", source="from"))
    elif (last - first).days >= LONGEST:
        faults.append(BadParameter("lies more than ten years before `to`", source="from"))
    else:
        return first, last, None
    return last - timedelta(days=days - 1), last, days


def _date(given: Mapping[str, str], name: str, faults: list[BadParameter]) -> date | None:
    text = given.get(name, "").strip()
    if not text:
        return None
    try:
        if re.fullmatch(r"2[0-9]{3}-[0-9]{2}-[0-9]{2}", text, re.ASCII):
            return date.fromisoformat(text)
    except ValueError:
        pass
    faults.append(BadParameter("is not a date as in 2026-11-24", source=name))
    return None


def _days(given: Mapping[str, str], faults: list[BadParameter]) -> int:
    text = given.get("range", "").strip()
    if text in map(str, RANGES):
        return int(text)
    if text:
        faults.append(BadParameter(f"is not one of {', '.join(map(str, RANGES))}", source="range"))
    return RANGE


def _domain(organisation: Organisation, text: str) -> HostedDomain | None:
    if not text.strip():
        return None
    try:
        name = str(Domain.parse(text.strip()))
    except DomainSyntaxError:
        raise NoSuchDomain("is not a domain of yours", source="domain") from None
    mine = HostedDomain.objects.of(organisation).exclude(state=State.GONE)
    found = mine.select_related("organisation").filter(name=name).first()
    if found is None:
        raise NoSuchDomain("is not a domain of yours", source="domain")
    return found


def _sender(given: Mapping[str, str]) -> str | None:
    """A sender that is asked for is compared as it is stored: in lower case, and PostgreSQL refuses NUL."""
    return given["sender"].replace("\0", "").strip().lower()[:DOMAIN_LENGTH] if "sender" in given else None


def _everything(given: Mapping[str, str], faults: list[BadParameter]) -> bool:
    text = given.get("trust", "")
    if text not in ("", "all"):
        faults.append(BadParameter("is not `all`", source="trust"))
    return text == "all"
