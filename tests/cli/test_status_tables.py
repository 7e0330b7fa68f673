"""What the status listener of panel and worker says of the tables."""

from __future__ import annotations

import pytest
from django.db import DatabaseError
from prometheus_client import CollectorRegistry

from trinco.cli.status import TablesRole
from trinco.panel import health


def raising() -> dict[str, str]:
    raise DatabaseError


@pytest.mark.parametrize(
    ("word", "remarks", "said"),
    [
        ("ready", dict, (True, {"status": "ready"})),
        ("ready", lambda: {"own_certificate": "no route"}, (True, {"status": "ready", "own_certificate": "no route"})),
        ("ready", raising, (False, {"status": "database"})),
        ("migrations", raising, (False, {"status": "migrations"})),
    ],
)
def test_ready_and_what_is_not_well(monkeypatch, word, remarks, said):
    """Issue 4: /readyz shows a certificate of our own hosts that fails; no load balancer can mend it, so it is ready."""
    monkeypatch.setattr(health, "database", lambda: word)
    monkeypatch.setattr(health, "remarks", remarks)
    assert TablesRole(CollectorRegistry()).ready() == said
