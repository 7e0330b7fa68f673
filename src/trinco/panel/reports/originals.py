"""A report as its sender wrote it, from the raw arrival: one domain's own part, and nothing of anybody else's."""

from __future__ import annotations

from trinco.core.errors import InputError
from trinco.core.tlsrpt import report as core
from trinco.panel.reports.digest import body_of, reports_in
from trinco.panel.reports.filing import directory
from trinco.panel.reports.models import Report


def own_part(report: Report) -> core.Report | None:
    """What the report says about its domain, uncut; None: retention has removed the arrival.

    This is what may be shown, rendered, where the arrival as a whole may not (`RawReport.mixed`, or another owner's).
    """
    raw = report.raw
    if raw is None:
        return None
    try:
        found = reports_in(raw, body_of(raw))
    except InputError:
        return None
    parts = directory([(raw, found)]).file(raw, found).parts
    mine = (part for part in parts if part.key == (report.domain_id, report.content))
    return next((part.report for part in mine), None)
