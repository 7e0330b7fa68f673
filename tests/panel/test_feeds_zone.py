"""The feed of an edge whose settings say another zone than it served."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.support_panel import announced, organisation

from trinco.core.hosting import Certificate, empty
from trinco.panel import rendering
from trinco.panel.domains.models import State
from trinco.panel.feeds import DatabaseFeed, publication

pytestmark = pytest.mark.django_db


@pytest.fixture
def zone(settings):
    return settings.CONFIG.zone


@pytest.fixture
def domain():
    return announced(organisation())


class TestOtherZone:
    """RFC 1035 3.3.13, 1995 1: a secondary takes what changed by a later serial, and by nothing else."""

    @pytest.mark.parametrize("field", ["policy_addresses", "caa", "reports_addresses"])
    def test_is_a_new_revision(self, domain, zone, field):
        held = publication(zone)
        now = replace(zone, **{field: ("192.0.2.77",)})
        feed = DatabaseFeed("edge9", now)
        feed.register(held)
        change = feed.changes(held.revision)
        assert (change.revision, change.changed, change.removed, change.whole) == (held.revision + 1, (), (), False)
        assert change.zone == replace(now, thumbprint=change.zone.thumbprint)

    def test_once(self, domain, zone):
        feed = DatabaseFeed("edge9", replace(zone, caa=("ca.example",)))
        feed.register(publication(zone))
        feed.register(feed_held := publication(replace(zone, caa=("ca.example",))))
        assert feed.revision() == feed_held.revision

    def test_not_for_the_same_nor_for_what_is_not_in_dns(self, domain, zone):
        held = publication(zone)
        certified = replace(zone, reports_certificate=Certificate(b"leaf", "c", b"key", 1))
        for known in (held, replace(held, zone=certified), None):
            DatabaseFeed("edge9", zone, "0123456789abcdef").register(known)
        assert publication(zone).revision == held.revision


class TestSecondariesAreAhead:
    """RELIABILITY 5, 14: an edge that has lost its snapshot tells the serial of the secondaries."""

    def test_revisions_go_on_above(self, domain, zone):
        feed = DatabaseFeed("edge9", zone)
        feed.register(replace(empty(zone), revision=5000))
        change = feed.changes(None)
        assert change.revision > 5000
        assert [told.revision for told in change.changed] == [change.revision]


class TestGoneMeanwhile:
    """What one revision takes away is taken away with it, and not with the one before."""

    def test_a_label_that_goes_with_a_later_revision(self, domain, zone, monkeypatch):
        before = publication(zone)
        domain.state, domain.revision = State.GONE, before.revision + 1
        domain.save()
        assert rendering.since(zone, before.revision - 1).removed == ()
        monkeypatch.setattr(rendering, "newest_revision", lambda: before.revision + 1)
        assert rendering.since(zone, before.revision).removed == (domain.label,)
