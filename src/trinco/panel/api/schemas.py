"""The answers of the API. Every name is the standard's, and the same as in the exports."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from ninja import Field, Schema


class FaultOut(Schema):
    """One fault of a body; `pointer` is a JSON pointer (RFC 6901)."""

    pointer: str
    detail: str


class ProblemOut(Schema):
    """RFC 9457. `parameter` is the part of the address, or the header, that is wrong; `errors` are the body's."""

    type: str
    title: str
    status: int
    detail: str | None = None
    parameter: str | None = None
    errors: list[FaultOut] | None = None


class DomainOut(Schema):
    """A hosted domain. `mode` is null before its first policy; `level` says how urgently it wants you."""

    name: str
    unicode: str
    state: str
    mode: str | None
    level: str
    tags: list[str]


class DomainsOut(Schema):
    """`next` is null on the last page."""

    rows: list[DomainOut]
    next: str | None


class AboutOut(Schema):
    """What the rows are about. `domain` or `sender` null: all of them; `trust` is `counted` or `all`."""

    table: str
    domain: str | None
    from_: date = Field(alias="from")
    to: date
    sender: str | None
    trust: str


class MxCount(Schema):
    """Failed sessions at one mail server; "" is one that was not told."""

    mx: str
    failed_session_count: int


class ResultCount(Schema):
    """Failed sessions of one result type."""

    result_type: str
    failed_session_count: int


class ResultOut(Schema):
    """What failed in one way, under one policy type. `mx`: the worst of `mx_count` mail servers."""

    policy_type: str
    result_type: str
    failed_session_count: int
    mx: list[MxCount]
    mx_count: int
    domains: int
    submitters: int
    first: date
    last: date


class SourceOut(Schema):
    """What one sender reported. `applied` is what the ledger says of the policy that its newest report names."""

    submitter: str
    organization_name: str
    successful_session_count: int
    failed_session_count: int
    reports: int
    last: date
    applied: str | None
    policy_id: str | None
    policy_mode: str | None


class DayOut(Schema):
    """One UTC day. `reports` 0: nobody reported on it, which is not the same as no sessions."""

    day: date
    successful_session_count: int
    failed_session_count: int
    reports: int


class MxOut(Schema):
    """What failed at one mail server; "" is one that was not told."""

    mx: str
    failed_session_count: int
    results: list[ResultCount]
    first: date
    last: date


class TurnedAwayOut(Schema):
    """Attempts to deliver a report about a domain that were turned away on a day, since too many came."""

    domain: str
    day: date
    attempts: int


class DetailOut(Schema):
    """Failure details that say the same, added up."""

    domain: str
    policy_type: str
    result_type: str
    submitter: str
    receiving_mx_hostname: str
    receiving_ip: str
    sending_mta_ip: str
    failure_reason_code: str
    additional_information: str
    mode: str
    failed_session_count: int
    first: date
    last: date


class ByResultOut(AboutOut):
    """Worst first."""

    rows: list[ResultOut]


class BySourceOut(AboutOut):
    """The one with the most sessions first."""

    rows: list[SourceOut]


class ByDayOut(AboutOut):
    """Every day of the range, oldest first."""

    rows: list[DayOut]


class ByMxOut(AboutOut):
    """Worst first."""

    rows: list[MxOut]


class TurnedAwaysOut(AboutOut):
    """The newest first."""

    rows: list[TurnedAwayOut]


class DetailsOut(AboutOut):
    """Worst first."""

    rows: list[DetailOut]


class ReportRowOut(Schema):
    """What one report says about one domain. `counted`: its sessions are in the sums."""

    id: int
    domain: str
    day: date
    start: datetime
    end: datetime
    received_at: datetime
    channel: str
    trust: str
    signer: str
    counted: bool
    copies: int
    organization_name: str
    submitter: str
    contact_info: str
    report_id: str
    successful_session_count: int
    failed_session_count: int


class ReportsOut(AboutOut):
    """The newest day first. `next` is null on the last page."""

    rows: list[ReportRowOut]
    next: str | None


class FailureOut(Schema):
    """One entry of `failure-details`."""

    result_type: str
    sending_mta_ip: str
    receiving_mx_hostname: str
    receiving_mx_helo: str
    receiving_ip: str
    failed_session_count: int
    additional_information: str
    failure_reason_code: str


class PolicyOut(Schema):
    """One entry of `policies`. `detailed_session_count` may differ from `failed_session_count`: details overlap."""

    policy_type: str
    policy_domain: str
    policy_domain_inferred: bool
    policy_string: list[str]
    mx_host: list[str]
    successful_session_count: int
    failed_session_count: int
    detailed_session_count: int
    applied: str
    policy_id: str | None
    failure_details: list[FailureOut]


class ReportOut(ReportRowOut):
    """The whole of it. `raw`: whether the report can be had as it came."""

    raw: bool
    policies: list[PolicyOut]


def told(answer: type[Schema] | None, status: int = 200) -> dict[Any, type[Schema] | None]:
    """What an operation answers, when it can and when it cannot."""
    return {status: answer, frozenset({400, 401, 403, 404, 409, 413, 415, 422, 429, 503}): ProblemOut}


def changed(answer: type[Schema], *others: int) -> dict[Any, type[Schema]]:
    """As `told`, of an operation that changes something; `others`: further statuses of the same answer."""
    refused = frozenset({400, 401, 403, 404, 409, 412, 413, 415, 422, 428, 429})
    return {200: answer, **dict.fromkeys(others, answer), refused: ProblemOut}
