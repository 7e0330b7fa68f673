"""The page of a label, and the pages in its colours, in every dress."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pytest
from tests import support_labels, support_web
from tests.support_browser import Visitor

from trinco.panel.accounts.models import Label, Organisation

HOST = "tls.localhost"
DRESSES = [(1360, False, "en"), (1360, True, "pt"), (390, False, "pt"), (390, True, "en")]


@pytest.fixture
def beside(live_server: Any, settings: Any) -> str:
    """The address of a label's host, which the browser finds without DNS."""
    settings.CONFIG = replace(settings.CONFIG, panel_url=live_server.url)
    return f"http://{HOST}:{urlsplit(live_server.url).port}"


@pytest.mark.parametrize(("width", "dark", "language"), DRESSES)
def test_in_every_dress(
    ours: Organisation, visit: Callable[..., Visitor], width: int, dark: bool, language: str
) -> None:
    """With an accent that the house's own is far from."""
    support_labels.proven(support_labels.labelled(ours, accent="#8a1538", logo=True))
    visitor = visit(width=width, dark=dark, language=language).sign_in()
    visitor.go("/label/")
    visitor.picture(f"label-{width}-{language}-{'dark' if dark else 'light'}")
    assert visitor.faults() == []
    assert visitor.page.locator(".brand .logo").locator("visible=true").count() == (width > 390)


@pytest.mark.parametrize(("width", "dark", "language"), DRESSES)
def test_at_its_host(
    ours: Organisation, visit: Callable[..., Visitor], beside: str, width: int, dark: bool, language: str
) -> None:
    """Before anybody signs in, and behind."""
    support_web.ready(ours)
    label = support_labels.labelled(ours, accent="#8a1538", logo=True)
    Label.objects.filter(pk=label.pk).update(host=HOST)  # no name that may be claimed
    visitor = visit(home=beside, width=width, dark=dark, language=language)
    dress = f"{width}-{language}-{'dark' if dark else 'light'}"
    assert "Correio Seguro" in visitor.go("/account/login/").title()
    visitor.picture(f"label-sign-in-{dress}")
    faults = visitor.faults()
    assert "Correio Seguro" in visitor.sign_in().page.title()
    visitor.picture(f"label-overview-{dress}")
    told = visitor.page.locator(".s-info").first.evaluate("e => getComputedStyle(e).color")
    assert told == ("rgb(134, 169, 251)" if dark else "rgb(47, 91, 215)")  # a status has its own, whatever the accent
    assert faults + visitor.faults() == []


def test_without_script(ours: Organisation, visit: Callable[..., Visitor]) -> None:
    page = visit(script=False).sign_in().go("/label/")
    page.fill("#id_product", "Correio Seguro")
    page.fill("#id_accent", "#8a1538")
    page.click("main form button[type=submit]")
    assert page.title().endswith("· Correio Seguro")
    assert page.locator(".btn.primary").last.evaluate("e => getComputedStyle(e).backgroundColor") == "rgb(138, 21, 56)"


def test_a_faint_colour_is_previewed_as_the_nearest(ours: Organisation, visit: Callable[..., Visitor]) -> None:
    visitor = visit().sign_in()
    page = visitor.go("/label/")
    page.fill("#id_accent", "#ffd400")
    page.click("button[name=preview]")
    shown = page.locator(".as-light .btn.primary").evaluate("e => getComputedStyle(e).backgroundColor")
    assert shown == "rgb(130, 108, 0)"
    assert visitor.faults() == []
