"""The feed: who is there, who is waited for, and a database that is not there."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.support_panel import ANA, live, organisation, standing

from trinco.core.errors import LeaseLost
from trinco.core.mtasts.policy import Mode, Policy
from trinco.edge import fence
from trinco.panel.feeds import DatabaseFeed
from trinco.panel.policies import rotation
from trinco.panel.policies import services as policies
from trinco.panel.policies.gate import CONTACT, LEASE
from trinco.panel.policies.models import EdgeNode

pytestmark = pytest.mark.django_db


@pytest.fixture
def zone(settings):
    return settings.CONFIG.zone


def feed_of(name: str, zone, identity: str = "") -> DatabaseFeed:
    made = DatabaseFeed(name, zone, identity)
    made.register(None)
    return made


def age(*names: str, by: timedelta) -> None:
    """Let so much time pass for these edges since they were last heard of."""
    for node in EdgeNode.objects.filter(name__in=names):
        node.lease_until -= by
        node.save(update_fields=["lease_until"])


def left(name: str) -> float:
    """Seconds for which this edge is still waited for."""
    return (EdgeNode.objects.get(name=name).lease_until - timezone.now()).total_seconds()


class TestLease:
    """RELIABILITY 5, 1: the gate waits for each edge whose lease runs, and for no other."""

    def test_an_edge_that_registers_is_waited_for(self, zone):
        feed_of("edge1", zone)
        node = EdgeNode.objects.get()
        assert (node.name, node.acknowledged, node.failing) == ("edge1", None, [])
        assert 9 < left("edge1") <= 10

    def test_renewing_takes_it_on(self, zone):
        feed = feed_of("edge1", zone)
        age("edge1", by=timedelta(seconds=2))
        feed.renew()
        assert left("edge1") > 9

    def test_one_that_ran_out_is_not_renewed(self, zone):
        feed = feed_of("edge1", zone)
        age("edge1", by=timedelta(seconds=11))
        with pytest.raises(LeaseLost):
            feed.renew()

    def test_leaving_gives_it_back(self, zone):
        feed = feed_of("edge1", zone)
        feed.leave()
        assert not EdgeNode.objects.exists()
        with pytest.raises(LeaseLost):
            feed.renew()

    def test_leaving_clears_up_after_an_earlier_life(self, zone):
        feed_of("edge1", zone, "0123456789abcdef")
        DatabaseFeed("edge1", zone, "0123456789abcdef").leave()
        assert not EdgeNode.objects.exists()

    def test_leaving_leaves_a_twin_alone(self, zone):
        feed_of("edge1", zone, "0123456789abcdef")
        DatabaseFeed("edge1", zone, "fedcba9876543210").leave()
        assert EdgeNode.objects.exists()

    def test_a_restart_in_its_own_place_takes_over_at_once(self, zone):
        before = feed_of("edge1", zone, "0123456789abcdef")
        after = feed_of("edge1", zone, "0123456789abcdef")
        after.renew()
        for call in (before.renew, lambda: before.acknowledge(1, [])):
            with pytest.raises(LeaseLost):
                call()

    def test_a_twin_elsewhere_waits(self, zone):
        first = feed_of("edge1", zone, "0123456789abcdef")
        twin = DatabaseFeed("edge1", zone, "fedcba9876543210")
        with pytest.raises(LeaseLost, match="another edge named edge1"):
            twin.register(None)
        first.renew()
        age("edge1", by=timedelta(seconds=11))
        twin.register(None)
        with pytest.raises(LeaseLost):
            first.renew()

    def test_registering_anew_takes_back_what_was_acknowledged(self, zone):
        feed = feed_of("edge1", zone)
        feed.acknowledge(7, ["label"])
        feed.register(None)
        node = EdgeNode.objects.get()
        assert (node.acknowledged, node.failing) == (None, [])

    def test_edge_and_panel_mean_the_same_lease(self):
        assert timedelta(seconds=fence.LEASE) == LEASE
        assert timedelta(seconds=fence.RENEW) < CONTACT


class TestOutage:
    """A lease that ran out while nobody reached the database says nothing about its edge, which serves on meanwhile."""

    def test_the_first_to_come_back_gives_the_others_time(self, zone):
        first, _ = feed_of("edge1", zone), feed_of("edge2", zone)
        age("edge1", "edge2", by=timedelta(minutes=5))
        first.register(None)
        assert left("edge2") > 9

    def test_also_when_its_own_lease_still_runs(self, zone):
        first, _ = feed_of("edge1", zone), feed_of("edge2", zone)
        age("edge1", by=timedelta(seconds=8))
        age("edge2", by=timedelta(seconds=10, milliseconds=500))
        first.renew()
        assert left("edge2") > 9

    def test_an_edge_that_was_gone_before_gets_none(self, zone):
        first, _ = feed_of("edge1", zone), feed_of("edge2", zone)
        age("edge1", by=timedelta(minutes=5))
        age("edge2", by=timedelta(minutes=6))
        first.register(None)
        assert left("edge2") < 0

    def test_while_somebody_is_heard_of_the_dead_stay_dead(self, zone):
        first, _ = feed_of("edge1", zone), feed_of("edge2", zone)
        age("edge1", by=timedelta(seconds=2))
        age("edge2", by=timedelta(seconds=11))
        first.renew()
        assert left("edge2") < 0

    def test_nothing_is_announced_before_anybody_is_heard_of(self, zone):
        """Both edges serve the old policy, one has the new one; then the database is away for nine seconds."""
        domain = live(organisation())
        first, _ = feed_of("edge1", zone), feed_of("edge2", zone)
        first.acknowledge(domain.revision, [])
        age("edge1", by=timedelta(seconds=9))
        age("edge2", by=timedelta(seconds=10, milliseconds=500))
        assert policies.announce_due(timezone.now()) == 0
        first.renew()
        assert policies.announce_due(timezone.now()) == 0
        assert standing(domain).announced is None

    def test_a_clock_that_was_set_back_locks_no_new_one_out(self, zone):
        feed_of("edge1", zone, "0123456789abcdef")
        age("edge1", by=-timedelta(days=2))
        new = DatabaseFeed("edge1", zone, "fedcba9876543210")
        with pytest.raises(LeaseLost):
            new.register(None)
        assert 9 < left("edge1") <= 10
        age("edge1", by=timedelta(seconds=10))
        new.register(None)

    def test_the_worker_shortens_what_a_clock_that_was_set_back_has_left(self, zone):
        feed_of("edge1", zone)
        age("edge1", by=-timedelta(days=2))
        rotation.rotate_due(timezone.now())
        assert 9 < left("edge1") <= 10

    def test_a_clock_that_was_set_back_keeps_nobody_waiting(self, zone):
        first, _ = feed_of("edge1", zone), feed_of("edge2", zone)
        age("edge2", by=-timedelta(days=2))
        first.renew()
        assert left("edge2") <= 10


class TestAcknowledge:
    """RFC 8461 section 8.1: the id follows when the last edge that is waited for has the body."""

    def test_the_last_one_announces(self, zone):
        domain = live(organisation())
        first, second = feed_of("edge1", zone), feed_of("edge2", zone)
        first.acknowledge(domain.revision, [])
        assert standing(domain).announced is None
        second.acknowledge(domain.revision, [])
        assert standing(domain).announced == standing(domain).current

    def test_an_edge_that_cannot_fetch_it_holds_it_up(self, zone):
        domain = live(organisation())
        feed = feed_of("edge1", zone)
        feed.acknowledge(domain.revision, [domain.label])
        assert standing(domain).announced is None
        feed.acknowledge(domain.revision, [])
        assert standing(domain).announced is not None

    def test_a_newer_policy_waits_for_its_own_acknowledgement(self, zone):
        domain = live(organisation())
        feed = feed_of("edge1", zone)
        feed.acknowledge(domain.revision, [])
        policy = Policy(Mode.ENFORCE, ("mx1.correio.example",), 86400)
        policies.publish(domain=domain, policy=policy, actor=ANA, override=True)
        feed.acknowledge(domain.revision - 1, [])
        assert standing(domain).announced.number == 1
        feed.acknowledge(domain.revision, [])
        assert standing(domain).announced.number == 2
