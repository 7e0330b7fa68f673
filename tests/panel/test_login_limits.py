"""Guessing: counted by all processes together, the wait grows and has an end, nobody is locked out by somebody else."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal import auth as totp
from django.core import mail
from django.core.cache import cache
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.test import Client
from tests import support_labels, support_panel, support_web

from trinco.panel.accounts import devices
from trinco.panel.accounts.models import SharedValue, User

LOGIN, SECOND = "/account/login/", "/account/2fa/authenticate/"
SECRET = "A" * 32
REFUSED = "Too many failed login attempts"


@pytest.fixture
def ana(db: None) -> User:
    return support_web.person("ana@example.com")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Moves allauth's clock on; what is kept in the table outlives it."""
    real, moved = totp.time.time, [0.0]
    monkeypatch.setattr("allauth.core.internal.ratelimit.time.time", lambda: real() + moved[0])
    return lambda seconds: moved.__setitem__(0, moved[0] + seconds)


def tried(client: Client, password: str = "wrong", email: str = "ana@example.com") -> Any:
    return client.post(LOGIN, {"login": email, "password": password})


def known(user: User) -> Client:
    """A browser in which the person has signed in, and out again."""
    client = Client()
    assert tried(client, support_panel.PASSWORD, user.email).status_code == 302
    client.post("/account/logout/")
    return client


def inside(client: Client) -> bool:
    return "_auth_user_id" in client.session


def code() -> str:
    return totp.format_hotp_value(totp.hotp_value(SECRET, next(totp.yield_hotp_counters_from_time())))


def guessed(address: str, times: int, email: str = "ana@example.com") -> bool:
    """Whether the last of so many wrong passwords from there was still looked at."""
    client = Client(REMOTE_ADDR=address)
    return [REFUSED in support_web.text_of(tried(client, email=email)) for _ in range(times)][-1] is False


class TestPerAccount:
    """Five wrong passwords in five minutes, fifteen in an hour, forty in a day: then the right one is not tried."""

    def test_from_many_addresses(self, ana: User) -> None:
        assert [guessed(f"192.0.2.{number}", 1) for number in range(6)] == [True] * 5 + [False]

    def test_by_many_hosts(self, ana: User) -> None:
        support_labels.proven(support_labels.labelled(support_web.organisation_of(ana)))
        hosts = ["127.0.0.1:1", "127.0.0.1:2", "testserver:80", support_labels.HOST, "TESTSERVER", "testserver"]
        clients = [Client(REMOTE_ADDR=f"192.0.2.{n}", headers={"host": host}) for n, host in enumerate(hosts)]
        assert [REFUSED in support_web.text_of(tried(client)) for client in clients] == [False] * 5 + [True]

    def test_the_wait_grows_and_has_an_end(self, ana: User, clock: Callable[[float], None]) -> None:
        tries = []
        for number in range(16):
            tries.append(guessed(f"192.0.2.{number}", 1))
            clock(61)
        assert tries[:6] == [True] * 6  # one a minute never makes five within five minutes
        assert tries[-1] is False
        clock(3600)
        assert guessed("192.0.2.99", 1)

    def test_it_says_nothing_about_the_account(self, ana: User) -> None:
        there = [support_web.text_of(tried(Client(REMOTE_ADDR=f"192.0.2.{n}"))) for n in range(6)]
        nobody = [
            support_web.text_of(tried(Client(REMOTE_ADDR=f"192.0.2.{n}"), email="eva@example.com")) for n in range(6)
        ]
        assert there == nobody

    def test_the_victim_comes_in_with_a_browser_of_theirs(self, ana: User) -> None:
        mine = known(ana)
        assert not guessed("192.0.2.1", 6)
        assert tried(mine, support_panel.PASSWORD).status_code == 302
        assert inside(mine)

    def test_a_browser_of_theirs_does_not_guess_more(self, ana: User) -> None:
        stolen = known(ana)
        for _ in range(5):
            tried(stolen)
        assert REFUSED in support_web.text_of(tried(stolen, support_panel.PASSWORD))

    def test_a_browser_of_somebody_else_is_none(self, ana: User) -> None:
        rui = known(support_web.person("rui@example.net"))
        assert not guessed("192.0.2.1", 6)
        assert REFUSED in support_web.text_of(tried(rui, support_panel.PASSWORD))

    def test_a_made_up_browser_is_none(self, ana: User, rf: Any, settings: Any) -> None:
        for value in ("", "x", "W10:1a:x"):
            rf.cookies[settings.DEVICE_COOKIE_NAME] = value
            assert devices.known(rf.get("/"), "ana@example.com") == ""

    def test_a_browser_remembers_five(self, ana: User, settings: Any) -> None:
        client = known(ana)
        number = devices.known(client.get(LOGIN).wsgi_request, ana.email)
        for other in range(5):
            person = support_web.person(f"p{other}@example.com")
            tried(client, support_panel.PASSWORD, person.email)
            client.post("/account/logout/")
        request = client.get(LOGIN).wsgi_request
        assert devices.known(request, "p4@example.com") == number
        assert devices.known(request, ana.email) == ""


