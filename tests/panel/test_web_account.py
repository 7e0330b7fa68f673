"""Signing in and the account's pages: allauth's doors in our house, under the strict policy."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP
from django.core import mail
from django.test import Client
from django.urls import reverse
from tests import support_panel, support_web

import trinco.panel.web
from trinco.panel.accounts.models import User

WEB = Path(trinco.panel.web.__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; manifest-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
SIGNED_OUT = ["account_login", "account_signup", "account_reset_password", "account_reset_password_done"]
SIGNED_IN = [
    "account_change_password",
    "account_email",
    "account_logout",
    "account_reauthenticate",
    "mfa_index",
    "usersessions_list",
]
AFTER_A_PASSWORD = ["mfa_activate_totp", "mfa_add_webauthn", "mfa_list_webauthn"]
WITH_AN_APP = ["mfa_index", "mfa_deactivate_totp", "mfa_generate_recovery_codes"]


@pytest.fixture
def person(db: None) -> User:
    return support_web.person("ana@example.com")


def sign_in(person: User) -> Client:
    """By the form, and once more for the pages that want a fresh password."""
    client = Client()
    typed = {"login": person.email, "password": support_panel.PASSWORD}
    assert client.post(reverse("account_login"), typed).status_code == 302
    assert client.post(reverse("account_reauthenticate"), typed).status_code == 302
    return client


def pages(person: User) -> Iterator[tuple[str, Any]]:
    """Every page of the account, with its answer."""
    yield from ((name, Client().get(reverse(name))) for name in SIGNED_OUT)
    client = sign_in(person)
    yield from ((name, client.get(reverse(name))) for name in [*SIGNED_IN, *AFTER_A_PASSWORD])
    TOTP.activate(person, "A" * 32)
    yield from ((name, client.get(reverse(name))) for name in WITH_AN_APP)


class TestEveryPage:
    """CSP `default-src 'none'`: no inline script, no inline style, nothing from elsewhere."""

    def test_the_policy_is_sent_and_kept(self, person: User) -> None:
        for name, answer in pages(person):
            text = answer.content.decode()
            assert answer.headers["Content-Security-Policy"] == POLICY, name
            assert re.findall(r"<style|\sstyle=|\son[a-z]+=|javascript:|https?://(?!testserver)", text) == [], name
            scripts = re.findall(r"<script(?![^>]* src=)([^>]*)>", text)
            assert [script for script in scripts if 'type="application/json"' not in script] == [], name

    def test_each_is_a_page_of_ours(self, person: User) -> None:
        looks = {name: (answer.status_code, "trinco.css" in answer.content.decode()) for name, answer in pages(person)}
        assert looks == dict.fromkeys(looks, (200, True))

    def test_they_are_portuguese_for_who_reads_that(self, person: User) -> None:
        client = sign_in(person)
        answers = [client.get(reverse(name), headers={"Accept-Language": "pt-PT"}) for name in SIGNED_IN]
        texts = [support_web.text_of(answer) for answer in answers]
        english = re.compile(r"\b(the|your|password|sign|address|with|recovery|you)\b")
        assert [match.group() for text in texts if (match := english.search(text))] == []


class TestTemplates:
    """What the tests above do not render is held by its source."""

    @pytest.mark.parametrize("path", sorted(WEB.glob("templates/**/*.html")), ids=lambda path: path.name)
    def test_no_inline_style_or_script(self, path: Path) -> None:
        text = re.sub(r"{%.*?%}|{{.*?}}", "", path.read_text())
        assert re.findall(r"<style|\sstyle=|\son[a-z]+=\"|href=\"(?:https?:)?//|src=\"(?:https?:)?//", text) == []
        inline = re.findall(r"<script(?![^>]* src=)([^>]*)>", text)
        assert [script for script in inline if 'type="application/json"' not in script] == []


class TestSigningIn:
    def test_it_leads_to_the_overview(self, person: User) -> None:
        typed = {"login": "ana@example.com", "password": support_panel.PASSWORD}
        assert Client().post("/account/login/", typed)["Location"] == "/"

    def test_a_wrong_password_is_said(self, person: User) -> None:
        answer = Client().post("/account/login/", {"login": "ana@example.com", "password": "wrong"})
        assert "The email address and/or password you specified are not correct." in support_web.text_of(answer)

    def test_a_second_step_where_there_is_one(self, person: User) -> None:
        TOTP.activate(person, "A" * 32)
        client = Client()
        typed = {"login": "ana@example.com", "password": support_panel.PASSWORD}
        answer = client.post("/account/login/", typed, follow=True)
        text = support_web.text_of(answer)
        assert "Second step Write the code that your authenticator app shows" in text
        assert "Use a passkey or security key" in text

    def test_signing_up_is_closed_unless_opened(self, db: None, settings: Any) -> None:
        closed = support_web.text_of(Client().get("/account/signup/"))
        settings.CONFIG = replace(settings.CONFIG, signup=True)
        assert "Sign-up is closed" in closed
        assert "Make an account" in support_web.text_of(Client().get("/account/signup/"))

    def test_a_forgotten_password_is_reset_by_mail(self, person: User, settings: Any) -> None:
        """The link leads to the panel's address as it is set, whatever Host the request named."""
        client = Client()
        client.post("/account/password/reset/", {"email": "ana@example.com"})
        link = re.search(rf"{settings.CONFIG.panel_url}(/\S+)", str(mail.outbox[-1].body))
        assert link is not None
        form = client.get(link.group(1), follow=True)
        assert "Choose a new password" in support_web.text_of(form)
        words = {"password1": "another horse battery", "password2": "another horse battery"}
        done = client.post(form.redirect_chain[-1][0], words, follow=True)
        assert "The password is changed" in support_web.text_of(done)

    def test_an_old_link_is_said_to_be_one(self, db: None) -> None:
        answer = Client().get("/account/password/reset/key/1-abc-def/", follow=True)
        assert "This link no longer works" in support_web.text_of(answer)

    def test_a_session_ends(self, person: User) -> None:
        client = sign_in(person)
        client.post("/account/logout/")
        assert client.get("/").status_code == 302


class TestSecurityOfTheAccount:
    def test_keys_codes_and_app(self, person: User) -> None:
        client = sign_in(person)
        TOTP.activate(person, "A" * 32)
        Authenticator.objects.create(
            user=person, type=Authenticator.Type.WEBAUTHN, data={"name": "Laptop", "credential": {}}
        )
        text = support_web.text_of(client.get("/account/2fa/"))
        assert "Passkeys and security keys" in text
        assert "1 key Authenticator app" in text
        assert "Off" not in text

    def test_the_app_is_set_up_by_a_picture_in_the_page(self, person: User) -> None:
        page = sign_in(person).get("/account/2fa/totp/activate/").content.decode()
        assert '<img class="qr" src="data:image/svg+xml;base64,' in page

    def test_recovery_codes_are_shown_and_copied(self, person: User) -> None:
        client = sign_in(person)
        TOTP.activate(person, "A" * 32)
        client.post("/account/2fa/recovery-codes/generate/")
        page = client.get("/account/2fa/recovery-codes/").content.decode()
        assert len(re.findall(r"^\w{8,}$", page.split('id="codes">')[1].split("</pre>")[0], re.MULTILINE)) == 10

    def test_the_browsers_that_are_signed_in(self, person: User) -> None:
        text = support_web.text_of(sign_in(person).get("/account/sessions/"))
        assert "Where you are signed in" in text
        assert "127.0.0.1" in text
