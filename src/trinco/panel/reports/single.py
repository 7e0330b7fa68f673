"""One report: everything that it says about its domain, and the arrival that brought it."""

from __future__ import annotations

import zlib
from collections import defaultdict
from enum import Enum, auto
from typing import Any, Final

from trinco.panel.reports.models import PolicyRow, Report

_FAILURE = (
    "result_type",
    "sending_mta_ip",
    "receiving_mx_hostname",
    "receiving_mx_helo",
    "receiving_ip",
    "failed_session_count",
    "additional_information",
    "failure_reason_code",
)
_POLICY = (
    "policy_type",
    "policy_domain",
    "policy_domain_inferred",
    "policy_string",
    "mx_host",
    "successful_session_count",
    "failed_session_count",
    "detailed_session_count",
    "applied",
)

RAW_RESPONSES: Final = {
    200: {"description": "The octets as they came.", "content": {"application/octet-stream": {}}},
}


class Raw(Enum):
    """Whether an organisation may have a report as it came."""

    THERE = auto()
    MIXED = auto()
    """It speaks of domains of others as well, or came to somebody else's address."""
    REMOVED = auto()
    """Retention has removed it."""


def standing_of(row: Report) -> Raw:
    """Whether the report can be had as it came. One query, which leaves the octets where they are."""
    arrival = (
        Report.objects.of(row.organisation).filter(pk=row.pk).values("raw", "raw__organisation", "raw__mixed").get()
    )
    if arrival["raw"] is None:
        return Raw.REMOVED
    own = arrival["raw__organisation"] == row.organisation_id and not arrival["raw__mixed"]
    return Raw.THERE if own else Raw.MIXED


def content(row: Report) -> bytes:
    """The octets as they came, of a report that is THERE."""
    assert row.raw is not None
    return zlib.decompress(row.raw.body)


def policies(row: Report) -> list[dict[str, Any]]:
    """Each policy with its failure details, in the report's order. Two queries."""
    details: defaultdict[int, list[dict[str, Any]]] = defaultdict(list)
    for found in row.failures.order_by("pk").values("policy_id", *_FAILURE):
        details[found.pop("policy_id")].append(found)
    rows = row.policies.select_related("version").defer("version__body").order_by("position")
    return [{**_policy(each), "failure_details": details[each.pk]} for each in rows]


def _policy(row: PolicyRow) -> dict[str, Any]:
    told = {name: getattr(row, name) for name in _POLICY}
    return {**told, "policy_id": row.version.policy_id if row.version else None}
