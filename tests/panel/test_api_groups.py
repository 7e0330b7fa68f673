"""By the API: lists of domains, records, the log and its chain, tokens."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone
from tests import support_web
from tests.support_api import Program, key_of

from trinco.panel.accounts import people
from trinco.panel.accounts.models import Organisation, TokenScope
from trinco.panel.api.lately import SIGN_IN_AGAIN
from trinco.panel.api.tokens import A_PERSON
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.imports import imports_due
from trinco.panel.policies.instructions import TEXTS

LIST = b"um.example,mx.um.example\nno_name\ndois.example\n"


@pytest.fixture
def program(ours: Organisation) -> Program:
    return Program(key_of(support_web.owner_of(ours), TokenScope.ADMIN))


class TestImports:
    """Issue 5: progress, each bad line named with its reason, restartable."""

    def test_from_the_list_to_its_lines(self, program: Program) -> None:
        made = program.send("POST", "/imports", LIST, Content_Type="text/csv").json()
        assert {name: made[name] for name in ("state", "lines", "refused", "waiting")} == {
            "state": "running",
            "lines": 3,
            "refused": 1,
            "waiting": 2,
        }
        stopped = program.send("POST", f"/imports/{made['id']}/stop").json()
        assert (stopped["state"], imports_due(timezone.now())) == ("stopped", 0)
        assert program.send("POST", f"/imports/{made['id']}/continue").json()["state"] == "running"
        imports_due(timezone.now())
        assert program.json(f"/imports/{made['id']}")["added"] == 2
        (refused,) = program.json(f"/imports/{made['id']}/lines?result=refused")["rows"]
        assert (refused["line"], refused["text"], refused["reason"]) == (2, "no_name", "name")

    def test_pages_of_lines(self, program: Program) -> None:
        key = program.send("POST", "/imports", LIST, Content_Type="text/csv").json()["id"]
        first = program.json(f"/imports/{key}/lines?limit=2")
        rest = program.json(f"/imports/{key}/lines?limit=2&cursor={first['next']}")
        assert [row["line"] for page in (first, rest) for row in page["rows"]] == [1, 2, 3]
        assert rest["next"] is None

    @pytest.mark.parametrize(
        ("body", "media_type", "status"),
        [
            (LIST, "application/json", 415),
            (b"\xff\xfe", "text/csv", 422),
            (b"\n\n", "text/csv", 422),
            (b"a" * (1024 * 1024 + 1), "text/csv", 413),
        ],
    )
    def test_what_is_no_list(self, program: Program, body: bytes, media_type: str, status: int) -> None:
        assert program.send("POST", "/imports", body, Content_Type=media_type).status_code == status


class TestRecords:
    def test_in_each_form(self, program: Program, domain: HostedDomain) -> None:
        told = {form: program.get(f"/domains/{domain.name}/records?format={form}").content.decode() for form in TEXTS}
        assert told == {form: text(domain) for form, text in TEXTS.items()}
        assert [row["type"] for row in program.json(f"/domains/{domain.name}/records")["records"]] == ["CNAME"] * 3

    def test_in_a_form_that_is_none(self, program: Program, domain: HostedDomain) -> None:
        assert program.problem(f"/domains/{domain.name}/records?format=bind") == (400, "Bad Request", "format")


class TestLog:
    def test_its_chain_holds(self, program: Program) -> None:
        (line,) = program.json("/activity?action=token.created")["rows"]
        assert program.json("/activity/chain") == {
            "whole": True,
            "lines": 1,
            "loose": 0,
            "digest": line["digest"],
            "broken": None,
        }


class TestOrganisation:
    def test_what_is_not_sent_stays_as_it_is_meanwhile(
        self, ours: Organisation, program: Program, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A new name does not take back the demand that somebody made since the request was read."""
        deed = people.set_organisation

        def later(**facts: Any) -> Any:
            Organisation.objects.filter(pk=ours.pk).update(mfa_required=True)
            return deed(**facts)

        monkeypatch.setattr(people, "set_organisation", later)
        told = program.send("PATCH", "/organisation", {"name": "Nova"}).json()
        ours.refresh_from_db()
        assert (told["name"], told["mfa_required"], ours.name, ours.mfa_required) == ("Nova", True, "Nova", True)


class TestTokens:
    """What is revoked has left nothing behind: a token makes no token, a person does."""

    def test_a_token_makes_none(self, program: Program) -> None:
        answer = program.send("POST", "/tokens", {"name": "x"})
        assert (answer.status_code, answer.json()["detail"]) == (403, A_PERSON)
        assert len(program.json("/tokens")["rows"]) == 1

    def test_its_key_is_told_once(self, ours: Organisation, program: Program) -> None:
        client = support_web.signed_in(support_web.owner_of(ours))
        made = client.post("/api/v1/tokens", {"name": "x"}, content_type="application/json").json()
        assert Program(made["key"]).get("/domains").status_code == 200
        assert [set(row) & {"key", "digest"} for row in program.json("/tokens")["rows"]] == [set(), set()]
        assert program.send("DELETE", f"/tokens/{made['id']}").status_code == 204
        assert Program(made["key"]).get("/domains").status_code == 401

    def test_a_browser_that_was_left_alone_makes_none(self, ours: Organisation) -> None:
        client = support_web.browser(support_web.owner_of(ours))
        answer = client.post("/api/v1/tokens", {"name": "x"}, content_type="application/json")
        assert (answer.status_code, answer.json()["detail"]) == (403, SIGN_IN_AGAIN)
