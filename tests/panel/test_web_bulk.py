"""The panic button: one mode for many domains, with the consequences shown first."""

from __future__ import annotations

import pytest
from django.test import Client
from tests import support_panel, support_web

from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.models import Standing

BULK = "/domains/mode/"


@pytest.fixture
def three(ours: Organisation) -> list[HostedDomain]:
    """One ready, one whose MX is not covered, one that only waits for DNS."""
    ready = support_web.ready(ours, "alpha.example")
    uncovered = support_web.ready(ours, "bravo.example")
    support_panel.sight_mx(uncovered, "mx1.bravo.example", "mx9.bravo.example")
    support_web.settled(uncovered)
    return [ready, uncovered, support_panel.hosted(ours, "charlie.example")]


@pytest.fixture
def person(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


def modes(owner: Organisation) -> dict[str, str]:
    standings = Standing.objects.of(owner).select_related("domain", "current")
    return {standing.domain.name: standing.current.mode for standing in standings}


NAMES = ["alpha.example", "bravo.example", "charlie.example"]
TESTING = {"alpha.example": "testing", "bravo.example": "testing"}


class TestPreview:
    def test_each_domain_has_its_consequence(self, three: list[HostedDomain], person: Client) -> None:
        text = support_web.text_of(person.post(BULK, {"mode": "enforce", "domain": NAMES}))
        assert "Will change 1 at once, on every edge Are so already 0 Refused 2" in text
        assert "bravo.example Testing mx9.bravo.example is in DNS, but not in the policy." in text
        assert "charlie.example — The mail servers are not confirmed yet." in text
        assert "alpha.example Testing Enforce Mail goes to 1 named server over verified connections alone." in text

    def test_nothing_changes(self, ours: Organisation, three: list[HostedDomain], person: Client) -> None:
        person.post(BULK, {"mode": "none", "domain": NAMES})
        assert modes(ours) == TESTING

    def test_all_of_the_list_may_be_meant(self, three: list[HostedDomain], person: Client) -> None:
        answer = person.post(BULK, {"mode": "none", "scope": "all", "show": "ready"})
        assert [each.domain.name for each in answer.context["changing"]] == ["alpha.example"]

    def test_more_than_one_page_bears_is_said_and_comes_next(
        self, ours: Organisation, three: list[HostedDomain], person: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("trinco.panel.web.choosing.MOST", 1)
        first = person.post(BULK, {"mode": "none", "scope": "all", "show": "all"})
        (name,) = [each.domain.name for each in first.context["changing"]]
        assert "left for another time" in support_web.text_of(first)
        person.post(BULK, {"mode": "none", "domain": [name], "confirm": "1"})
        second = person.post(BULK, {"mode": "none", "scope": "all", "show": "all"})
        assert name not in [each.domain.name for each in second.context["changing"]]

    def test_nothing_selected_is_said(self, three: list[HostedDomain], person: Client) -> None:
        answer = person.post(BULK, {"mode": "none", "scope": "selected"}, follow=True)
        assert "No domain was selected." in support_web.text_of(answer)

    def test_a_mode_that_does_not_exist(self, three: list[HostedDomain], person: Client) -> None:
        assert person.post(BULK, {"mode": "strict", "domain": NAMES}).status_code == 400


class TestDeed:
    def test_what_may_change_does_and_the_rest_is_counted(
        self, ours: Organisation, three: list[HostedDomain], person: Client
    ) -> None:
        answer = person.post(BULK, {"mode": "enforce", "names": "\n".join(NAMES), "confirm": "1"}, follow=True)
        assert modes(ours) == {**TESTING, "alpha.example": "enforce"}
        assert "1 policy changed. 2 stayed as they were." in support_web.text_of(answer)

    def test_each_is_in_the_log(self, ours: Organisation, three: list[HostedDomain], person: Client) -> None:
        person.post(BULK, {"mode": "none", "names": "alpha.example bravo.example", "confirm": "1"})
        entries = AuditEntry.objects.of(ours).filter(action="policy.published").order_by("subject")
        assert [(entry.subject, entry.after["mode"], entry.actor) for entry in entries] == [
            ("alpha.example", "none", "ana@example.com"),
            ("bravo.example", "none", "ana@example.com"),
        ]

    def test_only_what_was_previewed_is_changed(
        self, ours: Organisation, three: list[HostedDomain], person: Client
    ) -> None:
        """A domain that came into the filter between preview and confirmation stays as it is."""
        person.post(BULK, {"mode": "none", "names": "alpha.example", "scope": "all", "confirm": "1"})
        assert modes(ours) == {**TESTING, "alpha.example": "none"}
