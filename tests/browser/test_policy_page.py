"""Changing a policy by hand: with a pointer, with the keyboard alone, and without any script."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests import support_panel, support_web
from tests.support_browser import Visitor

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import services
from trinco.panel.policies.models import Standing

PAGE = "/domains/correio.example/"


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    return support_web.ready(ours)


def mode(domain: HostedDomain) -> str:
    return Standing.objects.everywhere().select_related("current").get(domain=domain).current.mode


class TestModes:
    def test_confirm_call_off_and_do(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        visitor = visit().sign_in()
        page = visitor.go(PAGE)
        page.get_by_label("Enforce").check()
        expect(page.locator("#confirm .diff")).to_contain_text("+ mode: enforce")
        assert visitor.faults() == []
        page.get_by_role("link", name="Cancel").click()
        expect(page.get_by_label("Testing")).to_be_checked()
        expect(page.locator("#confirm form")).to_have_count(0)
        assert mode(domain) == "testing"

        page.get_by_label("Enforce").check()
        expect(page.locator("#confirm form")).to_be_focused()
        visitor.rest()
        page.get_by_label("Senders keep it for").select_option("4 weeks")
        expect(page.locator("#confirm .diff")).to_contain_text("+ max_age: 2419200")
        page.get_by_role("button", name="Enforce", exact=True).click()
        expect(page.get_by_text("Saved. The file goes to every edge first")).to_be_visible()
        expect(page.locator("#standing")).to_contain_text("DNS still says")
        assert mode(domain) == "enforce"

        support_web.settled(domain)
        expect(page.locator("#standing")).to_contain_text("Served by every edge, announced in DNS")
        visitor.picture("policy-announced")

    def test_undo(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        services.publish(domain=domain, policy=services.proposed(domain, Mode.ENFORCE), actor=support_panel.ANA)
        page = visit().sign_in().go(PAGE)
        page.get_by_role("link", name="Undo").click()
        expect(page.locator(".diff")).to_contain_text("+ mode: testing")
        page.get_by_role("button", name="Undo").click()
        expect(page.get_by_text("Undone.")).to_be_visible()
        expect(page.locator(".versions > li")).to_have_count(3)
        assert mode(domain) == "testing"

    def test_against_an_uncovered_mx_one_must_tick(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        support_panel.sight_mx(domain, "mx1.correio.example", "mx9.correio.example")
        visitor = visit().sign_in()
        page = visitor.go(PAGE)
        page.get_by_label("Enforce").check()
        button = page.get_by_role("button", name="Enforce anyway")
        button.click()  # the browser points at the box
        assert mode(domain) == "testing"
        visitor.picture("policy-refused")
        assert visitor.faults() == []
        page.get_by_label("I know that mail to mx9.correio.example will be held back.").check()
        button.click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        assert (mode(domain), AuditEntry.objects.everywhere().filter(override=True).count()) == ("enforce", 1)

    def test_by_keyboard_alone(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        visitor = visit()
        page = visitor.go("/account/login/")
        page.locator("#id_login").focus()
        for key in ("ana@example.com", "Tab", support_panel.PASSWORD, "Enter"):
            page.keyboard.press(key) if key in ("Tab", "Enter") else page.keyboard.type(key)
        page.wait_for_url(f"{visitor.home}/")
        page.keyboard.press("/")
        page.keyboard.type("correio")
        page.keyboard.press("Enter")
        page.wait_for_url("**/?q=correio")
        page.get_by_role("link", name="correio.example").focus()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**{PAGE}")
        page.get_by_label("Testing").focus()
        page.keyboard.press("ArrowDown")
        expect(page.locator("#confirm form")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_text("Saved.")).to_be_visible()
        assert mode(domain) == "enforce"


class TestWithoutScript:
    """UX: every htmx form also works as a plain form."""

    def test_mode_and_undo(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        visitor = visit(script=False).sign_in()
        page = visitor.go(PAGE)
        page.get_by_label("Enforce").check()
        page.get_by_role("button", name="Show what changes…").click()
        expect(page.locator(".diff")).to_contain_text("+ mode: enforce")
        page.get_by_label("Senders keep it for").select_option("2 weeks")
        page.get_by_role("button", name="Show the difference").click()
        expect(page.locator(".diff")).to_contain_text("+ max_age: 1209600")
        page.get_by_role("button", name="Enforce", exact=True).click()
        expect(page.get_by_text("Saved.")).to_be_visible()
        page.get_by_role("link", name="Undo").click()
        page.get_by_role("button", name="Undo").click()
        assert mode(domain) == "testing"

    def test_many_at_once(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        page = visit(script=False).sign_in().page
        page.get_by_label("Select correio.example").check()
        page.get_by_role("button", name="None…").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Set the mode to None?")
        page.get_by_role("button", name="Change 1 domain").click()
        expect(page.get_by_text("1 policy changed.")).to_be_visible()
        assert mode(domain) == "none"

    def test_the_forms_of_the_records(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        page = visit(script=False).sign_in().go(f"{PAGE}setup/")
        page.get_by_role("link", name="Terraform").click()
        expect(page.locator("#text")).to_contain_text('resource "dns_cname_record"')
