"""The question behind the list of reports that came: which of them, the newest first, and what became of the rest."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.http import QueryDict

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import Report, Trust
from trinco.panel.reports.parked import ARRIVALS
from trinco.panel.reports.scope import counted_reports
from trinco.panel.web.overview import typed

FAILED, UNCOUNTED = "failed", "uncounted"
STATES = ("", FAILED, UNCOUNTED, *(state.value for state in ARRIVALS))


@dataclass(frozen=True, slots=True)
class Filter:
    """What the address asks for."""

    state: str = ""
    domain: str = ""
    sender: str = ""
    trust: str = ""

    @property
    def of_arrivals(self) -> bool:
        """Whether it asks for what could not be made a report."""
        return self.state in ARRIVALS

    @property
    def narrow(self) -> bool:
        """Whether anything is left out."""
        return bool(self.state or self.domain or self.sender or self.trust)


def wanted(given: QueryDict) -> Filter:
    """The filter of an address; what does not exist is left aside."""
    state, trust = typed(given, "state"), typed(given, "trust")
    return Filter(
        state=state if state in STATES else "",
        domain=typed(given, "domain"),
        sender=typed(given, "sender"),
        trust=trust if trust in Trust.values else "",
    )


def reports(organisation: Organisation, asked: Filter) -> QuerySet[Report]:
    """The reports of a filter, by their day, the newest first."""
    rows = Report.objects.of(organisation).select_related("domain")
    if asked.domain:
        rows = rows.filter(_about(organisation, asked.domain))
    if asked.sender:
        text = asked.sender
        rows = rows.filter(Q(submitter__contains=text.lower()) | Q(organization_name__icontains=text))
    if asked.trust:
        rows = rows.filter(trust=asked.trust)
    if asked.state == FAILED:
        rows = rows.filter(failed_session_count__gt=0)
    return rows.exclude(counted_reports()) if asked.state == UNCOUNTED else rows


def _about(organisation: Organisation, text: str) -> Q:
    """One domain, where it is one of theirs; else every domain with this in its name."""
    name = _ascii(text)
    key = HostedDomain.objects.of(organisation).filter(name=name).order_by("-pk").values_list("pk", flat=True).first()
    return Q(domain__name__contains=name) if key is None else Q(domain__name=name)


def _ascii(text: str) -> str:
    try:
        return str(Domain.parse(text))
    except DomainSyntaxError:
        return text.lower()
