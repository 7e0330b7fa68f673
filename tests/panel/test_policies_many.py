"""One mode for many domains: the panic button."""

from __future__ import annotations

import pytest
from tests.support_panel import ANA, announced, hosted, live, sight_mx, standing, versions

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.policies import many, services
from trinco.panel.policies.errors import MxUnknown, NoMxYet, NothingChanged, NotHosted, NotStarted, UncoveredMx

MX = ("mx1.correio.example",)


def problems(results):
    return {result.domain.name: type(result.problem) for result in results if result.problem}


@pytest.fixture
def fleet(ours):
    """Domains in every state: which of them may change is the question."""
    good, uncovered, unknown = (live(ours, f"{name}.example", MX) for name in ("good", "uncovered", "unknown"))
    sight_mx(good, *MX)
    sight_mx(uncovered, *MX, "mx9.example")
    leaving = announced(ours, "leaving.example", MX)
    services.leave(domain=leaving, actor=ANA)
    return [good, uncovered, unknown, leaving, hosted(ours, "fresh.example")]


class TestPreview:
    def test_what_enforce_would_do(self, fleet):
        consequences = services.preview_many(domains=fleet, mode=Mode.ENFORCE)
        assert [each.domain for each in consequences] == fleet
        assert consequences[0].policy == Policy(Mode.ENFORCE, MX, 604_800)
        assert [each.before for each in consequences] == [Mode.TESTING] * 3 + [Mode.NONE, None]
        assert problems(consequences) == {
            "uncovered.example": UncoveredMx,
            "unknown.example": MxUnknown,
            "leaving.example": NotHosted,
            "fresh.example": NotStarted,
        }

    def test_nothing_is_written(self, fleet):
        services.preview_many(domains=fleet, mode=Mode.NONE)
        assert [len(versions(domain)) for domain in fleet] == [1, 1, 1, 2, 0]

    def test_a_bounded_number_of_queries(self, fleet, django_assert_max_num_queries):
        with django_assert_max_num_queries(3):
            services.preview_many(domains=fleet, mode=Mode.ENFORCE)


class TestPublish:
    """The panic button: many domains stop asking anything of senders, at once, whatever the MX are."""

    def test_none_for_all_that_are_hosted(self, ours, fleet):
        outcomes = services.publish_many(organisation=ours, domains=fleet, mode=Mode.NONE, actor=ANA)
        assert problems(outcomes) == {"leaving.example": NotHosted, "fresh.example": NotStarted}
        for domain in fleet[:3]:
            assert services.policy_of(standing(domain).current) == Policy(Mode.NONE, (), 86_400)
        assert AuditEntry.objects.of(ours).filter(action="policy.published").count() == 3

    def test_enforce_for_those_that_pass(self, ours, fleet):
        outcomes = services.publish_many(organisation=ours, domains=fleet, mode=Mode.ENFORCE, actor=ANA)
        assert [each.version.mode for each in outcomes if each.version] == ["enforce"]
        assert problems(outcomes)["uncovered.example"] is UncoveredMx
        assert standing(fleet[1]).current.mode == "testing"

    def test_back_to_testing_with_the_last_mx(self, ours, fleet):
        services.publish_many(organisation=ours, domains=fleet[:1], mode=Mode.NONE, actor=ANA)
        services.publish_many(organisation=ours, domains=fleet[:1], mode=Mode.TESTING, actor=ANA)
        assert services.policy_of(standing(fleet[0]).current) == Policy(Mode.TESTING, MX, 86_400)

    def test_what_is_so_already_is_reported(self, ours, fleet):
        outcomes = services.publish_many(organisation=ours, domains=fleet[:1], mode=Mode.TESTING, actor=ANA)
        assert problems(outcomes) == {"good.example": NothingChanged}

    def test_a_stranger_s_domain_is_left_alone(self, ours, theirs):
        foreign = live(theirs, "caixa.example")
        assert services.publish_many(organisation=ours, domains=[foreign], mode=Mode.NONE, actor=ANA) == []
        assert standing(foreign).current.mode == "testing"

    def test_in_portions(self, ours, monkeypatch):
        monkeypatch.setattr(many, "_AT_ONCE", 2)
        domains = [live(ours, f"d{number}.example") for number in range(5)]
        outcomes = services.publish_many(organisation=ours, domains=domains, mode=Mode.NONE, actor=ANA)
        assert [each.domain.name for each in outcomes if each.version] == [domain.name for domain in domains]


class TestProposed:
    def test_the_policy_as_it_is_for_the_same_mode(self, domain):
        sight_mx(domain, *MX)
        policy = Policy(Mode.ENFORCE, MX, 1_000_000)
        services.publish(domain=domain, policy=policy, actor=ANA)
        assert services.proposed(domain, Mode.ENFORCE) == policy

    def test_no_mx_ever(self, ours):
        domain = hosted(ours)
        services.start(domain=domain, mx=MX, actor=ANA)
        domain.versions.update(mx=[], mode="none")
        with pytest.raises(NoMxYet):
            services.proposed(domain, Mode.TESTING)

    def test_nothing_started(self, ours):
        with pytest.raises(NotStarted):
            services.proposed(hosted(ours), Mode.TESTING)
