"""The rows of new reports: report, policies, failure details, as `models` describes them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from trinco.core.tlsrpt.report import FailureDetail, PolicyResult
from trinco.panel.reports import applied, rows
from trinco.panel.reports.models import DOMAIN_LENGTH, TEXT_LENGTH, WORD_LENGTH, FailureRow, PolicyRow, Report
from trinco.panel.reports.parts import Part, host, word
from trinco.panel.reports.totals import fitting

if TYPE_CHECKING:
    from trinco.panel.reports.merge import Claim, Fresh

_SAID = (
    "signer", "organization_name", "contact_info", "report_id", "submitter", "start", "end", "day", "identity",
    "successful_session_count", "failed_session_count",
)  # fmt: skip
_REPORT = (
    "id", "organisation_id", "domain_id", "raw_id", "received_at", "channel", "trust", "content", "counted", "copies",
    *_SAID,
)  # fmt: skip
_POLICY = (
    "id", "report_id", "position", "policy_type", "policy_domain", "policy_domain_inferred", "policy_string", "mx_host",
    "successful_session_count", "failed_session_count", "detailed_session_count", "applied", "version_id",
)  # fmt: skip
_FAILURE = (
    "report_id", "policy_id", "domain_id", "day", "submitter", "policy_type", "result_type", "sending_mta_ip",
    "receiving_mx_hostname", "receiving_mx_helo", "receiving_ip", "failed_session_count", "additional_information",
    "failure_reason_code",
)  # fmt: skip
_LAST_POSITION = 2**15 - 1
_LINES = 200
"""Lines of a policy, and MX hosts of it, that stand in a row; the raw report has them all."""


def insert(reports: Sequence[Fresh]) -> None:
    """Write these reports and what lies below them; their `key` is set."""
    if not reports:
        return
    for each, key in zip(reports, rows.reserve(Report, len(reports)), strict=True):
        each.key = key
    rows.insert(Report, _REPORT, [_report(each) for each in reports])
    write_policies([(each.key, each.best.part) for each in reports])


def rewrite(reports: Sequence[tuple[int, Claim]]) -> None:
    """Write reports with these keys, and what lies below them, anew: as the arrival that they are kept from says it."""
    keys = [key for key, _ in reports]
    FailureRow.objects.everywhere().filter(report__in=keys).delete()
    PolicyRow.objects.everywhere().filter(report__in=keys).delete()
    rows.change(Report, _SAID, [(*_said(claim), key) for key, claim in reports])
    write_policies([(key, claim.part) for key, claim in reports])


def write_policies(reports: Sequence[tuple[int, Part]]) -> None:
    """Write the policies and failure details of reports with these keys."""
    ledger = applied.ledger({part.holder.domain for _, part in reports if _tells_policy(part)})
    policies: list[rows.Row] = []
    failures: list[rows.Row] = []
    keys = iter(rows.reserve(PolicyRow, sum(len(part.report.policies) for _, part in reports)))
    for report, part in reports:
        versions = ledger.get(part.holder.domain, ())
        for position, one in enumerate(part.report.policies):
            key = next(keys)
            which = applied.applied(one, versions, part.report.start, part.report.end)
            policies.append(_policy(key, report, min(position, _LAST_POSITION), one, which))
            failures += _failures((report, key, part.holder.domain, part.day, part.submitter), one)
    rows.insert(PolicyRow, _POLICY, policies)
    rows.insert(FailureRow, _FAILURE, failures)


def _tells_policy(part: Part) -> bool:
    return any(one.policy_string for one in part.report.policies)


def _report(each: Fresh) -> rows.Row:
    claim, holder = each.best, each.best.part.holder
    above = (each.key, holder.organisation, holder.domain, claim.raw, claim.received_at, claim.channel)
    return (*above, claim.trust.value, each.content, each.counted, each.copies, *_said(claim))


def _said(claim: Claim) -> rows.Row:
    report, everything = claim.part.report, claim.part.told.everything
    return (
        claim.signer,
        report.organization_name[:TEXT_LENGTH],
        report.contact_info[:TEXT_LENGTH],
        report.report_id[:TEXT_LENGTH],
        claim.part.submitter,
        report.start,
        report.end,
        claim.part.day,
        claim.identity,
        everything.successful_session_count,
        everything.failed_session_count,
    )


def _policy(key: int, report: int, position: int, one: PolicyResult, which: tuple[str, int | None]) -> rows.Row:
    return (
        key,
        report,
        position,
        word(one.policy_type),
        one.policy_domain[:DOMAIN_LENGTH],
        one.policy_domain_inferred,
        [line[:TEXT_LENGTH] for line in one.policy_string[:_LINES]],
        [line[:DOMAIN_LENGTH] for line in one.mx_host[:_LINES]],
        one.successful_session_count,
        one.failed_session_count,
        fitting(one.detailed_session_count),
        *which,
    )


def _failures(above: tuple[Any, ...], one: PolicyResult) -> Iterator[rows.Row]:
    policy_type = word(one.policy_type)
    for detail in one.failure_details:
        yield (*above, policy_type, *_failure(detail))


def _failure(detail: FailureDetail) -> rows.Row:
    return (
        word(detail.result_type),
        detail.sending_mta_ip[:WORD_LENGTH],
        host(detail.receiving_mx_hostname),
        detail.receiving_mx_helo[:DOMAIN_LENGTH],
        detail.receiving_ip[:WORD_LENGTH],
        detail.failed_session_count,
        detail.additional_information[:TEXT_LENGTH],
        detail.failure_reason_code[:TEXT_LENGTH],
    )
