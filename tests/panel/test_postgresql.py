"""The panel on PostgreSQL: the tests of its inside, domains and policies again, on a server of their own."""

from __future__ import annotations

import pytest
from tests.support_postgres import holds_again

AGAIN = [
    "test_api_once.py",
    "test_api_policies.py",
    "test_api_races.py",
    "test_audit.py",
    "test_by_hand.py",
    "test_by_hand_restored.py",
    "test_concurrency.py",
    "test_declared_looks.py",
    "test_declared_whose.py",
    "test_domains.py",
    "test_feeds.py",
    "test_feeds_leases.py",
    "test_feeds_quiet.py",
    "test_feeds_restore.py",
    "test_imports_room.py",
    "test_kept_access.py",
    "test_log.py",
    "test_online.py",
    "test_policies_ids.py",
    "test_policies_many.py",
    "test_policies_rotation.py",
    "test_publishing_fairness.py",
    "test_resealing.py",
    "test_upgrade.py",
    "test_worker.py",
]


@pytest.mark.timeout(1200)
def test_everything_holds_on_postgresql_as_well():
    """Locks, isolation and sorting of text are other ones there."""
    holds_again("panel", AGAIN)
