"""All clients of a provider, each with how its domains stand: on the page and by the API."""

from __future__ import annotations

from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from tests import support_labels, support_panel, support_web
from tests.support_api import Program, key_of

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts import people
from trinco.panel.accounts.models import Organisation, Role
from trinco.panel.domains.models import HostedDomain, Level, State
from trinco.panel.policies import services

Lines = list[tuple[str, dict[str, int]]]


def client_of(provider: Organisation, name: str, *levels: Level) -> Organisation:
    """A client with a domain of each of these levels."""
    made = people.add_client(provider=provider, name=name, actor=support_panel.ANA)
    for number, level in enumerate(levels):
        levelled(made, f"d{number}-{made.pk}.example", level)
    return made


def levelled(owner: Organisation, name: str, level: Level) -> HostedDomain:
    domain = support_panel.hosted(owner, name)
    HostedDomain.objects.of(owner).filter(pk=domain.pk).update(level=level)
    return domain


def asked(browser: Client, provider: Organisation, query: str = "") -> Any:
    answer = browser.get(f"/o/{provider.pk}/clients/by-client/{query}")
    assert answer.status_code == 200
    return answer


def lines(page: Any) -> Lines:
    """The clients that are shown, with their counts by level."""
    shown = [each.line for each in page.context["rows"]]
    return [(line.organisation.name, {some.level.name: some.count for some in line.levels}) for line in shown]


def names(page: Any) -> list[str]:
    return [name for name, _counts in lines(page)]


def person(provider: Organisation, role: Role = Role.VIEWER) -> Client:
    return support_web.browser(support_web.person("eva@example.com", provider, role))


@pytest.fixture
def owner(ours: Organisation) -> Client:
    return support_web.browser(support_web.owner_of(ours))


class TestOrder:
    """Worst first: whoever has the most domains of the most urgent level, then by name."""

    def test_all_with_their_counts(self, ours: Organisation, owner: Client) -> None:
        levelled(ours, "nosso.example", Level.READY)
        client_of(ours, "Zeta", Level.CRITICAL, Level.OK)
        client_of(ours, "Beta", Level.CRITICAL, Level.CRITICAL, Level.LEAVING)
        client_of(ours, "Alfa", Level.ATTENTION, Level.ATTENTION, Level.ATTENTION, Level.SETUP)
        client_of(ours, "Delta", Level.CRITICAL, Level.ATTENTION)
        client_of(ours, "beto", *[Level.OK] * 3)
        client_of(ours, "Vazio")
        assert lines(asked(owner, ours)) == [
            ("Beta", {"CRITICAL": 2, "LEAVING": 1}),
            ("Delta", {"CRITICAL": 1, "ATTENTION": 1}),
            ("Zeta", {"CRITICAL": 1, "OK": 1}),
            ("Alfa", {"ATTENTION": 3, "SETUP": 1}),
            ("ana@example.com", {"READY": 1}),
            ("beto", {"OK": 3}),
            ("Vazio", {}),
        ]

    def test_a_domain_that_was_given_up_counts_no_more(self, ours: Organisation, owner: Client) -> None:
        beta = client_of(ours, "Beta", Level.CRITICAL)
        HostedDomain.objects.of(beta).update(state=State.GONE)
        assert lines(asked(owner, ours)) == [("ana@example.com", {}), ("Beta", {})]


class TestRow:
    """The same levels in the same words, icons and colours as in the overview; a name leads to the client."""

    def test_what_it_says(self, ours: Organisation, owner: Client) -> None:
        beta = client_of(ours, "Beta", Level.CRITICAL, Level.ATTENTION, Level.ATTENTION)
        page = asked(owner, ours)
        assert "Beta 3 Critical 1 Attention 2 — ana@example.com your own organisation 0 — —" in support_web.text_of(
            page
        )
        html = page.content.decode()
        assert f'<tr class="rank-bad"><th scope="row"><a href="/o/{beta.pk}/">Beta</a>' in html
        assert [look in html for look in ('class="s-bad"', 'class="s-warn"', 'class="s-ok"')] == [True, True, False]

    def test_policies_served_by_mode(self, ours: Organisation, owner: Client) -> None:
        beta = client_of(ours, "Beta")
        first, _second = (support_web.ready(beta, name) for name in ("um.example", "dois.example"))
        services.publish(domain=first, policy=services.proposed(first, Mode.ENFORCE), actor=support_panel.ANA)
        support_web.settled(first)
        support_panel.hosted(beta, "novo.example")
        rows = asked(owner, ours).context["rows"]
        assert [(each.line.organisation.name, each.line.domains, each.modes) for each in rows] == [
            ("Beta", 3, [("enforce", 1), ("testing", 1)]),
            ("ana@example.com", 0, []),
        ]

    def test_two_ways_to_look(self, ours: Organisation, owner: Client) -> None:
        root = f"/o/{ours.pk}/clients/"
        for here, other, word in ((root, f"{root}by-client/", "By domain"), (f"{root}by-client/", root, "By client")):
            html = owner.get(here).content.decode()
            assert f'<a href="{here}" aria-current="page">{word}</a>' in html
            assert f'<a href="{other}">' in html


