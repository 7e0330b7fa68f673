"""The pages of the reports in a real browser: found in three clicks, by pointer and keyboard, in print, and inert."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect
from tests import support_charts, support_panel, support_web
from tests.support_browser import Visitor
from tests.support_charts import Failure, report

from trinco.core.tlsrpt import results
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains import turned_away
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import Trust

DOMAIN = "/domains/correio.example/"
PAGES = {
    "reports-open": "/reports/?policy=sts&result=certificate-expired",
    "reports-none": "/reports/?domain=novo.example",
    "sources-open": "/reports/sources/?open=google.com&trust=all",
    "domain-day": DOMAIN + "?day={day}",
}
CLIPPED = """() => [...document.querySelectorAll("table")].filter((table) => table.checkVisibility())
  .map((table) => [table, table.closest(".in, .card").getBoundingClientRect().right])
  .filter(([table, edge]) => table.getBoundingClientRect().right > edge - 8)
  .map(([table]) => table.className)"""
A4 = 703
"""CSS pixels of a page of A4 within the margins of the style sheet."""


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    """A month with an incident, and a domain that nobody reported on."""
    support_panel.announced(ours, "novo.example")
    domain = support_web.settled(support_panel.announced(ours))
    support_charts.weeks(domain)
    report(domain, support_charts.today() - timedelta(days=2), 9, trust=Trust.NONE, submitter="nobody.example")
    turned_away.note({domain.label: 1234}, support_charts.today() - timedelta(days=2))
    return domain


def worst_day() -> str:
    return (support_charts.today() - timedelta(days=9)).isoformat()


class TestEveryDress:
    """UX: no fault that axe finds, no console error, nothing clipped, light and dark, in both languages."""

    @pytest.mark.parametrize(
        ("dress", "wishes"),
        [("1360", {}), ("390-dark-pt", {"width": 390, "dark": True, "language": "pt"})],
    )
    def test_no_fault(
        self, domain: HostedDomain, visit: Callable[..., Visitor], dress: str, wishes: dict[str, object]
    ) -> None:
        visitor, found = visit(**wishes).sign_in(), {}
        for name, path in PAGES.items():
            visitor.go(path.format(day=worst_day()))
            visitor.picture(f"{name}-{dress}")
            found[name] = visitor.faults() + visitor.page.evaluate(CLIPPED)
        assert {name: faults for name, faults in found.items() if faults} == {}

    def test_no_width_clips_a_table(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        visitor, found = visit().sign_in(), {}
        for path in (PAGES["reports-open"], PAGES["sources-open"]):
            visitor.go(path)
            for width in (390, 641, 700, 861, 900, 1001, 1101, 1241):
                visitor.page.set_viewport_size({"width": width, "height": 900})
                wide = visitor.page.evaluate("document.documentElement.scrollWidth") > width
                found[path, width] = ["page"] * wide + visitor.page.evaluate(CLIPPED)
        assert {at: faults for at, faults in found.items() if faults} == {}

    @pytest.mark.parametrize("path", [DOMAIN, "/reports/"])
    def test_the_menu_of_dates_stays_within_a_phone(
        self, domain: HostedDomain, visit: Callable[..., Visitor], path: str
    ) -> None:
        visitor = visit(width=390).sign_in()
        visitor.go(path)
        visitor.page.click(".custom > summary")
        visitor.picture(f"custom-{path.strip('/').split('/')[0]}-390")
        assert visitor.page.evaluate("document.documentElement.scrollWidth") == 390
        box = visitor.page.locator(".custom .menu-in").bounding_box()
        assert box is not None
        assert (box["x"] >= 0, box["x"] + box["width"] <= 390, box["width"] >= 160) == (True, True, True)


class TestTheIncident:
    """Issue 3: an incident of last week is found from the overview in three clicks, with sentence, fix and MX."""

    def test_three_clicks(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        page = visit().sign_in().page
        page.get_by_role("link", name="correio.example").click()
        page.locator(f'.hits a[href*="day={worst_day()}"]').click()
        page.locator("#tables .unfold summary").first.click()
        expired = results.RESULT_TYPES["certificate-expired"]
        table = page.locator("#tables section").first
        for told in (expired.meaning, expired.action, "mx2.correio.example", "Your mail server"):
            expect(table).to_contain_text(told)
        expect(table.locator(".details")).to_contain_text("192.0.2.25")
        expect(page.locator(".only")).to_contain_text("Only ")

    def test_in_portuguese(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        page = visit(language="pt").sign_in().page
        page.get_by_role("link", name="correio.example").click()
        page.locator(f'.hits a[href*="day={worst_day()}"]').click()
        expect(page.locator("#tables")).to_contain_text("O certificado do servidor de correio expirou.")
        expect(page.locator("#tables")).to_contain_text("Renove o certificado e recarregue o servidor de correio.")
        expect(page.get_by_role("link", name="Relatórios TLS")).to_be_visible()


class TestTheChart:
    """UX: each chart is reachable by arrow keys, and has its data table behind “Show as table”."""

    def test_by_the_keyboard(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        page = visit().sign_in().go(f"/reports/?to={support_charts.today()}")
        assert page.locator(".hits a[tabindex='0']").count() == 1
        page.locator(".hits a[tabindex='0']").focus()
        expect(page.locator(".tip")).to_contain_text("No report received")
        for _ in range(9):
            page.keyboard.press("ArrowLeft")
        expect(page.locator(".tip")).to_contain_text("failed")
        page.keyboard.press("Escape")
        expect(page.locator(".tip")).to_be_hidden()
        page.keyboard.press("Enter")
        page.wait_for_url(f"**day={worst_day()}*")
        expect(page.locator(".hits a[aria-current]")).to_have_attribute("tabindex", "0")

    def test_by_the_pointer(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        visitor = visit().sign_in()
        page = visitor.go("/reports/")
        page.locator(f'.hits a[href*="day={worst_day()}"]').hover()
        tip, chart = page.locator(".tip"), page.locator(".chart")
        expect(tip).to_contain_text("succeeded")
        inside, around = tip.bounding_box(), chart.bounding_box()
        visitor.picture("chart-tip")  # last: the window grows for it, and the pointer is elsewhere then
        assert inside is not None
        assert around is not None
        assert around["x"] <= inside["x"] <= inside["x"] + inside["width"] <= around["x"] + around["width"] + 1

    def test_its_table_agrees_with_the_api(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        """Issue 3: the chart's table agrees with the API."""
        page = visit().sign_in().go("/reports/?range=90&domain=correio.example")
        page.get_by_text("Show as table").click()
        told = page.request.get("/api/v1/reports/by-day?range=90&domain=correio.example").json()["rows"]
        assert table(page) == [
            [row["day"], row["successful_session_count"], row["failed_session_count"]]
            if row["reports"]
            else [row["day"]]
            for row in told
        ]
        assert len(told) == 90

    def test_without_script(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        page = visit(script=False).sign_in().go("/reports/")
        page.get_by_text("Show as table").click()
        page.locator(f'tr[data-day="{worst_day()}"] a').click()
        expect(page.locator(".only")).to_contain_text("Only ")
        page.locator(".unfold summary").first.click()
        page.get_by_role("link", name="Show where, from whom and why").first.click()
        expect(page.locator(".details")).to_contain_text("192.0.2.25")
        page.get_by_label("Domain", exact=True).select_option("novo.example")
        page.get_by_role("button", name="Show", exact=True).first.click()
        expect(page.get_by_role("heading", name="No TLS report yet")).to_be_visible()


def table(page: Page) -> list[list[object]]:
    """The days of the table and their numbers, as its attributes say them."""
    read = """(row) => [row.dataset.day, ...[...row.querySelectorAll("[data-value]")].map((cell) => +cell.dataset.value)]"""
    rows: list[list[object]] = page.locator(".as-table tbody").evaluate(f"(body) => [...body.rows].map({read})")
    return rows


class TestFilters:
    def test_a_domain_a_range_and_dates(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        page = visit().sign_in().go("/reports/")
        page.get_by_label("Domain", exact=True).select_option("correio.example")
        page.wait_for_url("**domain=correio.example*")
        page.get_by_role("link", name="7 d").click()
        expect(page.locator(".as-table tbody tr")).to_have_count(7)
        page.get_by_text("Custom").click()
        page.get_by_label("From").fill((support_charts.today() - timedelta(days=3)).isoformat())
        page.locator(".custom").get_by_role("button", name="Show").click()
        expect(page.locator(".as-table tbody tr")).to_have_count(3)
        assert "domain=correio.example" in page.url

    def test_what_is_not_counted(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        page = visit().sign_in().go("/reports/sources/")
        expect(page.get_by_text("1 report of this range is not counted")).to_be_visible()
        page.get_by_role("link", name="Count unverified ones too").click()
        expect(page.locator(".sources")).to_contain_text("nobody.example")


class TestOnPaper:
    """UX: prints on A4: charts and tables readable, no clipped column, no navigation."""

    def test_nothing_is_clipped(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        visitor, found = visit(width=A4).sign_in(), {}
        visitor.page.emulate_media(media="print")
        for name in ("reports-open", "sources-open", "domain-day"):
            page = visitor.go(PAGES[name].format(day=worst_day()))
            wide = page.evaluate("document.documentElement.scrollWidth")
            gone = [
                place for place in (".side", ".top", ".tabs", ".reports-f") if page.locator(place).first.is_visible()
            ]
            found[name] = [*gone, *page.evaluate(CLIPPED), *(["page"] if wide > A4 else [])]
            assert page.locator(".chart svg.plot").is_visible()
        assert found == {"reports-open": [], "sources-open": [], "domain-day": []}

    def test_a_file(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        visitor = visit().sign_in()
        page = visitor.go(PAGES["reports-open"])
        kept = visitor.pictures and visitor.pictures / "reports.pdf"
        printed = page.pdf(format="A4", prefer_css_page_size=True, path=kept)
        assert (printed[:5], len(re.findall(rb"/Type\s*/Page\b", printed)) <= 3) == (b"%PDF-", True)


class TestMarkup:
    """RELIABILITY row 24, issue 3: markup in every field; a browser test with script hooks sees none run."""

    EVIL = "\"'><img src=//x.example/a onerror=ran()><script>ran()</script><svg onload=ran()>{{7*7}}"
    FIELDS = ("receiving_ip", "sending_mta_ip", "failure_reason_code")

    def test_it_stays_text(self, domain: HostedDomain, visit: Callable[..., Visitor]) -> None:
        day, evil = support_charts.today() - timedelta(days=1), self.EVIL
        more = (*((name, evil[:64]) for name in self.FIELDS), ("additional_information", "javascript:ran()//" + evil))
        report(
            domain,
            day,
            50_000,
            Failure(evil[:64], 9000, evil, more),
            submitter=evil,
            organization_name=evil,
            policy_type="sts",
        )
        visitor = visit().sign_in()
        ran: list[str] = []
        asked: list[str] = []
        visitor.page.expose_function("ran", lambda: ran.append("ran"))
        visitor.page.on("request", lambda request: asked.append(request.url))
        for path in ("/reports/", "/reports/sources/", DOMAIN, f"{DOMAIN}?day={day}"):
            page = visitor.go(path)
            for summary in page.locator(".unfold > summary").all()[:2]:
                summary.click()
            expect(page.locator(".details").first).to_be_visible()
            page.locator(".hits a").last.hover()
            assert page.evaluate("document.querySelectorAll('main img, main script').length") == 0
        assert (ran, [url for url in asked if not url.startswith(visitor.home)]) == ([], [])
