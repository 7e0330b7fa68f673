"""The API's own pages in a browser: its description under the strict policy, and the life of a token."""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.request import Request, urlopen

from playwright.sync_api import expect
from tests import support_api, support_panel
from tests.support_browser import Visitor

from trinco.panel.accounts.models import Organisation


class TestDescription:
    """UX: CSP strict, with API docs by Swagger UI: no script and no style of the page's own."""

    def test_an_operation_is_tried_out(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        support_api.counted(support_panel.announced(ours))
        visitor = visit().sign_in()
        page = visitor.go("/api/v1/docs")
        page.get_by_text("Sessions by day").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_placeholder("from").fill("2026-11-20")
        page.get_by_placeholder("to", exact=True).fill("2026-11-20")
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".responses-wrapper")).to_contain_text('"successful_session_count": 7')
        visitor.picture("api-docs")


class TestTokens:
    """UX 8: shown once, then by its beginning; revoked, it opens nothing."""

    def test_made_used_and_revoked(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        visitor = visit().sign_in()
        page = visitor.go("/account/tokens/")
        page.get_by_label("What it is for").fill("monitoring")
        page.get_by_role("button", name="Make it").click()
        page.get_by_label("Password").fill(support_panel.PASSWORD)
        page.locator("main form button[type=submit]").first.click()
        key = page.locator("#key").inner_text()
        assert visitor.faults() == []
        visitor.picture("token-made")
        request = Request(f"{visitor.home}/api/v1/domains", headers={"Authorization": f"Bearer {key}"})
        assert json.load(urlopen(request)) == {"rows": [], "next": None}
        visitor.go("/account/tokens/")
        expect(page.get_by_role("row", name="monitoring")).to_contain_text(key[:15])
        assert (key in page.content(), visitor.faults()) == (False, [])
        page.get_by_role("button", name="Revoke monitoring").click()
        expect(page.get_by_role("row", name="monitoring")).to_contain_text("revoked")
        assert page.request.get("/api/v1/domains", headers={"Authorization": f"Bearer {key}"}).status == 401

    def test_on_a_phone_in_the_dark(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        visitor = visit(width=390, dark=True).sign_in()
        visitor.go("/account/tokens/")
        assert visitor.faults() == []
        visitor.picture("tokens-phone")
