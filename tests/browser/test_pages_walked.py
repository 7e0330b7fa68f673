"""That every page is looked at in a browser: found in the tables of addresses, so that a new one cannot be forgotten."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client
from django.urls import resolve
from tests.browser import test_pages
from tests.support_walk import World, guarded

from trinco.panel.accounts.models import Role, User

FOLDER = Path(__file__).parent
BY_THEMSELVES = {
    "reports": "test_reports_pages",
    "sources": "test_reports_pages",
    "received": "test_read_report",
    "report": "test_read_report",
    "report_settings": "test_read_report",
    "read_report": "test_read_report",
    "tokens": "test_api_docs",
    "import": "test_pages",
    "webhook": "test_pages",
    "organisation_close": "test_closing_pages",
}
"""Pages that a test of their own opens, by its file."""


def looked_at() -> set[str]:
    """The names of the addresses that `test_pages` opens."""
    tables = test_pages.SIGNED_IN | test_pages.OF_A_PROVIDER
    return {str(resolve(path.partition("?")[0]).url_name) for path in tables.values()}


def whole_pages(person: User, world: World) -> set[str]:
    """The names of those that are documents, and no part of one, no file and no deed."""
    client, found = Client(), set[str]()
    client.force_login(person)
    for page in guarded():
        response = client.get(world.address(page))
        html = response.headers.get("Content-Type", "").startswith("text/html")
        if response.status_code == 200 and html and b"<html" in response.content[:2000]:
            found.add(page.name)
    return found


@pytest.mark.django_db
class TestEveryPage:
    """Issue 2: axe finds no WCAG 2.2 AA violation on any page."""

    def test_is_looked_at(self) -> None:
        world = World()
        pages = whole_pages(world.member(Role.OWNER), world) | whole_pages(
            world.member(Role.OWNER, world.provider), world
        )
        assert len(pages) > 20
        assert pages - looked_at() - BY_THEMSELVES.keys() == set()

    def test_by_a_test_that_is_there(self) -> None:
        for name, stem in BY_THEMSELVES.items():
            text = (FOLDER / f"{stem}.py").read_text(encoding="utf-8")
            assert re.search(r"faults\(\)|walk\(", text), name
