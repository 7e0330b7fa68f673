"""Publishing, undoing, and what is refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.support_panel import ANA, announced, edge, hosted, sight_mx, standing, versions

from trinco.core.errors import PolicySyntaxError
from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.domains.models import State
from trinco.panel.policies import services
from trinco.panel.policies.errors import (
    AlreadyStarted,
    Conflict,
    MxUnknown,
    NothingChanged,
    NothingToUndo,
    NotHosted,
    NotStarted,
    UncoveredMx,
)

MX = ("mx1.correio.example",)
TESTING = Policy(Mode.TESTING, MX, 86_400)
ENFORCE = Policy(Mode.ENFORCE, MX, 604_800)


def audit(domain, action):
    return AuditEntry.objects.of(domain.organisation).filter(action=action).first()


def publish(domain, policy, **more):
    return services.publish(domain=domain, policy=policy, actor=ANA, **more)


class TestStart:
    """A new domain begins in testing for a day: RFC 8461 section 5 lets senders deliver and only report."""

    def test_the_first_version_is_testing_for_a_day(self, ours):
        domain = hosted(ours)
        version = services.start(domain=domain, mx=MX, actor=ANA)
        assert services.policy_of(version) == TESTING
        assert (version.number, version.revision, version.created_by) == (1, domain.revision, "ana@example.com")
        assert standing(domain).current == version
        assert standing(domain).announced is None

    def test_a_second_start_is_refused(self, domain, ours):
        fresh = hosted(ours, "outro.example")
        services.start(domain=fresh, mx=MX, actor=ANA)
        with pytest.raises(AlreadyStarted):
            services.start(domain=fresh, mx=MX, actor=ANA)

    def test_a_live_domain_cannot_start_again(self, domain):
        with pytest.raises(NotHosted):
            services.start(domain=domain, mx=MX, actor=ANA)

    @pytest.mark.parametrize("mx", [(), ("mx\r\nmode: none",), ("mx1.example\u2028",), ("192.0.2.1",)])
    def test_bad_patterns_make_no_version(self, ours, mx):
        domain = hosted(ours)
        with pytest.raises(PolicySyntaxError):
            services.start(domain=domain, mx=mx, actor=ANA)
        assert versions(domain) == []


class TestPublish:
    """Each change of a policy is a new version with a new id (RFC 8461 section 3.1), and stays in the history."""

    def test_a_version_and_a_revision_and_an_audit_line(self, domain):
        before = standing(domain).current
        sight_mx(domain, "mx1.correio.example")
        version = publish(domain, ENFORCE)
        assert bytes(version.body) == (
            b"version: STSv1\r\nmode: enforce\r\nmx: mx1.correio.example\r\nmax_age: 604800\r\n"
        )
        assert version.revision == domain.revision > before.revision
        assert (standing(domain).current, standing(domain).announced) == (version, before)
        line = audit(domain, "policy.published")
        assert (line.actor, line.source, line.subject, line.override) == (
            "ana@example.com",
            "192.0.2.7",
            "correio.example",
            False,
        )
        assert line.before == {"mode": "testing", "mx": list(MX), "max_age": 86400, "id": before.policy_id}
        assert line.after == {"mode": "enforce", "mx": list(MX), "max_age": 604800, "id": version.policy_id}

    def test_the_same_policy_is_no_version(self, domain):
        with pytest.raises(NothingChanged):
            publish(domain, TESTING)
        assert len(versions(domain)) == 1

    def test_the_second_of_two_people_is_told(self, domain):
        seen = standing(domain).current.number
        publish(domain, Policy(Mode.NONE, (), 86_400), expected_number=seen)
        with pytest.raises(Conflict) as refusal:
            publish(domain, Policy(Mode.TESTING, ("mx2.example",), 86_400), expected_number=seen)
        assert refusal.value.number == 2
        assert standing(domain).current.mode == "none"

    def test_nothing_before_the_first_policy(self, ours):
        with pytest.raises(NotStarted):
            publish(hosted(ours), TESTING)

    @pytest.mark.parametrize("state", [State.LEAVING, State.GONE])
    def test_nothing_for_a_domain_that_leaves_or_left(self, domain, state):
        domain.state = state
        domain.save()
        with pytest.raises(NotHosted) as refusal:
            publish(domain, Policy(Mode.NONE, (), 86_400))
        assert refusal.value.state == state


class TestEnforce:
    """A sender must not deliver to an MX that an enforcing policy does not name (RFC 8461 section 5): mail would stop."""

    def test_refused_while_an_mx_is_not_covered(self, domain):
        sight_mx(domain, "mx1.correio.example", "mx9.correio.example", "backup.example.net")
        with pytest.raises(UncoveredMx) as refusal:
            publish(domain, ENFORCE)
        assert refusal.value.hosts == ("mx9.correio.example", "backup.example.net")
        assert len(versions(domain)) == 1

    def test_refused_while_no_mx_was_ever_read(self, domain):
        with pytest.raises(MxUnknown):
            publish(domain, ENFORCE)

    def test_refused_when_the_mx_were_read_too_long_ago(self, domain):
        sight_mx(domain, "mx1.correio.example", ago=timedelta(minutes=61))
        with pytest.raises(MxUnknown):
            publish(domain, ENFORCE)

    def test_refused_when_dns_shows_no_mx(self, domain):
        sight_mx(domain)
        with pytest.raises(MxUnknown):
            publish(domain, ENFORCE)

    def test_the_override_is_in_the_audit_log_with_the_hosts(self, domain):
        sight_mx(domain, "mx1.correio.example", "mx9.correio.example")
        version = publish(domain, ENFORCE, override=True)
        line = audit(domain, "policy.published")
        assert (version.override, line.override, line.after["uncovered"]) == (True, True, ["mx9.correio.example"])

    def test_an_override_that_was_not_needed_is_none(self, domain):
        sight_mx(domain, "mx1.correio.example")
        version = publish(domain, ENFORCE, override=True)
        line = audit(domain, "policy.published")
        assert (version.override, line.override, "uncovered" in line.after) == (False, False, False)

    def test_a_wildcard_covers_one_label(self, domain):
        sight_mx(domain, "mx1.correio.example", "a.b.correio.example")
        with pytest.raises(UncoveredMx) as refusal:
            publish(domain, Policy(Mode.ENFORCE, ("*.correio.example",), 604_800))
        assert refusal.value.hosts == ("a.b.correio.example",)

    def test_testing_and_none_are_never_refused(self, domain):
        sight_mx(domain, "mx9.correio.example")
        publish(domain, Policy(Mode.TESTING, ("mx2.example",), 86_400))
        publish(domain, Policy(Mode.NONE, (), 86_400))
        assert [version.mode for version in versions(domain)] == ["testing", "testing", "none"]

    def test_suggested_mx_count_before_the_domain_is_live(self, ours):
        domain = hosted(ours)
        services.start(domain=domain, mx=MX, actor=ANA)
        domain.mx_suggested = ["mx1.correio.example", "mx2.correio.example"]
        domain.save()
        sight_mx(domain)
        with pytest.raises(UncoveredMx) as refusal:
            publish(domain, ENFORCE)
        assert refusal.value.hosts == ("mx2.correio.example",)


class TestUndo:
    """Undo publishes what was before, as a new version: an id is never used twice (RFC 8461 section 3.1)."""

    def test_the_content_before_under_a_new_id(self, domain):
        first = standing(domain).current
        second = publish(domain, Policy(Mode.NONE, (), 86_400))
        third = services.undo(domain=domain, actor=ANA)
        assert (bytes(third.body), third.number, third.undoes) == (bytes(first.body), 3, second)
        assert third.policy_id > second.policy_id > first.policy_id
        assert audit(domain, "policy.undone").after["id"] == third.policy_id

    def test_undoing_twice_brings_the_change_back(self, domain):
        second = publish(domain, Policy(Mode.NONE, (), 86_400))
        services.undo(domain=domain, actor=ANA)
        fourth = services.undo(domain=domain, actor=ANA)
        assert bytes(fourth.body) == bytes(second.body)

    def test_a_second_click_is_told(self, domain):
        publish(domain, Policy(Mode.NONE, (), 86_400))
        services.undo(domain=domain, actor=ANA, expected_number=2)
        with pytest.raises(Conflict):
            services.undo(domain=domain, actor=ANA, expected_number=2)
        assert len(versions(domain)) == 3

    def test_the_first_version_cannot_be_undone(self, domain):
        with pytest.raises(NothingToUndo):
            services.undo(domain=domain, actor=ANA)

    def test_going_back_to_enforce_is_checked_like_going_there(self, domain):
        sight_mx(domain, "mx1.correio.example")
        publish(domain, ENFORCE)
        publish(domain, Policy(Mode.NONE, (), 86_400))
        sight_mx(domain, "mx1.correio.example", "mx2.correio.example")
        with pytest.raises(UncoveredMx):
            services.undo(domain=domain, actor=ANA)
        assert services.undo(domain=domain, actor=ANA, override=True).override is True

    def test_a_leaving_domain_is_live_again(self, domain):
        services.leave(domain=domain, actor=ANA)
        services.undo(domain=domain, actor=ANA)
        assert (domain.state, domain.leaving_at, standing(domain).current.mode) == (State.LIVE, None, "testing")

    def test_a_domain_that_is_gone_stays_gone(self, domain):
        services.leave(domain=domain, actor=ANA)
        domain.state = State.GONE
        domain.save()
        with pytest.raises(NotHosted):
            services.undo(domain=domain, actor=ANA)


class TestTenants:
    """One tenant never sees another: what one publishes is in nobody else's history or log."""

    def test_two_domains_do_not_touch(self, domain, theirs):
        other = announced(theirs, "caixa.example")
        before = standing(other)
        publish(domain, Policy(Mode.NONE, (), 86_400))
        assert standing(other).current == before.current
        assert not AuditEntry.objects.of(theirs).filter(subject="correio.example").exists()
        edge()
