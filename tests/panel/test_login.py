"""Signing in and up, as a browser does it."""

from __future__ import annotations

import dataclasses

import pytest
from django.conf import settings as current
from django.contrib.auth.hashers import MD5PasswordHasher
from django.test import Client
from tests.support_panel import PASSWORD, organisation

from trinco.panel.accounts.models import Organisation, User
from trinco.panel.accounts.services import create_account, membership_of

pytestmark = pytest.mark.django_db

LOGIN, SIGNUP, LOGOUT = "/account/login/", "/account/signup/", "/account/logout/"
EMAIL = "ana@example.com"
FORM = {"email": "nova@example.com", "password1": PASSWORD, "password2": PASSWORD}


@pytest.fixture
def browser():
    return Client(headers={"host": current.ALLOWED_HOSTS[0]})


@pytest.fixture
def ana():
    return create_account(email=EMAIL, password=PASSWORD)


def sign_in(browser, email=EMAIL, password=PASSWORD):
    return browser.post(LOGIN, {"login": email, "password": password})


def signed_in(browser):
    return "_auth_user_id" in browser.session


class TestLogin:
    def test_by_email_in_any_case(self, browser, ana):
        response = sign_in(browser, "ANA@example.com")
        assert (response.status_code, response["Location"]) == (302, "/")
        assert signed_in(browser)

    def test_a_wrong_password(self, browser, ana):
        assert sign_in(browser, password="wrong").status_code == 200
        assert not signed_in(browser)

    def test_an_unknown_address_looks_like_a_wrong_password(self, browser, ana):
        wrong = sign_in(browser, password="wrong").context["form"].errors
        unknown = sign_in(browser, email="x@example.com").context["form"].errors
        assert wrong == unknown

    def test_after_five_wrong_ones_the_right_one_is_not_tried(self, browser, ana):
        for _ in range(5):
            sign_in(browser, password="wrong")
        response = sign_in(browser)
        assert "Too many failed login attempts" in str(response.context["form"].errors)
        assert not signed_in(browser)

    def test_the_session_is_a_new_one(self, browser, ana):
        session = browser.session
        session["before"] = 1
        session.save()
        before = session.session_key
        sign_in(browser)
        assert browser.session.session_key != before

    def test_the_cookie_is_for_the_server_alone(self, browser, ana):
        cookie = sign_in(browser).cookies[current.SESSION_COOKIE_NAME]
        assert (cookie["httponly"], cookie["samesite"]) == (True, "Lax")

    def test_out_by_post_alone(self, browser, ana):
        sign_in(browser)
        browser.get(LOGOUT)
        assert signed_in(browser)
        browser.post(LOGOUT)
        assert not signed_in(browser)

    def test_a_form_of_another_site_is_refused(self, ana):
        strict = Client(enforce_csrf_checks=True, headers={"host": current.ALLOWED_HOSTS[0]})
        assert sign_in(strict).status_code == 403

    def test_another_name_of_the_site_is_refused(self, ana):
        assert Client(headers={"host": "evil.example"}).get(LOGIN).status_code == 400

    def test_the_session_is_listed(self, browser, ana):
        sign_in(browser)
        assert ana.usersession_set.count() == 1

    def test_what_the_page_allows(self, browser):
        policy = browser.get(LOGIN)["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy


class TestSignUp:
    """Strangers make accounts only where the operator says so."""

    def test_closed(self, browser):
        assert current.CONFIG.signup is False
        assert browser.post(SIGNUP, FORM).status_code == 200
        assert not User.objects.exists()

    @pytest.fixture
    def open_door(self, settings):
        settings.CONFIG = dataclasses.replace(current.CONFIG, signup=True)

    def test_open_with_an_organisation_of_its_own_and_a_mail_to_confirm(self, browser, open_door, mailoutbox):
        organisation()
        browser.post(SIGNUP, FORM)
        user = User.objects.get(email="nova@example.com")
        assert membership_of(user).organisation.name == "nova@example.com"
        assert Organisation.objects.count() == 2
        assert [mail.to for mail in mailoutbox] == [["nova@example.com"]]
        assert not signed_in(browser)

    def test_a_weak_password(self, browser, open_door):
        browser.post(SIGNUP, {**FORM, "password1": "password1234", "password2": "password1234"})
        assert not User.objects.exists()

    def test_a_taken_address_tells_its_owner_and_nobody_else(self, browser, open_door, ana, mailoutbox):
        fresh = browser.post(SIGNUP, FORM)
        taken = Client(headers={"host": current.ALLOWED_HOSTS[0]}).post(SIGNUP, {**FORM, "email": EMAIL})
        assert (taken.status_code, taken["Location"]) == (fresh.status_code, fresh["Location"])
        assert User.objects.count() == 2

    def test_who_has_an_account_waits_as_long(self, browser, ana, settings, monkeypatch):
        settings.CONFIG = dataclasses.replace(current.CONFIG, signup=True)
        hashed, encode = [], MD5PasswordHasher.encode
        monkeypatch.setattr(MD5PasswordHasher, "encode", lambda *given: hashed.append(1) or encode(*given))
        answers = [browser.post(SIGNUP, {**FORM, "email": email}) for email in (EMAIL, FORM["email"])]
        assert [(each.status_code, each["Location"]) for each in answers] == [(302, "/account/confirm-email/")] * 2
        assert hashed == [1, 1]
