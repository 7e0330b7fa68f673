"""What was served, until when, and how a domain leaves."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.support_panel import ANA, announced, edge, hosted, live, sight, sight_mx, standing, versions

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.domains import services as domains
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies import services
from trinco.panel.policies.errors import NotHosted

NONE = Policy(Mode.NONE, (), 86_400)
ENFORCE = Policy(Mode.ENFORCE, ("mx1.correio.example",), 604_800)
TTL = timedelta(seconds=300)
DAY, WEEK = timedelta(days=1), timedelta(days=7)


def announce(after=timedelta()):
    edge()
    now = timezone.now() + after
    services.announce_due(now)
    return now


class TestLedger:
    """Nothing served is forgotten: from the ledger comes until when a sender may hold a policy (RFC 8461 section 3.2)."""

    def test_before_it_is_served_there_is_no_line(self, ours):
        domain = hosted(ours)
        version = services.start(domain=domain, mx=("mx1.correio.example",), actor=ANA)
        assert (version.served_from, version.served_until) == (None, None)
        assert services.horizon_of(domain, timezone.now()) is None

    def test_a_line_begins_when_an_edge_may_serve_it(self, ours):
        domain = live(ours)
        announce()
        assert versions(domain)[0].served_from == domain.verified_at
        assert versions(domain)[0].served_until is None

    def test_a_line_ends_when_every_edge_serves_the_next(self, domain):
        services.publish(domain=domain, policy=NONE, actor=ANA)
        first, second = versions(domain)
        assert (first.served_until, second.served_from) == (None, second.created_at)
        edge("edge2", acknowledged=0)
        announce()
        assert versions(domain)[0].served_until is None
        edge("edge2")
        now = announce()
        assert [version.served_until for version in versions(domain)] == [now, None]

    def test_a_version_that_was_skipped_was_served_all_the_same(self, domain):
        services.publish(domain=domain, policy=NONE, actor=ANA)
        services.undo(domain=domain, actor=ANA)
        now = announce()
        assert [version.served_until for version in versions(domain)] == [now, now, None]
        assert all(version.served_from for version in versions(domain))

    def test_versions_made_in_setup_are_no_lines(self, ours):
        domain = hosted(ours)
        services.start(domain=domain, mx=("mx1.correio.example",), actor=ANA)
        services.publish(domain=domain, policy=Policy(Mode.TESTING, ("mx2.example",), 86_400), actor=ANA)
        sight(domain)
        domains.mark_live(domain)
        announce()
        assert [version.served_from is None for version in versions(domain)] == [True, False]

    def test_a_version_set_aside_before_it_was_announced_is_a_line(self, ours):
        domain = live(ours)
        services.publish(domain=domain, policy=NONE, actor=ANA)
        assert [version.served_from for version in versions(domain)] == [
            domain.verified_at,
            versions(domain)[1].created_at,
        ]

    def test_the_round_notes_what_went_live(self, ours):
        domain = live(ours)
        services.retire_due(timezone.now())
        assert versions(domain)[0].served_from == domain.verified_at


class TestHorizon:
    """The latest moment at which a sender may still hold a policy: last served, its max_age, and the TTL of the id."""

    def test_while_it_is_served_it_moves_with_time(self, domain):
        now = timezone.now()
        assert services.horizon_of(domain, now) == now + DAY + TTL
        assert services.horizon_of(domain, now + WEEK) == now + WEEK + DAY + TTL

    def test_the_longest_of_the_old_ones_counts(self, domain):
        sight_mx(domain, "mx1.correio.example")
        services.publish(domain=domain, policy=ENFORCE, actor=ANA)
        announce()
        services.publish(domain=domain, policy=NONE, actor=ANA)
        ended = announce()
        assert services.horizon_of(domain, ended + DAY) == ended + WEEK + TTL
        assert services.horizon_of(domain, ended + WEEK + TTL + timedelta(seconds=1)) is None

    def test_what_another_served_under_the_name_counts_for_the_proven_owner(self, domain, theirs):
        claim = hosted(theirs)
        services.start(domain=claim, mx=("mx1.correio.example",), actor=ANA)
        assert services.horizon_of(claim, timezone.now()) is None
        sight(claim)
        domains.mark_live(claim)
        assert services.horizon_of(claim, timezone.now()) is not None


class TestLeaving:
    """To leave: publish `none` with a short max_age under a new id, keep serving it until every older policy has run out
    (RFC 8461 section 8.3)."""

    def test_leaving_is_a_state_and_a_version(self, domain):
        version = services.leave(domain=domain, actor=ANA)
        assert services.policy_of(version) == NONE
        assert bytes(version.body) == b"version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n"
        assert (domain.state, domain.leaving_at is not None) == (State.LEAVING, True)
        line = AuditEntry.objects.of(domain.organisation).get(action="domain.left")
        assert line.after["id"] == version.policy_id > line.before["id"]

    def test_it_ends_only_after_the_horizon(self, domain):
        services.leave(domain=domain, actor=ANA)
        ended = announce()
        assert services.retire_due(ended + DAY + TTL) == 0
        after = ended + DAY + TTL + timedelta(seconds=1)
        assert services.retire_due(after) == 1
        domain.refresh_from_db()
        assert (domain.state, domain.gone_at) == (State.GONE, after)

    def test_it_does_not_end_while_an_edge_may_serve_the_old_policy(self, domain):
        edge("edge2", acknowledged=0)
        services.leave(domain=domain, actor=ANA)
        announce()
        assert services.retire_due(timezone.now() + 100 * DAY) == 0

    def test_a_domain_that_only_ever_said_none_ends_when_that_is_announced(self, ours):
        domain = hosted(ours)
        services.start(domain=domain, mx=("mx1.correio.example",), actor=ANA)
        services.publish(domain=domain, policy=NONE, actor=ANA)
        sight(domain)
        domains.mark_live(domain)
        announce()
        services.leave(domain=domain, actor=ANA)
        assert services.retire_due(timezone.now()) == 0
        announce()
        assert services.retire_due(timezone.now()) == 1

    def test_a_domain_that_was_never_announced_ends_at_once(self, ours):
        domain = live(ours)
        services.leave(domain=domain, actor=ANA)
        assert services.retire_due(timezone.now()) == 1

    def test_what_another_owner_announced_under_the_name_is_waited_for(self, ours, theirs):
        """Senders may hold the policy of before a take-over; `mode: none` is there for them."""
        before = announced(theirs)
        services.publish(domain=before, policy=services.proposed(before, Mode.ENFORCE), actor=ANA, override=True)
        announce()
        after = live(ours)
        services.leave(domain=after, actor=ANA)
        edge()  # has heard of the take-over: nothing of before is served any more
        assert services.retire_due(timezone.now()) == 0
        assert services.retire_due(timezone.now() + 8 * DAY) == 1

    def test_the_end_is_a_revision_and_closes_the_ledger(self, domain):
        services.leave(domain=domain, actor=ANA)
        ended = announce()
        before = HostedDomain.objects.everywhere().get(pk=domain.pk).revision
        services.retire_due(ended + 2 * DAY)
        domain.refresh_from_db()
        assert domain.revision == before + 1
        services.retire_due(ended + 3 * DAY)
        assert versions(domain)[1].served_until is None  # the edge has not heard of the end yet
        edge()
        services.retire_due(ended + 4 * DAY)
        assert versions(domain)[1].served_until == ended + 4 * DAY

    def test_the_label_is_never_issued_again(self, domain):
        services.leave(domain=domain, actor=ANA)
        services.retire_due(announce() + 2 * DAY)
        again = hosted(domain.organisation)
        assert again.label != domain.label
        assert HostedDomain.objects.everywhere().filter(label=domain.label).count() == 1

    def test_ids_go_on_above_those_of_the_time_before(self, domain):
        last = services.leave(domain=domain, actor=ANA).policy_id
        services.retire_due(announce() + 2 * DAY)
        again = hosted(domain.organisation)
        assert services.start(domain=again, mx=("mx1.correio.example",), actor=ANA).policy_id > last

    @pytest.mark.parametrize("state", [State.SETUP, State.LEAVING, State.GONE])
    def test_only_a_live_domain_can_leave(self, domain, state):
        domain.state = state
        domain.save()
        with pytest.raises(NotHosted):
            services.leave(domain=domain, actor=ANA)

    def test_another_domain_stays(self, domain):
        other = announced(domain.organisation, "outro.example")
        services.leave(domain=domain, actor=ANA)
        services.retire_due(announce() + 2 * DAY)
        other.refresh_from_db()
        assert (other.state, standing(other).current.mode) == (State.LIVE, "testing")
