"""`/read`: a report that is explained and forgotten. Nothing of it is kept, on no disk and in no log."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema

from trinco.core.tlsrpt import parse
from trinco.core.tlsrpt.report import FailureDetail, PolicyResult, Report
from trinco.panel import limits
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import budget
from trinco.panel.api.auth import needs
from trinco.panel.api.octets import described, octets
from trinco.panel.api.parameters import known
from trinco.panel.api.problems import PRIVATE
from trinco.panel.api.schemas import FailureOut, told

router = Router(tags=["reading"])

MOST_OCTETS = 10 * 1024 * 1024
MOST = 8
"""Reports of one body that are explained: senders put one into each."""
MEDIA_TYPES = ("application/tlsrpt+gzip", "application/tlsrpt+json", "application/octet-stream", "message/rfc822")
BODY = described(MEDIA_TYPES, "A report as it came: JSON, gzip, zip, or the mail around it, whatever it says to be.")
_FAILURE = FailureDetail.__struct_fields__
_POLICY = (
    *("policy_type", "policy_domain", "policy_string", "mx_host", "successful_session_count"),
    *("failed_session_count", "detailed_session_count"),
)


class ReadPolicyOut(Schema):
    """One entry of `policies`."""

    policy_type: str
    policy_domain: str
    policy_string: list[str]
    mx_host: list[str]
    successful_session_count: int
    failed_session_count: int
    detailed_session_count: int
    failure_details: list[FailureOut]


class ReadReportOut(Schema):
    """One report. Nothing says who vouches for it."""

    organization_name: str
    contact_info: str
    submitter: str
    report_id: str
    start: datetime
    end: datetime
    policies: list[ReadPolicyOut]


class ReadOut(Schema):
    """The first reports of the body, and how many there are beyond those."""

    reports: list[ReadReportOut]
    more: int


@router.post(
    "", auth=needs(Deed.READ), response=told(ReadOut), summary="Read a report", openapi_extra={"requestBody": BODY}
)
def read(request: HttpRequest) -> HttpResponse:
    """What stands in a report: in JSON whatever it was packed in, 10 MiB at most. Nothing of it is kept."""
    known(request, ())
    budget.require("read", actors.client_address(request), limits.READINGS)
    found = parse.reports(octets(request, MOST_OCTETS))
    # As it is, past the framework's models: a report may have a hundred thousand details.
    return HttpResponse(msgspec.json.encode(_told(found)), content_type="application/json", headers=PRIVATE)


def _told(reports: Sequence[Report]) -> dict[str, Any]:
    return {"reports": list(map(_report, reports[:MOST])), "more": max(len(reports) - MOST, 0)}


def _report(one: Report) -> dict[str, Any]:
    facts = ("organization_name", "contact_info", "submitter", "report_id", "start", "end")
    return {**{name: getattr(one, name) for name in facts}, "policies": list(map(_policy, one.policies))}


def _policy(one: PolicyResult) -> dict[str, Any]:
    details = [{name: getattr(each, name) for name in _FAILURE} for each in one.failure_details]
    return {**{name: getattr(one, name) for name in _POLICY}, "failure_details": details}
