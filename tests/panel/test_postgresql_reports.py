"""The panel on PostgreSQL: the tests of reports and certificates again, on a server of their own."""

from __future__ import annotations

import pytest
from tests.support_postgres import holds_again

AGAIN = [
    "test_certificates_events.py",
    "test_certificates_orders.py",
    "test_certificates_queue.py",
    "test_charts.py",
    "test_charts_plans.py",
    "test_checks_reported.py::TestEachSender",
    "test_days.py",
    "test_inbox.py",
    "test_months.py",
    "test_months_missing.py",
    "test_reports_digest.py",
    "test_reports_law.py",
    "test_reports_rebuild.py",
    "test_reports_retention.py",
    "test_reports_rows.py",
    "test_turned_away.py",
]


@pytest.mark.timeout(1200)
def test_everything_holds_on_postgresql_as_well():
    """Locks, isolation and sorting of text are other ones there."""
    holds_again("panel", AGAIN)
