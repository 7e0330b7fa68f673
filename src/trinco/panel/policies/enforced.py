"""Until when senders may go on enforcing policies that we served (RFC 8461 section 5: testing holds no mail back)."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from trinco.core.mtasts.horizon import Served, horizon
from trinco.core.mtasts.policy import Mode
from trinco.panel.policies.models import PolicyVersion


def enforced_until(versions: QuerySet[PolicyVersion], now: datetime) -> datetime | None:
    """The last moment at which a sender may enforce one of these versions, or None. One query."""
    enforcing = versions.filter(mode=Mode.ENFORCE, served_from__isnull=False).values_list("max_age", "served_until")
    served = [Served(Mode.ENFORCE, max_age, until) for max_age, until in enforcing]
    return horizon(served, now, settings.CONFIG.zone.ttl)
