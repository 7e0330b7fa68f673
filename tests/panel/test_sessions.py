"""Where a person is signed in, and how that ends."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.test import Client
from django.utils import timezone
from tests import support_panel, support_web

from trinco.panel.accounts import browsers
from trinco.panel.accounts.models import User

pytestmark = pytest.mark.django_db
PAGE = "/account/sessions/"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
EDGE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"
)


@pytest.fixture
def ana() -> User:
    return support_web.person("ana@example.com")


def signed_in(user: User, agent: str = FIREFOX) -> Client:
    client = Client(headers={"user-agent": agent})
    typed = {"login": user.email, "password": support_panel.PASSWORD}
    assert client.post("/account/login/", typed).status_code == 302
    return client


def key_of(client: Client) -> int:
    return UserSession.objects.get(session_key=client.session.session_key).pk


def inside(client: Client) -> bool:
    return client.get("/").status_code == 200


class TestThePage:
    """Each session with its browser, its address, when it was last seen; this one is marked."""

    def test_what_it_shows(self, ana: User) -> None:
        signed_in(ana, PHONE)
        here = signed_in(ana)
        text = support_web.text_of(here.get(PAGE))
        found = re.findall(r"(\w+ on \w+) 127\.0\.0\.1 (This one)?", text)
        assert found == [("Firefox on Linux", "This one"), ("Safari on iOS", "")]

    @pytest.mark.parametrize(
        ("agent", "known"),
        [(EDGE, ("Edge", "Windows")), (PHONE, ("Safari", "iOS")), ("curl/8.0", ("", "")), ("", ("", ""))],
    )
    def test_what_a_browser_says_of_itself(self, agent: str, known: tuple[str, str]) -> None:
        assert browsers.told(agent) == known

    def test_an_unknown_one_is_listed_and_its_words_are_not_shown(self, ana: User) -> None:
        signed_in(ana, "<b>x</b>")
        page = signed_in(ana).get(PAGE).content.decode()
        assert "Unknown browser" in page
        assert "<b>x" not in page

    def test_when_it_was_seen_is_noted_once_a_minute(self, ana: User) -> None:
        client = signed_in(ana)
        old = timezone.now() - timedelta(hours=5)
        UserSession.objects.update(last_seen_at=old, ip="192.0.2.1")
        client.get("/")
        first = UserSession.objects.get()
        UserSession.objects.update(last_seen_at=old)
        client.get("/")
        assert (first.last_seen_at > old, first.ip) == (True, "127.0.0.1")
        assert UserSession.objects.get().last_seen_at == old


class TestEnding:
    """A session that is ended is over at once."""

    def test_one(self, ana: User) -> None:
        phone, other, here = signed_in(ana, PHONE), signed_in(ana), signed_in(ana)
        assert here.post(PAGE, {"session": key_of(phone)}).status_code == 302
        assert [inside(each) for each in (phone, other, here)] == [False, True, True]

    def test_all_others(self, ana: User) -> None:
        phone, here = signed_in(ana, PHONE), signed_in(ana)
        here.post(PAGE)
        assert [inside(each) for each in (phone, here)] == [False, True]

    def test_somebody_elses_stays(self, ana: User) -> None:
        rui = signed_in(support_web.person("rui@example.net"))
        signed_in(ana).post(PAGE, {"session": key_of(rui)})
        signed_in(ana).post(PAGE)
        assert inside(rui)

    @pytest.mark.parametrize("wrong", ["0", "-1", "x", "9" * 30])
    def test_what_is_no_session(self, ana: User, wrong: str) -> None:
        phone, here = signed_in(ana, PHONE), signed_in(ana)
        assert here.post(PAGE, {"session": wrong}).status_code == 200
        assert [inside(each) for each in (phone, here)] == [True, True]

    def test_nobody_is_sent_to_sign_in(self) -> None:
        assert Client().post(PAGE)["Location"].startswith("/account/login/")

    def test_a_new_password_ends_all_others(self, ana: User) -> None:
        phone, here = signed_in(ana, PHONE), signed_in(ana)
        new = "another horse battery"
        words = {"oldpassword": support_panel.PASSWORD, "password1": new, "password2": new}
        assert here.post("/account/password/change/", words).status_code == 302
        assert [inside(each) for each in (phone, here)] == [False, True]
