"""The feed after a restore: what the edges hold is newer than what the database remembers."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

import pytest
from django.db import transaction
from django.utils import timezone
from msgspec.structs import replace
from tests.support_panel import ANA, announced, edge, hosted, live, organisation, standing, versions

from trinco.core.errors import FeedUnavailable, LeaseLost
from trinco.core.hosting import HostedDomain, Publication
from trinco.core.mtasts import ids
from trinco.core.mtasts import policy as policy_files
from trinco.core.mtasts.policy import Mode, Policy
from trinco.core.names import Domain
from trinco.edge import node
from trinco.panel import recovery
from trinco.panel.domains.models import HostedDomain as Row
from trinco.panel.domains.models import Revision
from trinco.panel.feeds import DatabaseFeed, publication
from trinco.panel.policies import services as policies
from trinco.panel.policies.models import EdgeNode

pytestmark = pytest.mark.django_db

LOST = Policy(Mode.ENFORCE, ("mx1.correio.example", "mx2.correio.example"), 604800)
LOST_BODY = policy_files.render(LOST)


@pytest.fixture
def zone(settings):
    return settings.CONFIG.zone


@pytest.fixture
def domain() -> Row:
    return announced(organisation())


def later_id(after: datetime | None = None) -> str:
    return ids.policy_id(LOST_BODY, (after or timezone.now()) + timedelta(hours=1), "")


def lost(domain: Row, zone, **differing: object) -> Publication:
    """What an edge holds that took over a policy which the backup does not have."""
    held = publication(zone)
    fields = {"revision": held.revision + 5, "policy": LOST_BODY, "policy_id": later_id(), **differing}
    newer = replace(held.domains[domain.label], **fields)
    return Publication(held.revision + 5, zone, {**held.domains, domain.label: newer})


def register(zone, held: Publication, name: str = "edge1") -> DatabaseFeed:
    EdgeNode.objects.filter(name=name).delete()
    feed = DatabaseFeed(name, zone)
    feed.register(held)
    return feed


class TestNothingLost:
    """The usual start: the edge holds what the database knows, or less."""

    def test_an_edge_that_is_up_to_date_changes_nothing(self, domain, zone):
        before = publication(zone)
        feed = register(zone, before)
        assert publication(zone) == before
        assert not feed.changes(before.revision).whole

    def test_an_edge_that_is_behind_changes_nothing(self, domain, zone):
        held = publication(zone)
        policies.publish(domain=domain, policy=LOST, actor=ANA, override=True)
        before = publication(zone)
        feed = register(zone, held)
        assert publication(zone) == before
        assert [told.label for told in feed.changes(held.revision).changed] == [domain.label]


class TestRestored:
    """RELIABILITY 3 and 5, 11: ids and serials go on above everything that the world has seen."""

    def test_revisions_leap_above_what_was_served(self, domain, zone):
        held = lost(domain, zone)
        register(zone, held)
        assert Revision.objects.get().number > held.revision + recovery.LEAP

    def test_everything_is_told_anew(self, domain, zone):
        held = lost(domain, zone)
        change = register(zone, held).changes(held.revision)
        assert change.whole
        assert all(told.revision > held.revision for told in change.changed)

    def test_the_policy_comes_back_under_a_later_id(self, domain, zone):
        held = lost(domain, zone)
        seen = held.domains[domain.label].policy_id
        register(zone, held)
        now = standing(domain)
        assert (policies.policy_of(now.current), now.id_floor) == (
            Policy(Mode.TESTING, ("mx1.correio.example",), 86400),
            seen,
        )
        assert now.current.policy_id > seen

    def test_the_later_id_stays_in_dns_until_a_still_later_one_comes(self, domain, zone):
        held = lost(domain, zone)
        seen = held.domains[domain.label].policy_id
        feed = register(zone, held)
        told = feed.changes(held.revision).changed[0]
        assert (told.policy, told.policy_id) == (bytes(standing(domain).current.body), seen)
        feed.acknowledge(told.revision, [])
        assert feed.changes(None).changed[0].policy_id == standing(domain).current.policy_id > seen

    def test_the_ledger_learns_what_was_served(self, domain, zone):
        """DESIGN 3: nothing served is forgotten. Senders may hold the lost policy for as long as its max_age says."""
        held = lost(domain, zone)
        feed = register(zone, held)
        feed.acknowledge(feed.revision(), [])
        kept = [(row.number, row.mode, row.max_age, row.announced_at is not None) for row in versions(domain)]
        assert kept == [(1, "enforce", 604800, True), (2, "testing", 86400, True), (3, "testing", 86400, True)]
        row = versions(domain)[0]
        assert (bytes(row.body), row.policy_id, row.mx) == (
            LOST_BODY,
            held.domains[domain.label].policy_id,
            list(LOST.mx),
        )
        horizon = policies.horizon_of(domain, timezone.now())
        assert horizon is not None
        assert horizon > timezone.now() + timedelta(seconds=604_000)

    def test_what_is_published_then_is_later_still(self, domain, zone):
        held = lost(domain, zone)
        register(zone, held)
        version = policies.publish(domain=domain, policy=LOST, actor=ANA, override=True)
        assert version.policy_id > held.domains[domain.label].policy_id

    def test_a_body_that_nobody_can_read_is_no_obstacle(self, domain, zone):
        held = lost(domain, zone, policy=b"\xff")
        register(zone, held)
        assert standing(domain).current.policy_id > held.domains[domain.label].policy_id
        assert len(versions(domain)) == 2

    def test_an_id_that_the_database_knows_but_never_announced(self, domain, zone):
        """The backup was made between the publication and its announcement."""
        version = policies.publish(domain=domain, policy=LOST, actor=ANA, override=True)
        held = lost(domain, zone, policy_id=version.policy_id)
        feed = register(zone, held)
        told = feed.changes(held.revision).changed[0]
        assert (told.policy_id, told.policy) == (version.policy_id, bytes(version.body))
        feed.acknowledge(told.revision, [])
        assert standing(domain).announced == version
        assert len(versions(domain)) == 2

    def test_a_second_edge_that_was_newer_still(self, domain, zone):
        first, second = lost(domain, zone), lost(domain, zone, policy_id=later_id(timezone.now() + timedelta(hours=5)))
        register(zone, first)
        after_first = Revision.objects.get().number
        feed = register(zone, second, "edge2")
        assert feed.changes(second.revision).whole
        assert Revision.objects.get().number > after_first
        assert standing(domain).current.policy_id > second.domains[domain.label].policy_id

    def test_a_change_without_an_id_is_told_anew_too(self, domain, zone):
        """The certificate was renewed after the backup: ids and the revision as a whole tell nothing of it."""
        held = lost(domain, zone, policy_id=publication(zone).domains[domain.label].policy_id)
        for number in range(10):
            hosted(domain.organisation, f"d{number}.example")
        assert Revision.objects.get().number > held.revision
        assert register(zone, held).changes(held.revision).whole

    def test_labels_that_the_database_has_never_heard_of_go(self, domain, zone):
        held = publication(zone)
        ghost = HostedDomain(Domain.trusted("ghost.example"), "ghost", 1, policy=b"body")
        held = Publication(held.revision, zone, {**held.domains, "ghost": ghost})
        change = register(zone, held).changes(held.revision)
        assert (change.whole, [told.label for told in change.changed]) == (True, [domain.label])


class TestAnotherDatabase:
    """A database that knows nothing of what is served is a mistake, and what is served is worth more than its word."""

    def test_it_is_not_believed(self, zone):
        ghost = HostedDomain(Domain.trusted("ghost.example"), "ghost", 1, policy=b"body")
        with pytest.raises(FeedUnavailable, match="knows none of the 1 domains"):
            register(zone, Publication(9, zone, {"ghost": ghost}))
        assert not EdgeNode.objects.exists()

    def test_an_edge_that_serves_nobody_believes_any(self, zone):
        waiting = HostedDomain(Domain.trusted("ghost.example"), "ghost", 1)
        feed = register(zone, Publication(9, zone, {"ghost": waiting}))
        assert feed.changes(9).whole


class TestWhileALeaseRuns:
    """A database that went back a second ago still knows the lease: whoever asks for news, or for all, notices."""

    @pytest.mark.parametrize("ask", [partial(node._news, renewing=True), node._everything], ids=["news", "everything"])
    def test_it_is_told_to_register_anew(self, domain, zone, ask):
        feed = DatabaseFeed("edge2", zone, "a" * 16)
        feed.register(None)
        behind = transaction.savepoint()
        policies.publish(domain=domain, policy=LOST, actor=ANA, override=True)
        held = feed.changes(None)
        transaction.savepoint_rollback(behind)
        with pytest.raises(LeaseLost, match="went back"):
            ask(feed, since=held.revision)


def test_many_lost_ids_are_left_to_the_worker(zone, monkeypatch):
    monkeypatch.setattr("trinco.panel.feeds._REISSUED_AT_ONCE", 0)
    domain = live(organisation())
    edge()
    policies.announce_due(timezone.now())
    held = lost(domain, zone)
    feed = register(zone, held)
    told = feed.changes(held.revision).changed[0]
    assert told.policy_id is None
    assert policies.reissue_due(timezone.now()) == 1
    assert feed.changes(None).changed[0].policy_id == held.domains[domain.label].policy_id
