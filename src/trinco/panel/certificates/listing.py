"""The questions behind the Certificates page: every certificate of an organisation, and what happens to them."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery

from trinco.panel import wall
from trinco.panel.accounts.models import Organisation
from trinco.panel.certificates import events, queue
from trinco.panel.certificates.due import due
from trinco.panel.certificates.models import Certificate, Event, EventKind
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.domains.services import SERVED

SHOWN: Final = ("all", "trouble", "waiting")
"""What the table may be narrowed to."""
RECENT: Final = timedelta(days=30)
"""How long an event that is over is shown."""
MOST: Final = 50
"""Events on the page."""


def domains(organisation: Organisation, now: datetime, show: str = "all") -> QuerySet[HostedDomain]:
    """The domains that an organisation has, what ends first before all: with `ends`, when the newest certificate does.

    `trouble`: an event of their own lasts. `waiting`: a certificate is wanted now.
    """
    newest = Certificate.objects.everywhere().filter(domain=OuterRef("pk")).order_by("-not_after")
    rows = HostedDomain.objects.of(organisation).exclude(state=State.GONE)
    rows = rows.annotate(ends=Subquery(newest.values("not_after")[:1]))
    if show == "trouble":
        lasting = Event.objects.everywhere().filter(domain=OuterRef("pk"), ended_at__isnull=True)
        rows = rows.filter(Exists(lasting) | Q(state__in=SERVED, ends__lte=now))
    if show == "waiting":
        rows = rows.filter(pk__in=due(now).values("pk"))
    return rows.select_related("issuance_attempt").order_by(F("ends").asc(nulls_last=True), "name")


def newest(organisation: Organisation, keys: list[int]) -> dict[int, Certificate]:
    """The certificates that these domains are served with."""
    rows = Certificate.objects.of(organisation).filter(domain__in=keys).defer("sealed_key").order_by("not_after")
    return {row.domain_id: row for row in rows}


@wall.lifted()
def lasting(organisation: Organisation) -> list[Event]:
    """What happens now, the newest first."""
    return list(events.visible(organisation).filter(ended_at__isnull=True)[:MOST])


@wall.lifted()
def over(organisation: Organisation, now: datetime) -> list[Event]:
    """What has happened lately."""
    return list(events.visible(organisation).filter(ended_at__gt=now - RECENT)[:MOST])


@wall.lifted()
def waiting(organisation: Organisation, now: datetime) -> tuple[int, queue.Expected | None]:
    """How many domains of an organisation wait for an order, and what is expected of the last of them."""
    mine = queue.queued(now).filter(organisation=organisation)
    keys = list(mine.values_list("pk", flat=True))
    return len(keys), queue.estimates(keys[-1:], now).get(keys[-1]) if keys else None


def authority_of(event: Event) -> str:
    """The host of the authority that an event is about; "": it is about none."""
    return urlsplit(event.directory).hostname or ""


def detail_of(event: Event) -> str:
    """What was said. Of events that are everybody's nothing is told: it may name somebody else's domain."""
    shown = event.domain is not None and event.kind != EventKind.ENDING
    return event.detail if shown else ""
