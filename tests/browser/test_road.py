"""The road, end to end: the whole product as `make run` starts it, a person in a browser, and senders beside it."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests import support_serve
from tests.support_browser import Visitor
from tests.support_serve import Server

pytestmark = pytest.mark.timeout(1200)

DOMAIN = "novo.example"
RECORDS = ("mta-sts", "_mta-sts", "_smtp._tls")
ID = re.compile(r"v=STSv1; id=([A-Za-z0-9]{1,32});")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = support_serve.start(tmp_path_factory.mktemp("road"))
    yield running
    running.process.terminate()
    running.process.wait(60)


@pytest.fixture
def visitor(chromium: Browser, server: Server, pictures: Path | None) -> Iterator[Visitor]:
    somebody = Visitor(chromium, server.told["panel"], pictures)
    yield somebody
    assert somebody.problems == []
    somebody.leave()


def sign_in(visitor: Visitor, email: str, password: str) -> Page:
    page = visitor.go("/account/login/")
    page.fill("#id_login", email)
    page.fill("#id_password", password)
    page.click("main form button[type=submit]")
    page.wait_for_url(f"{visitor.home}/")
    return page


def curl(server: Server) -> str:
    """The policy of the domain, by its own name under the development root, as the greeting tells people to fetch it."""
    options = ["--silent", "--show-error", "--max-time", "60", "--cacert", server.told["ca"]]
    options += ["--connect-to", f"::{server.told['policy']}"]
    url = f"https://mta-sts.{DOMAIN}/.well-known/mta-sts.txt"
    return subprocess.run(["curl", *options, url], capture_output=True, check=True, timeout=300).stdout.decode()


def dig(server: Server, name: str) -> list[str]:
    """What the customer's own name leads to, CNAME first. Asked again where a busy machine gave no answer in time."""
    host, _, port = server.told["zones"].rpartition(":")
    command = ["dig", f"@{host}", "-p", port, "+short", "+time=5", name, "TXT"]
    ends = time.monotonic() + 60
    while not (said := subprocess.run(command, capture_output=True, check=False, timeout=300).stdout.decode()):
        assert time.monotonic() < ends
    return said.splitlines()


def announced(server: Server) -> str:
    found = ID.search(" ".join(dig(server, f"_mta-sts.{DOMAIN}")))
    assert found
    return found[1]


@dataclass
class Prober:
    """Sees when the body and when the id change: the id is read before the body, as senders do (RFC 8461 3.3)."""

    server: Server
    body: str
    id: str
    changed: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        while not self.over.is_set() and len(self.changed) < 2:
            seen_id, (status, seen_body) = self._id(), support_serve.fetch(self.server, DOMAIN)
            if status == 200 and seen_body != self.body and "body" not in self.changed:
                self.changed.append("body")
            if seen_id not in {"", self.id} and "id" not in self.changed:
                self.changed.append("id")
            time.sleep(0.02)

    def _id(self) -> str:
        found = ID.search(str(support_serve.ask(self.server, f"_mta-sts.{DOMAIN}", "TXT")))
        return found[1] if found else ""


def while_watched(server: Server, deed: Callable[[], None]) -> list[str]:
    """In which order body and id change after a deed, seen within a minute."""
    prober = Prober(server, curl(server), announced(server))
    thread = threading.Thread(target=prober.watch)
    thread.start()
    deed()
    thread.join(60)
    prober.over.set()
    thread.join()
    return prober.changed


