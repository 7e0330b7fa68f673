"""Which copies are to be sent: noted in the transaction that makes the report's row, so that a crash loses none."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from trinco.panel.reports.models import Copy, Recipient


def queue(reports: Collection[tuple[int, int]], now: datetime) -> None:
    """Note a copy of each new report (key, domain) for each confirmed recipient, in the transaction of the report."""
    domains = {domain for _, domain in reports}
    confirmed = Recipient.objects.everywhere().filter(domain__in=domains, confirmed_at__isnull=False)
    recipients = list(confirmed.values_list("pk", "domain_id"))
    copies = [
        Copy(recipient_id=recipient, report_id=report, due_at=now)
        for report, domain in reports
        for recipient, about in recipients
        if about == domain
    ]
    if copies:
        Copy.objects.everywhere().bulk_create(copies, ignore_conflicts=True)
