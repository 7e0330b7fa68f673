"""The API writes: domains are added, set up, looked at, and left."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from tests import support_panel, support_web
from tests.support_api import Program, key_of, problem

from trinco.panel.accounts.models import AuditEntry, Organisation, Role
from trinco.panel.domains.models import HostedDomain, State

NAME = "novo.example"


@pytest.fixture
def owner(ours: Organisation) -> Program:
    return Program(key_of(support_web.owner_of(ours), "policy:write"))


def hosted(name: str = NAME) -> HostedDomain:
    return HostedDomain.objects.everywhere().exclude(state=State.GONE).get(name=name)


def log(organisation: Organisation) -> list[tuple[str, str, str]]:
    """The deeds of programs, with the prefix of the token that did them, the oldest first."""
    lines = AuditEntry.objects.of(organisation).exclude(token="").order_by("pk")
    return [(line.action, line.subject, line.token) for line in lines]


class TestUpsert:
    """Issue 5: idempotent upsert of domains."""

    def test_added_once(self, owner: Program, ours: Organisation) -> None:
        answers = [owner.send("PUT", f"/domains/{NAME}") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 200]
        assert answers[0].json() == answers[1].json() == owner.json(f"/domains/{NAME}")
        assert (answers[0].json()["name"], answers[0].json()["state"], answers[0].json()["mode"]) == (
            NAME,
            "setup",
            None,
        )
        prefix = owner.headers["Authorization"][7:22]
        assert log(ours) == [("domain.added", NAME, prefix)]

    def test_set_up_in_one_go(self, owner: Program) -> None:
        wanted = {"mx": ["MX1.Novo.Example", "mx1.novo.example"], "tls_reporting": {"https": True}}
        answers = [owner.send("PUT", f"/domains/{NAME}", wanted) for _ in range(2)]
        assert [answer.status_code for answer in answers] == [201, 200]
        told = answers[1].json()
        assert (told["mode"], told["policy_number"]) == ("testing", 1)
        assert told["tls_reporting"] == {"on": True, "https": True, "trust_https": False}
        assert hosted().standing.current.mx == ["mx1.novo.example"]

    def test_names_as_people_write_them(self, owner: Program) -> None:
        assert owner.send("PUT", "/domains/câmara.example").json()["name"] == "xn--cmara-3qa.example"
        assert owner.send("PUT", "/domains/CÂMARA.example.").status_code == 200

    def test_other_mail_servers_are_the_policys(self, owner: Program) -> None:
        owner.send("PUT", f"/domains/{NAME}", {"mx": ["mx1.novo.example"]})
        answer = owner.send("PUT", f"/domains/{NAME}", {"mx": ["mx2.novo.example"]})
        assert problem(answer) == (409, "There is a policy already", None)

    @pytest.mark.parametrize("name", ["com", "a_b.example", "a@b.example", "x" * 300, "127.0.0.1", "a%00.example", "a\u202e.example"])  # fmt: skip
    def test_what_is_no_mail_domain(self, owner: Program, name: str) -> None:
        assert problem(owner.send("PUT", f"/domains/{name}")) == (400, "Bad Request", "name")
        assert HostedDomain.objects.everywhere().count() == 0

    def test_our_own_name(self, owner: Program) -> None:
        assert problem(owner.send("PUT", "/domains/x.trinco.example"))[0] in (400, 422)

    def test_a_stranger_waits_with_the_same_name(self, owner: Program, theirs: Organisation) -> None:
        owner.send("PUT", f"/domains/{NAME}")
        stranger = Program(key_of(support_web.owner_of(theirs), "policy:write"))
        assert stranger.send("PUT", f"/domains/{NAME}").status_code == 201
        assert HostedDomain.objects.everywhere().filter(name=NAME).count() == 2

    def test_dry(self, owner: Program) -> None:
        answer = owner.send("PUT", f"/domains/{NAME}?dry_run=true", {"mx": ["mx1.novo.example"]})
        assert (answer.status_code, answer.json()["mode"]) == (201, "testing")
        assert (
            HostedDomain.objects.everywhere().count(),
            AuditEntry.objects.everywhere().filter(token__gt="").count(),
        ) == (0, 0)
        assert problem(owner.send("PUT", f"/domains/{NAME}?dry_run=1")) == (400, "Bad Request", "dry_run")


class TestBodies:
    """Issue 5, bad input: no mass assignment, nothing that becomes a 500."""

    @pytest.mark.parametrize(
        ("body", "pointer"),
        [
            ({"state": "live"}, "/state"),
            ({"organisation_id": 1}, "/organisation_id"),
            ({"tls_reporting": {"on": "yes"}}, "/tls_reporting/on"),
            ({"tls_reporting": {"label": "x"}}, "/tls_reporting/label"),
            ({"mx": []}, "/mx"),
            ({"mx": ["mx.example\r\nmode: none"]}, "/mx/0"),
            ({"mx": ["ok.example", "*"]}, "/mx/1"),
            ({"mx": ["x.example"] * 101}, "/mx"),
            (b'{"mx": ["a.example"], "mx": ["b.example"]}', "/mx"),
            (b"\xff", ""),
            (b"[1]", ""),
        ],
    )
    def test_the_place_is_named(self, owner: Program, body: Any, pointer: str) -> None:
        answer = owner.send("PUT", f"/domains/{NAME}", body)
        assert problem(answer) == (422, "Body cannot be used", None)
        assert answer.json()["errors"][0]["pointer"] == pointer
        assert HostedDomain.objects.everywhere().count() == 0

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=latin1"]
    )
    def test_another_type(self, owner: Program, kind: str) -> None:
        answer = owner.send("PUT", f"/domains/{NAME}", b"{}", Content_Type=kind)
        assert problem(answer) == (415, "Unsupported Media Type", None)

    @pytest.mark.parametrize("size", [(1 << 20) + 1, 3 << 20])
    def test_a_large_one(self, owner: Program, size: int) -> None:
        assert problem(owner.send("PUT", f"/domains/{NAME}", b" " * size)) == (413, "Body too large", None)

    def test_a_wildcard_too_wide(self, owner: Program) -> None:
        answer = owner.send("PUT", f"/domains/{NAME}", {"mx": ["*.com"]})
        assert (problem(answer), answer.json()["pattern"]) == ((422, "Wildcard too wide", None), "*.com")
        assert HostedDomain.objects.everywhere().count() == 0


class TestSettingUp:
    def test_reporting(self, owner: Program, domain: HostedDomain) -> None:
        answer = owner.send("PATCH", f"/domains/{domain.name}", {"tls_reporting": {"on": False}})
        assert answer.json()["tls_reporting"] == {"on": False, "https": False, "trust_https": False}
        domain.refresh_from_db()
        assert domain.tlsrpt is False

    def test_records_of_ones_own(self, owner: Program, domain: HostedDomain) -> None:
        answer = owner.send("PATCH", f"/domains/{domain.name}", {"ways": {"tlsrpt": "txt"}})
        assert answer.json()["ways"] == {"host": "cname", "sts": "cname", "tlsrpt": "txt"}
        told = owner.json(f"/domains/{domain.name}/setup")["records"][2]
        assert (told["target"], [value["type"] for value in told["values"]]) == (None, ["TXT"])
        assert problem(owner.send("PATCH", f"/domains/{domain.name}", {"ways": {"host": "txt"}}))[0] == 422

    def test_how_far_it_is(self, owner: Program) -> None:
        owner.send("PUT", f"/domains/{NAME}", {"mx": ["mx1.novo.example"]})
        told = owner.json(f"/domains/{NAME}/setup")
        assert [step["step"] for step in told["steps"] if step["done"]] == ["added", "mail-servers-confirmed"]
        label = hosted().label
        assert [(each["owner"], each["target"], each["finding"]) for each in told["records"]] == [
            (f"mta-sts.{NAME}", f"{label}.policy.trinco.example", "unseen"),
            (f"_mta-sts.{NAME}", f"{label}.mta-sts.trinco.example", "unseen"),
            (f"_smtp._tls.{NAME}", f"{label}.tlsrpt.trinco.example", "unseen"),
        ]

    def test_the_latest_look(self, owner: Program, ours: Organisation) -> None:
        ready = support_web.ready(ours)
        told = owner.json(f"/domains/{ready.name}/checks")
        assert {each["finding"] for each in told["records"]} == {"found"}
        assert [(each["host"], each["starttls"]) for each in told["servers"]] == [("mx1.correio.example", "ok")]
        assert {each["gate"] for each in told["readiness"] if each["passed"]} == {
            "records", "policy", "mx-covered", "mx-tls", "reports"}  # fmt: skip

    def test_a_look_now(self, owner: Program) -> None:
        owner.send("PUT", f"/domains/{NAME}")
        first = owner.send("POST", f"/domains/{NAME}/checks")
        HostedDomain.objects.everywhere().update(checked_at=timezone.now())
        second = owner.send("POST", f"/domains/{NAME}/checks")
        assert [(each.status_code, each.json()) for each in (first, second)] == [
            (202, {"asked": True}),
            (200, {"asked": False}),
        ]


class TestLeaving:
    """The safe leaving of the pages, and what is left to do."""

    def test_one_that_was_never_served(self, owner: Program) -> None:
        owner.send("PUT", f"/domains/{NAME}")
        told = owner.send("DELETE", f"/domains/{NAME}").json()
        assert (told["state"], told["until"], told["left_to_do"]) == ("gone", None, ["Remove the three records."])
        assert problem(owner.send("DELETE", f"/domains/{NAME}"))[0] == 404

    def test_one_that_is_served(self, owner: Program, domain: HostedDomain) -> None:
        told = owner.send("DELETE", f"/domains/{domain.name}").json()
        assert (told["state"], len(told["left_to_do"]), len(told["records"])) == ("leaving", 2, 3)
        assert told["until"] is not None
        again = owner.send("DELETE", f"/domains/{domain.name}")
        assert (again.status_code, again.json()["state"]) == (200, "leaving")
        assert support_panel.standing(domain).current.mode == "none"

    def test_dry_and_of_another_version(self, owner: Program, domain: HostedDomain) -> None:
        assert owner.send("DELETE", f"/domains/{domain.name}?dry_run=true").json()["state"] == "leaving"
        assert problem(owner.send("DELETE", f"/domains/{domain.name}", If_Match='"7"'))[0] == 412
        domain.refresh_from_db()
        assert domain.state == State.LIVE


class TestFilters:
    def test_each(self, owner: Program, ours: Organisation) -> None:
        support_panel.live(ours, "vivo.example", ("mail.servidor.example",))
        support_panel.hosted(ours, "espera.example")
        support_panel.sight_mx(HostedDomain.objects.everywhere().get(name="vivo.example"), "mail.servidor.example")

        def names(query: str) -> list[str]:
            return [row["name"] for row in owner.json(f"/domains?{query}")["rows"]]

        assert (
            names("q=VIVO") == names("state=live") == names("mode=testing") == names("q=servidor") == ["vivo.example"]
        )
        assert names("level=setup") == ["espera.example", "vivo.example"]
        assert names("state=setup&q=vivo") == names("q=%00nada") == names("mode=none") == []

    @pytest.mark.parametrize("query", ["state=gone", "mode=off", "level=0", "level=", "tags=x"])
    def test_words_that_are_none(self, owner: Program, query: str) -> None:
        assert problem(owner.get(f"/domains?{query}")) == (400, "Bad Request", query.partition("=")[0])

    def test_queries_do_not_grow(self, owner: Program, ours: Organisation, django_assert_max_num_queries: Any) -> None:
        for number in range(30):
            support_panel.hosted(ours, f"d{number}.example")
        owner.get("/domains")
        with django_assert_max_num_queries(6):
            assert len(owner.json("/domains?q=d&level=setup")["rows"]) == 30


class TestWho:
    """Scope and role: whichever reaches less."""

    WRITES = (
        ("PUT", f"/domains/{NAME}", None),
        ("PATCH", "/domains/correio.example", {}),
        ("POST", "/domains/correio.example/checks", None),
        ("POST", "/domains:bulk", {"domains": [{"name": NAME}]}),
        ("PUT", "/domains/correio.example/policy", {"mode": "none"}),
        ("PATCH", "/domains/correio.example/policy", {"mode": "none"}),
        ("POST", "/domains/correio.example/policy/undo", None),
        ("POST", "/policies:mode", {"mode": "none", "domains": ["correio.example"]}),
        ("DELETE", "/domains/correio.example", None),
    )

    def statuses(self, program: Program) -> set[int]:
        return {program.send(verb, path, body, If_Match="*").status_code for verb, path, body in self.WRITES}

    @pytest.mark.parametrize(
        ("role", "scope", "may"),
        [
            (Role.VIEWER, "read", False),
            (Role.EDITOR, "read", False),
            (Role.OWNER, "read", False),
            (Role.EDITOR, "policy:write", True),
            (Role.OWNER, "policy:write", True),
            (Role.ADMIN, "admin", True),
            (Role.OWNER, "admin", True),
        ],
    )
    def test_role_and_scope(self, domain: HostedDomain, role: Role, scope: str, *, may: bool) -> None:
        program = Program(key_of(support_web.person("eva@example.com", domain.organisation, role), scope))
        assert (403 in self.statuses(program)) is not may
        assert may or self.statuses(program) == {403}

    def test_a_stranger_finds_nothing(self, domain: HostedDomain, theirs: Organisation) -> None:
        stranger = Program(key_of(support_web.owner_of(theirs), "admin"))
        for verb, path, body in self.WRITES:
            if "correio" in path:
                assert problem(stranger.send(verb, path, body, If_Match="*"))[0] == 404, path
        told = stranger.send("POST", "/policies:mode", {"mode": "none", "domains": [domain.name]}).json()
        assert (told["changed"], told["rows"][0]["problem"]["status"]) == (0, 404)
        assert support_panel.standing(domain).current.number == 1

    def test_nobody_is_told_to_sign_in(self, domain: HostedDomain) -> None:
        answers = [Client().generic(verb, f"/api/v1{path}") for verb, path, _ in self.WRITES]
        assert {problem(answer)[:2] for answer in answers} == {(401, "Unauthorized")}

    def test_a_session_needs_its_form_token(self, ours: Organisation) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(support_web.owner_of(ours), backend=support_web.BACKEND)
        refused = client.put(f"/api/v1/domains/{NAME}")
        assert problem(refused) == (403, "Form token wanted", None)
        client.get("/")
        form_token = client.cookies["trinco_csrf"].value
        assert client.put(f"/api/v1/domains/{NAME}", headers={"X-CSRFToken": form_token}).status_code == 201
