"""The TLS reports by sending source: who reports, how much, how well it went, and which policy each says it applied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from trinco.panel.reports.charts import AppliedPolicy, SourceRow
from trinco.panel.reports.models import Applied
from trinco.panel.web import dates, figures
from trinco.panel.web.drawing.bars import volume
from trinco.panel.web.drawing.spark import spark
from trinco.panel.web.foreign import plain

SPARK = 30
"""Days of a spark."""
LOOKS = {Applied.CURRENT: "ok", Applied.OLDER: "warn", Applied.NEVER: "bad", Applied.UNTOLD: "mute"}
"""Colour and icon of what a sender applies."""


@dataclass(frozen=True, slots=True)
class SourceView:
    """One sender. Its name for itself is a stranger's text; `letter` stands for a picture."""

    number: int
    href: str
    alone: str
    open: bool
    submitter: str
    name: str
    letter: str
    volume: SafeString
    sessions: int
    failed: int
    rate: str
    spark: SafeString
    applied: str
    applied_to: str
    """The domain whose older policy it applies, or nothing."""
    look: str
    where: str
    last: date


def source_views(
    rows: Sequence[SourceRow], links: Callable[[SourceRow], tuple[str, str]], opened: str | None = None
) -> list[SourceView]:
    """The sender with the most sessions first. `links`: to its failures, and to what it alone reports; `opened`: the
    submitter whose failures the page shows."""
    most = max((row.sessions for row in rows), default=0)
    return [_source(number, row, most, links(row), opened) for number, row in enumerate(rows)]


def _source(number: int, row: SourceRow, most: int, links: tuple[str, str], opened: str | None) -> SourceView:
    name = plain(row.organization_name, 80) or plain(row.submitter) or _("A sender without a name")
    applied = row.applied.applied if row.applied else Applied.UNTOLD
    return SourceView(
        number=number,
        href=links[0],
        alone=links[1],
        open=opened == row.submitter,
        submitter=row.submitter,
        name=name,
        letter=next((letter.upper() for letter in name if letter.isalnum()), "?"),
        volume=volume(row.successful_session_count, row.failed_session_count, most),
        sessions=row.sessions,
        failed=row.failed_session_count,
        rate=figures.success_rate(row.successful_session_count, row.failed_session_count),
        spark=spark(row.days[-SPARK:]),
        applied=applied_words(row.applied),
        applied_to=_older(row.applied),
        look=LOOKS[applied],
        where=_where(row),
        last=row.last,
    )


def _where(row: SourceRow) -> str:
    """`30 reports · last for 23 Nov 2026`."""
    reports = ngettext("%(n)s report", "%(n)s reports", row.reports) % {"n": figures.count(row.reports)}
    last = _("last for %s") % dates.short_day(row.last)
    return f"{reports} · {last}"


def _older(told: AppliedPolicy | None) -> str:
    if told is None or told.applied != Applied.OLDER or told.version is None:
        return ""
    return told.version.domain.unicode


def applied_words(told: AppliedPolicy | None) -> str:
    """What the sender's newest report says of the policy that it applied."""
    if told is None or told.applied == Applied.UNTOLD:
        return _("does not say")
    if told.applied == Applied.CURRENT:
        return _("applies the current policy")
    if told.applied == Applied.OLDER and told.version is not None:
        return _("still applies the policy of %s") % dates.day(told.version.created_at)
    return _("applies an older policy") if told.applied == Applied.OLDER else _("applies a policy that was never ours")
