"""Reports that are read and not kept: what stands in them, and nothing about who vouches for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from trinco.core.tlsrpt.report import Report
from trinco.panel.web.presenters.report import PLACES_IN_ALL, Json, ReportView, json_view, report_view

MOST = 8
"""Reports of one file that are shown: senders put one into each."""


@dataclass(frozen=True, slots=True)
class ReadReport:
    """One report of what was read."""

    report: ReportView
    json: Json


@dataclass(frozen=True, slots=True)
class ReadView:
    """What was read. `more`: reports beyond those that are shown."""

    reports: tuple[ReadReport, ...]
    more: int


def read_views(reports: Sequence[Report]) -> ReadView:
    """The first reports, together as large as one."""
    shown = reports[:MOST]
    places = PLACES_IN_ALL // max(len(shown), 1)
    views = tuple(ReadReport(report_view(report, places), json_view(report)) for report in shown)
    return ReadView(views, len(reports) - len(shown))
