"""A provider's road: domains of three clients by one list, a client's people, who did what, and out again."""

from __future__ import annotations

import csv
import email
import email.policy
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect
from tests import support_nginx, support_serve
from tests.browser.test_road import sign_in
from tests.support_browser import Visitor
from tests.support_nginx import Answer
from tests.support_serve import Server

pytestmark = pytest.mark.timeout(1200)

DOMAIN = "novo.example"
CLIENTS = ("Norte, Lda.", "Sul", "Ilhas")
PASSWORD = "cavalo-pilha-correta-agrafo"
FEW, MANY = 12, 500
STRANGER = "mta-sts.alheio.example"
Come = Callable[..., Visitor]


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = support_serve.start(tmp_path_factory.mktemp("provider"))
    yield running
    running.process.terminate()
    running.process.wait(60)


@pytest.fixture
def come(chromium: Browser, server: Server, pictures: Path | None) -> Iterator[Come]:
    """Somebody new in front of the pages."""
    visitors: list[Visitor] = []

    def new(**wishes: object) -> Visitor:
        visitors.append(Visitor(chromium, server.told["panel"], pictures, **wishes))  # type: ignore[arg-type]
        return visitors[-1]

    yield new
    assert [problem for each in visitors for problem in each.problems] == []
    for each in visitors:
        each.leave()


def the_list(domains: int) -> str:
    """As a spreadsheet writes it: so many domains, and four lines that cannot be taken."""
    names = [DOMAIN, *(f"d{number:03}.clientes.example" for number in range(1, domains))]
    out = io.StringIO()
    lines = csv.writer(out, delimiter=";")
    lines.writerow(["Domain", "Client", "MX"])
    for number, name in enumerate(names):
        lines.writerow([name, CLIENTS[number % 3], f"mx1.{name} mx2.{name}"])
    lines.writerows([["=1+1", "Sul"], ["a.clientes.example", "Oeste"], [DOMAIN, "Sul"], ["b.clientes.example", ""]])
    return "\ufeff" + out.getvalue()


def shares(domains: int) -> list[int]:
    """How many of them each client has."""
    return [len(range(client, domains, 3)) for client in range(3)]


