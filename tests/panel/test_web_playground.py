"""The playground's page: a made-up customer's zone, changed at a click."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client
from tests import support_panel, support_web

from trinco.panel.accounts.models import Organisation, Role
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies.instructions import instructions
from trinco.panel.web import playground
from trinco.playground import cast
from trinco.playground.senders import SENDERS

TOKEN = "a-token"


class Control(BaseHTTPRequestHandler):
    """The control interface as `trinco.playground.control` describes it, with one zone."""

    records: list[dict[str, str]]
    asked: list[tuple[str, str, Any]]

    def answer(self, status: int, value: Any) -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def taken(self) -> Any:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        self.asked.append((self.command, self.path, body))
        return body

    def do_GET(self) -> None:
        self.taken()
        if self.headers["Authorization"] != f"Bearer {TOKEN}":
            return self.answer(401, {"error": "no token"})
        zones = [{"name": "correio.example", "note": "a note", "records": self.records}]
        return self.answer(200, {"zones": zones})

    def do_POST(self) -> None:
        body = self.taken()
        if body["name"].startswith("taken."):
            return self.answer(409, {"error": "a CNAME cannot stand beside the TXT"})
        if self.path == "/reports":
            return self.answer(201, {"sender": "gigante-mail.example", "report_id": "1"})
        return self.answer(201, body)

    def do_DELETE(self) -> None:
        self.taken()
        self.answer(200, {"removed": 1})

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def control(settings: Any) -> Iterator[type[Control]]:
    """Playground mode, with this interface at the port after the name server's."""
    handler = type("Handler", (Control,), {"records": [], "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    listen = ("127.0.0.1", server.server_address[1] - 1)
    settings.CONFIG = replace(configured.CONFIG, playground=True, playground_listen=listen)
    token = settings.DATA / "playground.token"
    token.write_text(TOKEN)
    yield handler
    server.shutdown()
    server.server_close()
    token.unlink()


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    return support_panel.hosted(ours)


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


class TestPage:
    def test_the_three_records_of_a_domain_of_ours(
        self, control: type[Control], domain: HostedDomain, person: Client
    ) -> None:
        policy, announcement, _ = instructions(domain)
        control.records += [
            {"name": policy.owner, "type": "CNAME", "value": f"{policy.target}."},
            {"name": announcement.owner, "type": "TXT", "value": "v=STSv1; id=1"},
        ]
        text = support_web.text_of(person.get("/playground/"))
        assert f"mta-sts.correio.example CNAME Published {policy.target}. Remove mta-sts.correio.example" in text
        assert "_mta-sts.correio.example CNAME Not published TXT v=STSv1; id=1 Remove the TXT" in text
        assert "Publish record in the customer’s zone _smtp._tls.correio.example" in text

    def test_a_stranger_s_zone_shows_what_anybody_may_see(
        self, control: type[Control], domain: HostedDomain, theirs: Organisation
    ) -> None:
        page = support_web.browser(support_web.owner_of(theirs)).get("/playground/").content.decode()
        assert domain.label not in page

    def test_a_playground_that_is_away_is_said_to_be(
        self, control: type[Control], person: Client, settings: Any
    ) -> None:
        settings.CONFIG = replace(settings.CONFIG, playground_listen=("127.0.0.1", 1))
        assert "name server does not answer" in support_web.text_of(person.get("/playground/"))

    def test_the_set_up_leads_to_it(self, control: type[Control], person: Client) -> None:
        page = person.get("/domains/correio.example/setup/").content.decode()
        assert 'href="/playground/?zone=correio.example#zone-correio.example"' in page


RECORD = {"zone": "correio.example", "name": "mta-sts.correio.example", "type": "CNAME", "value": "l.policy.x."}


class TestChanges:
    @pytest.mark.parametrize(("deed", "method"), [("publish", "POST"), ("remove", "DELETE")])
    def test_a_click_reaches_the_zone(self, control: type[Control], person: Client, deed: str, method: str) -> None:
        answer = person.post("/playground/change/", {**RECORD, "do": deed})
        sent = {key: RECORD[key] for key in ("name", "type", "value")}
        assert control.asked == [(method, "/records", sent)]
        assert answer["Location"] == "/playground/?zone=correio.example"

    def test_what_dns_forbids_is_said(self, control: type[Control], person: Client) -> None:
        posted = {**RECORD, "name": "taken.correio.example", "do": "publish"}
        answer = person.post("/playground/change/", posted, follow=True)
        assert "a CNAME cannot stand beside the TXT" in support_web.text_of(answer)

    def test_another_deed_does_not_exist(self, control: type[Control], person: Client) -> None:
        assert person.post("/playground/change/", {**RECORD, "do": "burn"}).status_code == 404

    def test_a_viewer_changes_nothing(self, control: type[Control], domain: HostedDomain) -> None:
        viewer = support_web.browser(support_web.person("eva@example.com", domain.organisation, Role.VIEWER))
        assert viewer.post("/playground/change/", {**RECORD, "do": "publish"}).status_code == 403
        assert control.asked == []


class TestReport:
    """A visitor who has added a domain sees a report about it at once."""

    @staticmethod
    def live(domain: HostedDomain) -> None:
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(state=State.LIVE)

    def test_a_click_lets_a_sender_report(self, control: type[Control], domain: HostedDomain, person: Client) -> None:
        self.live(domain)
        control.records.append({"name": domain.name, "type": "A", "value": "127.0.1.10"})
        assert "Send a TLS report now correio.example" in support_web.text_of(person.get("/playground/"))
        answer = person.post("/playground/report/", {"zone": domain.name}, follow=True)
        assert ("POST", "/reports", {"name": "correio.example"}) in control.asked
        assert "gigante-mail.example has handed in a report" in support_web.text_of(answer)

    def test_only_about_a_live_domain_of_one_s_own(
        self, control: type[Control], domain: HostedDomain, person: Client, theirs: Organisation
    ) -> None:
        assert person.post("/playground/report/", {"zone": domain.name}).status_code == 404
        self.live(domain)
        stranger = support_web.browser(support_web.owner_of(theirs))
        assert stranger.post("/playground/report/", {"zone": domain.name}).status_code == 404
        assert control.asked == []

    def test_a_viewer_lets_nobody_report(self, control: type[Control], domain: HostedDomain) -> None:
        self.live(domain)
        viewer = support_web.browser(support_web.person("eva@example.com", domain.organisation, Role.VIEWER))
        assert viewer.post("/playground/report/", {"zone": domain.name}).status_code == 403
        assert control.asked == []

    def test_a_playground_that_is_away_is_said_to_be(
        self, control: type[Control], domain: HostedDomain, person: Client, settings: Any
    ) -> None:
        self.live(domain)
        settings.CONFIG = replace(settings.CONFIG, playground_listen=("127.0.0.1", 1))
        answer = person.post("/playground/report/", {"zone": domain.name})
        assert (answer.status_code, answer["Location"]) == (302, "/playground/?zone=correio.example")


class TestNotes:
    def test_what_the_playground_says_of_its_zones_is_known_here(self) -> None:
        """It may not import the panel, nor the panel it: its English notes are translated by their text."""
        around = cast.surroundings(cast.Delegation(configured.CONFIG.base, "ns1.trinco.example", ("127.0.0.2",)))
        zones = [*(zone for zone, _ in around), *(customer.zone for customer in cast.CUSTOMERS)]
        notes = {zone.note for zone in zones} | {sender.note for sender in SENDERS}
        assert notes == set(playground.NOTES)


class TestElsewhere:
    def test_outside_playground_mode_there_is_no_such_page(self, person: Client) -> None:
        answers = [
            person.get("/playground/"),
            person.post("/playground/change/", {"do": "publish"}),
            person.post("/playground/report/", {"zone": "correio.example"}),
        ]
        assert [answer.status_code for answer in answers] == [404, 404, 404]