class TestRoad:
    """Issue 2: three CNAMEs once, then the mode changes at a click, the body before the id (RFC 8461 8.1)."""

    def test_from_nothing_to_enforce_and_back(
        self, server: Server, visitor: Visitor, needs: Callable[[str], str]
    ) -> None:
        needs("curl")
        needs("dig")
        page = sign_in(visitor, **server.told["login"])
        self._set_up(page, visitor)
        assert "mode: testing\r\n" in curl(server)
        assert dig(server, f"_mta-sts.{DOMAIN}")[0].endswith(f".mta-sts.{server.told['base']}.")
        assert "v=TLSRPTv1;" in " ".join(dig(server, f"_smtp._tls.{DOMAIN}"))
        self._enforce(server, page, visitor)
        self._undo(server, page, visitor)

    def _set_up(self, page: Page, visitor: Visitor) -> None:
        page.get_by_role("link", name="Add domain").first.click()
        page.get_by_label("Mail domain").fill(DOMAIN)
        page.get_by_role("button", name="Add the domain").click()
        expect(page.get_by_label("Mail servers that may receive mail for this domain")).not_to_have_value("")
        page.get_by_role("button", name="Confirm the mail servers").click()
        expect(page.locator("#steps [aria-current=step]")).to_have_text("3Publish three records")
        wizard = page.url
        for record in RECORDS:
            page.goto("/playground/")
            zone = page.locator(f'[id="zone-{DOMAIN}"]')
            label = re.compile(rf"^Publish record in the customer’s zone {re.escape(record)}\.{re.escape(DOMAIN)}$")
            zone.get_by_role("button", name=label).click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Playground")
        page.goto(wizard)
        expect(page.locator("#rest")).to_contain_text("Your policy is live in testing mode", timeout=120_000)
        visitor.rest()
        visitor.picture("road-green")
        assert visitor.faults() == []

    def _enforce(self, server: Server, page: Page, visitor: Visitor) -> None:
        page.goto(f"/domains/{DOMAIN}/")
        page.get_by_label("Enforce").check()
        expect(page.locator("#confirm .diff")).to_contain_text("+ mode: enforce")
        visitor.rest()
        page.get_by_label("I have read the open check").check()  # no sender has reported yet
        button = page.locator("#confirm").get_by_role("button", name=re.compile("^Enforce"))
        assert while_watched(server, button.click) == ["body", "id"]
        assert "mode: enforce\r\n" in curl(server)
        expect(page.locator("#standing")).to_contain_text("Served by every edge, announced in DNS")
        visitor.picture("road-enforce")

    def _undo(self, server: Server, page: Page, visitor: Visitor) -> None:
        before = announced(server)
        page.goto(f"/domains/{DOMAIN}/")
        page.get_by_role("link", name="Undo").click()
        expect(page.locator(".diff")).to_contain_text("+ mode: testing")
        visitor.rest()
        assert while_watched(server, page.get_by_role("button", name="Undo").click) == ["body", "id"]
        assert "mode: testing\r\n" in curl(server)
        assert announced(server) > before

    def test_portuguese_and_a_phone(self, chromium: Browser, server: Server, pictures: Path | None) -> None:
        somebody = Visitor(chromium, server.told["panel"], pictures, width=390, language="pt")
        page = sign_in(somebody, **server.told["login"])
        expect(page.get_by_role("heading", level=1)).to_have_text("Visão geral")
        somebody.picture("road-overview-pt-390")
        assert somebody.faults() == []
        page.goto("/domains/correio.example/")
        expect(page.get_by_text("Impor", exact=True).first).to_be_visible()
        somebody.picture("road-domain-pt-390")
        assert somebody.faults() == []
        somebody.leave()

    def test_a_stranger_gets_404(self, chromium: Browser, server: Server, pictures: Path | None) -> None:
        """The playground lets anybody make an account, which has an organisation of its own."""
        stranger = Visitor(chromium, server.told["panel"], pictures)
        page = stranger.go("/account/signup/")
        page.fill("#id_email", "estranho@alhures.example")
        page.fill("#id_password1", "cavalo-pilha-correta-agrafo")
        if page.locator("#id_password2").count():
            page.fill("#id_password2", "cavalo-pilha-correta-agrafo")
        page.click("main form button[type=submit]")
        page.wait_for_url(f"{stranger.home}/")
        response = page.goto("/domains/correio.example/")
        assert response is not None
        assert response.status == 404
        stranger.leave()
