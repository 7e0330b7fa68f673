"""By the API: a provider's label, by the rules of its page."""

from __future__ import annotations

from typing import Any

import pytest
from tests import support_conformance, support_panel, support_web
from tests.support_api import Program, key_of, problem
from tests.support_api_walk import headers_of
from tests.support_labels import HOST, client_of, drawn, labelled, proven

from trinco.panel.accounts import labels
from trinco.panel.accounts.models import AuditEntry, HostClaim, Label, Logo, Organisation, Role, TokenScope

LABEL = "/organisation/label"
WANTED = {"product": "Correio Seguro", "accent": "#0B6E4F", "powered": False}
TOLD = {
    "product": "Correio Seguro",
    "accent": "#0b6e4f",
    "accent_dark": "#5b9e89",
    "powered": False,
    "logo": None,
    "logo_dark": None,
    "host": None,
}


@pytest.fixture
def program(ours: Organisation) -> Program:
    return Program(key_of(support_web.owner_of(ours), TokenScope.ADMIN))


def sent(program: Program, theme: str, data: bytes, kind: str = "image/png") -> Any:
    return program.send("PUT", f"{LABEL}/logo/{theme}", data, Content_Type=kind)


class TestLook:
    """Issue 5: the REST API does everything that the pages can do."""

    def test_kept_and_told(self, ours: Organisation, program: Program) -> None:
        assert program.send("PUT", LABEL, WANTED).json() == TOLD
        assert program.json(LABEL) == TOLD
        line = AuditEntry.objects.of(ours).get(action="label.changed")
        assert (line.token, line.after["product"]) == (program.headers["Authorization"][7:22], "Correio Seguro")

    def test_nobody_has_one_to_begin_with(self, program: Program) -> None:
        assert program.problem(LABEL) == (404, "Not Found", None)
        assert program.send("DELETE", LABEL).status_code == 404
        assert sent(program, "light", drawn()).status_code == 404
        assert program.send("PUT", f"{LABEL}/host", {"host": HOST}).status_code == 404

    def test_a_faint_colour_gets_the_nearest_that_can_be_read(self, program: Program) -> None:
        answer = program.send("PUT", LABEL, {**WANTED, "accent": "#ffd400"})
        told = answer.json()
        assert problem(answer) == (422, "Accent colour too faint", None)
        assert (told["contrast"], told["nearest"]) == (1.3, "#826c00")
        assert not Label.objects.exists()
        assert program.send("PUT", LABEL, {**WANTED, "accent": told["nearest"]}).status_code == 200

    @pytest.mark.parametrize(
        ("changed", "pointer"),
        [
            ({"accent": "red"}, "/accent"),
            ({"product": ""}, "/product"),
            ({"product": "a\u202eb"}, "/product"),
            ({"product": "x" * 61}, "/product"),
            ({"host": HOST}, "/host"),
        ],
    )
    def test_what_is_no_look(self, program: Program, changed: dict[str, str], pointer: str) -> None:
        answer = program.send("PUT", LABEL, {**WANTED, **changed})
        assert (answer.status_code, [each["pointer"] for each in answer.json()["errors"]]) == (422, [pointer])

    def test_removed(self, ours: Organisation, program: Program) -> None:
        proven(labelled(ours))
        assert program.send("DELETE", LABEL).status_code == 204
        assert (Label.objects.exists(), HostClaim.objects.of(ours).exists()) == (False, False)


class TestLogo:
    def test_each_theme_has_its_own(self, ours: Organisation, program: Program) -> None:
        program.send("PUT", LABEL, WANTED)
        light = sent(program, "light", drawn()).json()
        told = sent(program, "dark", drawn("WEBP", shade="#ffffff"), "image/webp").json()
        assert told["logo"] == light["logo"] != told["logo_dark"]
        assert {row.digest for row in Logo.objects.of(ours)} == {told["logo"], told["logo_dark"]}
        assert program.send("PUT", LABEL, WANTED).json() == told
        assert program.send("DELETE", f"{LABEL}/logo/light").json() == {**told, "logo": None}
        assert Logo.objects.of(ours).get().digest == told["logo_dark"]

    @pytest.mark.parametrize(
        ("data", "kind", "status"),
        [
            (b"<svg/>", "image/png", 422),
            (drawn()[:60], "image/png", 422),
            (drawn("GIF"), "image/png", 422),
            (drawn(), "image/svg+xml", 415),
            (b"\x89PNG" + bytes(512 * 1024), "image/png", 413),
        ],
    )
    def test_what_is_no_logo(self, ours: Organisation, program: Program, data: bytes, kind: str, status: int) -> None:
        labelled(ours)
        assert sent(program, "light", data, kind).status_code == status
        assert not Logo.objects.of(ours).exists()

    def test_there_are_two_themes(self, ours: Organisation, program: Program) -> None:
        labelled(ours)
        assert problem(sent(program, "sepia", drawn())) == (400, "Bad Request", "theme")


