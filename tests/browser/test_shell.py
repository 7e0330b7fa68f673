"""What surrounds every page: language, theme, menus, the selection of many, passkeys."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect
from tests import support_panel, support_web
from tests.support_browser import Visitor

from trinco.panel.accounts.models import Organisation


class TestLanguage:
    def test_it_is_changed_and_kept(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        visitor = visit()
        page = visitor.go("/account/login/")
        page.get_by_role("button", name="PT").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Iniciar sessão")
        visitor.sign_in()
        expect(page.get_by_role("heading", level=1)).to_have_text("Visão geral")
        expect(page.locator("html")).to_have_attribute("lang", "pt-pt")


class TestTheme:
    def test_dark_at_once_and_after_a_reload(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        page = visit().sign_in().page
        light = page.evaluate("getComputedStyle(document.body).backgroundColor")
        page.get_by_label("Light or dark").click()
        page.get_by_role("button", name="Dark").click()
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 24)" != light
        page.reload()
        expect(page.locator("html")).to_have_attribute("data-theme", "dark")
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(13, 17, 24)"


class TestMenus:
    def test_the_menu_of_a_phone(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        visitor = visit(width=390).sign_in()
        page = visitor.page
        page.get_by_role("button", name="Menu").click()
        expect(page.get_by_role("link", name="Activity")).to_be_visible()
        expect(page.locator(".side .lang")).to_be_visible()
        assert visitor.faults() == []
        page.keyboard.press("Escape")
        expect(page.get_by_role("link", name="Activity")).to_be_hidden()

    def test_signing_out(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        visitor = visit().sign_in()
        visitor.page.get_by_label("Account menu").click()
        assert visitor.faults() == []
        visitor.page.get_by_role("button", name="Sign out").click()
        visitor.page.wait_for_url("**/account/login/**")


class TestSelection:
    def test_all_of_the_page(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        for name in ("alpha.example", "bravo.example"):
            support_web.ready(ours, name)
        visitor = visit().sign_in()
        page = visitor.page
        page.get_by_label("Select all on this page").check()
        page.get_by_role("button", name="Enforce…").click()
        expect(page.get_by_role("button", name="Change 2 domains")).to_be_visible()
        assert visitor.faults() == []


class TestPasskeys:
    """allauth's WebAuthn under `script-src 'self'`, with an authenticator that Chromium pretends to have."""

    def test_one_is_added_and_opens_the_door(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        visitor = visit()
        devtools = visitor.context.new_cdp_session(visitor.page)
        devtools.send("WebAuthn.enable")
        pretended = {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True}
        options = {**pretended, "isUserVerified": True, "automaticPresenceSimulation": True}
        devtools.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        page = visitor.sign_in().go("/account/2fa/webauthn/add/")
        page.locator("#id_password").fill(support_panel.PASSWORD)
        page.get_by_role("button", name="Go on").click()
        page.locator("#id_name").fill("Laptop")
        page.locator("#id_passwordless").check()
        assert visitor.faults() == []
        page.get_by_role("button", name="Add the key").click()
        page.wait_for_url(lambda address: "add" not in address)
        visitor.go("/account/2fa/webauthn/")
        expect(page.get_by_text("Laptop")).to_be_visible()
        assert visitor.faults() == []

        visitor.context.clear_cookies()
        visitor.go("/account/login/")
        page.get_by_role("button", name="Sign in with a passkey").click()
        page.wait_for_url(f"{visitor.home}/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Overview")

    def test_a_dialogue_that_fails_is_said_on_the_page(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        visitor = visit()
        page = visitor.go("/account/login/")
        refusal = "Promise.reject(new DOMException('', 'NotAllowedError'))"
        page.evaluate(f"() => {{ navigator.credentials.get = () => {refusal}; }}")
        page.get_by_role("button", name="Sign in with a passkey").click()
        expect(page.get_by_role("alert")).to_contain_text("The key was not used: the dialogue was called off")
