"""Single sign-on in the browser: who comes in, who is asked for more, who is sent away."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from allauth.mfa.totp.internal import auth as totp
from allauth.usersessions.models import UserSession
from django.test import Client
from django.urls import reverse
from tests import support_oidc, support_web
from tests.support_certs import Authority
from tests.support_oidc import OpenIdProvider, begun, by_what_all_know, came, public, returned, signed
from tests.support_sso import AWAY, ELSEWHERE, LOGIN, ODD, PAGE, inside, said

from trinco.net.guard import Guard
from trinco.panel.accounts import provider
from trinco.panel.accounts.models import User

pytestmark = pytest.mark.django_db


class TestComingIn:
    """Issuer and subject decide who it is; the e-mail address does not matter any more."""

    def test_somebody_who_is_known(self, ana: User, there: OpenIdProvider) -> None:
        client = Client()
        answer = came(client, there, email="other@example.org", email_verified=False)
        assert (answer.status_code, answer["Location"], inside(client)) == (302, "/", ana.email)
        assert client.get("/").status_code == 200

    def test_the_session_is_listed_and_the_browser_known(self, ana: User, there: OpenIdProvider, settings: Any) -> None:
        client = Client()
        came(client, there)
        assert UserSession.objects.filter(user=ana).count() == 1
        assert settings.DEVICE_COOKIE_NAME in client.cookies

    @pytest.mark.usefixtures("one_step")
    def test_a_second_factor_of_ones_own_is_asked_for(self, ana: User, there: OpenIdProvider) -> None:
        totp.TOTP.activate(ana, "A" * 32)
        client = Client()
        answer = came(client, there, "/activity/")
        assert (answer["Location"], inside(client)) == ("/account/2fa/authenticate/", "")
        code = totp.format_hotp_value(totp.hotp_value("A" * 32, next(totp.yield_hotp_counters_from_time())))
        done = client.post("/account/2fa/authenticate/", {"code": code})
        assert (done["Location"], inside(client)) == ("/activity/", ana.email)

    def test_somebody_who_may_not_sign_in(self, ana: User, there: OpenIdProvider) -> None:
        User.objects.update(is_active=False)
        client = Client()
        assert (came(client, there)["Location"], inside(client)) == ("/account/inactive/", "")

    def test_somebody_else_is_signed_out_first(self, ana: User, there: OpenIdProvider) -> None:
        client = support_web.browser(support_web.person("rui@example.net"))
        came(client, there)
        assert inside(client) == ana.email

    def test_the_button_and_the_page_that_goes_on(self, there: OpenIdProvider, settings: Any) -> None:
        support_oidc.configure(settings, there, oidc_name="Correio <AG>")
        page = Client().get(f"{LOGIN}?next=/activity/").content.decode()
        assert "Sign in with Correio &lt;AG&gt;" in page
        assert '<input type="hidden" name="next" value="/activity/"' in page
        answer = Client().post(PAGE)
        address = str(answer["Refresh"]).removeprefix("0; url=")
        assert f'href="{address.replace("&", "&amp;")}"' in answer.content.decode()

    def test_without_a_provider_there_is_nothing(self, db: None) -> None:
        assert "single sign-on" not in Client().get(LOGIN).content.decode()
        asked = [Client().get(PAGE), Client().post(PAGE), Client().get(f"{PAGE}callback/")]
        assert [each.status_code for each in asked] == [404] * 3

    def test_the_address_that_is_registered(self) -> None:
        assert reverse("sso_callback") == provider.CALLBACK


class TestOpenRedirects:
    """It goes on within the panel, or to its beginning."""

    @pytest.mark.parametrize(
        "following", ["https://evil.example.com/", "//evil.example.com", "/\\evil.example.com", "javascript:x", "x", ""]
    )
    def test_elsewhere(self, ana: User, there: OpenIdProvider, following: str) -> None:
        assert came(Client(), there, following)["Location"] == "/"

    def test_within(self, ana: User, there: OpenIdProvider) -> None:
        assert came(Client(), there, "/activity/?page=2")["Location"] == "/activity/?page=2"


class TestHostile:
    """Nobody comes in by what does not hold; a sentence on the sign-in page says so, and never a fault of ours."""

    @pytest.mark.parametrize(
        "wrong",
        [
            {"nonce": "x"},
            {"aud": "another"},
            {"aud": ["trinco", "another"], "azp": "another"},
            {"azp": "another"},
            {"iss": "https://evil.example.com"},
            {"exp": 1},
            {"nbf": 99_999_999_999},
            {"sub": None},
        ],
        ids=str,
    )
    def test_claims(self, ana: User, there: OpenIdProvider, wrong: dict[str, Any]) -> None:
        client = Client()
        assert ODD in said(client, came(client, there, **wrong))
        assert inside(client) == ""

    @pytest.mark.parametrize(
        "sign",
        [
            support_oidc.without_signature,
            by_what_all_know,
            partial(signed, kind="other"),
            partial(signed, name="k9"),
        ],
    )
    def test_signatures(self, ana: User, there: OpenIdProvider, sign: Callable[[dict[str, Any]], str]) -> None:
        there.sign = sign
        client = Client()
        assert ODD in said(client, came(client, there))
        assert inside(client) == ""

    def test_a_state_is_good_for_once(self, ana: User, there: OpenIdProvider) -> None:
        client = Client()
        given = there.grant(begun(client))
        returned(client, given)
        client.post("/account/logout/")
        assert ELSEWHERE in said(client, returned(client, given))
        assert inside(client) == ""

    def test_a_state_that_another_process_took(self, ana: User, there: OpenIdProvider) -> None:
        client = Client()
        given, before = there.grant(begun(client)), dict(client.session)
        returned(client, given)
        client.post("/account/logout/")
        session = client.session
        session.update({"sso_questions": before["sso_questions"]})
        session.save()
        assert ELSEWHERE in said(client, returned(client, given))

    def test_a_state_of_another_browser(self, ana: User, there: OpenIdProvider) -> None:
        given = there.grant(begun(Client()))
        client = Client()
        assert ELSEWHERE in said(client, returned(client, given))
        assert inside(client) == ""

    def test_a_code_is_good_for_once(self, ana: User, there: OpenIdProvider) -> None:
        first, second = Client(), Client()
        given = there.grant(begun(first))
        returned(first, given)
        state = there.grant(begun(second))["state"]
        assert ODD in said(second, returned(second, {"code": given["code"], "state": state}))

    @pytest.mark.parametrize(
        "given", [{}, {"state": "x", "code": "y"}, {"state": ""}, {"code": "y"}, {"error": "access_denied"}], ids=str
    )
    def test_nothing_that_was_asked(self, there: OpenIdProvider, given: dict[str, str]) -> None:
        client = Client()
        assert ELSEWHERE in said(client, returned(client, given))

    @pytest.mark.parametrize(
        "more", [{"iss": "https://evil.example.com"}, {"code": ""}, {"code": "", "error": "access_denied"}], ids=str
    )
    def test_an_answer_of_another_kind(self, ana: User, there: OpenIdProvider, more: dict[str, str]) -> None:
        client = Client()
        assert ODD in said(client, returned(client, {**there.grant(begun(client)), **more}))

    def test_one_that_took_too_long(self, ana: User, there: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        client = Client()
        given = there.grant(begun(client))
        monkeypatch.setattr("trinco.panel.web.sso_flow.LIVES", 0.0)
        assert ELSEWHERE in said(client, returned(client, given))

    def test_so_many_a_minute(self, there: OpenIdProvider) -> None:
        asked = [Client().post(PAGE).status_code for _ in range(21)]
        back = [Client().get(f"{PAGE}callback/").status_code for _ in range(21)]
        assert (asked, back) == ([200] * 20 + [429], [302] * 20 + [429])

    def test_a_form_of_another_site(self, there: OpenIdProvider) -> None:
        assert Client(enforce_csrf_checks=True).post(PAGE).status_code == 403

    def test_old_questions_give_way(self, there: OpenIdProvider) -> None:
        client = Client()
        for _ in range(7):
            begun(client)
        assert len(client.session["sso_questions"]) == 5


class TestOddProviders:
    """A provider that is away, or odd, costs a sentence."""

    @pytest.fixture(autouse=True)
    def _quiet(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.ERROR)

    @pytest.mark.parametrize(
        ("path", "answer"),
        [
            ("/.well-known/openid-configuration", (302, "Location: https://evil.example.com/\r\n", b"")),
            ("/.well-known/openid-configuration", (200, "", b"<html>")),
            ("/.well-known/openid-configuration", (503, "", b"")),
        ],
        ids=str,
    )
    def test_before_the_person_goes(self, there: OpenIdProvider, path: str, answer: Any) -> None:
        there.answers[path] = answer
        client = Client()
        assert AWAY in said(client, client.post(PAGE))

    @pytest.mark.parametrize(
        ("path", "answer"),
        [("/keys", (200, "", b"[" + b" " * 300_000)), ("/token", (500, "", b"")), ("/token", (200, "", b"7"))],
        ids=lambda value: str(value)[:30],
    )
    def test_when_they_come_back(self, ana: User, there: OpenIdProvider, path: str, answer: Any) -> None:
        there.answers[path] = answer
        client = Client()
        assert AWAY in said(client, came(client, there))
        assert inside(client) == ""

    def test_a_slow_one(self, there: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("trinco.net.oidc.PATIENCE", 0.2)
        there.hold = 1.0
        client = Client()
        assert AWAY in said(client, client.post(PAGE))

    def test_an_address_inside(
        self, there: OpenIdProvider, openid_authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(provider, "asker", lambda: there.asker(openid_authority.pem, Guard()))
        client = Client()
        assert AWAY in said(client, client.post(PAGE))
        assert there.asked == []

    def test_a_new_key(self, ana: User, there: OpenIdProvider, monkeypatch: pytest.MonkeyPatch) -> None:
        came(Client(), there)
        monkeypatch.setattr("trinco.net.oidc._AGAIN", 0.0)
        there.sign, there.keys = partial(signed, name="k2"), [public(name="k2")]
        client = Client()
        came(client, there)
        assert inside(client) == ana.email
