"""The overview's table, chips and bar."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.utils import timezone
from django.utils.functional import Promise
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from trinco.core.mtasts.policy import Mode
from trinco.panel.checks.facts import Facts, facts_of
from trinco.panel.checks.status import status_of
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.charts import Day
from trinco.panel.web.drawing.spark import spark
from trinco.panel.web.figures import success_rate
from trinco.panel.web.overview import CHIPS, Counts
from trinco.panel.web.presenters.certificates import CertificateView
from trinco.panel.web.presenters.status import StatusView, status_view

WORDS = {"all": _("All"), "attention": _("Attention"), "ready": _("Ready"), "setup": _("Setup")}

DRAWN = 30
"""Days of a spark."""
_SEEN = 100
"""One session in so many that failed is shown in red."""


@dataclass(frozen=True, slots=True)
class OverviewRow:
    """One domain. `days` of its certificate are left; sessions are those that senders told of in the days drawn."""

    domain: HostedDomain
    status: StatusView
    mode: str | None
    spark: SafeString
    successful_session_count: int
    failed_session_count: int
    days: int | None

    @property
    def sessions(self) -> int:
        return self.successful_session_count + self.failed_session_count

    @property
    def success(self) -> str:
        """In percent, cut off and not rounded."""
        return success_rate(self.successful_session_count, self.failed_session_count)

    @property
    def failing(self) -> bool:
        """Whether so many failed that it is seen at a glance."""
        return self.failed_session_count * _SEEN >= self.sessions > 0


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
    """The rows of one page: at most nine queries, however many there are."""
    now = timezone.now()
    return [_row(facts, now) for facts in facts_of(domains, now)]


def _row(facts: Facts, now: datetime) -> OverviewRow:
    drawn = drawn_days(facts.reported.window, now.date())
    return OverviewRow(
        domain=facts.domain,
        status=status_view(facts.domain, status_of(facts, now)),
        mode=facts.standing.current.mode if facts.standing else None,
        spark=spark(drawn),
        successful_session_count=sum(day.successful_session_count for day in drawn),
        failed_session_count=sum(day.failed_session_count for day in drawn),
        days=CertificateView(facts.certificate).days,
    )


def drawn_days(window: Sequence[Day], today: date) -> Sequence[Day]:
    """Thirty days, the last of which is yesterday: senders tell of a day when it is over. For a domain that is not
    served yet, thirty days that nobody told of."""
    if not window:
        return [Day(today - timedelta(days=back)) for back in range(DRAWN, 0, -1)]
    return window[-DRAWN:] if window[-1].reports else window[-DRAWN - 1 : -1]


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
