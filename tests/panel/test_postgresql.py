"""The panel on PostgreSQL: the tests of its inside again, on a server of their own."""

from __future__ import annotations

import pytest
from tests.support_postgres import holds_again

AGAIN = [
    "test_audit.py",
    "test_certificates_events.py",
    "test_certificates_orders.py",
    "test_certificates_queue.py",
    "test_charts.py",
    "test_charts_plans.py",
    "test_concurrency.py",
    "test_domains.py",
    "test_feeds.py",
    "test_feeds_leases.py",
    "test_feeds_quiet.py",
    "test_feeds_restore.py",
    "test_inbox.py",
    "test_months.py",
    "test_months_missing.py",
    "test_policies_ids.py",
    "test_policies_many.py",
    "test_policies_rotation.py",
    "test_reports_digest.py",
    "test_reports_law.py",
    "test_reports_rebuild.py",
    "test_reports_retention.py",
    "test_reports_rows.py",
    "test_resealing.py",
    "test_upgrade.py",
    "test_webhooks_senders.py",
    "test_webhooks_sending.py",
    "test_webhooks_troubles.py",
    "test_worker.py",
]


@pytest.mark.timeout(300)
def test_everything_holds_on_postgresql_as_well():
    """Locks, isolation and sorting of text are other ones there."""
    holds_again("panel", AGAIN)
