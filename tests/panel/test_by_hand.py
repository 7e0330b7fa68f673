"""Domains whose owner cannot point to us by CNAME: texts by hand, with the same order and the same ledger."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from tests import support_dns as lab
from tests.support_by_hand import ALL, NAME, announced_at, by_hand, found, host, reports, txt, wanted
from tests.support_checks import cnames, configure, customers
from tests.support_panel import ANA, announced, edge, sight, standing, versions

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.checks.services import look
from trinco.panel.checks.status import status
from trinco.panel.domains.errors import NotProven
from trinco.panel.domains.models import HostedDomain, Level, State
from trinco.panel.domains.services import mark_live
from trinco.panel.policies import services as policies
from trinco.panel.policies.errors import NoSuchWay, NotHosted
from trinco.panel.policies.ways import announced_version, set_ways, ways_of

NONE = Policy(Mode.NONE, (), 86_400)
EDGE = "192.0.2.10"


@pytest.fixture
def addresses(settings: Any) -> None:
    configure(settings, policy_addresses=(EDGE, "2001:db8::10"))


def fresh(domain: HostedDomain) -> HostedDomain:
    return HostedDomain.objects.everywhere().get(pk=domain.pk)


def released(domain: HostedDomain) -> None:
    """Every edge serves what is current."""
    edge()
    policies.announce_due(timezone.now())


def went_live(owner: Any, settings: Any, **ways: Any) -> HostedDomain:
    domain = by_hand(owner, **(ways or {"sts": "txt", "tlsrpt": "txt"}))
    with customers(settings, {NAME: host(domain) + reports(domain)}):
        look(domain)
    assert domain.state == State.LIVE
    return domain


class TestGoingLive:
    """RFC 8461 section 8.1: the policy is served before the first TXT appears, so nobody is asked for it before."""

    def test_without_a_text_that_nothing_stands_behind_yet(self, ours, settings):
        domain = went_live(ours, settings)
        assert found(domain) == {"mta-sts": "found", "_mta-sts": "later", "_smtp._tls": "found"}
        assert (wanted(domain), standing(domain).announced) == ("", None)

    def test_addresses_and_texts_alone(self, ours, settings, addresses):
        domain = by_hand(ours, **ALL)
        zone = f"mta-sts A {EDGE}\nmta-sts AAAA 2001:db8::10\n" + reports(domain)
        with customers(settings, {NAME: zone}):
            look(domain)
        assert (domain.state, found(domain)["mta-sts"]) == (State.LIVE, "found")

    def test_addresses_of_others_are_none_of_ours(self, ours, settings, addresses):
        domain = by_hand(ours, **ALL)
        with customers(settings, {NAME: f"mta-sts A {EDGE}\nmta-sts A 192.0.2.99\n" + reports(domain)}):
            look(domain)
        assert (domain.state, found(domain)["mta-sts"]) == (State.SETUP, "proxied")

    def test_addresses_are_no_proof(self, ours, theirs, settings, addresses):
        """Everybody's domain has them: without the label somewhere the name is nobody's."""
        domain = by_hand(theirs, host="addresses", sts="txt", tlsrpt="txt")
        other = by_hand(ours, host="addresses", sts="txt", tlsrpt="txt")
        with customers(settings, {NAME: f"mta-sts A {EDGE}\n" + reports(other)}):
            look(domain)
            look(other)
        assert (domain.state, found(domain)["_smtp._tls"], other.state) == (State.SETUP, "stale", State.LIVE)
        with pytest.raises(NotProven):
            mark_live(domain)

    def test_reports_may_go_elsewhere_as_well(self, ours, settings):
        domain = by_hand(ours, tlsrpt="txt")
        zone = cnames(domain).replace("_smtp._tls", ";") + reports(domain).replace('"\n', ',mailto:a@b.example"\n')
        with customers(settings, {NAME: zone}):
            look(domain)
        assert (found(domain)["_smtp._tls"], domain.state) == ("found", State.LIVE)


class TestAnnouncing:
    """A change by hand is announced once DNS was seen to say it, and not before."""

    def test_the_text_may_be_published_once_every_edge_serves_the_body(self, ours, settings):
        domain = went_live(ours, settings)
        edge("edge1", acknowledged=0)
        policies.announce_due(timezone.now())
        assert wanted(domain) == ""
        released(domain)
        current = standing(domain).current
        assert wanted(domain) == f"v=STSv1; id={current.policy_id};"
        assert (current.released_at is not None, current.announced_at) == (True, None)

    def test_it_is_waited_for(self, ours, settings):
        domain = went_live(ours, settings)
        released(domain)
        assert announced_version(fresh(domain)) is None
        told = status(fresh(domain), timezone.now() + timedelta(minutes=1))
        since = standing(domain).current.released_at
        assert (told.problem, told.seen, told.until) == ("publish-waits", wanted(domain), since)
        assert told.level is Level.ATTENTION

    def test_seen_at_every_server_it_counts(self, ours, settings):
        domain = went_live(ours, settings)
        released(domain)
        with customers(settings, {NAME: host(domain) + reports(domain) + txt(wanted(domain))}):
            look(domain)
        assert found(domain)["_mta-sts"] == "found"
        assert announced_at(domain) == fresh(domain).checked_at
        assert announced_version(fresh(domain)) == standing(domain).current
        assert status(fresh(domain), timezone.now()).problem != "publish-waits"

    def test_one_server_that_lags_is_waited_for(self, ours, settings):
        domain = went_live(ours, settings)
        released(domain)
        first = "@ 300 IN NS ns2\nns2 300 IN A 127.0.0.2\n" + host(domain) + reports(domain)
        late: dict[str, lab.Host] = {"127.0.0.2": lab.Host((NAME,), without_texts)}
        with customers(settings, {NAME: first + txt(wanted(domain))}, late):
            look(domain)
        assert (found(domain)["_mta-sts"], announced_at(domain)) == ("partly", None)

    @pytest.mark.parametrize(
        ("zone", "finding"),
        [
            ("", "missing"),
            (txt("v=STSv1; id=20200101T000000Z;"), "stale"),
            (txt("v=STSv1 ; id=1;"), "stale"),
            (txt("some=thing") + txt("else"), "missing"),
            (txt("v=STSv1; id=1;") + txt("v=STSv1; id=2;"), "twice"),
            ("_mta-sts CNAME sts.rival.example.\n", "elsewhere"),
        ],
    )
    def test_what_does_not_count(self, ours, settings, zone, finding):
        domain = went_live(ours, settings)
        released(domain)
        with customers(settings, {NAME: host(domain) + reports(domain) + zone}):
            look(domain)
        assert (found(domain)["_mta-sts"], announced_at(domain)) == (finding, None)

    def test_changes_meanwhile_end_in_the_newest_id(self, ours, settings):
        """Two changes and an undo before the owner comes: one text, the highest id, and the skipped say so."""
        domain = went_live(ours, settings)
        released(domain)
        seen = [wanted(domain)]
        policies.publish(domain=domain, policy=NONE, actor=ANA)
        assert wanted(domain) == seen[0]  # the edges do not serve the new body yet
        released(domain)
        seen.append(wanted(domain))
        policies.undo(domain=domain, actor=ANA)
        released(domain)
        seen.append(wanted(domain))
        assert seen == sorted(set(seen))
        with customers(settings, {NAME: host(domain) + reports(domain) + txt(seen[-1])}):
            look(domain)
        assert [version.announced_at is not None for version in versions(domain)] == [False, False, True]

    def test_a_text_of_before_is_stale_and_never_asked_for_again(self, ours, settings):
        domain = went_live(ours, settings)
        released(domain)
        old = wanted(domain)
        policies.publish(domain=domain, policy=NONE, actor=ANA)
        released(domain)
        with customers(settings, {NAME: host(domain) + reports(domain) + txt(old)}):
            look(domain)
        assert (found(domain)["_mta-sts"], announced_at(domain), wanted(domain) > old) == ("stale", None, True)

    def test_lost_after_it_was_there(self, ours, settings):
        domain = went_live(ours, settings)
        released(domain)
        text = wanted(domain)
        for zone in (txt(text), ""):
            with customers(settings, {NAME: host(domain) + reports(domain) + zone}):
                look(domain)
        told = status(fresh(domain), timezone.now())
        assert (told.problem, told.record, told.finding) == ("record-lost", "_mta-sts", "missing")


class TestChangingTheWay:
    """Both ways are right while an owner changes from one to the other, and no id goes back."""

    def test_a_cname_is_right_in_every_way(self, ours, settings):
        domain = announced(ours)
        set_ways(domain=domain, actor=ANA, **ALL)
        with customers(settings, {NAME: cnames(domain)}):
            look(domain)
        assert found(domain) == dict.fromkeys(("mta-sts", "_mta-sts", "_smtp._tls"), "found")
        policies.publish(domain=domain, policy=NONE, actor=ANA)
        released(domain)
        with customers(settings, {NAME: cnames(domain)}):
            look(domain)
        assert announced_at(domain) is not None  # our zone says it, and senders are led there

    def test_what_stands_behind_the_cname_is_never_older_than_the_text(self, ours, settings):
        domain = went_live(ours, settings)
        released(domain)
        text = wanted(domain)
        set_ways(domain=domain, actor=ANA, sts="cname")
        told = standing(domain).announced
        assert told is not None
        assert (f"v=STSv1; id={told.policy_id};", told.announced_at is not None) == (text, True)

    def test_the_log_says_so(self, ours):
        domain = announced(ours)
        set_ways(domain=domain, actor=ANA, sts="txt", host="cname")
        set_ways(domain=domain, actor=ANA, sts="txt")
        lines = AuditEntry.objects.everywhere().filter(action="domain.ways").values_list("before", "after")
        assert list(lines) == [({"sts": "cname"}, {"sts": "txt"})]
        assert ways_of(domain) == {"host": "cname", "sts": "txt", "tlsrpt": "cname"}

    @pytest.mark.parametrize(("record", "way"), [("host", "txt"), ("sts", "addresses"), ("tlsrpt", "x"), ("sts", "")])
    def test_not_every_way_is_for_every_record(self, domain, record, way):
        with pytest.raises(NoSuchWay):
            set_ways(domain=domain, actor=ANA, **{record: way})

    def test_not_of_what_is_gone(self, domain):
        HostedDomain.objects.everywhere().update(state=State.GONE)
        with pytest.raises(NotHosted):
            set_ways(domain=domain, actor=ANA, sts="txt")


class TestAddresses:
    """Our zone takes an edge out of its addresses; an owner's own records do not follow, so nobody is passed by."""

    def test_an_edge_that_was_waived_is_awaited_by_them_alone(self, ours):
        domain = announced(ours)
        other = announced(ours, "outro.example")
        set_ways(domain=domain, actor=ANA, host="addresses")
        for each in (domain, other):
            policies.publish(domain=each, policy=NONE, actor=ANA)
        edge("edge1")
        row = edge("edge2", acknowledged=0)
        row.waived_at = timezone.now() - timedelta(minutes=1)
        row.save()
        assert policies.announce_due(timezone.now()) == 1
        assert standing(other).announced == standing(other).current
        assert standing(domain).announced != standing(domain).current
        edge("edge2")
        assert policies.announce_due(timezone.now()) == 1

    @pytest.mark.parametrize(
        ("finding", "seen", "awaits"), [("proxied", EDGE, True), ("found", EDGE, True), ("found", "", False)]
    )
    def test_so_it_is_as_long_as_they_are_seen(self, ours, finding, seen, awaits):
        """A CNAME is chosen, and DNS has the addresses still: whoever asks there must not be passed by."""
        domain = announced(ours)
        policies.publish(domain=domain, policy=NONE, actor=ANA)
        edge("edge1")
        row = edge("edge2", acknowledged=0)
        row.waived_at = timezone.now() - timedelta(minutes=1)
        row.save()
        sight(domain)
        domain.records.filter(record="mta-sts").update(finding=finding, seen=seen)
        assert policies.announce_due(timezone.now()) == int(not awaits)


class TestLeaving:
    """RFC 8461 section 8.3: mode none, wait, then remove, whoever publishes the id."""

    def test_it_ends_when_nobody_can_hold_the_policy(self, ours, settings):
        domain = went_live(ours, settings)
        released(domain)
        policies.leave(domain=domain, actor=ANA)
        released(domain)
        assert standing(domain).current.mode == "none"
        now = timezone.now()
        assert policies.retire_due(now) == 0
        assert policies.retire_due(now + timedelta(days=2)) == 1
        assert fresh(domain).state == State.GONE

    def test_undone_it_goes_on_under_a_later_id(self, ours, settings):
        domain = went_live(ours, settings)
        released(domain)
        before = wanted(domain)
        policies.leave(domain=domain, actor=ANA)
        policies.undo(domain=domain, actor=ANA)
        released(domain)
        assert (wanted(domain) > before, fresh(domain).state) == (True, State.LIVE)


def without_texts(reply: lab.Reply, tcp: bool) -> bytes | None:
    """A secondary that has the zone of before."""
    if "TXT" in str(reply.question[0]) and "_mta-sts" in str(reply.question[0]):
        reply.answer = []
    return lab.honest(reply, tcp)
