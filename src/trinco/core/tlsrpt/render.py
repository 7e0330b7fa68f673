"""Writing a TLS report: its JSON (RFC 8460 section 4.4), file name (5.1) and the subject of its mail (5.3).

Strict: arrays are arrays even around one, times are UTC with Z, what is not known is left out.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Literal

import msgspec

from trinco.core.errors import DomainSyntaxError, ReportSyntaxError
from trinco.core.names import Domain
from trinco.core.tlsrpt import parse
from trinco.core.tlsrpt.report import FailureDetail, PolicyResult, Report

_UNIQUE_ID = re.compile(r"[A-Za-z0-9]*")
_NO_ATOM = re.compile(r"[^A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+")


def to_json(report: Report) -> bytes:
    """The report's JSON in UTF-8. ReportSyntaxError if reading it would give another report.

    A policy domain that was inferred is written as if the report had said it.
    """
    stated = tuple(msgspec.structs.replace(one, policy_domain_inferred=False) for one in report.policies)
    try:
        body = msgspec.json.encode(document(report))
    except (ValueError, OverflowError, msgspec.MsgspecError) as error:
        raise ReportSyntaxError("the report cannot be written as JSON") from error
    if parse.reports(body) != [msgspec.structs.replace(report, policies=stated)]:
        raise ReportSyntaxError("the report does not survive being written and read")
    return body


def document(report: Report) -> dict[str, Any]:
    """The report as plain values under the standard's names."""
    return {
        "organization-name": report.organization_name,
        "date-range": {"start-datetime": _instant(report.start), "end-datetime": _instant(report.end)},
        "contact-info": report.contact_info,
        "report-id": report.report_id,
        "policies": [_result(one) for one in report.policies],
    }


def file_name(
    report: Report, domain: Domain, unique_id: str = "", extension: Literal["json", "json.gz"] = "json.gz"
) -> str:
    """`sender!policy-domain!begin!end[!unique-id].json.gz` for a report to `domain`. Raises ReportSyntaxError."""
    begin, end = int(report.start.timestamp()), int(report.end.timestamp())
    if begin < 0:
        raise ReportSyntaxError("a file name has no time before 1970")
    if not _UNIQUE_ID.fullmatch(unique_id):
        raise ReportSyntaxError("a unique id is letters and digits")
    fields = [_submitter(report), str(domain), str(begin), str(end), *([unique_id] if unique_id else [])]
    return f"{'!'.join(fields)}.{extension}"


def subject(report: Report, domain: Domain) -> str:
    """`Report Domain: D Submitter: S Report-ID: <id@S>` for a report to `domain`. Raises ReportSyntaxError.

    What an id of RFC 5322 cannot hold becomes a dot, as in Google's mail.
    """
    submitter = _submitter(report)
    left = id_left(report.report_id, submitter)
    if not left:
        raise ReportSyntaxError("a report needs an id")
    return f"Report Domain: {domain} Submitter: {submitter} Report-ID: <{left}@{submitter}>"


def id_left(report_id: str, submitter: str) -> str:
    """What stands before the @ of the id in a subject. Empty: nothing of it can."""
    return _NO_ATOM.sub(".", report_id.removesuffix(f"@{submitter}")).strip(".")


def _submitter(report: Report) -> str:
    """Section 5.3: the submitter MUST be the domain of the contact's address."""
    try:
        return str(Domain.parse(report.submitter))
    except DomainSyntaxError as error:
        raise ReportSyntaxError(f"the contact's address has no domain: {error.reason}") from error


def _result(one: PolicyResult) -> dict[str, Any]:
    policy = {
        "policy-type": one.policy_type,
        "policy-string": list(one.policy_string),
        "policy-domain": one.policy_domain,
        "mx-host": list(one.mx_host),
    }
    result: dict[str, Any] = {
        "policy": {name: value for name, value in policy.items() if value or name == "policy-type"},
        "summary": {
            "total-successful-session-count": one.successful_session_count,
            "total-failure-session-count": one.failed_session_count,
        },
    }
    if one.failure_details:
        result["failure-details"] = [_detail(detail) for detail in one.failure_details]
    return result


def _detail(detail: FailureDetail) -> dict[str, Any]:
    optional = {
        "sending-mta-ip": detail.sending_mta_ip,
        "receiving-mx-hostname": detail.receiving_mx_hostname,
        "receiving-mx-helo": detail.receiving_mx_helo,
        "receiving-ip": detail.receiving_ip,
        "additional-information": detail.additional_information,
        "failure-reason-code": detail.failure_reason_code,
    }
    given = {name: text for name, text in optional.items() if text}
    return {"result-type": detail.result_type, "failed-session-count": detail.failed_session_count, **given}


def _instant(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")
