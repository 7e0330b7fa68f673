"""Who may do what by the API: every operation, found in its routers, with every kind of person and every token."""

from __future__ import annotations

import pytest
from tests import support_api_walk, support_web
from tests.support_api_walk import SENT, ApiWorld, headers_of, key_of, operations, sent_to, statuses

from trinco.panel.accounts import roles
from trinco.panel.accounts.models import AuditEntry, Organisation, Role, TokenScope, User
from trinco.panel.accounts.tokens import SCOPES

PROVIDERS = {"GET /clients", "POST /clients"}
"""A client has no clients; a provider has."""
MANAGERS = {"DELETE /tokens/{int:pk}"}
"""Of others' tokens nothing is known to whom does not look after them."""

ADDS = {"PUT /domains/{name}"}
"""Whoever names somebody else's domain has it waiting in their own organisation, as on the pages."""


@pytest.fixture
def world(db: None) -> ApiWorld:
    return ApiWorld()


def expected(role: Role, scope: TokenScope = TokenScope.ADMIN) -> dict[str, set[int]]:
    """What each operation answers a person of this role, by a token of this scope, in a client's organisation."""
    found = {}
    for each in operations():
        allowed = roles.may(role, each.deed) and each.deed in SCOPES[scope]
        hidden = each.name in MANAGERS and not roles.may(role, roles.Deed.PEOPLE_MANAGE)
        found[each.name] = ({404} if hidden else set(sent_to(each).answers)) if allowed else {403}
    return found


def unlike(answers: dict[str, int], wanted: dict[str, set[int]]) -> dict[str, tuple[int, set[int]]]:
    return {name: (code, wanted[name]) for name, code in answers.items() if code not in wanted[name]}


class TestTable:
    """A new operation cannot be forgotten."""

    def test_every_body_has_an_example(self) -> None:
        assert [each.name for each in operations() if each.body and each.name not in SENT] == []

    def test_nothing_else_has_one(self) -> None:
        assert set(SENT) - {each.name for each in operations()} == set()

    def test_every_name_in_a_path_has_a_value(self, world: ApiWorld) -> None:
        assert [each.name for each in operations() if set("{}") & set(world.address(each))] == []
        assert [each.name for each in operations() if "/None" in world.address(each)] == []


class TestEveryOperation:
    """Issue 5: the owner, a teammate of each role, a client of the same provider, a stranger, nobody; each scope."""

    @pytest.mark.parametrize("role", Role)
    def test_a_member(self, world: ApiWorld, role: Role) -> None:
        headers = headers_of(key_of(world.member(role), world.ours))
        assert unlike(statuses(world, headers, None), expected(role)) == {}

    @pytest.mark.parametrize("role", Role)
    def test_the_staff_of_the_provider(self, world: ApiWorld, role: Role) -> None:
        """By a token of the provider, at the client's address."""
        headers = headers_of(key_of(world.member(role, world.provider), world.provider))
        assert unlike(statuses(world, headers, world.ours), expected(role)) == {}

    @pytest.mark.parametrize("scope", TokenScope)
    def test_a_scope(self, world: ApiWorld, scope: TokenScope) -> None:
        headers = headers_of(key_of(support_web.owner_of(world.ours), world.ours, scope))
        assert unlike(statuses(world, headers, None), expected(Role.OWNER, scope)) == {}

    @pytest.mark.parametrize("who", ["sibling", "stranger"])
    def test_at_the_address_of_another_organisation(self, world: ApiWorld, who: str) -> None:
        headers = headers_of(key_of(*person(world, who)))
        assert set(statuses(world, headers, world.ours).values()) == {404}

    @pytest.mark.parametrize("who", ["sibling", "stranger"])
    def test_foreign_keys(self, world: ApiWorld, who: str) -> None:
        headers = headers_of(key_of(*person(world, who)))
        answers = statuses(world, headers, None)
        assert {
            each.name: answers[each.name]
            for each in operations()
            if each.takes & {"pk", "name"} and each.name not in ADDS and answers[each.name] != 404
        } == {}

    def test_a_client_at_its_provider(self, world: ApiWorld) -> None:
        headers = headers_of(key_of(support_web.owner_of(world.ours), world.ours))
        assert set(statuses(world, headers, world.provider).values()) == {404}

    def test_a_provider_in_anothers_client(self, world: ApiWorld) -> None:
        headers = headers_of(key_of(*person(world, "stranger")))
        Organisation.objects.filter(pk=world.sibling.pk).update(parent=support_web.organisation_of(world.stranger))
        assert set(statuses(world, headers, world.ours).values()) == {404}

    def test_nobody(self, world: ApiWorld) -> None:
        assert set(statuses(world, {}, world.ours).values()) == {401}
        assert set(statuses(world, headers_of("trinco_" + "a" * 40), None).values()) == {401}


def person(world: ApiWorld, who: str) -> tuple[User, Organisation]:
    """Somebody of elsewhere, and where that is."""
    user = world.stranger if who == "stranger" else support_web.owner_of(world.sibling)
    return user, support_web.organisation_of(user)


class TestProvider:
    """A provider's token works for its clients as its person may, and the log says so."""

    def test_it_is_told_as_the_providers(self, world: ApiWorld) -> None:
        Organisation.objects.filter(pk=world.provider.pk).update(name="Alfa MSP")
        key = key_of(world.member(Role.ADMIN, world.provider), world.provider)
        program = support_api_walk.Client()
        answer = program.put(
            f"/o/{world.ours.pk}/api/v1/retention",
            {"raw_days": 30, "row_days": 60},
            content_type="application/json",
            headers=headers_of(key),
        )
        line = AuditEntry.objects.of(world.ours).get(action="reports.retention")
        assert (answer.status_code, line.actor, line.provider, line.token) == (
            200,
            "admin@a.example",
            "Alfa MSP",
            key[:15],
        )

    def test_its_clients_are_listed_with_their_addresses(self, world: ApiWorld) -> None:
        headers = headers_of(key_of(support_web.owner_of(world.provider), world.provider))
        rows = support_api_walk.Client().get("/api/v1/clients", headers=headers).json()["rows"]
        names = [support_api_walk.Client().get(f"{row['root']}domains", headers=headers).json()["rows"] for row in rows]
        assert [row["name"] for row in rows] == ["ours", "sibling"]
        assert [[each["name"] for each in domains] for domains in names] == [[world.domain.name], []]