class TestHost:
    """A host is a provider's once DNS says so, however it is asked for."""

    def test_wanted_proven_and_given_up(self, ours: Organisation, program: Program) -> None:
        label = labelled(ours)
        told = program.send("PUT", f"{LABEL}/host", {"host": "TLS.Provedor.example."}).json()["host"]
        claim = HostClaim.objects.of(ours).get()
        record = {"name": f"_trinco.{HOST}", "type": "TXT", "value": f"trinco-host={claim.token}"}
        assert told == {"name": HOST, "record": record, "state": "waiting", "looked_at": None, "address": None}
        proven(label)
        told = program.send("POST", f"{LABEL}/host/check").json()["host"]
        assert (told["state"], told["address"]) == ("proven", labels.root(label))
        assert program.send("DELETE", f"{LABEL}/host").status_code == 204
        assert [program.send(*each).status_code for each in _about_no_host()] == [404, 404]

    @pytest.mark.parametrize("name", ["x", "192.0.2.1", "a b.example", "https://x.example", "co.uk"])
    def test_what_is_no_host(self, ours: Organisation, program: Program, name: str) -> None:
        labelled(ours)
        answer = program.send("PUT", f"{LABEL}/host", {"host": name})
        assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (422, "/host")

    def test_one_of_ours(self, ours: Organisation, program: Program) -> None:
        labelled(ours)
        answer = program.send("PUT", f"{LABEL}/host", {"host": "trinco.example"})
        assert problem(answer) == (422, "Name of this installation", None)


def _about_no_host() -> list[tuple[str, str]]:
    return [("DELETE", f"{LABEL}/host"), ("POST", f"{LABEL}/host/check")]


class TestWhose:
    def test_a_client_has_its_providers(self, ours: Organisation) -> None:
        labelled(ours)
        _client, eva = client_of(ours)
        program = Program(key_of(eva, TokenScope.ADMIN))
        assert program.problem(LABEL) == (404, "Not Found", None)
        assert program.send("PUT", LABEL, WANTED).status_code == 404

    def test_an_owner_alone(self, ours: Organisation) -> None:
        admin = support_web.person("tim@example.com", ours, Role.ADMIN)
        assert Program(key_of(admin, TokenScope.ADMIN)).send("PUT", LABEL, WANTED).status_code == 403
        policies = Program(key_of(support_web.owner_of(ours), TokenScope.POLICY_WRITE))
        assert policies.send("PUT", LABEL, WANTED).status_code == 403

    def test_another_provider_has_its_own(self, ours: Organisation, program: Program) -> None:
        labelled(ours)
        other = support_panel.organisation("rui@example.net")
        theirs = Program(key_of(support_web.owner_of(other), TokenScope.ADMIN))
        assert theirs.problem(LABEL) == (404, "Not Found", None)
        assert theirs.send("PUT", LABEL, {"product": "Outro"}).json()["product"] == "Outro"
        assert program.json(LABEL)["product"] == "Correio Seguro"


class TestConformance:
    """Issue 5: schemathesis runs against it. The walk is a client's, which has no label."""

    def test_a_few_requests_to_each(self, ours: Organisation) -> None:
        headers = headers_of(key_of(support_web.owner_of(ours), TokenScope.ADMIN))
        with support_conformance.held():
            labelled(ours)
            for found in support_conformance.document().get_all_operations():
                operation = found.ok()
                if "/organisation/label" in operation.path:
                    support_conformance.tried(
                        operation, headers, {"theme": "light"} if "{theme}" in operation.path else {}, 4
                    )
