"""The overview's table, chips and bar."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from trinco.core.mtasts.policy import Mode
from trinco.panel.checks.status import Status, statuses
from trinco.panel.domains.models import HostedDomain
from trinco.panel.web.overview import CHIPS, Counts
from trinco.panel.web.presenters.certificates import CertificateView
from trinco.panel.web.presenters.servers import covers
from trinco.panel.web.presenters.status import StatusView, status_view

WORDS = {"all": _("All"), "attention": _("Attention"), "ready": _("Ready"), "setup": _("Setup")}


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """One domain. `hosts`: how many MX it has, `covered`: how many of them the policy names."""

    domain: HostedDomain
    status: StatusView
    mode: str | None
    hosts: int
    covered: int
    since: datetime | None
    days: int | None


@dataclass(frozen=True, slots=True)
class Chip:
    """A filter above the table."""

    word: Promise
    count: int


@dataclass(frozen=True, slots=True)
class Bar:
    """One mode's share, in percent, as text for SVG."""

    mode: str
    x: str
    width: str


def overview_rows(domains: Iterable[HostedDomain]) -> list[OverviewRow]:
    """The rows of one page: at most seven queries, however many there are."""
    page = list(domains)
    found = statuses(page, timezone.now())
    return [_row(domain, found[domain.pk]) for domain in page]


def _row(domain: HostedDomain, status: Status) -> OverviewRow:
    standing = getattr(domain, "standing", None)
    current = standing.current if standing else None
    hosts = [sighting.host for sighting in domain.mx_hosts.all()]
    return OverviewRow(
        domain=domain,
        status=status_view(domain, status),
        mode=current.mode if current else None,
        hosts=len(hosts) if current and current.mx else 0,
        covered=sum(covers(current.mx, host) for host in hosts) if current else 0,
        since=current.created_at if current else None,
        days=CertificateView(next(iter(domain.certificates.all()), None)).days,
    )


def chips(counts: Counts) -> dict[str, Chip]:
    """The four, with their counts."""
    return {show: Chip(WORDS[show], counts.of(show)) for show in CHIPS}


def bars(counts: Counts) -> list[Bar]:
    """The modes' shares side by side, with a hair between them."""
    shares = [(mode.value, counts.modes[mode.value]) for mode in (Mode.ENFORCE, Mode.TESTING, Mode.NONE)]
    total, at, drawn = counts.policies, 0.0, []
    for mode, count in shares:
        width = 100 * count / total if total else 0.0
        if width:
            drawn.append(Bar(mode, f"{at:.2f}", f"{max(width - 0.5, 0.5):.2f}"))
        at += width
    return drawn


def overview_view(counts: Counts, domains: Iterable[HostedDomain]) -> dict[str, Any]:
    """For `overview.html`, beside the filter and the page."""
    return {"counts": counts, "chips": chips(counts), "bars": bars(counts), "rows": overview_rows(domains)}
