"""When an id is announced."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.support_panel import ANA, announced, edge, live, standing

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.domains.models import HostedDomain, Revision, State
from trinco.panel.domains.services import set_tlsrpt
from trinco.panel.policies import services
from trinco.panel.policies.gate import CONTACT, LEASE, Gate, gate
from trinco.panel.policies.models import EdgeNode

NONE = Policy(Mode.NONE, (), 86_400)


def announce():
    return services.announce_due(timezone.now())


class TestGate:
    """A sender that sees a new id must find the new policy: publish over HTTPS first, then in DNS (RFC 8461 section 8.1)."""

    def test_announced_once_the_edge_serves_it(self, ours):
        domain = live(ours)
        edge()
        now = timezone.now()
        assert services.announce_due(now) == 1
        told = standing(domain)
        assert (told.announced, told.announced.announced_at) == (told.current, now)

    def test_the_announcement_is_a_revision_of_its_own(self, ours):
        domain = live(ours)
        before = domain.revision
        edge()
        announce()
        domain.refresh_from_db()
        assert domain.revision == before + 1 == Revision.objects.get(pk=1).number

    def test_once_is_enough(self, domain):
        assert announce() == 0

    def test_never_without_an_edge(self, ours):
        domain = live(ours)
        assert announce() == 0
        assert standing(domain).announced is None

    def test_waits_for_an_edge_that_lags(self, ours):
        domain = live(ours)
        edge("edge1")
        edge("edge2", acknowledged=domain.revision - 1)
        assert announce() == 0
        edge("edge2", acknowledged=domain.revision)
        assert announce() == 1

    def test_waits_for_an_edge_that_acknowledged_nothing_yet(self, ours):
        live(ours)
        edge("edge1")
        edge("edge2")
        EdgeNode.objects.filter(name="edge2").update(acknowledged=None)
        assert announce() == 0

    def test_waits_for_an_edge_that_cannot_fetch_it_from_itself(self, ours):
        domain = live(ours)
        edge("edge1")
        edge("edge2", failing=(domain.label,))
        assert announce() == 0

    def test_the_failure_of_another_domain_does_not_matter(self, ours):
        live(ours)
        edge(failing=("aaaaaaaaaaaaaaaaaaaaaaaaaa",))
        assert announce() == 1

    def test_does_not_wait_for_a_dead_edge(self, ours):
        domain = live(ours)
        edge("edge1")
        edge("edge2", acknowledged=0, failing=(domain.label,), lease=timedelta(seconds=-1))
        assert announce() == 1

    def test_a_dead_edge_alone_opens_nothing(self, ours):
        live(ours)
        edge(lease=timedelta(seconds=-1))
        assert announce() == 0

    @pytest.mark.parametrize("state", [State.SETUP, State.GONE])
    def test_a_domain_that_is_not_served_is_not_announced(self, ours, state):
        domain = live(ours)
        domain.state = state
        domain.save()
        edge()
        assert announce() == 0

    def test_a_change_in_between_closes_it_again(self, domain):
        first = standing(domain).announced
        edge()
        services.publish(domain=domain, policy=NONE, actor=ANA)
        assert announce() == 0  # the edge has the revision before
        assert standing(domain).announced == first
        edge()
        assert announce() == 1
        assert standing(domain).announced == standing(domain).current

    def test_any_later_change_of_the_domain_is_waited_for(self, domain):
        services.publish(domain=domain, policy=NONE, actor=ANA)
        edge()
        domain.refresh_from_db()
        set_tlsrpt(domain=domain, on=False, actor=ANA)
        assert announce() == 0

    def test_a_version_that_was_never_announced_stays_so(self, domain):
        services.publish(domain=domain, policy=NONE, actor=ANA)
        skipped = standing(domain).current
        services.undo(domain=domain, actor=ANA)
        edge()
        announce()
        skipped.refresh_from_db()
        assert skipped.announced_at is None

    def test_many_at_once_share_a_revision(self, ours):
        domains = [live(ours, f"d{number}.example") for number in range(5)]
        edge()
        assert announce() == 5
        for domain in domains:
            domain.refresh_from_db()
        assert len({domain.revision for domain in domains}) == 1

    def test_both_tenants_are_served(self, ours, theirs):
        first, second = announced(ours), live(theirs, "caixa.example")
        edge()
        assert announce() == 1
        assert standing(second).announced is not None
        assert standing(first).announced == standing(first).current


@pytest.mark.django_db
class TestWhatTheEdgesSay:
    """An edge counts as long as its lease runs; silence of all of them is the database's fault rather than theirs."""

    def test_the_slowest_and_every_failure_count(self):
        edge("edge1", acknowledged=7, failing=("a",))
        edge("edge2", acknowledged=5, failing=("b", "a"))
        edge("edge3", acknowledged=1, failing=("c",), lease=timedelta(seconds=-1))
        assert gate(timezone.now()) == Gate(5, frozenset({"a", "b"}))

    def test_one_that_acknowledged_nothing_shuts_it(self):
        edge("edge1", acknowledged=7)
        EdgeNode.objects.create(name="edge2", lease_until=timezone.now() + LEASE, session="s")
        assert gate(timezone.now()) == Gate(-1, frozenset())

    def test_nobody_shuts_it(self):
        assert gate(timezone.now()) == Gate(-1, frozenset())

    @pytest.mark.parametrize(("ago", "acknowledged"), [(timedelta(), 7), (CONTACT, 7), (CONTACT * 1.01, -1)])
    def test_when_none_was_heard_of_lately_nothing_is_known(self, ago, acknowledged):
        row, now = edge("edge1", acknowledged=7), timezone.now()
        row.lease_until = now - ago + LEASE
        row.save()
        assert gate(now) == Gate(acknowledged, frozenset())

    @pytest.mark.parametrize(
        ("revision", "label", "opens"), [(5, "x", True), (4, "x", True), (6, "x", False), (5, "a", False)]
    )
    def test_open_for_what_all_serve(self, revision, label, opens):
        assert Gate(5, frozenset({"a"})).open_for(HostedDomain(revision=revision, label=label)) is opens
