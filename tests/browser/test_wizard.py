"""From nothing to a live policy, by hand and eye: the page turns green by itself."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import expect
from tests import support_panel, support_web
from tests.support_browser import Visitor
from tests.support_checks_rows import certified

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import Finding, HostedDomain, RecordName, RecordSighting
from trinco.panel.policies.models import PolicyVersion


def see(domain: HostedDomain, record: RecordName, finding: Finding, seen: str = "") -> None:
    """What the worker would write after a look."""
    RecordSighting.objects.everywhere().update_or_create(
        domain=domain, record=record, defaults={"finding": finding, "seen": seen}
    )


class TestFromNothingToLive:
    """Issue 2: sign in, add `novo.example`, publish the three CNAMEs, the wizard turns green by itself."""

    def test_the_whole_road(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        visitor = visit().sign_in()
        page = visitor.page
        page.get_by_role("link", name="Add domain").first.click()
        page.get_by_label("Mail domain").fill("novo.example")
        page.get_by_role("button", name="Add the domain").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Set up novo.example")
        domain = HostedDomain.objects.of(ours).get()

        expect(page.get_by_text("Reading the MX records…")).to_be_visible()
        support_panel.sight_mx(domain, "mx1.novo.example", "mx2.novo.example")
        servers = page.get_by_label("Mail servers that may receive mail for this domain")
        expect(servers).to_have_value("mx1.novo.example\nmx2.novo.example")
        servers.fill("mx1.novo.example")
        page.get_by_role("button", name="Confirm the mail servers").click()
        expect(page.locator("#steps [aria-current=step]")).to_have_text("3Publish three records")
        assert PolicyVersion.objects.of(ours).get().mx == ["mx1.novo.example"]

        see(domain, RecordName.MTA_STS, Finding.FOUND)
        see(domain, RecordName.STS_TXT, Finding.ELSEWHERE, "old.example")
        expect(page.locator("#found")).to_contain_text("1 of 3 found")
        expect(page.locator("#announce")).to_have_text("1 of 3 found")
        expect(page.locator("#seen-_mta-sts")).to_contain_text("It now points to old.example")
        visitor.picture("wizard-half")
        assert visitor.faults() == []

        support_panel.sight(domain)
        support_panel.domains.mark_live(domain)
        expect(page.locator("#rest")).to_contain_text("Obtaining the certificate of mta-sts.novo.example…")
        certified(domain)
        expect(page.locator("#rest")).to_contain_text("Certificate of mta-sts.novo.example obtained")
        support_web.settled(domain)
        expect(page.locator("#rest")).to_contain_text("Your policy is live in testing mode")
        visitor.picture("wizard-done")
        page.get_by_role("link", name="Open the domain").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("novo.example")

    def test_what_is_typed_is_not_lost_while_the_page_follows(
        self, ours: Organisation, visit: Callable[..., Visitor]
    ) -> None:
        domain = support_panel.hosted(ours)
        support_panel.sight_mx(domain, "mx1.correio.example")
        page = visit().sign_in().go("/domains/correio.example/setup/")
        servers = page.get_by_label("Mail servers that may receive mail for this domain")
        servers.fill("mx7.correio.example")
        see(domain, RecordName.MTA_STS, Finding.FOUND)
        expect(page.locator("#found")).to_contain_text("1 of 3 found")
        expect(servers).to_have_value("mx7.correio.example")
        expect(servers).to_be_focused()

    def test_a_value_is_copied_with_its_dot(self, ours: Organisation, visit: Callable[..., Visitor]) -> None:
        domain = support_panel.hosted(ours)
        visitor = visit().sign_in()
        visitor.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = visitor.go("/domains/correio.example/setup/")
        page.get_by_role("button", name=f"Copy {domain.label}.policy.trinco.example").click()
        assert page.evaluate("navigator.clipboard.readText()") == f"{domain.label}.policy.trinco.example."
