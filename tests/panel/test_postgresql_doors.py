"""The panel on PostgreSQL: the tests of its pages and its API again, and of the wall, on a server of their own."""

from __future__ import annotations

import pytest
from tests.support_postgres import holds_again

AGAIN = [
    "test_api_once.py",
    "test_api_policies.py",
    "test_api_races.py",
    "test_by_hand.py",
    "test_by_hand_restored.py",
    "test_declared_looks.py",
    "test_declared_whose.py",
    "test_imports_room.py",
    "test_kept_access.py",
    "test_label_hosts.py",
    "test_labels.py",
    "test_people.py",
    "test_publishing_fairness.py",
    "test_sso.py",
    "test_sso_first.py",
    "test_sso_terms.py",
    "test_wall.py",
    "test_wall_requests.py",
    "test_web_access.py",
    "test_web_certificates_page.py",
    "test_web_label.py",
    "test_web_tags_hostile.py",
    "test_web_tlsrpt.py",
    "test_web_ways.py",
]


@pytest.mark.timeout(300)
def test_everything_holds_on_postgresql_as_well():
    """Locks, isolation and sorting of text are other ones there."""
    holds_again("panel", AGAIN)
