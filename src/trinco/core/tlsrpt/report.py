"""The TLS report (RFC 8460 section 4.4): Report, PolicyResult, FailureDetail, and sums that say what they count.

The names are the standard's. Texts that a report does not give are empty. What a report says is kept as it is: unknown
result and policy types stay as text, and where details and summary disagree both stand.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated

import msgspec

from trinco.core.errors import PolicySyntaxError, ReportSyntaxError
from trinco.core.mtasts import policy as mtasts

MAX_TEXT = 16_384
"""Characters: the longest text of a report that is kept; nothing real comes near it."""

MAX_COUNT = 2**63 - 1
"""The largest count: what a database column holds."""

Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT)]
Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNT)]


class FailureDetail(msgspec.Struct, frozen=True, kw_only=True, gc=False, rename="kebab", omit_defaults=True):
    """Failed sessions of one kind. They may overlap: one attempt can fail in several ways.

    `rename` is why a report of a thousand details is read in a millisecond: `parse` fills this type directly, and the
    wire's names are these with hyphens.
    """

    result_type: Text
    sending_mta_ip: Text = ""
    receiving_mx_hostname: Text = ""
    receiving_mx_helo: Text = ""
    receiving_ip: Text = ""
    failed_session_count: Count
    additional_information: Text = ""
    failure_reason_code: Text = ""


class Totals(msgspec.Struct, frozen=True):
    """Sessions under one policy type. Sessions are not messages."""

    successful_session_count: int
    failed_session_count: int


class PolicyResult(msgspec.Struct, frozen=True):
    """What happened under one policy that the sender applied.

    `policy_string` are the policy's lines or the TLSA records, as the sender holds them: its cache.
    """

    policy_type: str
    policy_string: tuple[str, ...] = ()
    policy_domain: str = ""
    mx_host: tuple[str, ...] = ()
    successful_session_count: int = 0
    failed_session_count: int = 0
    failure_details: tuple[FailureDetail, ...] = ()
    policy_domain_inferred: bool = False
    """The report does not say the domain; it is the TLS-Report-Domain of the mail around it."""

    @property
    def detailed_session_count(self) -> int:
        """The sum over the details."""
        return sum(detail.failed_session_count for detail in self.failure_details)

    @property
    def difference(self) -> int | None:
        """The details' sum less the summary's failures; None: there are no details to compare.

        More: a session failed in several ways, which section 4.4 allows. Less: the sender told details of some only.
        """
        return self.detailed_session_count - self.failed_session_count if self.failure_details else None

    @property
    def applied_policy(self) -> mtasts.Policy | None:
        """The MTA-STS policy that the sender says it applied; None: another kind, not told, or not valid."""
        if self.policy_type != "sts":
            return None
        try:
            return mtasts.parse("\n".join(self.policy_string).encode("utf-8", "replace"))
        except PolicySyntaxError:
            return None


class Report(msgspec.Struct, frozen=True):
    """One report. `start` and `end` are in UTC; ReportSyntaxError if they are not, or stand the wrong way round.

    `organization_name`, `contact_info` and `report_id` are what the sender chose to write: nothing vouches for them.
    """

    organization_name: str
    contact_info: str
    report_id: str
    start: datetime
    end: datetime
    policies: tuple[PolicyResult, ...]

    def __post_init__(self) -> None:
        if self.start.utcoffset() != timedelta(0) or self.end.utcoffset() != timedelta(0):
            raise ReportSyntaxError("the date range is in UTC")
        if self.end < self.start:
            raise ReportSyntaxError("the date range ends before it starts")

    @property
    def submitter(self) -> str:
        """The domain of the contact's address: who reports (section 5.1). Empty: the contact is no address."""
        return (
            self.contact_info.rpartition("@")[2].strip("> \t").rstrip(".").lower() if "@" in self.contact_info else ""
        )

    @property
    def totals(self) -> dict[str, Totals]:
        """The summaries' sums by policy type, in the report's order.

        There is no sum over the types: `sts` and `tlsa` of one report count the same sessions.
        """
        sums: dict[str, Totals] = {}
        for one in self.policies:
            before = sums.get(one.policy_type, Totals(0, 0))
            sums[one.policy_type] = Totals(
                before.successful_session_count + one.successful_session_count,
                before.failed_session_count + one.failed_session_count,
            )
        return sums

    @property
    def failed(self) -> bool:
        """Whether any session failed, by a summary or by a detail."""
        return any(one.failed_session_count or one.detailed_session_count for one in self.policies)

    @property
    def counted_twice(self) -> bool:
        """Whether `sts` and `tlsa` stand side by side and so count the same sessions."""
        return {"sts", "tlsa"} <= {one.policy_type for one in self.policies}


def utc(when: datetime) -> datetime:
    """The same instant in UTC; a time without zone is taken for UTC. OverflowError at the ends of the calendar."""
    return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
