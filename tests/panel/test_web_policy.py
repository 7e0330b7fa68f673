"""Changing a policy: what a person sees before it takes effect, what is refused, what an override leaves behind."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.test import Client
from tests import support_panel, support_web

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains.models import HostedDomain, Starttls
from trinco.panel.policies import services
from trinco.panel.policies.models import PolicyVersion

PAGE = "/domains/correio.example/"
POLICY = f"{PAGE}policy/"
ENFORCE = {"mode": "enforce", "confirm": "1"}


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    """In testing, ready for enforce."""
    return support_web.ready(ours)


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def versions(domain: HostedDomain) -> list[tuple[str, list[str], int]]:
    """Oldest first."""
    rows = PolicyVersion.objects.of(domain.organisation).order_by("number")
    return [(row.mode, row.mx, row.max_age) for row in rows]


FIRST = ("testing", ["mx1.correio.example"], 86_400)
SECOND = ("enforce", ["mx1.correio.example"], 604_800)


class TestConfirmation:
    """UX, page 3: each mode with its consequence, and the file's difference before it takes effect."""

    def test_the_difference_is_shown_and_nothing_changes(self, domain: HostedDomain, person: Client) -> None:
        answer = person.get(POLICY, {"mode": "enforce"})
        assert [f"{line.sign} {line.text}" for line in answer.context["diff"]] == [
            "  version: STSv1",
            "- mode: testing",
            "+ mode: enforce",
            "  mx: mx1.correio.example",
            "- max_age: 86400",
            "+ max_age: 604800",
        ]
        assert versions(domain) == [FIRST]

    def test_htmx_gets_the_part_alone(self, person: Client) -> None:
        part = person.get(POLICY, {"mode": "enforce"}, headers={"HX-Request": "true"}).content.decode()
        page = person.get(POLICY, {"mode": "enforce"}).content.decode()
        assert part.lstrip().startswith("<form")
        assert part.split('name="csrfmiddlewaretoken"')[1][90:] in page

    def test_the_open_checks_are_named(self, domain: HostedDomain, person: Client) -> None:
        support_web.probed(domain, "mx1.correio.example", Starttls.NOT_OFFERED)
        text = support_web.text_of(person.get(POLICY, {"mode": "enforce"}))
        assert "1 check has not passed" in text
        assert "Every mail server passes STARTTLS with a matching certificate: mx1.correio.example" in text

    def test_leaving_enforce_says_until_when_it_is_remembered(self, domain: HostedDomain, person: Client) -> None:
        person.post(POLICY, ENFORCE)
        support_web.settled(domain)
        assert "some may still hold the policy of before" in support_web.text_of(person.get(POLICY, {"mode": "none"}))

    @pytest.mark.parametrize(
        "query",
        [
            {},
            {"mode": "strict"},
            {"mode": "enforce", "max_age": "0"},
            {"mode": "enforce", "max_age": "31557601"},
            {"mode": "enforce", "max_age": "٨٦٤٠٠٠"},
            {"mode": "enforce", "mx": "mx1.example\nmode: none"},
            {"mode": "testing", "mx": " "},
        ],
    )
    def test_what_makes_no_policy_is_refused(self, domain: HostedDomain, person: Client, query: dict[str, str]) -> None:
        answer = person.post(POLICY, {**query, "confirm": "1"})
        assert (answer.status_code, "policy" in (answer.context or {}), versions(domain)) == (200, False, [FIRST])


class TestBeforeTheFirst:
    """No policy was confirmed yet: the page says so, whatever was sent."""

    @pytest.mark.parametrize("sent", [{}, {"mode": "bogus"}, {"mode": "enforce"}])
    def test_there_is_nothing_to_change(self, ours: Organisation, sent: dict[str, str]) -> None:
        support_panel.hosted(ours, "novo.example")
        person = support_web.browser(support_web.owner_of(ours))
        for answer in (
            person.get("/domains/novo.example/policy/", sent),
            person.post("/domains/novo.example/policy/", sent),
        ):
            assert answer.status_code == 302


