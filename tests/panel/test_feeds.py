"""The feed: what an edge is told of each domain, and in how many questions."""

from __future__ import annotations

import base64

import pytest
from django.utils import timezone
from tests.support_panel import ANA, announced, hosted, live, organisation, standing

from trinco.core.hosting import Change, HostedDomain, Publication
from trinco.core.mtasts.policy import Mode, Policy
from trinco.core.names import Domain
from trinco.panel import feeds, rendering
from trinco.panel.certificates.services import current, issue_due
from trinco.panel.domains import services as domains
from trinco.panel.domains.models import HostedDomain as Row
from trinco.panel.domains.models import State
from trinco.panel.feeds import DatabaseFeed
from trinco.panel.policies import services as policies
from trinco.panel.policies.models import PolicyVersion, Standing

pytestmark = pytest.mark.django_db


@pytest.fixture
def zone(settings):
    return settings.CONFIG.zone


@pytest.fixture
def ours():
    return organisation()


@pytest.fixture
def feed(zone) -> DatabaseFeed:
    made = DatabaseFeed("edge1", zone)
    made.register(None)
    return made


def publish(domain: Row, mode: Mode = Mode.ENFORCE) -> PolicyVersion:
    policy = Policy(mode, ("mx1.correio.example",), 86400)
    return policies.publish(domain=domain, policy=policy, actor=ANA, override=True)


class TestStates:
    """DESIGN 3: what is served of a domain follows from where it stands with us."""

    def test_a_domain_in_setup_has_its_label_alone(self, ours, feed):
        domain = hosted(ours)
        policies.start(domain=domain, mx=("mx1.correio.example",), actor=ANA)
        domain.refresh_from_db()
        bare = HostedDomain(Domain.trusted("correio.example"), domain.label, domain.revision)
        assert feed.changes(None).changed == (bare,)

    def test_a_live_domain_has_its_body_and_no_id_yet(self, ours, feed, zone):
        domain = live(ours)
        told = HostedDomain(
            domain=Domain.trusted("correio.example"),
            label=domain.label,
            revision=domain.revision,
            policy=b"version: STSv1\r\nmode: testing\r\nmx: mx1.correio.example\r\nmax_age: 86400\r\n",
            tlsrpt=f"v=TLSRPTv1; rua=mailto:{domain.label}@{zone.reports_host}",
        )
        assert feed.changes(None).changed == (told,)

    def test_an_announced_one_has_the_announced_id(self, ours, feed):
        domain = announced(ours)
        assert feed.changes(None).changed[0].policy_id == standing(domain).current.policy_id

    def test_a_newer_body_comes_with_the_older_id(self, ours, feed):
        """RFC 8461 section 8.1: the body first, the id second."""
        domain = announced(ours)
        before = standing(domain).current
        version = publish(domain)
        told = feed.changes(None).changed[0]
        assert (told.policy, told.policy_id) == (bytes(version.body), before.policy_id)

    def test_a_certificate_comes_with_its_issuers(self, ours, feed):
        domain = live(ours)
        issue_due(timezone.now())
        row = current(domain)
        assert row is not None
        change = feed.changes(None)
        certificate = change.changed[0].certificate
        assert certificate is not None
        assert (certificate.leaf, certificate.chain) == (bytes(row.leaf), row.chain.digest)
        assert (certificate.sealed_key, certificate.not_after) == (bytes(row.sealed_key), row.not_after.timestamp())
        assert change.chains == {row.chain.digest: tuple(map(base64.b64decode, row.chain.certificates))}

    def test_the_certificate_that_lives_longest_is_told(self, ours, feed):
        domain = live(ours)
        issue_due(timezone.now())
        row = current(domain)
        assert row is not None
        renewed = row.not_after + timezone.timedelta(days=30)
        row.pk, row.leaf, row.not_after = None, b"renewed", renewed
        row.save()
        domains_told = feed.changes(None).changed
        assert domains_told[0].certificate is not None
        assert domains_told[0].certificate.leaf == b"renewed"

    def test_without_tlsrpt_there_is_no_record(self, ours, feed):
        domain = live(ours)
        domains.set_tlsrpt(domain=domain, on=False, actor=ANA)
        assert feed.changes(None).changed[0].tlsrpt is None

    def test_a_leaving_domain_serves_none(self, ours, feed):
        """RFC 8461 section 8.3: `mode: none` under a new id, until the horizon."""
        domain = announced(ours)
        policies.leave(domain=domain, actor=ANA)
        told = feed.changes(None).changed[0]
        assert told.policy == b"version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n"
        assert told.policy_id == standing(domain).announced.policy_id

    def test_one_that_is_gone_is_not_in_the_whole_and_is_removed_from_what_is_held(self, ours, feed):
        domain = hosted(ours)
        held = feed.revision()
        domains.remove_unverified(domain=domain, actor=ANA)
        assert feed.changes(None).changed == ()
        assert feed.changes(held) == Change(feed.revision(), feed.changes(None).zone, removed=(domain.label,))


