"""The edges as a member sees them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from tests import support_panel, support_web

from trinco.panel.accounts.models import Organisation
from trinco.panel.policies.gate import LEASE
from trinco.panel.policies.models import EdgeNode
from trinco.panel.policies.rotation import LAG


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


def edge(name: str, **facts: object) -> None:
    support_panel.edge(name, acknowledged=12_345, lease=LEASE)
    EdgeNode.objects.filter(name=name).update(**facts)


class TestEdges:
    """Issue 4: an edge that lags is taken out of the address set, and whoever waits for a policy can see it."""

    def test_none(self, person):
        assert "No edge has registered yet." in support_web.text_of(person.get("/edges/"))

    def test_each_with_its_state_and_addresses(self, person):
        now = timezone.now()
        long_ago = now - LAG - timedelta(seconds=1)
        edge("edge1", addresses=["192.0.2.1", "2001:db8::1"])
        edge("edge2", awaited=1, awaited_since=long_ago)
        edge("edge3", addresses=["192.0.2.3"], lease_until=now - timedelta(seconds=1), withdrawn_at=now)
        edge("edge4", withdrawn_at=now, acknowledged=None)
        edge("edge5", awaited=1, awaited_since=long_ago, waived_at=long_ago)
        reply = person.get("/edges/")
        assert [(row.edge.name, str(row.word), row.good) for row in reply.context["rows"]] == [
            ("edge1", "Serving", True),
            ("edge2", "Behind", False),
            ("edge3", "Away", False),
            ("edge4", "Coming back", False),
            ("edge5", "Behind", False),
        ]
        text = support_web.text_of(reply)
        for words in ("192.0.2.1 2001:db8::1", "12345", "behind since", "out of DNS since", "none yet"):
            assert words in text

    def test_every_page_leads_there_and_counts_those_that_are_there(self, person):
        edge("edge1")
        edge("edge2")
        edge("edge3", lease_until=timezone.now() - timedelta(seconds=1))
        page = person.get("/").content.decode()
        assert '<a href="/edges/">2 edges serving</a>' in page

    def test_in_portuguese(self, person):
        edge("edge1", withdrawn_at=timezone.now())
        person.cookies["trinco_language"] = "pt-pt"
        text = support_web.text_of(person.get("/edges/"))
        assert "A regressar" in text
        assert "fora do DNS desde" in text
