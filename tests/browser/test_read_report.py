"""Reports in a real browser: read by anybody, looked at by their owner, and hostile in every field of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone
from playwright.sync_api import Page, expect
from tests import support_web
from tests.support_browser import Visitor
from tests.support_reports import STS, arrival, detail, digested, mail, policy, report_json, reported

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import RawReport, RawState, Recipient, Report, Trust
from trinco.panel.reports.recipients import token_of

HOOKS = """window.ran = [];
for (const name of ["alert", "confirm", "prompt", "open"]) window[name] = () => window.ran.push(name);
window.ranBy = (what) => window.ran.push(what);
document.addEventListener("securitypolicyviolation", (event) => window.ran.push(`blocked ${event.violatedDirective}`));"""
"""Whatever a script of a stranger would do is noticed, and so is one that only the policy stopped."""

NASTY = (
    "<script>ranBy('script')</script>",
    "<img src=x onerror=\"ranBy('img')\">",
    '"><svg onload=ranBy(1)>',
    "javascript:ranBy('link')",
    '=HYPERLINK("https://evil.example","x")',
    "{{7*7}}{% include 'x' %}${7*7}",
    "\u202egnp.exe\u2066\u200f\u061c",
    "&#60;b onmouseover=ranBy(2)&#62;",
    "x" * 900,
)


def apart(deed: Callable[..., Any], *given: Any, **named: Any) -> None:
    """Do it in a thread of its own: the worker's event loop would find Playwright's in this one."""

    def whole() -> None:
        try:
            deed(*given, **named)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(whole).result()


def nasty(domain: str = "correio.example") -> bytes:
    """A report with each of them in every field that a sender may fill."""
    details = [
        detail(
            text[:60],
            3,
            receiving_mx_hostname=text,
            receiving_mx_helo=text,
            receiving_ip=text[:60],
            sending_mta_ip=text[:60],
            failure_reason_code=text,
            additional_information=text,
        )
        for text in NASTY
    ]
    told = policy(domain, NASTY[0][:60], details=details, strings=[*NASTY[:8], *STS], failed=50)
    told["policy"]["mx-host"] = list(NASTY)
    return report_json(told, organization_name=NASTY[0] + NASTY[6], report_id="".join(NASTY[:7]))


def drop(visitor: Visitor, directory: Path, body: bytes, name: str = "report.json") -> Page:
    """Choose a file and send it."""
    path = directory / name
    path.write_bytes(body)
    visitor.context.add_init_script(HOOKS)
    page = visitor.go("/read/")
    page.set_input_files("#file", path)
    page.click("main form button.primary")
    page.wait_for_load_state()
    return page


def poke(page: Page) -> list[str]:
    """Open what can be opened and move over everything; give what ran."""
    page.evaluate("for (const each of document.querySelectorAll('main details')) each.open = true")
    page.evaluate(
        """for (const each of document.querySelectorAll("main *"))
             for (const kind of ["mouseover", "focus", "error", "load"]) each.dispatchEvent(new Event(kind));"""
    )
    return list(page.evaluate("window.ran"))


DRESSES = [("1360", {}), ("390-dark-pt", {"width": 390, "dark": True, "language": "pt"})]


@pytest.mark.parametrize(("dress", "wishes"), DRESSES)
class TestHostile:
    """RELIABILITY 2: a stranger's report is text on every page, in both languages, at every width; nothing runs."""

    def test_read_by_anybody(
        self,
        transactional_db: None,
        visit: Callable[..., Visitor],
        tmp_path: Path,
        dress: str,
        wishes: dict[str, object],
    ) -> None:
        visitor = visit(**wishes)
        page = drop(visitor, tmp_path, nasty())
        assert poke(page) == []
        visitor.picture(f"read-nasty-{dress}")
        assert visitor.faults() == []
        assert page.locator("main script, main img, main svg[onload]").count() == 0
        assert page.locator("main a[href^=javascript]").count() == 0

    def test_on_its_owners_pages(
        self, ours: Organisation, visit: Callable[..., Visitor], dress: str, wishes: dict[str, object]
    ) -> None:
        domain = support_web.ready(ours)
        apart(digested, arrival(mail(nasty()), domain))
        row = Report.objects.of(ours).get()
        visitor = visit(**wishes).sign_in()
        visitor.context.add_init_script(HOOKS)
        found = {}
        for name, path in {"report-nasty": f"/reports/{row.pk}/", "received-nasty": "/reports/received/"}.items():
            page = visitor.go(path)
            ran = poke(page)
            visitor.picture(f"{name}-{dress}")
            found[name] = ran + visitor.faults()
        assert found == {"report-nasty": [], "received-nasty": []}


