"""Somebody in front of the pages: what the browser tests do and look at."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect
from tests import support_panel

FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

WCAG = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
TARGET = 28
"""CSS pixels: the least side of anything to click that stands neither in a sentence nor in a drawing (UX): the days of a
chart are links in its table as well."""

SMALL_TARGETS = """(least) => [...document.querySelectorAll("a, button, input, select, summary, textarea")]
  .filter((e) => e.checkVisibility({visibilityProperty: true}) && e.type !== "hidden")
  .filter((e) => !e.closest("p, .sub, dd, small, td, th, h1, .crumbs, .vh, .skip, .help, svg") && !e.matches(".brand"))
  .map((e) => ({e, hit: /^(checkbox|radio)$/.test(e.type) ? e.closest("label") ?? e.labels[0] ?? e : e}))
  .map(({e, hit}) => ({e, box: hit.getBoundingClientRect()}))
  .filter(({box}) => box.width > 0 && (box.height < least - 0.5 || box.width < least - 0.5))
  .map(({e, box}) => `${e.outerHTML.slice(0, 80)} ${Math.round(box.width)}x${Math.round(box.height)}`)"""


@dataclass(slots=True)
class Visitor:
    """A fresh profile with one page. `problems` are errors of the console and of the page's scripts."""

    browser: Browser
    home: str
    pictures: Path | None
    width: int = 1360
    dark: bool = False
    script: bool = True
    language: str = "en"
    problems: list[str] = field(default_factory=list)
    context: BrowserContext = field(init=False)
    page: Page = field(init=False)

    def __post_init__(self) -> None:
        self.context = self.browser.new_context(
            viewport={"width": self.width, "height": 900},
            color_scheme="dark" if self.dark else "light",
            java_script_enabled=self.script,
            locale={"en": "en-GB", "pt": "pt-PT"}[self.language],
            base_url=self.home,
        )
        self.page = self.context.new_page()
        self.page.set_default_timeout(60_000)
        self.page.on("console", partial(Visitor._hear, self))
        self.page.on("pageerror", lambda error: self.problems.append(f"{self.page.url}: {error}"))

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.problems.append(f"{self.page.url}: {message.text}")

    def sign_in(self, email: str = "ana@example.com") -> Visitor:
        """By the form, as a person does."""
        self.go("/account/login/")
        self.page.fill("#id_login", email)
        self.page.fill("#id_password", support_panel.PASSWORD)
        self.page.click("main form button[type=submit]")
        self.page.wait_for_url(f"{self.home}/")
        return self

    def go(self, path: str) -> Page:
        """Open a page of ours."""
        self.page.goto(path)
        return self.page

    def rest(self) -> None:
        """Wait until htmx has put its parts into place and given them their behaviour."""
        expect(self.page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)

    def picture(self, name: str) -> None:
        """Keep what is seen now, where somebody wants to look at it."""
        if self.pictures is not None:
            self.page.screenshot(path=self.pictures / f"{name}.png", full_page=True, caret="initial")

    def faults(self) -> list[str]:
        """What is wrong with the page that is seen now: WCAG 2.2 AA by axe, small targets, anything beyond its edge."""
        heard = list(self.problems)
        report: dict[str, Any] = Axe().run(self.page, options=WCAG).response
        self.problems[:] = heard  # the examination itself trips over the policy at times
        found = [f"{rule['id']}: {node['html'][:120]}" for rule in report["violations"] for node in rule["nodes"]]
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        found += [f"wider than the window: {wide}"] if wide > self.width else []
        return found + [f"small: {target}" for target in self.page.evaluate(SMALL_TARGETS, TARGET)]

    def leave(self) -> None:
        """Close the profile."""
        self.context.close()
