"""What a delivery says: JSON with `type`, `timestamp`, `version`, `organisation` and `data` (docs/webhooks.md)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

import msgspec

from trinco.panel.accounts.models import AuditEntry
from trinco.panel.webhooks.models import Delivery, Kind, Occurrence, Webhook, new_name

VERSION: Final = 1
"""Goes up when a member of a message means something else; new members come without."""
PATIENCE: Final = timedelta(days=3)
"""How long a delivery is attempted."""
DEEDS: Final = MappingProxyType(
    {
        "domain.added": Kind.DOMAIN_ADDED,
        "domain.verified": Kind.DOMAIN_VERIFIED,
        "domain.left": Kind.DOMAIN_LEFT,
        "domain.gone": Kind.DOMAIN_GONE,
        "domain.removed": Kind.DOMAIN_GONE,
        "domain.taken-over": Kind.DOMAIN_GONE,
        "policy.started": Kind.POLICY_PUBLISHED,
        "policy.published": Kind.POLICY_PUBLISHED,
        "policy.undone": Kind.POLICY_UNDONE,
    }
)
"""What a line of the audit log is told as; other lines are not told."""
_OF_A_POLICY = ("id", "mode", "mx", "max_age")


@dataclass(frozen=True, slots=True)
class Message:
    """Something that happened, whoever hears of it."""

    kind: Kind
    at: datetime
    subject: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


def of_line(line: AuditEntry) -> Message | None:
    """What a line of the audit log is told as; None: nothing."""
    kind = DEEDS.get(line.action)
    if kind is None:
        return None
    data: dict[str, Any] = {"domain": line.subject, "action": line.action, "by": line.actor, "line": line.number}
    if kind in (Kind.POLICY_PUBLISHED, Kind.POLICY_UNDONE):
        data |= {"before": _policy(line.before), "after": _policy(line.after), "override": line.override}
    return Message(kind, line.at, line.subject, data)


def of_occurrence(row: Occurrence) -> Message:
    """The same of what is no deed."""
    return Message(Kind(row.kind), row.at, row.subject, {"domain": row.subject, **row.data})


def delivery(webhook: Webhook, message: Message, now: datetime) -> Delivery:
    """A row that is not saved yet."""
    return Delivery(
        webhook=webhook,
        uid=f"msg_{new_name()}",
        kind=message.kind,
        subject=message.subject,
        body=_body(webhook, message),
        created_at=now,
        due_at=now,
        until=now + PATIENCE,
    )


def _body(webhook: Webhook, message: Message) -> str:
    told = {
        "type": message.kind.value,
        "timestamp": message.at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "version": VERSION,
        "organisation": webhook.organisation_id,
        "data": message.data,
    }
    return msgspec.json.encode(told).decode()


def _policy(told: Mapping[str, Any]) -> dict[str, Any] | None:
    return {name: told[name] for name in _OF_A_POLICY if name in told} or None