class TestProvider:
    """Issue 5: a provider imports domains for three clients, a client's editor sets one to enforce, its viewer cannot,
    the provider sees who did it, exports, and leaves with the static bundle, which nginx serves unchanged."""

    @pytest.mark.parametrize("domains", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
    def test_from_the_list_to_the_bundle(
        self, domains: int, server: Server, come: Come, tmp_path: Path, needs: Callable[[str], str]
    ) -> None:
        provider = come()
        page = sign_in(provider, **server.told["login"])
        norte = self._make_clients(page)
        self._import(page, provider, tmp_path, domains)
        editor = self._invited(server, come, page, norte, "editora@norte.example", "editor")
        viewer = self._invited(server, come, page, norte, "leitor@norte.example", "viewer")
        self._enforce(editor, norte)
        self._look_on(viewer, norte)
        self._see_who(page, provider, norte)
        names = self._leave(page, norte, tmp_path / "bundle")
        assert len(names) == shares(domains)[0]
        answers = support_nginx.asked(needs, tmp_path / "bundle", [f"mta-sts.{name}" for name in names], [STRANGER])
        self._unchanged(server, names, answers)

    def _make_clients(self, page: Page) -> str:
        """The first one's address."""
        roots = []
        for name in CLIENTS:
            page.goto("/clients/")
            page.get_by_label("Name of the client").fill(name)
            page.get_by_role("button", name="Add it").click()
            expect(page.get_by_role("heading", level=1)).to_have_text("People")
            roots.append(page.url.removesuffix("people/"))
        return roots[0]

    def _import(self, page: Page, provider: Visitor, tmp_path: Path, domains: int) -> None:
        (tmp_path / "clientes.csv").write_text(the_list(domains), "utf-8")
        page.goto("/")
        page.get_by_role("link", name="Add domain").first.click()
        page.get_by_role("link", name="Add many at once…").click()
        expect(page.locator("#text-help")).to_contain_text("example.com;Ilhas;mx1.example.com")
        provider.picture("provider-import-form")
        assert provider.faults() == []
        page.get_by_label("or choose a CSV file of up to 1 MiB").set_input_files(tmp_path / "clientes.csv")
        page.get_by_role("button", name="Add the domains").click()
        expect(page.locator("#h-state")).to_have_text("Done", timeout=120_000)
        provider.rest()
        expect(page.locator("#import .kpi b")).to_have_text([str(domains), "0", "4", "0"])
        told = page.locator("section[aria-labelledby=h-bad] tbody tr")
        expect(told).to_contain_text(
            [
                re.compile(rf"{domains + 2}=1\+1.*contains a character that no domain name has", re.DOTALL),
                re.compile(f"{domains + 3}.*You and your clients have no organisation “Oeste”.", re.DOTALL),
                re.compile(f"{domains + 4}.*Stands in line 2 already.", re.DOTALL),
                re.compile(f"{domains + 5}.*The line names no organisation.", re.DOTALL),
            ]
        )
        added = page.locator("section[aria-labelledby=h-clients] tbody tr")
        norte, sul, ilhas = shares(domains)
        expect(added).to_have_text(
            [re.compile(rf"^Ilhas\s*{ilhas}"), re.compile(rf"^Norte, Lda\.\s*{norte}"), re.compile(rf"^Sul\s*{sul}")]
        )
        provider.picture("provider-import-done")
        assert provider.faults() == []

    def _invited(self, server: Server, come: Come, page: Page, root: str, address: str, role: str) -> Page:
        """Somebody who was asked by mail, and has said yes."""
        page.goto(f"{root}people/")
        page.get_by_label("E-mail address").fill(address)
        page.locator("#id_role").select_option(role)
        page.get_by_role("button", name="Invite", exact=True).click()
        expect(page.get_by_role("table").last).to_contain_text(address)
        person = come()
        person.go(self._link(server, address))
        person.page.get_by_label("Choose a password").fill(PASSWORD)
        person.picture(f"provider-joining-{role}")
        person.page.get_by_role("button", name="Join").click()
        expect(person.page.get_by_role("heading", level=1)).to_have_text("Overview")
        person.picture(f"provider-overview-{role}")
        assert person.faults() == []
        return person.page

    @staticmethod
    def _link(server: Server, address: str) -> str:
        """In the mail to this address."""
        for path in (server.data / "mail").iterdir():
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            if mail["To"] == address:
                found = re.search(r"https?://\S+/invitations/\S+", mail.get_content())
                assert found
                return found[0]
        raise AssertionError(address)

    def _enforce(self, page: Page, root: str) -> None:
        page.goto(f"{root}domains/{DOMAIN}/setup/")
        for record in ("mta-sts", "_mta-sts", "_smtp._tls"):
            page.goto(f"{root}playground/?zone={DOMAIN}")
            label = re.compile(rf"^Publish record in the customer’s zone {re.escape(record)}\.{re.escape(DOMAIN)}$")
            page.locator(f'[id="zone-{DOMAIN}"]').get_by_role("button", name=label).click()
            expect(page.get_by_role("heading", level=1)).to_have_text("Playground")
        page.goto(f"{root}domains/{DOMAIN}/setup/")
        expect(page.locator("#rest")).to_contain_text("Your policy is live in testing mode", timeout=120_000)
        page.goto(f"{root}domains/{DOMAIN}/")
        page.get_by_label("Enforce").check()
        expect(page.locator("#confirm .diff")).to_contain_text("+ mode: enforce")
        page.get_by_label(re.compile("^I have read the .*open check")).check()  # no sender has reported yet
        page.locator("#confirm").get_by_role("button", name=re.compile("^Enforce")).click()
        expect(page.locator("#standing")).to_contain_text("Served by every edge, announced in DNS")

    def _look_on(self, page: Page, root: str) -> None:
        """A viewer sees the domain, no way to change it, and no other way changes it."""
        page.goto(f"{root}domains/{DOMAIN}/")
        expect(page.locator("#standing")).to_contain_text("Served by every edge, announced in DNS")
        assert [each.is_disabled() for each in page.get_by_role("radio").all()] == [True] * 3
        expect(page.locator("main form button")).to_have_count(0)
        for path in (f"domains/{DOMAIN}/policy/", "domains/mode/"):
            status, told = self._forged(page, f"{root}{path}")
            assert (status, "Your role does not allow this." in told) == (403, True)
        page.reload()
        expect(page.locator("main")).to_contain_text("Enforce")

    @staticmethod
    def _forged(page: Page, address: str) -> tuple[int, str]:
        """What a form gets that no page shows to a viewer, with all that its fields would say."""
        token = page.locator("[name=csrfmiddlewaretoken]").first.get_attribute("value")
        form = {"csrfmiddlewaretoken": token or "", "mode": "none", "confirm": "1", "domain": DOMAIN, "version": "2"}
        headers = {"Origin": page.url.split("/o/")[0], "Referer": page.url}
        answer = page.request.post(address, form=form, headers=headers)
        return answer.status, answer.text()

    def _see_who(self, page: Page, provider: Visitor, root: str) -> None:
        page.goto("/clients/")
        page.get_by_label("Client", exact=True).select_option("Norte, Lda.")
        page.get_by_role("button", name="Show").last.click()
        expect(page).to_have_url(re.compile(r"\?client=\d"))
        provider.picture("provider-clients")
        assert provider.faults() == []
        page.goto(f"{root}activity/?domain={DOMAIN}")
        first = page.locator("main tbody tr").first
        expect(first).to_contain_text("editora@norte.example")
        expect(first).to_contain_text("Testing → Enforce")
        expect(page.locator("main tbody tr").last).to_contain_text("ana@trinco.example")
        expect(page.locator("main tbody tr").last).to_contain_text("Atlântico")
        provider.picture("provider-activity")
        assert provider.faults() == []
        with page.expect_download() as going:
            page.get_by_role("link", name="CSV", exact=True).click()
        lines = list(csv.DictReader(io.StringIO(going.value.path().read_text())))
        (change,) = [each for each in lines if each["action"] == "policy.published"]
        assert (change["actor"], change["provider"], change["subject"]) == ("editora@norte.example", "", DOMAIN)
        assert {each["provider"] for each in lines if each["action"] == "domain.added"} == {"Atlântico"}

    def _leave(self, page: Page, root: str, bundle: Path) -> list[str]:
        """The domains of the bundle."""
        page.goto(root)
        page.get_by_role("link", name="Take it along").click()
        with page.expect_download() as going:
            page.get_by_role("link", name=re.compile(r"^\d+ domains \(ZIP\)$")).click()
        with zipfile.ZipFile(going.value.path()) as archive:
            archive.extractall(bundle)
        return sorted(each.name for each in bundle.iterdir() if each.is_dir())

    @staticmethod
    def _unchanged(server: Server, names: list[str], answers: dict[str, Answer]) -> None:
        """Octet for octet what our edge serves, and the others as they were imported; another host gets no handshake."""
        status, body = support_serve.fetch(server, DOMAIN)
        assert "mode: enforce\r\n" in body
        expected = {STRANGER: Answer(0)}
        for name in names:
            text = f"version: STSv1\r\nmode: testing\r\nmx: mx1.{name}\r\nmx: mx2.{name}\r\nmax_age: 86400\r\n"
            expected[f"mta-sts.{name}"] = Answer(200, "text/plain", text.encode())
        assert answers == {**expected, f"mta-sts.{DOMAIN}": Answer(status, "text/plain", body.encode())}
