"""`trinco report show --by …` and `--csv`: reports as rows, for people as a table and for spreadsheets as CSV."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from trinco.cli.report_sources import Found
from trinco.core.tables import printable
from trinco.core.tlsrpt.report import PolicyResult, Report

Row = dict[str, str | int]
_Part = tuple[tuple[str, ...], tuple[int, ...]]

_SESSIONS = ("successful_session_count", "failed_session_count")


class By(StrEnum):
    """What the rows of a table are."""

    RESULT = "result"
    SOURCE = "source"
    DAY = "day"


_LABELS = {
    By.RESULT: ("policy_type", "counted_in", "result_type"),
    By.SOURCE: ("organization_name", "submitter", "policy_type"),
    By.DAY: ("day", "policy_type"),
}
_COUNTS = {By.RESULT: ("sessions",), By.SOURCE: _SESSIONS, By.DAY: _SESSIONS}


@dataclass(slots=True)
class _Sum:
    counts: list[int]
    days: set[str] = field(default_factory=set)
    reports: int = 0
    last: Report | None = None

    def add(self, counts: Sequence[int], report: Report) -> None:
        self.counts = [before + more for before, more in zip(self.counts, counts, strict=True)]
        self.days.add(_day(report))
        self.reports += self.last is not report
        self.last = report


def table(found: Iterable[Found], by: By) -> list[Row]:
    """The rows. No row holds sessions of two policy types: `sts` and `tlsa` of one report count the same ones."""
    sums: dict[tuple[str, ...], _Sum] = {}
    for each in found:
        for one in each.report.policies:
            for labels, counts in _parts(each.report, one, by):
                sums.setdefault(labels, _Sum([0] * len(counts))).add(counts, each.report)
    return [_row(by, labels, sums[labels]) for labels in sorted(sums)]


def _parts(report: Report, one: PolicyResult, by: By) -> Iterator[_Part]:
    """What one policy of a report adds to the rows."""
    both = (one.successful_session_count, one.failed_session_count)
    if by is By.DAY:
        yield (_day(report), one.policy_type), both
    elif by is By.SOURCE:
        yield (report.organization_name, report.submitter, one.policy_type), both
    else:
        yield (one.policy_type, "summary", "successful"), both[:1]
        yield (one.policy_type, "summary", "failed"), both[1:]
        for detail in one.failure_details:
            yield (one.policy_type, "details", detail.result_type), (detail.failed_session_count,)


def _row(by: By, labels: Sequence[str], total: _Sum) -> Row:
    row: Row = dict(zip(_LABELS[by], labels, strict=True))
    row |= dict(zip(_COUNTS[by], total.counts, strict=True))
    row["reports"] = total.reports
    return row if by is By.DAY else row | {"first_day": min(total.days), "last_day": max(total.days)}


def _day(report: Report) -> str:
    return report.start.date().isoformat()


def rows_of(found: Iterable[Found]) -> Iterator[Row]:
    """Every policy and every detail of every report in a row of its own.

    A column of counts is filled in one of the two sorts of rows alone, so that a sum over it counts nothing twice but
    `sts` beside `tlsa`, and sessions that failed in several ways.
    """
    for each in found:
        for one in each.report.policies:
            yield {**_EMPTY, **_shared(each, one), "row": "policy", **dict(zip(_SESSIONS, _sessions(one), strict=True))}
            for detail in one.failure_details:
                told = {name: getattr(detail, name) for name in _DETAIL}
                yield {**_EMPTY, **_shared(each, one), "row": "detail", **told, "detail_session_count":
                       detail.failed_session_count}  # fmt: skip


def _sessions(one: PolicyResult) -> tuple[int, int]:
    return one.successful_session_count, one.failed_session_count


_SHARED = ("source", "organization_name", "contact_info", "report_id", "start", "end", "policy_type", "policy_domain")
_DETAIL = (
    "result_type",
    "sending_mta_ip",
    "receiving_mx_hostname",
    "receiving_mx_helo",
    "receiving_ip",
    "additional_information",
    "failure_reason_code",
)
COLUMNS = (*_SHARED, "row", *_SESSIONS, *_DETAIL[:5], "detail_session_count", *_DETAIL[5:])
_EMPTY: Mapping[str, Any] = dict.fromkeys(COLUMNS, "")


def _shared(each: Found, one: PolicyResult) -> Row:
    report = each.report
    return {
        "source": each.source,
        "organization_name": report.organization_name,
        "contact_info": report.contact_info,
        "report_id": report.report_id,
        "start": report.start.isoformat(),
        "end": report.end.isoformat(),
        "policy_type": one.policy_type,
        "policy_domain": one.policy_domain,
    }


def columns_of(by: By) -> tuple[str, ...]:
    """The columns of a table, also of one without rows."""
    days = () if by is By.DAY else ("first_day", "last_day")
    return (*_LABELS[by], *_COUNTS[by], "reports", *days)


def as_text(rows: Sequence[Row], columns: Sequence[str]) -> Iterator[str]:
    """Lines of aligned columns, numbers to the right."""
    lines = [[name.replace("_", " ") for name in columns]]
    lines += [[printable(str(row[name])) for name in columns] for row in rows]
    widths = [max(len(line[at]) for line in lines) for at in range(len(columns))]
    right = [all(isinstance(row[name], int) for row in rows) for name in columns]
    for line in lines:
        cells = zip(line, widths, right, strict=True)
        yield "  ".join(cell.rjust(width) if number else cell.ljust(width) for cell, width, number in cells).rstrip()
