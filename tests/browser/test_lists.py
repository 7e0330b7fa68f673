"""The list of domains as somebody narrows it, with script and without, and what lies around it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Route, expect
from tests import support_panel, support_web
from tests.support_browser import Visitor

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains import filters, tags

ROWS = "table.doms tbody th a"
FIRST = re.compile(r"/\?q=h(&|$)")
"""The question after the first letter."""


@pytest.fixture
def three(ours: Organisation) -> Organisation:
    """One in testing, two that wait for DNS; two are in the north."""
    found = [support_panel.hosted(ours, name) for name in ("alpha.example", "bravo.example")]
    found.append(support_web.ready(ours, "charlie.example"))
    tags.put_on(organisation=ours, domains=found[1:], names=["Região Norte", "gov"], actor=support_panel.ANA)
    filters.save(organisation=ours, name="No norte", asked={"tag": "gov"}, actor=support_panel.ANA)
    return ours


class TestAsTyped:
    """UX, page 1: `/` focuses the search, the filter stands in the URL."""

    def test_the_table_follows_what_is_typed_and_chosen(
        self, three: Organisation, visit: Callable[..., Visitor]
    ) -> None:
        visitor = visit().sign_in()
        visitor.page.keyboard.press("/")
        visitor.page.keyboard.type("ha")
        expect(visitor.page.locator(ROWS)).to_have_text(["charlie.example", "alpha.example"])
        visitor.page.select_option("#f-tag", "gov")
        expect(visitor.page.locator(ROWS)).to_have_text(["charlie.example"])
        expect(visitor.page).to_have_url(f"{visitor.home}/?q=ha&tag=gov")
        assert visitor.page.evaluate("document.activeElement.id") in ("q", "f-tag")
        visitor.rest()
        assert visitor.faults() == []

    def test_typing_on_while_an_answer_is_under_way(self, three: Organisation, visit: Callable[..., Visitor]) -> None:
        """The table follows with the next answer, and nothing is broken off with an error in the console."""
        visitor = visit().sign_in()
        held: list[Route] = []
        visitor.page.route(FIRST, lambda route: held.append(route))  # noqa: PLW0108 - the library marks a function
        visitor.page.keyboard.press("/")
        with visitor.page.expect_request(FIRST):
            visitor.page.keyboard.type("h")
        visitor.page.keyboard.type("a")
        visitor.page.wait_for_timeout(500)  # longer than a pause in typing: the next question is asked, or waits
        held[0].continue_()
        expect(visitor.page).to_have_url(f"{visitor.home}/?q=ha")
        expect(visitor.page.locator(ROWS)).to_have_text(["charlie.example", "alpha.example"])

    def test_without_script(self, three: Organisation, visit: Callable[..., Visitor]) -> None:
        visitor = visit(script=False).sign_in()
        visitor.page.fill("#q", "ha")
        visitor.page.select_option("#f-state", "setup")
        visitor.page.click("#filters button")
        expect(visitor.page.locator(ROWS)).to_have_text(["alpha.example"])

    def test_many_are_tagged_by_the_enter_key(self, three: Organisation, visit: Callable[..., Visitor]) -> None:
        visitor = visit(script=False).sign_in()
        visitor.page.check("input[value='alpha.example']")
        visitor.page.fill("#bulk-tags", "south")
        visitor.page.press("#bulk-tags", "Enter")
        expect(visitor.page.locator("tr:has-text('alpha.example') .tag")).to_have_text(["south"])


DRESSES = [
    {"width": 1360, "dark": False, "language": "en"},
    {"width": 390, "dark": True, "language": "pt"},
]


class TestDresses:
    @pytest.mark.parametrize("dress", DRESSES, ids=["desk", "phone"])
    def test_no_fault(self, three: Organisation, visit: Callable[..., Visitor], dress: dict[str, object]) -> None:
        visitor = visit(**dress).sign_in()
        pages = {
            "list": "/",
            "list-filtered": "/?tag=gov",
            "list-save": "/?mode=testing",
            "tags": "/domains/tags/",
            "domain-tags": "/domains/charlie.example/",
            "setup-tags": "/domains/bravo.example/setup/",
        }
        faults = {}
        for name, address in pages.items():
            visitor.go(address)
            for details in visitor.page.locator("main details.fold.first, .saved details").all():
                details.evaluate("each => each.open = true")
            faults[name] = visitor.faults()
            visitor.picture(f"{name}-{dress['width']}")
        assert {name: found for name, found in faults.items() if found} == {}