class TestPerAddress:
    def test_ten_a_minute_over_all_accounts(self, ana: User) -> None:
        names = [f"p{number}@example.com" for number in range(11)]
        assert [guessed("192.0.2.1", 1, name) for name in names] == [True] * 10 + [False]

    def test_an_ipv6_network_is_one_address(self, ana: User) -> None:
        names = [(f"2001:db8::{number:x}", f"p{number}@example.com") for number in range(11)]
        assert [guessed(address, 1, name) for address, name in names] == [True] * 10 + [False]


@pytest.mark.usefixtures("one_step")
class TestSecondStep:
    """A code is good for once and for thirty seconds; a recovery code for once."""

    @pytest.fixture
    def protected(self, ana: User) -> User:
        totp.TOTP.activate(ana, SECRET)
        RecoveryCodes.activate(ana)
        return ana

    def second(self, user: User, typed: str, client: Client | None = None) -> Client:
        browser = client or Client()
        tried(browser, support_panel.PASSWORD)
        browser.post(SECOND, {"code": typed})
        return browser

    def test_a_code_is_good_for_once(self, protected: User) -> None:
        now = code()
        assert [inside(self.second(protected, now)) for _ in range(2)] == [True, False]

    def test_the_one_by_which_it_was_set_up_is_used_as_well(self, ana: User) -> None:
        mine = support_web.signed_in(ana)
        mine.get("/account/2fa/totp/activate/")
        secret = mine.session[totp.SECRET_SESSION_KEY]
        first = totp.format_hotp_value(totp.hotp_value(secret, next(totp.yield_hotp_counters_from_time())))
        assert mine.post("/account/2fa/totp/activate/", {"code": f" {first[:3]} {first[3:]} "}).status_code == 302
        assert not inside(self.second(ana, first))
        mine.post("/account/logout/")
        assert not inside(self.second(ana, first, mine))
        row = Authenticator.objects.get(user=ana, type=Authenticator.Type.RECOVERY_CODES)
        assert inside(self.second(ana, RecoveryCodes(row).get_unused_codes()[0]))

    def test_in_a_known_browser_too(self, protected: User) -> None:
        now = code()
        mine = self.second(protected, now)
        mine.post("/account/logout/")
        assert not inside(self.second(protected, now, mine))

    def test_the_code_of_before_is_over(self, protected: User) -> None:
        counter = next(totp.yield_hotp_counters_from_time())
        for other in (counter - 1, counter + 2):
            assert not inside(self.second(protected, totp.format_hotp_value(totp.hotp_value(SECRET, other))))

    def test_a_recovery_code_is_good_for_once(self, protected: User) -> None:
        row = Authenticator.objects.get(user=protected, type=Authenticator.Type.RECOVERY_CODES)
        spare = RecoveryCodes(row).get_unused_codes()[0]
        assert [inside(self.second(protected, spare)) for _ in range(2)] == [True, False]

    def test_who_knows_the_password_locks_nobody_out(self, protected: User) -> None:
        row = Authenticator.objects.get(user=protected, type=Authenticator.Type.RECOVERY_CODES)
        mine = self.second(protected, RecoveryCodes(row).get_unused_codes()[0])
        mine.post("/account/logout/")
        thief = Client(REMOTE_ADDR="192.0.2.1")
        tried(thief, support_panel.PASSWORD)
        answers = [support_web.text_of(thief.post(SECOND, {"code": "000000"})) for _ in range(6)]
        assert [REFUSED in text for text in answers] == [False] * 5 + [True]
        assert inside(self.second(protected, code(), mine))

    def test_nor_does_a_known_browser_guess_more(self, protected: User) -> None:
        mine = self.second(protected, code())
        mine.post("/account/logout/")
        tried(mine, support_panel.PASSWORD)
        answers = [support_web.text_of(mine.post(SECOND, {"code": "000000"})) for _ in range(6)]
        assert [REFUSED in text for text in answers] == [False] * 5 + [True]