class TestSearch:
    """Clients are found by a part of their name, and come in pages."""

    @pytest.mark.parametrize(("find", "shown"), [("AÇÃO", ["Ação Norte"]), ("norte", ["Ação Norte", "Norte Sul"])])
    def test_by_name(self, ours: Organisation, owner: Client, find: str, shown: list[str]) -> None:
        for name in ("Ação Norte", "Norte Sul", "Oeste"):
            client_of(ours, name)
        page = asked(owner, ours, f"?q={find}")
        assert (sorted(names(page), reverse=True), len(page.context["clients"])) == (sorted(shown, reverse=True), 4)

    def test_none_fits(self, ours: Organisation, owner: Client) -> None:
        client_of(ours, "Beta")
        page = asked(owner, ours, "?q=zulu%00")
        assert (names(page), "No client with this in its name." in support_web.text_of(page)) == ([], True)

    def test_pages(self, ours: Organisation, owner: Client) -> None:
        Organisation.objects.bulk_create(Organisation(name=f"Loja {number:02}", parent=ours) for number in range(60))
        first, last = asked(owner, ours, "?q=loja"), asked(owner, ours, "?q=loja&page=999")
        assert names(first) + names(last) == [f"Loja {number:02}" for number in range(60)]
        assert 'rel="next" href="?q=loja&amp;page=2"' in first.content.decode()


class TestFirstClient:
    """Where there is no client yet, the page says how one is made, to those who may."""

    @pytest.mark.parametrize("role", Role)
    def test_it_is_said(self, ours: Organisation, role: Role) -> None:
        page = asked(person(ours, role), ours)
        may = role in (Role.ADMIN, Role.OWNER)
        told = "Make the first one below" if may else "An owner or an admin makes them here."
        assert (f"No client yet. {told}" in support_web.text_of(page), names(page)) == (True, ["ana@example.com"])
        assert ("A new client" in support_web.text_of(page)) is may

    def test_it_is_over_with_the_first(self, ours: Organisation, owner: Client) -> None:
        client_of(ours, "Beta")
        assert "No client yet." not in support_web.text_of(asked(owner, ours))


class TestWhoSees:
    """The page is a provider's; what a client demands of people holds for its counts too."""

    @pytest.mark.parametrize("role", Role)
    def test_every_role(self, ours: Organisation, role: Role) -> None:
        client_of(ours, "Beta", Level.OK)
        assert lines(asked(person(ours, role), ours)) == [("ana@example.com", {}), ("Beta", {"OK": 1})]

    def test_strangers(self, ours: Organisation, theirs: Organisation, owner: Client) -> None:
        beta, foreign = client_of(ours, "Beta", Level.OK), client_of(theirs, "Alheio", Level.CRITICAL)
        of_beta = support_web.browser(support_web.person("bia@example.org", beta, Role.OWNER))
        for browser, where in ((owner, theirs), (of_beta, ours), (of_beta, beta), (owner, beta), (owner, foreign)):
            assert browser.get(f"/o/{where.pk}/clients/by-client/").status_code == 404
        assert "Alheio" not in support_web.text_of(asked(owner, ours, "?q=a"))

    def test_behind_a_door(self, ours: Organisation, theirs: Organisation) -> None:
        support_labels.proven(support_labels.labelled(ours))
        user = support_web.person("eva@example.com", ours, Role.VIEWER)
        client_of(ours, "Beta", Level.OK)
        theirs.memberships.create(user=user, role=Role.VIEWER)
        there = support_labels.at(support_labels.HOST, user)
        assert names(asked(there, ours)) == ["ana@example.com", "Beta"]
        assert there.get(f"/o/{theirs.pk}/clients/by-client/").status_code == 404

    @pytest.mark.parametrize(
        ("demand", "told"),
        [
            ("mfa_required", "1 client wants a second factor of you first, and is left out here."),
            ("sso_required", "1 client wants single sign-on of you first, and is left out here."),
        ],
    )
    def test_a_locked_client_is_left_out(self, ours: Organisation, demand: str, told: str) -> None:
        beta = client_of(ours, "Beta", Level.CRITICAL)
        Organisation.objects.filter(pk=beta.pk).update(**{demand: True})
        page = asked(person(ours, Role.ADMIN), ours)
        text = support_web.text_of(page)
        assert (lines(page), told in text, "No client yet" in text) == ([("ana@example.com", {})], True, False)

    def test_with_a_factor_it_is_there(self, ours: Organisation, owner: Client) -> None:
        client_of(ours, "Beta", Level.CRITICAL)
        Organisation.objects.filter(parent=ours).update(mfa_required=True)
        Authenticator.objects.create(user=support_web.owner_of(ours), type=Authenticator.Type.TOTP, data={})
        assert names(asked(owner, ours)) == ["Beta", "ana@example.com"]


