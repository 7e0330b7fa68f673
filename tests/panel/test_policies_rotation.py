"""Which edges are in rotation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from structlog.testing import capture_logs
from tests.support_panel import ANA, live, standing

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel import rendering
from trinco.panel.domains.models import HostedDomain, Revision
from trinco.panel.domains.services import newest_revision
from trinco.panel.feeds import DatabaseFeed
from trinco.panel.policies import rotation, services
from trinco.panel.policies.gate import LEASE
from trinco.panel.policies.models import EdgeNode

FIRST, SECOND, THIRD = "192.0.2.1", "192.0.2.2", "2001:db8::3"
NONE = Policy(Mode.NONE, (), 86_400)

pytestmark = pytest.mark.django_db


class World:
    """Edges as the database sees them, and what time it is."""

    def __init__(self, config) -> None:
        self.config = config
        self.now = timezone.now()

    def edge(self, name: str, *addresses: str, has: int | None = None) -> EdgeNode:
        """An edge that is there and has this revision, or the newest."""
        known = newest_revision() if has is None else has
        facts = {"session": "s", "lease_until": self.now + LEASE, "acknowledged": known, "settled": known}
        return EdgeNode.objects.update_or_create(name=name, defaults={**facts, "addresses": list(addresses)})[0]

    def renew(self, *names: str) -> None:
        EdgeNode.objects.filter(name__in=names).update(lease_until=self.now + LEASE)

    def tell(self, *names: str) -> None:
        """These acknowledge what is newest."""
        newest = newest_revision()
        EdgeNode.objects.filter(name__in=names).update(acknowledged=newest, settled=newest)

    def after(self, seconds: float, *alive: str) -> int:
        self.now += timedelta(seconds=seconds)
        self.renew(*alive)
        return rotation.rotate_due(self.now)

    @property
    def zone(self) -> tuple[str, ...]:
        return rendering.whole(self.config.zone).zone.policy_addresses

    def node(self, name: str) -> EdgeNode:
        return EdgeNode.objects.get(name=name)


@pytest.fixture
def world(settings):
    settings.CONFIG = replace(settings.CONFIG, policy_addresses=(FIRST, SECOND, THIRD))
    return World(settings.CONFIG)


@pytest.fixture
def domain(ours) -> HostedDomain:
    return live(ours)


class TestGone:
    """Issue 4: an edge that lags is taken out of the address set."""

    def test_the_addresses_of_an_edge_whose_lease_ran_out_leave_the_zone(self, world):
        world.edge("edge1", FIRST)
        world.edge("edge2", SECOND, THIRD)
        before = newest_revision()
        with capture_logs() as lines:
            assert world.after(11, "edge1") == 1
        assert world.zone == (FIRST,)
        assert newest_revision() == before + 1
        assert [(line["event"], line["edge"]) for line in lines] == [("edge withdrawn", "edge2")]

    def test_the_edges_are_told(self, world):
        world.edge("edge1", FIRST)
        world.edge("edge2", SECOND)
        before = newest_revision()
        world.after(11, "edge1")
        change = rendering.since(world.config.zone, before)
        assert (change.revision, change.changed, change.zone.policy_addresses) == (before + 1, (), (FIRST, THIRD))

    def test_once_is_enough(self, world):
        world.edge("edge1", FIRST)
        world.edge("edge2", SECOND)
        world.after(11, "edge1")
        world.after(1, "edge1")
        assert newest_revision() == world.node("edge2").withdrawn_revision

    def test_an_edge_without_addresses_of_its_own_changes_nothing(self, world):
        world.edge("edge1", FIRST)
        world.edge("edge2")
        assert world.after(11, "edge1") == 0
        assert world.zone == (FIRST, SECOND, THIRD)

    def test_an_address_that_another_has_too_stays(self, world):
        world.edge("edge1", FIRST, SECOND)
        world.edge("edge2", SECOND, THIRD)
        world.after(11, "edge1")
        assert world.zone == (FIRST, SECOND)

    def test_one_address_always_stays(self, world):
        world.edge("edge1", FIRST, SECOND, THIRD)
        world.edge("edge2")
        assert world.after(11, "edge2") == 0
        assert world.zone == (FIRST, SECOND, THIRD)

    def test_of_several_that_are_gone_as_many_leave_as_may(self, world):
        for name, address in [("edge1", FIRST), ("edge2", SECOND), ("edge3", THIRD), ("edge4", "")]:
            world.edge(name, *filter(None, [address]))
        assert world.after(11, "edge4") == 2
        assert world.zone == (THIRD,)

    def test_not_while_nobody_reaches_the_database(self, world):
        world.edge("edge1", FIRST)
        world.edge("edge2", SECOND)
        assert world.after(3600) == 0
        assert world.zone == (FIRST, SECOND, THIRD)

    def test_settings_that_changed_leave_no_empty_set(self, world):
        world.edge("edge1", FIRST, SECOND, THIRD)
        EdgeNode.objects.update(withdrawn_at=world.now)
        assert world.zone == (FIRST, SECOND, THIRD)


class TestBack:
    """RELIABILITY 5, 2: an edge must never rejoin before it has the newest live version."""

    @pytest.fixture
    def gone(self, world):
        world.edge("edge1", FIRST)
        world.edge("edge2", SECOND)
        world.after(11, "edge1")
        return world

    def test_a_lease_alone_is_not_enough(self, gone):
        gone.after(1, "edge1", "edge2")
        assert gone.zone == (FIRST, THIRD)

    def test_with_the_newest_revision_it_is_back(self, gone):
        gone.tell("edge1", "edge2")
        before = newest_revision()
        assert gone.after(1, "edge1", "edge2") == 1
        assert gone.zone == (FIRST, SECOND, THIRD)
        assert newest_revision() == before + 1
        node = gone.node("edge2")
        assert (node.withdrawn_at, node.withdrawn_revision, node.waived_at) == (None, None, None)

    def test_what_was_acknowledged_before_its_lease_ran_out_is_not_enough(self, gone):
        gone.tell("edge1", "edge2")
        assert gone.after(1, "edge1") <= 1
        assert gone.zone == (FIRST, THIRD)

    def test_a_policy_that_comes_in_between_keeps_it_out(self, gone, domain, monkeypatch):
        gone.tell("edge1", "edge2")
        real = rotation._to_take_back
        monkeypatch.setattr(rotation, "_to_take_back", lambda *told: real(*told) and (publish(), real(*told))[1])

        def publish() -> None:
            monkeypatch.setattr(rotation, "_to_take_back", real)
            services.publish(domain=domain, policy=NONE, actor=ANA)

        gone.after(1, "edge1", "edge2")
        assert gone.zone == (FIRST, THIRD)

    def test_it_stays_out_over_a_clean_stop_and_a_new_start(self, gone, settings):
        EdgeNode.objects.filter(name="edge2").update(session="0" * 32)
        feed = DatabaseFeed("edge2", gone.config.zone, "0" * 16, [SECOND])
        feed.register(None)
        feed.leave()
        feed.register(None)
        assert gone.node("edge2").withdrawn_at is not None
        assert gone.zone == (FIRST, THIRD)


class TestLagging:
    """RELIABILITY 5, 2: one that does not acknowledge within 60 s leaves the address set; publication waits its TTL."""

    @pytest.fixture
    def lagging(self, world, domain):
        """The second edge renews its lease, and acknowledges nothing."""
        world.edge("edge1", FIRST)
        world.edge("edge2", SECOND, has=domain.revision - 1)
        return world

    def wait(self, world, seconds: int) -> None:
        for _ in range(seconds):
            world.after(1, "edge1", "edge2")

    def test_for_a_minute_it_is_waited_for(self, lagging, domain):
        self.wait(lagging, 61)
        assert lagging.zone == (FIRST, SECOND, THIRD)
        assert services.announce_due(lagging.now) == 0

    def test_then_it_leaves_the_zone_and_is_waited_for_still(self, lagging, domain):
        self.wait(lagging, 63)
        assert lagging.zone == (FIRST, THIRD)
        lagging.tell("edge1")
        self.wait(lagging, 300)
        assert services.announce_due(lagging.now) == 0

    def test_until_nobody_can_have_its_address(self, lagging, domain):
        self.wait(lagging, 63)
        lagging.tell("edge1")
        self.wait(lagging, lagging.config.zone.ttl + 31)
        assert services.announce_due(lagging.now) == 1
        assert standing(domain).announced == standing(domain).current

    def test_the_time_begins_when_the_others_have_the_zone_without_it(self, lagging, domain):
        self.wait(lagging, 63)
        assert lagging.node("edge2").waived_at is None
        lagging.tell("edge1")
        self.wait(lagging, 1)
        ends = timedelta(seconds=lagging.config.zone.ttl) + rotation.ALLOWANCE
        assert lagging.node("edge2").waived_at == lagging.now + ends

    def test_past_it_goes_only_what_the_others_have_had_for_a_while(self, lagging, domain):
        self.wait(lagging, 63)
        lagging.tell("edge1")
        self.wait(lagging, 400)
        EdgeNode.objects.filter(name="edge1").update(settled=domain.revision - 1)
        assert services.announce_due(lagging.now) == 0

    def test_what_it_owes_is_remembered_while_more_is_published(self, lagging, domain):
        for number in range(7):
            self.wait(lagging, 9)
            policy = Policy(Mode.NONE, (), 86_400 + number)
            services.publish(domain=domain, policy=policy, actor=ANA)
        assert lagging.zone == (FIRST, THIRD)

    def test_an_edge_that_is_always_a_little_behind_does_not_lag(self, lagging, domain):
        for _ in range(100):
            behind = newest_revision()
            Revision.objects.update(number=behind + 1)
            EdgeNode.objects.update(acknowledged=behind)
            self.wait(lagging, 1)
        assert lagging.zone == (FIRST, SECOND, THIRD)

    def test_a_clock_that_was_ahead_lets_nobody_lag_unseen(self, lagging, domain):
        self.wait(lagging, 1)
        EdgeNode.objects.filter(name="edge2").update(awaited_since=lagging.now + timedelta(days=2))
        self.wait(lagging, 62)
        assert lagging.zone == (FIRST, THIRD)

    def test_nor_is_a_withdrawn_one_awaited_for_days_because_of_it(self, lagging, domain):
        self.wait(lagging, 63)
        lagging.tell("edge1")
        self.wait(lagging, 1)
        EdgeNode.objects.filter(name="edge2").update(waived_at=lagging.now + timedelta(days=2))
        self.wait(lagging, 1)
        ends = timedelta(seconds=lagging.config.zone.ttl) + rotation.ALLOWANCE
        assert lagging.node("edge2").waived_at == lagging.now + ends

    def test_when_it_has_caught_up_all_is_as_before(self, lagging, domain):
        self.wait(lagging, 63)
        lagging.tell("edge1", "edge2")
        self.wait(lagging, 1)
        node = lagging.node("edge2")
        assert (node.awaited, node.withdrawn_at, lagging.zone) == (None, None, (FIRST, SECOND, THIRD))


class TestOperator:
    """RELIABILITY 5, 2: … or the operator forces."""

    def told(self, world, domain):
        world.edge("edge1", FIRST)
        world.edge("edge2", has=domain.revision - 1)
        for _ in range(62):
            world.after(1, "edge1", "edge2")

    def test_an_edge_that_lags_may_be_waived(self, world, domain):
        self.told(world, domain)
        assert services.announce_due(world.now) == 0
        rotation.waive(name="edge2", now=world.now)
        assert services.announce_due(world.now) == 1

    def test_it_is_awaited_again_when_it_has_caught_up(self, world, domain):
        self.told(world, domain)
        rotation.waive(name="edge2", now=world.now)
        world.tell("edge1", "edge2")
        world.after(1, "edge1", "edge2")
        assert world.node("edge2").waived_at is None

    @pytest.mark.parametrize("name", ["edge1", "edge3"])
    def test_none_that_is_in_step(self, world, domain, name):
        self.told(world, domain)
        with pytest.raises(rotation.NotLagging):
            rotation.waive(name=name, now=world.now)

    def test_one_that_is_gone_for_good_is_forgotten(self, world):
        world.edge("edge1", FIRST)
        world.edge("edge2", SECOND)
        world.after(11, "edge1")
        rotation.forget(name="edge2", now=world.now)
        assert world.zone == (FIRST, SECOND, THIRD)
        assert list(EdgeNode.objects.values_list("name", flat=True)) == ["edge1"]

    def test_none_that_is_there(self, world):
        world.edge("edge1", FIRST)
        with pytest.raises(rotation.NotLagging):
            rotation.forget(name="edge1", now=datetime.now(world.now.tzinfo))
