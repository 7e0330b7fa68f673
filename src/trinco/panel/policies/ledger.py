"""The ledger of what was served, and the horizon that follows from it (RFC 8461 sections 3.2 and 8.3)."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from trinco.core.mtasts.horizon import Served, horizon
from trinco.core.mtasts.policy import Mode
from trinco.panel import wall
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies.gate import Gate
from trinco.panel.policies.models import PolicyVersion, Standing
from trinco.panel.policies.versions import begin


@wall.lifted()
def horizon_of(domain: HostedDomain, now: datetime) -> datetime | None:
    """The last moment at which a sender may hold a policy that binds it, or None when none can.

    Counts what others served under this name before, once the name is proven to be this organisation's.
    """
    mine = {"domain": domain} if domain.verified_at is None else {"domain__name": domain.name}
    return _horizon(PolicyVersion.objects.everywhere().filter(**mine), now)


@wall.lifted()
def horizon_of_others(domain: HostedDomain, now: datetime) -> datetime | None:
    """As `horizon_of`, of what others served under this name before."""
    others = PolicyVersion.objects.everywhere().filter(domain__name=domain.name).exclude(domain=domain)
    return _horizon(others, now)


def _horizon(versions: QuerySet[PolicyVersion], now: datetime) -> datetime | None:
    ledger = versions.filter(served_from__isnull=False).values_list("mode", "max_age", "served_until")
    served = [Served(Mode(mode), max_age, until) for mode, max_age, until in ledger]
    return horizon(served, now, settings.CONFIG.zone.ttl)


def open_ledgers() -> None:
    """Note since when an edge may serve the current version of each domain that went live."""
    standings = Standing.objects.everywhere().filter(
        domain__verified_at__isnull=False, current__served_from__isnull=True
    )
    begin((standing.domain, standing.current) for standing in standings.select_related("current", "domain"))


def close_superseded(domains: list[HostedDomain], now: datetime) -> None:
    """Every live edge serves the current version of these domains: no edge serves an older one after `now`."""
    current = Standing.objects.everywhere().filter(domain__in=domains).values("current")
    _still_open().filter(domain__in=domains).exclude(pk__in=current).update(served_until=now)


def close_gone(gate: Gate, now: datetime) -> None:
    """Every live edge has heard that these domains are gone: no edge serves anything of theirs after `now`."""
    gone = _still_open().filter(domain__state=State.GONE, domain__revision__lte=gate.acknowledged)
    PolicyVersion.objects.everywhere().filter(pk__in=list(gone.values_list("pk", flat=True))).update(served_until=now)


def _still_open() -> QuerySet[PolicyVersion]:
    return PolicyVersion.objects.everywhere().filter(served_from__isnull=False, served_until__isnull=True)
