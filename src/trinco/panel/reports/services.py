"""Deeds on TLS reports, for the doors, the worker, the pages and the commands. Each is one transaction.

For the spool: `take`. For the worker: `digest_due`, `forward_due`, `prune_due`, each a portion of what is due.
For pages and commands: `retry`; `retention_of`, `preview`, `set_retention`, `prune`; `add_recipient`, `recipient_of`,
`confirm_recipient`, `remove_recipient`; `own_part` of a report, as its sender wrote it; `rebuild`.
"""

from __future__ import annotations

from django.db import transaction

from trinco.panel import clock
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.services import record
from trinco.panel.reports.arrivals import take
from trinco.panel.reports.copies import forward_due
from trinco.panel.reports.digest import digest_due
from trinco.panel.reports.errors import NotParked
from trinco.panel.reports.models import RawReport, RawState
from trinco.panel.reports.originals import own_part
from trinco.panel.reports.rebuild import Rebuilt, rebuild
from trinco.panel.reports.recipients import add_recipient, confirm_recipient, recipient_of, remove_recipient
from trinco.panel.reports.retention import Preview, preview, prune, prune_due, retention_of, set_retention

__all__ = [
    "Preview",
    "Rebuilt",
    "add_recipient",
    "confirm_recipient",
    "digest_due",
    "forward_due",
    "own_part",
    "preview",
    "prune",
    "prune_due",
    "rebuild",
    "recipient_of",
    "remove_recipient",
    "retention_of",
    "retry",
    "set_retention",
    "take",
]


@transaction.atomic
def retry(*, raw: RawReport, actor: Actor) -> None:
    """Have the worker read a parked or foreign arrival again, at once. Raises NotParked."""
    parked = RawReport.objects.of(raw.organisation).filter(pk=raw.pk, state__in=[RawState.PARKED, RawState.FOREIGN])
    if not parked.update(state=RawState.PENDING, due_at=clock.now(), tries=0, reason=""):
        raise NotParked(raw.arrival_id)
    subject = raw.domain.name if raw.domain else raw.organisation.name[:254]
    told = {"arrival": raw.arrival_id}
    record(organisation=raw.organisation, actor=actor, action="report.retried", subject=subject, after=told)
    raw.refresh_from_db()