class TestChanges:
    """edge.ports.Feed: what became different since a revision, or all of it."""

    def test_the_whole_is_marked(self, ours, feed, zone):
        domain = live(ours)
        change = feed.changes(None)
        assert (change.revision, change.zone, change.whole) == (domain.revision, zone, True)

    def test_nothing_is_new(self, ours, feed, zone):
        live(ours)
        revision = feed.revision()
        assert feed.changes(revision) == Change(revision, zone)

    def test_what_is_new_is_told_and_no_more(self, ours, feed):
        live(ours)
        held = feed.revision()
        other = live(ours, "outro.example")
        change = feed.changes(held)
        assert [domain.label for domain in change.changed] == [other.label]
        assert (change.revision, change.whole) == (other.revision, False)

    def test_each_deed_reaches_the_edges(self, ours, feed):
        domain = announced(ours)
        deeds = [
            lambda: publish(domain),
            lambda: policies.undo(domain=domain, actor=ANA, override=True),
            lambda: domains.set_tlsrpt(domain=domain, on=False, actor=ANA),
            lambda: policies.leave(domain=domain, actor=ANA),
            lambda: issue_due(timezone.now()),
        ]
        for deed in deeds:
            held = feed.revision()
            deed()
            assert [told.label for told in feed.changes(held).changed] == [domain.label]

    def test_a_revision_from_the_future_gets_the_whole(self, ours, feed):
        live(ours)
        assert feed.changes(10_000) == feed.changes(None)

    def test_changes_add_up_to_the_whole(self, ours, feed, zone):
        domain = announced(ours)
        held = Publication(0, zone).apply(feed.changes(None))
        publish(domain)
        hosted(ours, "outro.example")
        domains.remove_unverified(domain=hosted(ours, "terceiro.example"), actor=ANA)
        held = held.apply(feed.changes(held.revision))
        assert held == feeds.publication(zone)

    def test_the_questions_are_few_however_many_domains(self, ours, feed, django_assert_num_queries):
        for number in range(5):
            live(ours, f"d{number}.example")
        issue_due(timezone.now())
        with django_assert_num_queries(7):  # revision, domains, certificates, edges, thumbprint, our own, chains
            assert len(feed.changes(None).changed) == 5
        with django_assert_num_queries(9):  # and whether the edge is ahead, and who is gone
            assert len(feed.changes(0).changed) == 5

    def test_what_changes_between_the_questions_is_told_whole_or_later(self, ours, feed, monkeypatch):
        """A domain that is published at this very moment must not lose its certificate for a while."""
        domain = live(ours)
        issue_due(timezone.now())
        held, real = feed.revision(), rendering._certificates

        def meanwhile(rows):
            publish(domain)
            return real(rows)

        other = live(ours, "outro.example")
        monkeypatch.setattr(rendering, "_certificates", meanwhile)
        change = feed.changes(held)
        monkeypatch.undo()
        assert [told.label for told in change.changed] == [other.label]
        later = feed.changes(change.revision)
        assert [(told.label, told.certificate is not None) for told in later.changed] == [(domain.label, True)]

    def test_two_organisations_may_wait_with_one_name(self, feed, ours):
        mine = live(ours)
        theirs = hosted(organisation("rui@example.com"))
        told = {domain.label: domain.policy is not None for domain in feed.changes(None).changed}
        assert told == {mine.label: True, theirs.label: False}


class TestFloor:
    """RELIABILITY 3: an id is never older than what the world has seen, also after a restore."""

    def test_a_later_id_stays_until_a_still_later_one_is_announced(self, ours, feed):
        domain = announced(ours)
        seen = standing(domain).current.policy_id
        publish(domain)
        floor = seen[:-8] + "ffffffff"
        Standing.objects.everywhere().filter(domain=domain).update(id_floor=floor)
        version = standing(domain).current
        assert version.policy_id > floor
        told = feed.changes(None).changed[0]
        assert (told.policy, told.policy_id) == (bytes(version.body), floor)

    def test_it_is_not_said_of_a_body_that_may_be_older(self, ours, feed):
        domain = announced(ours)
        Standing.objects.everywhere().filter(domain=domain).update(id_floor="20991231T235958Zffffffff")
        assert feed.changes(None).changed[0].policy_id is None

    def test_a_lower_floor_is_nothing(self, ours, feed):
        domain = announced(ours)
        announced_id = standing(domain).current.policy_id
        Standing.objects.everywhere().filter(domain=domain).update(id_floor="20200101T000000Zffffffff")
        assert feed.changes(None).changed[0].policy_id == announced_id


def test_state_words_are_all_known(feed):
    """A new state must be given a meaning here first."""
    assert set(State.values) == {"setup", "live", "leaving", "gone"}
