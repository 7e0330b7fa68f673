"""Who may do what, on every page and operation there is: generated from the tables of addresses."""

from __future__ import annotations

from itertools import pairwise

import pytest
from django.test import Client
from tests import support_api_walk, support_walk, support_web
from tests.support_walk import GOOD, World, asked, guarded, personal

from trinco.panel.accounts import roles
from trinco.panel.accounts.models import Organisation, Role
from trinco.panel.accounts.roles import Deed
from trinco.panel.web.access import PERSON, PUBLIC

SIGN_ON = {"sso", "sso_callback", "sso_bind", "sso_again", "sso_connect", "sso_disconnect"}
"""Pages of signing in: each asks by itself who is there."""
LABEL = {"label", "label_remove", "label_host", "label_host_check", "label_host_remove"}
PROVIDERS = {"clients", "clients_by_client", "client_add", "clients_closed", "client_closed_log", *LABEL}
"""Pages of a provider: a client has no clients."""


@pytest.fixture
def world(db: None) -> World:
    return World()


def forbidden(role: Role) -> set[str]:
    """The pages whose deed the role does not allow."""
    return {page.name for page in guarded() if not roles.may(role, Deed(str(page.deed)))}


def others(role: Role) -> dict[str, int]:
    """What does not exist: a client's clients, and tokens of others for whom does not look after them."""
    client = {page.name: 404 for page in guarded() if page.name in PROVIDERS and page.name not in forbidden(role)}
    return client if roles.may(role, Deed.PEOPLE_MANAGE) else {**client, "token_revoke": 404}


class TestDeeds:
    """Default deny: each view and each operation names its deed."""

    def test_of_the_pages(self) -> None:
        named = {PUBLIC, PERSON, *Deed}
        assert [page.name for page in support_walk.pages() if page.deed not in named] == []

    def test_what_is_for_everybody(self) -> None:
        public = {page.name for page in support_walk.pages() if page.deed == PUBLIC}
        dressed = {"accent", "logo"}
        assert public == {"read_report", "recipient_confirm", "theme", *dressed, *SIGN_ON} | ({"invitation"} & public)

    def test_of_the_operations(self) -> None:
        assert [each for each in support_api_walk.operations() if len(each.deeds) != 1 or None in each.deeds] == []

    def test_what_changes_is_no_reading(self) -> None:
        """What a report says is asked for with the report itself; it is kept nowhere."""
        reading = [each for each in support_api_walk.operations() if each.deeds == {Deed.READ}]
        assert [each.name for each in reading if each.verb != "GET"] == ["POST /read"]


class TestMatrix:
    def test_a_higher_role_allows_what_a_lower_one_does(self) -> None:
        order = [Role.VIEWER, Role.EDITOR, Role.ADMIN, Role.OWNER]
        assert all(roles.deeds_of(low) < roles.deeds_of(high) for low, high in pairwise(order))
        assert roles.deeds_of(Role.OWNER) == frozenset(Deed)

    @pytest.mark.parametrize("role", ["", "root", "OWNER"])
    def test_an_unknown_role_allows_nothing(self, role: str) -> None:
        assert (roles.deeds_of(role), roles.rank(role)) == (frozenset(), -1)


