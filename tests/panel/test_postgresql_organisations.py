"""The panel on PostgreSQL: the tests of organisations that end and of what they show, on a server of their own."""

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
    "test_organisations_at_once.py",
]


@pytest.mark.timeout(1200)
def test_everything_holds_on_postgresql_as_well():
    """A deed that crosses organisations sees their rows beyond the wall, and its locks wait for nobody in a circle."""
    holds_again("panel", AGAIN)