@pytest.fixture
def world(ours: Organisation) -> HostedDomain:
    """Reports of each kind about one domain, and what could not be read."""
    domain = support_web.ready(ours)
    expired = detail(
        "certificate-expired",
        17,
        receiving_mx_hostname="mx2.correio.example",
        receiving_ip="192.0.2.25",
        sending_mta_ip="198.51.100.7",
        failure_reason_code="certificate has expired",
        additional_information="https://support.example/tls",
    )
    plain = detail("starttls-not-supported", 3, receiving_mx_hostname="mx3.correio.example")
    current = bytes(domain.standing.current.body).decode().split("\r\n")[:-1]
    apart(reported, domain, policy(successful=980, details=[expired, plain], strings=current))
    both = (policy(successful=2), policy(policy_type="tlsa", successful=2))
    apart(
        reported, domain, *both, submitter="microsoft.com", organization_name="Microsoft Corporation", trust=Trust.NONE
    )
    never = policy(details=[detail("validation-failure", 4, failure_reason_code="MX_HOSTS_MISMATCH")], strings=STS[:2])
    apart(reported, domain, never, submitter="mail.ru", organization_name="mail.ru", trust=Trust.HTTPS)
    apart(digested, arrival(b"From: a@b.example\r\nSubject: hello\r\n\r\nhello\r\n", domain))
    apart(digested, arrival(report_json(policy("elsewhere.example")), domain))
    now = timezone.now()
    recipients = Recipient.objects.everywhere()
    recipients.create(domain=domain, address="postmaster@example.net", created_by="ana", confirmed_at=now, asked_at=now)
    recipients.create(domain=domain, address="ops@example.org", created_by="ana", asked_at=now - timedelta(hours=2))
    return domain


@pytest.mark.parametrize(("dress", "wishes"), DRESSES)
def test_every_page_of_reports_one_by_one(
    world: HostedDomain, visit: Callable[..., Visitor], dress: str, wishes: dict[str, object]
) -> None:
    """UX: axe finds nothing, nothing is clipped, no console error, light and dark, in both languages."""
    visitor, found = visit(**wishes).sign_in(), {}
    raws = RawReport.objects.everywhere()
    assert {state: raws.filter(state=state).count() for state in (RawState.PARKED, RawState.FOREIGN)} == {
        RawState.PARKED: 1,
        RawState.FOREIGN: 1,
    }
    pages = {
        "received": "/reports/received/",
        "received-parked": "/reports/received/?state=parked",
        "received-foreign": "/reports/received/?state=foreign",
        "retention": "/settings/reports/",
        **{f"report-{number}": f"/reports/{row.pk}/" for number, row in enumerate(world.reports.all(), 1)},
        "tlsrpt": "/domains/correio.example/",
    }
    for name, path in pages.items():
        page = visitor.go(path)
        page.evaluate("for (const each of document.querySelectorAll('main details.fold')) each.open = true")
        visitor.picture(f"{name}-{dress}")
        found[name] = visitor.faults()
    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize(("dress", "wishes"), DRESSES)
def test_what_is_read_in_public(
    transactional_db: None, visit: Callable[..., Visitor], tmp_path: Path, dress: str, wishes: dict[str, object]
) -> None:
    """UX, page 6: drop a file, see it explained, nothing kept."""
    visitor = visit(**wishes)
    visitor.go("/read/")
    visitor.picture(f"read-{dress}")
    assert visitor.faults() == []
    body = report_json(policy(successful=97, details=[detail(failed=3, receiving_mx_hostname="mx1.correio.example")]))
    page = drop(visitor, tmp_path, mail(body), "report.eml")
    expect(page.locator(".callout")).to_contain_text("3")
    visitor.picture(f"read-report-{dress}")
    assert visitor.faults() == []
    page = drop(visitor, tmp_path, json.dumps({"a": 1}).encode())
    visitor.picture(f"read-problem-{dress}")
    visitor.problems[:] = [each for each in visitor.problems if "400 (Bad Request)" not in each]
    assert visitor.faults() == []


def test_without_script(transactional_db: None, visit: Callable[..., Visitor], tmp_path: Path) -> None:
    """Every form works as a plain POST."""
    visitor = visit(script=False)
    page = visitor.go("/read/")
    page.fill("#text", report_json(policy(successful=5)).decode())
    page.click("main form button.primary")
    expect(page.locator(".callout b")).to_have_text("Google Inc.: 5 sessions, and none failed.")


def test_a_file_that_is_dropped(transactional_db: None, visit: Callable[..., Visitor]) -> None:
    visitor = visit()
    page = visitor.go("/read/")
    page.evaluate(
        """(text) => {
          const held = new DataTransfer();
          held.items.add(new File([text], "report.json"));
          const place = document.querySelector("[data-drop]");
          for (const kind of ["dragover", "drop"])
            place.dispatchEvent(new DragEvent(kind, {dataTransfer: held, bubbles: true, cancelable: true}));
        }""",
        report_json(policy(successful=5)).decode(),
    )
    assert page.evaluate("document.querySelector('#file').files[0].name") == "report.json"
    page.click("main form button.primary")
    expect(page.locator(".callout b")).to_have_text("Google Inc.: 5 sessions, and none failed.")


def test_a_recipient_says_yes_on_the_page_and_not_by_the_link(
    world: HostedDomain, visit: Callable[..., Visitor]
) -> None:
    """Mail scanners follow links: looking at the page confirms nothing."""
    row = Recipient.objects.everywhere().get(address="ops@example.org")
    visitor = visit()
    page = visitor.go(f"/recipients/confirm/{token_of(row)}/")
    visitor.picture("recipient-1360")
    assert visitor.faults() == []
    row.refresh_from_db()
    assert row.confirmed_at is None
    page.click("main form button.primary")
    expect(page.locator("main .s-ok")).to_contain_text("ops@example.org gets a copy of each TLS report")
    row.refresh_from_db()
    assert row.confirmed_at is not None
