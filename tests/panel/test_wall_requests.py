"""Every request is answered within the wall, as whoever asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from tests import support_api, support_api_walk, support_panel, support_walk, support_web
from tests.support_walk import World

from trinco.panel import wall, wall_tables
from trinco.panel.accounts.access import scope
from trinco.panel.accounts.models import Organisation, Role, User
from trinco.panel.walled import WallMiddleware

NAMES = "SELECT name FROM domains_hosteddomain ORDER BY name"


class TestOrder:
    def test_it_stands_right_behind_who_is_signed_in(self) -> None:
        at = settings.MIDDLEWARE.index("django.contrib.auth.middleware.AuthenticationMiddleware")
        assert settings.MIDDLEWARE[at + 1] == "trinco.panel.walled.WallMiddleware"


class Heard:
    """What was in force for each statement that names a tenant's table."""

    def __init__(self) -> None:
        self.tables = set(wall_tables.policies())
        self.prefixes: set[str] = set()
        self.outside: list[str] = []

    def __call__(self, execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
        if self.tables & set(sql.split('"')):
            self.prefixes.add(wall.prefix())
            if not wall.prefix():
                self.outside.append(sql)
        return execute(sql, *rest)

    def told(self) -> set[str]:
        """The organisations that were told, as text."""
        found = {prefix.partition(f"{wall.SETTING} = '")[2].partition("'")[0] for prefix in self.prefixes}
        return found - {""}


def keys(*found: int) -> str:
    return ",".join(str(key) for key in sorted(found))


if connection.vendor == "postgresql":

    @pytest.fixture
    def world(db: None) -> World:
        return World()

    class TestEveryPage:
        """No page and no operation asks for a tenant's row outside the wall: walked over the tables of addresses."""

        def test_of_a_client(self, world: World) -> None:
            heard, person = Heard(), world.member(Role.OWNER)
            with connection.execute_wrapper(heard):
                support_walk.asked(person, world)
            assert (heard.outside, heard.told()) == ([], {keys(world.ours.pk)})

        def test_of_a_provider(self, world: World) -> None:
            heard, person = Heard(), world.member(Role.OWNER, world.provider)
            with connection.execute_wrapper(heard):
                support_walk.asked(person, world)
            assert (heard.outside, heard.told()) == ([], {keys(*scope(person))})
            assert scope(person) == {world.provider.pk, world.ours.pk, world.sibling.pk}

        def test_of_a_program(self, world: World) -> None:
            """A token is of one organisation, whatever else its person sees."""
            heard = Heard()
            program = support_api.Program(support_api.key_of(support_web.owner_of(world.ours)))
            with connection.execute_wrapper(heard):
                for each in support_api_walk.operations():
                    program.get(each.path.replace("{int:pk}", "1"))
            assert (heard.outside, heard.told()) == ([], {keys(world.ours.pk)})

        def test_of_nobody(self, world: World) -> None:
            heard = Heard()
            with connection.execute_wrapper(heard):
                support_walk.asked(None, world)
                Client().get("/api/v1/domains", headers={"Authorization": "Bearer trinco_" + "a" * 40})
            assert (heard.outside, heard.told()) == ([], set())

    class TestForgottenFilter:
        """A view of raw SQL without any filter, one connection, two tenants by turns."""

        @pytest.fixture
        def people(self, ours: Organisation, theirs: Organisation) -> Iterator[tuple[User, User]]:
            support_panel.live(ours)
            support_panel.live(theirs, "caixa.example")
            yield support_web.owner_of(ours), support_web.owner_of(theirs)
            assert rows() == "caixa.example correio.example"

        def test_each_gets_its_own(self, people: tuple[User, User]) -> None:
            ana, rui = people
            answers = [asked_by(person, lambda _request: HttpResponse(rows())) for person in (ana, rui, ana, rui)]
            assert answers == ["correio.example", "caixa.example"] * 2

        def test_nobody_gets_none(self, people: tuple[User, User]) -> None:
            assert asked_by(AnonymousUser(), lambda _request: HttpResponse(rows())) == ""

        def test_what_is_sent_in_pieces(self, people: tuple[User, User]) -> None:
            answers = [asked_by(p, lambda _request: StreamingHttpResponse(rows() for _ in range(2))) for p in people]
            assert answers == ["correio.example" * 2, "caixa.example" * 2]

        def test_a_view_that_fails(self, people: tuple[User, User]) -> None:
            def fails(_request: Any) -> Any:
                raise RuntimeError(rows())

            with pytest.raises(RuntimeError, match=r"^correio\.example$"):
                asked_by(people[0], fails)

    def rows() -> str:
        with connection.cursor() as cursor:
            cursor.execute(NAMES)
            return " ".join(name for (name,) in cursor.fetchall())

    def asked_by(user: User | AnonymousUser, view: Callable[[Any], Any]) -> str:
        request = RequestFactory().get("/")
        request.user = user
        answer: Any = WallMiddleware(view)(request)
        return (b"".join(answer) if answer.streaming else answer.content).decode()
