"""What one report says about one hosted domain, before it is a row: cut to the columns' lengths and counts.

`content` and `identity` decide which reports are one (PROTOCOL: tenant, verified submitter or channel, policy domain,
range and report-id, and the body's hash).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

import msgspec

from trinco.core.errors import TooLarge
from trinco.core.tlsrpt.render import document
from trinco.core.tlsrpt.report import PolicyResult, Report
from trinco.panel.reports.models import DOMAIN_LENGTH, WORD_LENGTH, Trust
from trinco.panel.reports.totals import Told, told

MAX_DETAILS = 50_000
MAX_POLICIES = 5_000
"""Of one report: more than the largest sender has to say of the largest domain in a day."""


@dataclass(frozen=True, slots=True)
class Holder:
    """A hosted domain, and whose it is."""

    domain: int
    organisation: int
    name: str


@dataclass(frozen=True, slots=True)
class Part:
    """One report's policies for one hosted domain. `report` holds these alone."""

    holder: Holder
    report: Report
    content: str
    told: Told

    @property
    def key(self) -> tuple[int, str]:
        """Two with one key are one report."""
        return self.holder.domain, self.content

    @property
    def slice(self) -> tuple[int, date]:
        """The domain and day whose totals it changes."""
        return self.holder.domain, self.day

    @property
    def day(self) -> date:
        return self.report.start.date()

    @property
    def submitter(self) -> str:
        return self.report.submitter[:DOMAIN_LENGTH]


def part(holder: Holder, report: Report, policies: tuple[PolicyResult, ...]) -> Part:
    """The part of `report` that these policies are."""
    own = msgspec.structs.replace(report, policies=policies)
    return Part(holder, own, content(own), told(_summaries(own), _failures(own)))


def content(report: Report) -> str:
    """SHA-256 in hex of the report as it is rendered."""
    return hashlib.sha256(msgspec.json.encode(document(report))).hexdigest()


def identity(report: Report, trust: str, channel: str) -> str:
    """SHA-256 in hex of who says it, date range and report-id.

    Who: the submitter, where somebody vouches for it; else the channel and the submitter as claimed, so that nobody
    displaces a report that was vouched for with one that was not.
    """
    source = "vouched" if trust in (Trust.DKIM, Trust.OPERATOR) else channel
    words = (source, report.submitter, report.start.isoformat(), report.end.isoformat(), report.report_id)
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def refuse_size(report: Report) -> None:
    """Raises TooLarge for what would be too many rows."""
    if len(report.policies) > MAX_POLICIES:
        raise TooLarge(f"more than {MAX_POLICIES} policies")
    if sum(len(one.failure_details) for one in report.policies) > MAX_DETAILS:
        raise TooLarge(f"more than {MAX_DETAILS} failure details")


def word(text: str) -> str:
    """A policy or result type as its column holds it."""
    return text[:WORD_LENGTH]


def host(text: str) -> str:
    """A host name as its column holds it."""
    return text.rstrip(".").lower()[:DOMAIN_LENGTH]


def _summaries(report: Report) -> Iterator[tuple[str, int, int]]:
    for one in report.policies:
        yield word(one.policy_type), one.successful_session_count, one.failed_session_count


def _failures(report: Report) -> Iterator[tuple[str, str, str, int]]:
    for one in report.policies:
        policy_type = word(one.policy_type)
        for detail in one.failure_details:
            yield (
                policy_type,
                word(detail.result_type),
                host(detail.receiving_mx_hostname),
                detail.failed_session_count,
            )
