"""The panel on PostgreSQL: its tests again, on a server of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.support_postgres import server

HERE = Path(__file__).parent
AGAIN = [
    "test_api_once.py",
    "test_api_policies.py",
    "test_api_races.py",
    "test_audit.py",
    "test_by_hand.py",
    "test_by_hand_restored.py",
    "test_certificates_events.py",
    "test_charts.py",
    "test_charts_plans.py",
    "test_certificates_orders.py",
    "test_certificates_queue.py",
    "test_concurrency.py",
    "test_declared_looks.py",
    "test_declared_whose.py",
    "test_domains.py",
    "test_feeds.py",
    "test_feeds_leases.py",
    "test_feeds_quiet.py",
    "test_feeds_restore.py",
    "test_inbox.py",
    "test_kept_access.py",
    "test_months.py",
    "test_months_missing.py",
    "test_people.py",
    "test_policies_ids.py",
    "test_policies_many.py",
    "test_reports_digest.py",
    "test_reports_law.py",
    "test_reports_rebuild.py",
    "test_reports_retention.py",
    "test_reports_rows.py",
    "test_policies_rotation.py",
    "test_resealing.py",
    "test_upgrade.py",
    "test_wall.py",
    "test_wall_requests.py",
    "test_web_access.py",
    "test_web_certificates_page.py",
    "test_web_tlsrpt.py",
    "test_web_ways.py",
    "test_worker.py",
]


@pytest.mark.timeout(300)
def test_everything_holds_on_postgresql_as_well():
    """Locks, isolation and sorting of text are other ones there."""
    with server() as url:
        usual = ["-m", "pytest", "-q", "-p", "no:xdist", "-m", "not slow"]
        command = [sys.executable, *usual, *[str(HERE / name) for name in AGAIN]]
        ours = ("TRINCO_", "DJANGO_", "PYTEST_")  # set for this process, and not for the one below
        environment = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
        environment["TESTS_DATABASE"] = url
        done = subprocess.run(
            command, cwd=HERE.parent.parent, env=environment, capture_output=True, text=True, check=False, timeout=270
        )
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    assert "skipped" not in done.stdout
