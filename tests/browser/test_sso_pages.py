"""Single sign-on in Chromium: to a provider and back, with and without script, under our own policy for forms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Route, expect
from tests import support_oidc, support_panel, support_web
from tests.support_browser import Visitor
from tests.support_certs import Authority
from tests.support_oidc import HOST, OpenIdProvider
from tests.support_sso import invited
from tests.support_webhooks import served

from trinco.panel.accounts import provider
from trinco.panel.accounts.models import Identity, Organisation, Role


@pytest.fixture
def there(tmp_path: Path, settings: Any, live_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[OpenIdProvider]:
    authority = Authority(tmp_path)
    with served(OpenIdProvider(), authority.server(HOST)) as made:  # type: ignore[type-var]
        monkeypatch.setattr(provider, "asker", lambda: made.asker(authority.pem))
        support_oidc.configure(settings, made, panel_url=live_server.url, oidc_name="Correio")
        yield made


def agreeing(visitor: Visitor, there: OpenIdProvider, **claims: Any) -> None:
    """At the provider's page the person is sent back at once."""

    def answer(route: Route) -> None:
        back = f"{visitor.home}{provider.CALLBACK}?{urlencode(there.grant(route.request.url, **claims))}"
        route.fulfill(status=302, headers={"Location": back})

    visitor.page.route(f"https://{HOST}:*/**", answer)


class TestThereAndBack:
    """A form may lead nowhere but to ourselves: the page in between goes on by itself, also without script."""

    @pytest.mark.parametrize("script", [True, False])
    def test_from_the_sign_in_page(
        self, ours: Organisation, there: OpenIdProvider, visit: Callable[..., Visitor], script: bool
    ) -> None:
        Identity.objects.create(user=support_web.owner_of(ours), issuer=there.issuer, subject="u-1")
        visitor = visit(script=script)
        agreeing(visitor, there)
        page = visitor.go("/account/login/?next=/activity/")
        page.get_by_role("button", name="Sign in with Correio").click()
        page.wait_for_url(f"{visitor.home}/activity/")
        expect(page.get_by_role("heading", level=1)).to_have_text("Activity")

    def test_an_account_is_connected_once(
        self, ours: Organisation, there: OpenIdProvider, visit: Callable[..., Visitor]
    ) -> None:
        visitor = visit()
        agreeing(visitor, there)
        page = visitor.go("/account/login/")
        page.get_by_role("button", name="Sign in with Correio").click()
        page.get_by_label("Password").fill(support_panel.PASSWORD)
        assert visitor.faults() == []
        page.keyboard.press("Enter")
        page.wait_for_url(f"{visitor.home}/")


class TestLooks:
    """Every page of it, narrow and wide, light and dark, in both languages."""

    @pytest.mark.parametrize(
        ("width", "dark", "language"), [(1360, False, "en"), (390, True, "pt"), (390, False, "en"), (1360, True, "pt")]
    )
    def test_each_page(
        self,
        ours: Organisation,
        there: OpenIdProvider,
        visit: Callable[..., Visitor],
        width: int,
        dark: bool,
        language: str,
    ) -> None:
        Organisation.objects.filter(pk=ours.pk).update(sso_required=True)
        eva = support_web.person("eva@example.com", ours, Role.VIEWER)
        visitor = visit(width=width, dark=dark, language=language)
        page, name = visitor.page, f"sso-{language}-{width}"
        visitor.page.route(f"https://{HOST}:*/**", lambda route: route.fulfill(status=204))
        visitor.go("/account/login/")
        self.look(visitor, f"{name}-login")
        page.locator("form[action='/account/sso/'] button").click()
        expect(page.locator("main a.primary")).to_be_visible()
        self.look(visitor, f"{name}-onward")
        visitor.go(invited(ours, email="nova@example.com", invited_by=support_web.owner_of(ours).email))
        self.look(visitor, f"{name}-invitation")
        visitor.go("/account/sso/callback/?state=x")
        self.look(visitor, f"{name}-refused")
        visitor.sign_in()
        visitor.go("/people/")
        self.look(visitor, f"{name}-people")
        visitor.go("/account/2fa/")
        self.look(visitor, f"{name}-security")
        visitor.go("/account/sso/again/")
        self.look(visitor, f"{name}-again")
        visitor.context.clear_cookies()
        page.goto("/account/login/?next=/account/2fa/")
        page.fill("#id_login", eva.email)
        page.fill("#id_password", support_panel.PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{visitor.home}/account/2fa/")
        visitor.go("/activity/")
        page.wait_for_url(f"{visitor.home}/account/sso/?next=/activity/")
        self.look(visitor, f"{name}-wanted")

    def look(self, visitor: Visitor, name: str) -> None:
        visitor.picture(name)
        assert visitor.faults() == [], name
