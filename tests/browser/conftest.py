"""A real Chromium in front of a real server. Every test here fails on an error in the console or on a page.

`SHOTS=directory` keeps the pictures that the tests take; without it none are taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from tests import support_messages, support_panel
from tests.support_browser import FLAGS, Visitor

from trinco.panel.accounts.models import Organisation

support_messages.compile_if_stale()  # before Django reads it


expect.set_options(timeout=60_000)  # a machine may be busy: this is when to give up, not how fast it must be


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker("browser")


@pytest.fixture(scope="module")
def chromium(needs: Callable[[str], str]) -> Iterator[Browser]:
    """The browser, started once a file. Each visitor has a fresh profile in it.

    Playwright's event loop runs in this thread until it is stopped: other files' tests have loops of their own.
    """
    # Playwright's own event loop runs in this thread, and Django would refuse the tests' queries beside it.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=needs("chromium"), args=FLAGS)
        yield browser
        browser.close()
    del os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"]


@pytest.fixture
def pictures() -> Path | None:
    """Where pictures go."""
    if "SHOTS" not in os.environ:
        return None
    directory = Path(os.environ["SHOTS"])
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture
def visit(chromium: Browser, live_server: Any, pictures: Path | None) -> Iterator[Callable[..., Visitor]]:
    """`visit(width=390, dark=True, script=False, language="pt")`: somebody new in front of the pages, signed out."""
    visitors: list[Visitor] = []

    def come(**wishes: Any) -> Visitor:
        visitors.append(Visitor(chromium, **{"home": live_server.url, "pictures": pictures, **wishes}))
        return visitors[-1]

    yield come
    for visitor in visitors:
        visitor.leave()
    assert [problem for visitor in visitors for problem in visitor.problems] == []


@pytest.fixture
def ours(transactional_db: None) -> Organisation:
    """The organisation of ana@example.com."""
    return support_panel.organisation("ana@example.com")