class TestEveryPage:
    """Issue 5: a walk over all routes with the owner, a teammate of each role, a client of the same provider, a stranger,
    nobody."""

    @pytest.mark.parametrize("role", Role)
    def test_a_member(self, world: World, role: Role) -> None:
        answers = asked(world.member(role), world)
        assert {name for name, code in answers.items() if code == 403} == forbidden(role)
        assert {name: code for name, code in answers.items() if code not in GOOD | {403}} == others(role)

    @pytest.mark.parametrize("role", Role)
    def test_the_staff_of_the_provider(self, world: World, role: Role) -> None:
        answers = asked(world.member(role, world.provider), world)
        assert {name for name, code in answers.items() if code == 403} == forbidden(role)
        assert {name: code for name, code in answers.items() if code not in GOOD | {403}} == others(role)

    def test_a_client_of_the_same_provider(self, world: World) -> None:
        assert set(asked(support_web.owner_of(world.sibling), world).values()) == {404}

    def test_a_stranger(self, world: World) -> None:
        assert set(asked(world.stranger, world).values()) == {404}

    def test_a_client_in_its_providers_organisation(self, world: World) -> None:
        world.ours = world.provider
        assert set(asked(support_web.owner_of(world.sibling), world).values()) == {404}

    @pytest.mark.parametrize("who", ["sibling", "stranger"])
    def test_foreign_keys_without_the_organisation(self, world: World, who: str) -> None:
        user = world.stranger if who == "stranger" else support_web.owner_of(world.sibling)
        answers = asked(user, world, there=False)
        keyed = {page.name for page in guarded() if {"name", "pk"} & set(page.arguments)}
        assert {name: answers[name] for name in keyed if answers[name] != 404} == {}

    def test_nobody(self, world: World) -> None:
        assert set(asked(None, world).values()) == {302}
        for page in guarded():
            address = world.there(page)
            answer = Client().get(address)
            if answer.status_code != 405:
                assert answer["Location"].partition("?next=")[2] == address.replace("?", "%3F"), page.name

    @pytest.mark.parametrize("who", ["member", "sibling", "stranger", "nobody"])
    def test_what_is_about_the_person_is_nobody_elses(self, world: World, who: str) -> None:
        people = {"sibling": support_web.owner_of(world.sibling), "stranger": world.stranger, "nobody": None}
        client = support_web.browser(people.get(who, world.member(Role.VIEWER)))
        answers = {page.name: support_walk.status(client, world.address(page)) for page in personal()}
        keyed = {page.name for page in personal() if page.arguments}
        other = 302 if who == "nobody" else 200
        assert answers == {name: 404 if name in keyed and other == 200 else other for name in answers}

    def test_no_such_organisation(self, world: World) -> None:
        client = support_web.browser(support_web.owner_of(world.ours))
        assert {client.get(f"/o/{key}/").status_code for key in (0, 999, 10**17)} == {404}


class TestEveryOperation:
    """By a session; `test_api_walk` has the tokens."""

    def test_a_stranger_in_another_organisation(self, world: World) -> None:
        client = support_web.browser(world.stranger)
        asked = [(each.verb, each.path.replace("{int:pk}", "1")) for each in support_api_walk.operations()]
        answers = [client.generic(verb, f"/o/{world.ours.pk}/api/v1{path}").status_code for verb, path in asked]
        assert set(answers) == {404}

    def test_a_provider_in_a_client(self, world: World) -> None:
        client = support_web.browser(support_web.owner_of(world.provider))
        rows = client.get(f"/o/{world.ours.pk}/api/v1/domains").json()["rows"]
        assert [row["name"] for row in rows] == [world.domain.name]


class TestMounted:
    """Several tabs are in several organisations, and a link that is sent to a colleague opens where it was copied."""

    def test_links_stay_in_the_organisation(self, world: World) -> None:
        page = support_web.browser(support_web.owner_of(world.provider)).get(f"/o/{world.ours.pk}/")
        assert f'href="/o/{world.ours.pk}/domains/{world.domain.name}/"' in page.content.decode()
        assert 'href="/domains/' not in page.content.decode()

    def test_the_next_request_has_its_own(self, world: World) -> None:
        client = support_web.browser(support_web.owner_of(world.ours))
        client.get(f"/o/{world.ours.pk}/")
        assert 'href="/activity/"' in client.get("/").content.decode()

    def test_a_providers_address_without_it_is_completed(self, world: World) -> None:
        client = support_web.browser(support_web.owner_of(world.provider))
        assert client.get("/activity/?page=2")["Location"] == f"/o/{world.provider.pk}/activity/?page=2"

    def test_a_clients_link_opens_at_the_provider(self, world: World) -> None:
        client = support_web.browser(support_web.owner_of(world.provider))
        path = f"/domains/{world.domain.name}/"
        assert client.get(path)["Location"] == f"/o/{world.ours.pk}{path}"

    def test_a_deed_there_is_told_as_the_providers(self, world: World) -> None:
        Organisation.objects.filter(pk=world.provider.pk).update(name="Alfa MSP")
        client = support_web.browser(support_web.owner_of(world.provider))
        client.post(f"/o/{world.ours.pk}/domains/add/", {"name": "novo.example"})
        page = support_web.browser(support_web.owner_of(world.ours)).get("/activity/")
        assert "msp@example.com as Alfa MSP" in support_web.text_of(page)