class TestOnceMore:
    """Who changes factors, password or address proves who they are: a session alone is not enough."""

    @pytest.mark.parametrize(
        "path",
        [
            "2fa/totp/activate/",
            "2fa/totp/deactivate/",
            "2fa/recovery-codes/generate/",
            "2fa/webauthn/add/",
            "tokens/",
            "email/",
        ],
    )
    def test_a_page_that_changes(self, ana: User, path: str) -> None:
        if "2fa/" in path:
            totp.TOTP.activate(ana, SECRET)
        client = support_web.browser(ana)
        answer = client.post(f"/account/{path}", {"email": "nova@example.com", "action_add": ""})
        assert (answer.status_code, answer["Location"].split("?")[0]) == (302, "/account/reauthenticate/")

    def test_the_password_wants_the_old_one(self, ana: User) -> None:
        words = {"oldpassword": "wrong", "password1": "another horse battery", "password2": "another horse battery"}
        assert support_web.browser(ana).post("/account/password/change/", words).status_code == 200
        ana.refresh_from_db()
        assert ana.check_password(support_panel.PASSWORD)


class TestWhoHasAnAccount:
    """Nobody learns it by what is said, nor by how long it takes."""

    def test_the_mail_is_sent_after_the_answer(self, ana: User, rf: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        sent: list[int] = []
        monkeypatch.setattr(mail.EmailMessage, "send", lambda *_: sent.append(1))
        handler = WSGIHandler()
        request = rf.post("/account/password/reset/", {"email": "ana@example.com"})
        request._dont_enforce_csrf_checks = True
        response = handler.get_response(request)
        before = list(sent)
        response.close()
        assert (response.status_code, before, sent) == (302, [], [1])

    def test_a_mail_server_that_is_away_says_nothing(self, ana: User, monkeypatch: pytest.MonkeyPatch) -> None:
        def away(*_: object) -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr(mail.EmailMessage, "send", away)
        answers = [
            Client().post("/account/password/reset/", {"email": name})
            for name in ("ana@example.com", "eva@example.com")
        ]
        assert [(each.status_code, each["Location"]) for each in answers] == [
            (302, "/account/password/reset/done/")
        ] * 2


@pytest.mark.django_db(transaction=True)
class TestAcrossProcesses:
    """What one process counts the others know."""

    def test_of_many_at_once_one_is_first(self) -> None:
        barrier = threading.Barrier(6)

        def one(_number: int) -> bool:
            barrier.wait()
            try:
                return bool(cache.add("code", "y", 30))
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(one, range(6))) == [False] * 5 + [True]

    def test_of_many_at_once_each_is_counted(self) -> None:
        cache.add("many", 0, 30)

        def one(_number: int) -> int:
            try:
                return int(cache.incr("many"))
            finally:
                connection.close()

        with ThreadPoolExecutor(6) as pool:
            assert sorted(pool.map(one, range(12))) == list(range(1, 13))


class TestTheTable:
    """Nothing is forgotten before its time, and everything after it."""

    def test_what_is_over_is_free_again(self, db: None) -> None:
        assert [cache.add("k", 1, 0), cache.get("k"), cache.add("k", 2, 30), cache.add("k", 3, 30)] == [
            True,
            None,
            True,
            False,
        ]
        assert cache.get("k") == 2

    def test_the_rest_of_a_cache(self, db: None) -> None:
        cache.set("k", [1.5, 2.5], None)
        assert (cache.get("k"), cache.touch("k", 30), cache.touch("x"), "k" in cache) == ([1.5, 2.5], True, False, True)
        assert (cache.delete("k"), cache.delete("k"), cache.get("k", "none")) == (True, False, "none")
        with pytest.raises(ValueError, match="x"):
            cache.incr("x")
        cache.set("k", 1)
        cache.clear()
        assert not SharedValue.objects.exists()

    def test_it_is_swept(self, db: None, monkeypatch: pytest.MonkeyPatch) -> None:
        cache.add("old", 1, 0)
        monkeypatch.setattr("trinco.panel.shared._SWEPT", 0.0)
        cache.add("new", 1, 30)
        assert [key.rpartition(":")[2] for key in SharedValue.objects.values_list("key", flat=True)] == ["new"]