class TestPublishing:
    def test_a_plain_post_publishes_and_goes_back(self, domain: HostedDomain, person: Client) -> None:
        answer = person.post(POLICY, ENFORCE, follow=True)
        assert versions(domain) == [FIRST, SECOND]
        assert "Saved. The file goes to every edge first, then DNS announces it." in support_web.text_of(answer)

    def test_how_long_senders_keep_it_is_the_persons_choice(self, domain: HostedDomain, person: Client) -> None:
        person.post(POLICY, {**ENFORCE, "max_age": "2419200"})
        assert versions(domain)[-1] == ("enforce", ["mx1.correio.example"], 2_419_200)

    def test_a_choice_is_previewed_before_it_is_confirmed(self, domain: HostedDomain, person: Client) -> None:
        preview = person.post(POLICY, {"mode": "enforce", "max_age": "2419200"}, headers={"HX-Request": "true"})
        assert "+ max_age: 2419200" in support_web.text_of(preview)
        assert versions(domain) == [FIRST]

    def test_the_same_again_changes_nothing(self, domain: HostedDomain, person: Client) -> None:
        answer = person.post(POLICY, {"mode": "testing", "confirm": "1"})
        assert "That is the policy already." in support_web.text_of(answer)
        assert versions(domain) == [FIRST]

    def test_the_mail_servers_are_changed_through_the_confirmation(self, domain: HostedDomain, person: Client) -> None:
        typed = {"mode": "testing", "max_age": "86400", "mx": "mx1.correio.example\r\nMX2.correio.example"}
        assert "+ mx: mx2.correio.example" in support_web.text_of(person.post(POLICY, typed))
        person.post(POLICY, {**typed, "confirm": "1"})
        assert versions(domain)[-1] == ("testing", ["mx1.correio.example", "mx2.correio.example"], 86_400)

    def test_somebody_elses_change_in_between_is_shown(self, domain: HostedDomain, person: Client) -> None:
        other = Policy(Mode.TESTING, ("mx7.correio.example",), 86_400)
        services.publish(domain=domain, policy=other, actor=support_panel.ANA)
        answer = person.post(POLICY, {**ENFORCE, "mx": "mx1.correio.example", "version": "1"})
        assert "Somebody changed the policy meanwhile." in support_web.text_of(answer)
        assert len(versions(domain)) == 2

    def test_a_leaving_domain_changes_no_more(self, domain: HostedDomain, person: Client) -> None:
        services.leave(domain=domain, actor=support_panel.ANA)
        answer = person.post(POLICY, ENFORCE)
        assert "The domain is leaving." in support_web.text_of(answer)


class TestEnforceAgainstAnUncoveredMx:
    """RELIABILITY 2, row 1: refused unless the person ticks the override, which the audit log shows."""

    @pytest.fixture(autouse=True)
    def _one_more(self, domain: HostedDomain) -> None:
        support_panel.sight_mx(domain, "mx1.correio.example", "mx9.correio.example")

    def test_the_hosts_are_named_before(self, person: Client) -> None:
        text = support_web.text_of(person.get(POLICY, {"mode": "enforce"}))
        assert "stop delivering to mx9.correio.example: this host is in DNS, but not in the policy." in text
        assert "I know that mail to mx9.correio.example will be held back." in text

    def test_it_is_refused(self, domain: HostedDomain, person: Client) -> None:
        answer = person.post(POLICY, ENFORCE)
        assert "mx9.correio.example is in DNS, but not in the policy." in support_web.text_of(answer)
        assert versions(domain) == [FIRST]

    def test_the_override_goes_on_and_is_written_down(self, domain: HostedDomain, person: Client) -> None:
        person.post(POLICY, {**ENFORCE, "override": "on"})
        assert versions(domain) == [FIRST, SECOND]
        entry = AuditEntry.objects.of(domain.organisation).filter(override=True).get()
        assert (entry.actor, entry.source, entry.after["uncovered"]) == (
            "ana@example.com",
            "127.0.0.1",
            ["mx9.correio.example"],
        )

    def test_old_knowledge_of_the_mx_is_none(self, domain: HostedDomain, person: Client) -> None:
        support_panel.sight_mx(domain, "mx1.correio.example", ago=timedelta(hours=2))
        answer = person.post(POLICY, ENFORCE)
        assert "nobody knows what enforce would cut off" in support_web.text_of(answer)
        assert versions(domain) == [FIRST]


class TestUndo:
    def test_it_shows_what_comes_back(self, domain: HostedDomain, person: Client) -> None:
        person.post(POLICY, ENFORCE)
        text = support_web.text_of(person.get(f"{PAGE}undo/"))
        assert "The content of version 1 comes back under a new id; version 2 stays in the history." in text
        assert "- mode: enforce + mode: testing" in text

    def test_it_brings_it_back(self, domain: HostedDomain, person: Client) -> None:
        person.post(POLICY, ENFORCE)
        person.post(f"{PAGE}undo/")
        assert versions(domain) == [FIRST, SECOND, FIRST]

    def test_a_second_click_does_not_undo_the_first(self, domain: HostedDomain, person: Client) -> None:
        person.post(POLICY, ENFORCE)
        assert '<input type="hidden" name="version" value="2">' in person.get(f"{PAGE}undo/").content.decode()
        person.post(f"{PAGE}undo/", {"version": "2"})
        assert person.post(f"{PAGE}undo/", {"version": "2"}).status_code == 200
        assert versions(domain) == [FIRST, SECOND, FIRST]

    def test_there_is_nothing_to_undo_at_first(self, person: Client) -> None:
        assert person.get(f"{PAGE}undo/").status_code == 404

    def test_back_to_enforce_is_held_against_the_mx_again(self, domain: HostedDomain, person: Client) -> None:
        person.post(POLICY, ENFORCE)
        person.post(POLICY, {"mode": "testing", "confirm": "1"})
        support_panel.sight_mx(domain, "mx1.correio.example", "mx9.correio.example")
        assert "mx9.correio.example is in DNS" in support_web.text_of(person.post(f"{PAGE}undo/"))
        person.post(f"{PAGE}undo/", {"override": "on"})
        assert [mode for mode, _, _ in versions(domain)] == ["testing", "enforce", "testing", "enforce"]
