"""Leaving: a state with a date, not a delete (RFC 8461 section 8.3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from tests import support_panel, support_web

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies import services
from trinco.panel.policies.models import PolicyVersion

PAGE = "/domains/correio.example/"


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


def enforcing(owner: Organisation) -> HostedDomain:
    domain = support_web.ready(owner)
    services.publish(domain=domain, policy=services.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA)
    return support_web.settled(domain)


class TestLeaving:
    def test_the_page_says_until_when_and_which_records(self, ours: Organisation, person: Client) -> None:
        enforcing(ours)
        until = timezone.now() + timedelta(days=7, seconds=300)
        text = support_web.text_of(person.get(f"{PAGE}leave/"))
        assert f"Until {until.day} {until:%B %Y}: leave the three records in place." in text
        assert "mta-sts.correio.example — Found _mta-sts.correio.example — Found" in text

    def test_looking_changes_nothing(self, ours: Organisation, person: Client) -> None:
        domain = enforcing(ours)
        person.get(f"{PAGE}leave/")
        domain.refresh_from_db()
        assert domain.state == State.LIVE

    def test_it_serves_none_until_the_horizon(self, ours: Organisation, person: Client) -> None:
        domain = enforcing(ours)
        assert person.post(f"{PAGE}leave/")["Location"] == PAGE
        domain.refresh_from_db()
        newest = PolicyVersion.objects.of(ours).order_by("-number")[0]
        assert (domain.state, newest.mode, newest.mx, newest.max_age) == (State.LEAVING, "none", [], 86_400)
        assert "Served until" in support_web.text_of(person.get(PAGE))

    def test_twice_is_refused_in_words(self, ours: Organisation, person: Client) -> None:
        enforcing(ours)
        person.post(f"{PAGE}leave/")
        assert "The domain is leaving." in support_web.text_of(person.post(f"{PAGE}leave/"))

    def test_one_may_stay_after_all(self, ours: Organisation, person: Client) -> None:
        domain = enforcing(ours)
        person.post(f"{PAGE}leave/")
        assert "The domain no longer leaves: it is served as before." in support_web.text_of(person.get(f"{PAGE}undo/"))
        person.post(f"{PAGE}undo/")
        domain.refresh_from_db()
        assert domain.state == State.LIVE


class TestRemoving:
    """A domain that was never served depends on nothing."""

    def test_it_is_removed_at_once(self, ours: Organisation, person: Client) -> None:
        domain = support_panel.hosted(ours)
        assert "It was never served" in support_web.text_of(person.get(f"{PAGE}leave/"))
        assert person.post(f"{PAGE}leave/")["Location"] == "/"
        domain.refresh_from_db()
        assert domain.state == State.GONE

    def test_added_again_it_gets_another_label(self, ours: Organisation, person: Client) -> None:
        label = support_panel.hosted(ours).label
        person.post(f"{PAGE}leave/")
        person.post("/domains/add/", {"name": "correio.example"})
        assert HostedDomain.objects.of(ours).exclude(state=State.GONE).get().label != label
