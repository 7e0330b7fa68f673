"""Ids of the policies of one name, over everything that can happen to it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from unittest import mock

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase
from tests.support_panel import ANA, hosted, live, organisation, standing, versions

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.policies import services
from trinco.panel.policies.models import PolicyVersion, Standing

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["publish", "undo", "restore", "reissue"]),
        st.timedeltas(min_value=timedelta(days=-2), max_value=timedelta(days=2)),
    ),
    min_size=1,
    max_size=12,
)


def at(moment):
    return mock.patch("django.utils.timezone.now", return_value=moment)


class TestIds(TestCase):
    """The id is 1 to 32 letters and digits, and must be another one for each policy (RFC 8461 section 3.1). Ours are never
    used twice and never older, whatever the clock or a restored database says."""

    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(steps=STEPS)
    def test_every_id_sorts_after_all_that_the_world_has_seen(self, steps):
        domain, world, moment = live(organisation()), [], START
        world.append(standing(domain).current.policy_id)
        for deed, jump in steps:
            moment += jump
            with at(moment):
                self.do(deed, domain, world)
            newest = standing(domain).current.policy_id
            if newest != world[-1]:
                assert newest > max(world)
                assert re.search(r"\A[A-Za-z0-9]{1,32}\Z", newest)
                world.append(newest)
        assert len(set(world)) == len(world)

    def do(self, deed, domain, world):
        if deed == "publish":
            policy = Policy(Mode.TESTING, (f"mx{len(world)}.example",), 86_400)
            services.publish(domain=domain, policy=policy, actor=ANA)
        elif deed == "undo" and len(versions(domain)) > 1:
            services.undo(domain=domain, actor=ANA)
        elif deed == "restore":
            self.restore(domain, world)
        elif deed == "reissue":
            services.reissue_due(timezone.now())

    def restore(self, domain, world):
        """The database of some time ago comes back, and an edge tells what it has served since."""
        first = versions(domain)[0]
        Standing.objects.everywhere().filter(domain=domain).update(current=first, announced=None, id_floor=world[-1])
        PolicyVersion.objects.everywhere().filter(domain=domain, number__gt=1).update(undoes=None)
        PolicyVersion.objects.everywhere().filter(domain=domain, number__gt=1).delete()
        services.reissue_due(timezone.now())


@pytest.mark.django_db
class TestRestored:
    """After a restore the world may know a later id: the same policy gets an id above it, before anything is announced."""

    def test_the_same_content_under_a_higher_id(self):
        domain = live(organisation())
        body = bytes(standing(domain).current.body)
        floor = "20991231T235958Z" + "f" * 8
        Standing.objects.everywhere().filter(domain=domain).update(id_floor=floor)
        assert services.reissue_due(timezone.now()) == 1
        current = standing(domain).current
        assert (bytes(current.body), current.policy_id[:16], current.number) == (body, "20991231T235959Z", 2)
        line = AuditEntry.objects.of(domain.organisation).get(action="policy.reissued")
        assert (line.actor, line.after["id"]) == ("trinco", current.policy_id)

    def test_once_is_enough(self):
        domain = live(organisation())
        Standing.objects.everywhere().filter(domain=domain).update(id_floor="20991231T235958Zffffffff")
        services.reissue_due(timezone.now())
        assert services.reissue_due(timezone.now()) == 0

    def test_a_lower_floor_changes_nothing(self):
        domain = live(organisation())
        Standing.objects.everywhere().filter(domain=domain).update(id_floor="20200101T000000Zffffffff")
        assert services.reissue_due(timezone.now()) == 0
        assert len(versions(domain)) == 1

    def test_the_floor_holds_for_whoever_has_the_name_next(self):
        domain = live(organisation())
        Standing.objects.everywhere().filter(domain=domain).update(id_floor="20991231T235958Zffffffff")
        claim = hosted(organisation("rui@example.net"))
        version = services.start(domain=claim, mx=("mx.example",), actor=ANA)
        assert version.policy_id > "20991231T235958Zffffffff"


@pytest.mark.django_db
class TestForm:
    """UTC time and part of the body's hash."""

    def test_time_and_hash(self):
        with at(START):
            domain = hosted(organisation())
            version = services.start(domain=domain, mx=("mx.example",), actor=ANA)
        assert re.fullmatch(r"20260301T120000Z[0-9a-f]{8}", version.policy_id)
