"""`trinco report show`: a report in sentences, for people who do not read JSON."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta

from trinco.cli.report_sources import Found
from trinco.core.tables import printable
from trinco.core.tlsrpt import results
from trinco.core.tlsrpt.report import FailureDetail, PolicyResult, Report

PLACES = 10
"""So many places of one fault are listed; a report may have thousands."""

SAME_SESSIONS = "`sts` and `tlsa` count the same sessions: do not add them up."


def lines_of(found: Found) -> Iterator[str]:
    """The lines that explain a report, without control or direction characters of its author."""
    yield from (printable(line) for line in _report(found.report, found.source))


def _report(report: Report, source: str) -> Iterator[str]:
    who = f"{report.organization_name} ({report.contact_info or 'no contact given'})"
    yield f"{who}, {_range(report)}"
    yield f"  Report {report.report_id}, from {source}"
    for one in report.policies:
        yield from ("  " + line for line in _policy(one))
    if report.counted_twice:
        yield f"  {SAME_SESSIONS}"


def _range(report: Report) -> str:
    """A UTC day as one, whether its end is 23:59:59 or the next midnight."""
    last = report.end - timedelta(seconds=1) if report.end > report.start else report.end
    if report.start.date() == last.date():
        return f"{report.start:%Y-%m-%d} (UTC)"
    return f"{report.start:%Y-%m-%d %H:%M} to {report.end:%Y-%m-%d %H:%M} (UTC)"


def _policy(one: PolicyResult) -> Iterator[str]:
    domain = one.policy_domain or "(no domain given)"
    inferred = " (taken from the mail's header; the report does not say)" if one.policy_domain_inferred else ""
    succeeded, failed = _sessions(one.successful_session_count), one.failed_session_count
    what = "used TLS" if one.policy_type == "no-policy-found" else "met the policy"
    yield f"{domain}{inferred}, {one.policy_type}: {succeeded} {what}, {failed} did not."
    kind = results.policy_type(one.policy_type)
    yield f"  {kind.meaning if kind else 'This policy type is not one of the standard.'}"
    if policy := one.applied_policy:
        yield f"  It holds: mode {policy.mode}, mx {', '.join(policy.mx) or '(none)'}, max_age {policy.max_age}."
    for details in _alike(one.failure_details):
        yield from ("  " + line for line in _fault(details))
    yield from ("  " + line for line in _difference(one))


def _alike(details: Iterable[FailureDetail]) -> Iterable[list[FailureDetail]]:
    """Details of one result together, in the report's order."""
    groups: dict[str, list[FailureDetail]] = {}
    for detail in details:
        groups.setdefault(detail.result_type, []).append(detail)
    return groups.values()


def _fault(details: list[FailureDetail]) -> Iterator[str]:
    word = details[0].result_type
    result = results.result(word)
    yield f"{_sessions(sum(detail.failed_session_count for detail in details))}: {word}. {_meaning(result)}"
    for detail in sorted(details, key=lambda detail: -detail.failed_session_count)[:PLACES]:
        yield f"  {_sessions(detail.failed_session_count)} {_place(detail)}"
    if len(details) > PLACES:
        yield f"  and {len(details) - PLACES} more places: --csv lists all"
    reasons = [results.reason_code(text) for text in dict.fromkeys(each.failure_reason_code for each in details)]
    known = [reason for reason in reasons if reason]
    for reason in known:
        yield f"  {reason.word}: {reason.meaning}"
    for explained in known or ([result] if result else []):
        yield f"  Likely cause: {explained.cause}"
        yield f"  What to do: {explained.action}"


def _meaning(result: results.Explanation | None) -> str:
    return result.meaning if result else "This result type is not one of the standard."


def _place(detail: FailureDetail) -> str:
    """Where it happened, and the sender's words, as far as they are told."""
    mx, at = detail.receiving_mx_hostname, detail.receiving_ip
    parts = {
        "at": f"{mx} ({at})" if mx and at else mx or at,
        "calling itself": detail.receiving_mx_helo,
        "seen from": detail.sending_mta_ip,
        "reason given:": detail.failure_reason_code,
        "see": detail.additional_information,
    }
    return ", ".join(f"{name} {text}" for name, text in parts.items() if text) or "without a place or a reason"


def _difference(one: PolicyResult) -> Iterator[str]:
    if one.difference is None and one.failed_session_count:
        yield "The sender gives no details of the failures."
    elif one.difference:
        why = "one session can fail in several ways" if one.difference > 0 else "the sender tells details of some only"
        yield (
            f"The details add up to {_sessions(one.detailed_session_count)}, the summary says "
            f"{one.failed_session_count}: {why}."
        )


def _sessions(count: int) -> str:
    return f"{count} session" if count == 1 else f"{count} sessions"
