"""Adding domains, proving them, taking them over, giving them up."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from tests.support_panel import ANA, announced, hosted, live, sight, versions

from trinco.core.names import Domain
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.domains import services
from trinco.panel.domains.errors import AlreadyAdded, NotInSetup, NotProven, OurOwnName
from trinco.panel.domains.models import Finding, HostedDomain, RecordName, RecordSighting, Revision, State
from trinco.panel.policies import services as policies


def lines(organisation):
    found = AuditEntry.objects.of(organisation).order_by("pk")
    return [(line.actor, line.action, line.subject) for line in found]


class TestAdd:
    """Each domain gets a label that nobody can guess, for ever."""

    def test_a_new_domain_waits_for_dns(self, ours):
        domain = services.add(organisation=ours, name=Domain.parse("Correio.Example."), actor=ANA)
        assert (domain.name, domain.state, domain.revision) == ("correio.example", State.SETUP, 1)
        assert lines(ours) == [("ana@example.com", "domain.added", "correio.example")]

    def test_a_label_is_128_random_bits_that_fit_a_report_token(self, ours):
        labels = {hosted(ours, f"d{number}.example").label for number in range(50)}
        assert len(labels) == 50
        assert all(re.fullmatch(r"[a-z2-7]{26}", label) for label in labels)

    def test_twice_in_one_organisation_is_refused(self, ours):
        hosted(ours)
        with pytest.raises(AlreadyAdded) as refusal:
            hosted(ours)
        assert refusal.value.name == "correio.example"
        assert len(lines(ours)) == 1

    def test_again_after_it_is_gone(self, ours):
        first = hosted(ours)
        services.remove_unverified(domain=first, actor=ANA)
        assert hosted(ours).label != first.label

    @pytest.mark.parametrize("prefix", ["", "www.", "a.b."])
    def test_our_own_zone_is_refused(self, ours, prefix):
        with pytest.raises(OurOwnName):
            hosted(ours, f"{prefix}{settings.CONFIG.base}")

    def test_a_name_that_only_ends_like_our_zone_is_fine(self, ours):
        assert hosted(ours, f"my{settings.CONFIG.base}").state == State.SETUP


class TestProof:
    """Whose the name is, the three CNAMEs say: they can point to one label alone."""

    def test_all_three_make_it_live(self, ours):
        domain = hosted(ours)
        sight(domain)
        assert services.mark_live(domain) is True
        assert (domain.state, domain.verified_at is not None, domain.revision) == (State.LIVE, True, 2)
        assert lines(ours)[-1] == ("trinco", "domain.verified", "correio.example")

    def test_again_is_nothing(self, ours):
        domain = live(ours)
        revision = domain.revision
        assert services.mark_live(domain) is False
        domain.refresh_from_db()
        assert domain.revision == revision

    @pytest.mark.parametrize("record", RecordName)
    @pytest.mark.parametrize("finding", [Finding.MISSING, Finding.ELSEWHERE, Finding.UNKNOWN])
    def test_two_of_three_do_not(self, ours, record, finding):
        domain = hosted(ours)
        sight(domain)
        RecordSighting.objects.everywhere().filter(domain=domain, record=record).update(finding=finding)
        with pytest.raises(NotProven):
            services.mark_live(domain)
        assert HostedDomain.objects.everywhere().get(pk=domain.pk).state == State.SETUP

    def test_no_look_at_all_does_not(self, ours):
        with pytest.raises(NotProven):
            services.mark_live(hosted(ours))

    def test_an_old_look_does_not(self, ours):
        domain = hosted(ours)
        sight(domain, seen_at=timezone.now() - timedelta(hours=2))
        with pytest.raises(NotProven):
            services.mark_live(domain)

    def test_what_another_saw_of_the_name_does_not(self, ours, theirs):
        domain, claim = hosted(ours), hosted(theirs)
        sight(domain)
        with pytest.raises(NotProven):
            services.mark_live(claim)


class TestTakeOver:
    """A name stays locked to its owner while its CNAMEs point to the owner's label, and goes to whose label they do."""

    def test_a_claim_alone_changes_nothing(self, ours, theirs):
        domain, claim = announced(ours), hosted(theirs)
        sight(claim, Finding.ELSEWHERE)
        with pytest.raises(NotProven):
            services.mark_live(claim)
        domain.refresh_from_db()
        assert domain.state == State.LIVE

    def test_the_proof_moves_the_name(self, ours, theirs):
        domain, claim = announced(ours), hosted(theirs)
        sight(claim)
        services.mark_live(claim)
        domain.refresh_from_db()
        assert (domain.state, claim.state) == (State.GONE, State.LIVE)
        assert domain.gone_at is not None

    def test_edges_hear_of_both(self, ours, theirs):
        domain, claim = announced(ours), hosted(theirs)
        before = Revision.objects.get(pk=1).number
        sight(claim)
        services.mark_live(claim)
        domain.refresh_from_db()
        assert (domain.revision, claim.revision) == (before + 1, before + 2)

    def test_each_hears_of_its_own_side_alone(self, ours, theirs):
        announced(ours)
        claim = hosted(theirs)
        sight(claim)
        services.mark_live(claim)
        assert lines(ours)[-1] == ("trinco", "domain.taken-over", "correio.example")
        assert [action for _, action, _ in lines(theirs)] == ["domain.added", "domain.verified"]

    def test_a_leaving_owner_loses_it_too(self, ours, theirs):
        domain, claim = announced(ours), hosted(theirs)
        policies.leave(domain=domain, actor=ANA)
        sight(claim)
        services.mark_live(claim)
        domain.refresh_from_db()
        assert domain.state == State.GONE

    def test_the_loser_may_claim_it_back_under_a_new_label(self, ours, theirs):
        domain, claim = announced(ours), hosted(theirs)
        sight(claim)
        services.mark_live(claim)
        again = hosted(ours)
        assert again.label not in {domain.label, claim.label}
        with pytest.raises(NotProven):
            services.mark_live(again)

    def test_the_tables_themselves_hold_one_owner(self, ours, theirs):
        live(ours)
        with pytest.raises(IntegrityError), transaction.atomic():
            HostedDomain.objects.everywhere().create(
                organisation=theirs, name="correio.example", label="b" * 26, state=State.LEAVING
            )


