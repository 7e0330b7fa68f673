"""The panel on PostgreSQL: the tests of people, organisations, pages and the wall again, on a server of their own."""

from __future__ import annotations

import pytest
from tests.support_postgres import holds_again

AGAIN = [
    "test_api_labels.py",
    "test_asking.py",
    "test_belonging.py",
    "test_closing.py",
    "test_declared_clients.py",
    "test_imports_clients.py",
    "test_label_hosts.py",
    "test_labels.py",
    "test_organisations_at_once.py",
    "test_people.py",
    "test_sso.py",
    "test_sso_first.py",
    "test_sso_terms.py",
    "test_wall.py",
    "test_wall_requests.py",
    "test_web_access.py",
    "test_web_by_client.py",
    "test_web_certificates_page.py",
    "test_web_label.py",
    "test_web_tags_hostile.py",
    "test_web_tlsrpt.py",
    "test_web_ways.py",
    "test_webhooks_senders.py",
    "test_webhooks_sending.py",
    "test_webhooks_troubles.py",
]


@pytest.mark.timeout(1200)
def test_everything_holds_on_postgresql_as_well():
    """A deed that crosses organisations sees their rows beyond the wall; locks, isolation and sorting are other ones."""
    holds_again("panel", AGAIN)