def told(domains: int = 0, modes: dict[str, int] | None = None, **levels: int) -> dict[str, Any]:
    none = dict.fromkeys(("critical", "attention", "ready", "setup", "ok", "leaving"), 0)
    served = dict.fromkeys(("enforce", "testing", "none"), 0)
    return {"domains": domains, "levels": {**none, **levels}, "modes": {**served, **(modes or {})}}


class TestApi:
    """`GET /api/v1/clients` says the same."""

    def program(self, provider: Organisation) -> Program:
        return Program(key_of(support_web.owner_of(provider)))

    def test_counts(self, ours: Organisation, theirs: Organisation) -> None:
        beta = client_of(ours, "Beta", Level.CRITICAL, Level.OK)
        support_web.ready(beta, "um.example")
        client_of(ours, "Gama")
        client_of(theirs, "Alheio", Level.CRITICAL)
        rows = self.program(ours).json("/clients")["rows"]
        assert {row["name"]: row["counts"] for row in rows} == {
            "Beta": told(3, {"testing": 1}, critical=1, ok=1, ready=1),
            "Gama": told(),
        }

    def test_those_of_one_page(self, ours: Organisation) -> None:
        for name in ("Beta", "Gama"):
            client_of(ours, name, Level.OK)
        page = self.program(ours).json("/clients?limit=1")
        rest = self.program(ours).json(f"/clients?limit=1&cursor={page['next']}")
        assert [(row["name"], row["counts"]) for row in page["rows"] + rest["rows"]] == [
            ("Beta", told(1, ok=1)),
            ("Gama", told(1, ok=1)),
        ]

    def test_a_locked_client_is_named_and_not_counted(self, ours: Organisation) -> None:
        client_of(ours, "Gama", Level.OK)
        beta = client_of(ours, "Beta", Level.CRITICAL)
        Organisation.objects.filter(pk=beta.pk).update(mfa_required=True)
        rows = self.program(ours).json("/clients")["rows"]
        assert {row["name"]: row["counts"] for row in rows} == {"Beta": None, "Gama": told(1, ok=1)}


class TestCosts:
    """However many clients there are, the queries are the same."""

    def test_of_the_page(self, ours: Organisation, owner: Client) -> None:
        client_of(ours, "Beta", Level.OK)
        asked(owner, ours)  # the first request of a session notes when it was seen
        assert len(set(self._counted(ours, lambda: asked(owner, ours)))) == 1

    def test_of_the_list(self, ours: Organisation) -> None:
        client_of(ours, "Beta", Level.OK)
        program = Program(key_of(support_web.owner_of(ours)))
        program.json("/clients")  # the first use of a token notes when it was used
        assert len(set(self._counted(ours, lambda: program.json("/clients")))) == 1

    def _counted(self, ours: Organisation, ask: Any) -> list[int]:
        """The queries for one client, and for forty more with a domain each."""
        found = []
        for more in (0, 40):
            for number in range(more):
                levelled(Organisation.objects.create(name=f"C {number}", parent=ours), f"c{number}.example", Level.OK)
            with CaptureQueriesContext(connection) as queries:
                ask()
            found.append(len(queries))
        return found