class TestRemove:
    """A domain that was never served may go at once; one that was served leaves by policies alone (RFC 8461 section 8.3)."""

    def test_the_row_stays_for_its_label(self, ours):
        domain = hosted(ours)
        services.remove_unverified(domain=domain, actor=ANA)
        assert (domain.state, HostedDomain.objects.of(ours).count()) == (State.GONE, 1)
        assert lines(ours)[-1] == ("ana@example.com", "domain.removed", "correio.example")

    def test_a_live_one_is_refused(self, ours):
        domain = live(ours)
        with pytest.raises(NotInSetup):
            services.remove_unverified(domain=domain, actor=ANA)
        domain.refresh_from_db()
        assert domain.state == State.LIVE

    def test_its_policy_was_never_served(self, ours):
        domain = hosted(ours)
        policies.start(domain=domain, mx=("mx.example",), actor=ANA)
        services.remove_unverified(domain=domain, actor=ANA)
        assert [version.served_from for version in versions(domain)] == [None]


class TestTlsrpt:
    def test_off_is_a_revision_and_a_line(self, ours):
        domain = live(ours)
        before = domain.revision
        services.set_tlsrpt(domain=domain, on=False, actor=ANA)
        assert (domain.tlsrpt, domain.revision) == (False, before + 1)
        line = AuditEntry.objects.of(ours).get(action="domain.tlsrpt")
        assert (line.before, line.after) == ({"tlsrpt": True}, {"tlsrpt": False})

    def test_the_same_again_is_nothing(self, ours):
        domain = live(ours)
        before = domain.revision
        services.set_tlsrpt(domain=domain, on=True, actor=ANA)
        assert domain.revision == before


@pytest.mark.django_db
class TestRevision:
    """The revision is the SOA serial as well: it only goes forward."""

    def test_from_one_on(self):
        with transaction.atomic():
            assert [services.next_revision() for _ in range(3)] == [1, 2, 3]

    def test_above_what_the_world_has_seen(self):
        with transaction.atomic():
            assert services.revision_above(1000) == 1001
            assert services.revision_above(7) == 1002
            assert services.next_revision() == 1003
