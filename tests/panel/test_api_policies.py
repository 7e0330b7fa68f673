"""The API writes: policies are changed by whoever has read them, one by one and many at once."""

from __future__ import annotations

from typing import Any

import pytest
from tests import support_panel, support_web
from tests.support_api import Program, key_of, problem

from trinco.panel.accounts.models import AuditEntry, Organisation
from trinco.panel.domains.models import HostedDomain

MX = ["mx1.correio.example"]
ENFORCE = {"mode": "enforce", "mx": MX, "max_age": 604800}


@pytest.fixture
def owner(ours: Organisation) -> Program:
    return Program(key_of(support_web.owner_of(ours), "policy:write"))


@pytest.fixture
def ready(ours: Organisation) -> HostedDomain:
    return support_web.ready(ours)


PATH = "/domains/correio.example/policy"


class TestChange:
    """UX: `If-Match` on a mode change."""

    def test_read_then_changed(self, owner: Program, ready: HostedDomain) -> None:
        read = owner.get(PATH)
        assert (read["ETag"], read.json()["mode"], read.json()["mx"]) == ('"1"', "testing", MX)
        assert read.json()["announced_id"] == read.json()["id"]
        answer = owner.send("PUT", PATH, ENFORCE, If_Match=read["ETag"])
        told = answer.json()
        assert (answer.status_code, answer["ETag"], told["changed"], told["dry_run"]) == (200, '"2"', True, False)
        assert (told["policy"]["mode"], told["policy"]["number"], told["objection"]) == ("enforce", 2, None)
        assert [line["text"] for line in told["diff"] if line["kind"] == "add"] == ["mode: enforce", "max_age: 604800"]
        line = AuditEntry.objects.of(ready.organisation).filter(action="policy.published").get()
        assert (line.token, line.after["mode"]) == (owner.headers["Authorization"][7:22], "enforce")

    def test_who_has_not_read(self, owner: Program, ready: HostedDomain) -> None:
        for verb, path, body in (
            ("PUT", PATH, ENFORCE),
            ("PATCH", PATH, {"mode": "none"}),
            ("POST", f"{PATH}/undo", None),
        ):
            assert problem(owner.send(verb, path, body))[:2] == (428, "Precondition Required")

    def test_two_with_the_same_reading(self, owner: Program, ready: HostedDomain) -> None:
        answers = [owner.send("PUT", PATH, {**ENFORCE, "max_age": age}, If_Match='"1"') for age in (86400, 604800)]
        assert [answer.status_code for answer in answers] == [200, 412]
        assert answers[1]["ETag"] == '"2"'
        assert support_panel.standing(ready).current.max_age == 86400

    def test_whichever_is_current(self, owner: Program, ready: HostedDomain) -> None:
        assert owner.send("PATCH", PATH, {"mode": "enforce"}, If_Match="*").json()["policy"]["number"] == 2

    def test_what_is_so_already_changes_nothing(self, owner: Program, ready: HostedDomain) -> None:
        same = {"mode": "testing", "mx": MX, "max_age": 86400}
        answer = owner.send("PUT", PATH, same, If_Match='"1"')
        assert (answer.status_code, answer["ETag"], answer.json()["changed"]) == (200, '"1"', False)

    def test_the_mode_alone(self, owner: Program, ready: HostedDomain) -> None:
        for mode, mx in (("none", []), ("testing", MX), ("enforce", MX)):
            assert owner.send("PATCH", PATH, {"mode": mode}, If_Match="*").json()["policy"]["mx"] == mx
        age = owner.send("PATCH", PATH, {"max_age": 1209600}, If_Match="*").json()["policy"]
        assert (age["mode"], age["max_age"], age["mx"]) == ("enforce", 1209600, MX)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            {"mode": "Enforce", "mx": MX},
            {"mode": "enforce"},
            {"mode": "testing", "mx": MX, "max_age": 86399},
            {"mode": "testing", "mx": MX, "max_age": 31557601},
            {"mode": "testing", "mx": MX, "max_age": "604800"},
            {"mode": "testing", "mx": MX, "max_age": True},
            {"mode": "testing", "mx": MX, "number": 7},
            {"mode": "testing", "mx": ["mx1.example\nmode: none"]},
            {"mode": "testing", "mx": "mx1.example"},
            {"mode": "testing", "mx": MX, "override": 1},
        ],
    )
    def test_what_is_no_policy(self, owner: Program, ready: HostedDomain, body: Any) -> None:
        assert problem(owner.send("PUT", PATH, body, If_Match="*"))[0] == 422
        assert support_panel.standing(ready).current.number == 1


class TestFirst:
    def test_it_is_wanted_to_be_the_first(self, owner: Program, ours: Organisation) -> None:
        support_panel.hosted(ours)
        assert problem(owner.get(PATH))[0] == 404
        body = {"mode": "testing", "mx": MX}
        assert problem(owner.send("PUT", PATH, body))[0] == 428
        assert problem(owner.send("PUT", PATH, body, If_Match="*"))[0] == 412
        assert problem(owner.send("PATCH", PATH, {"mode": "none"}, If_None_Match="*"))[:2] == (
            409,
            "There is no policy yet",
        )
        answers = [owner.send("PUT", PATH, body, If_None_Match="*") for _ in range(2)]
        assert [answer.status_code for answer in answers] == [200, 412]
        assert answers[0].json()["policy"]["max_age"] == 86400


class TestRefusals:
    """The same refusals as the pages': what would cut off mail wants an override, which the log shows."""

    def test_a_server_that_is_not_covered(self, owner: Program, ready: HostedDomain) -> None:
        support_panel.sight_mx(ready, "mx1.correio.example", "mx2.correio.example")
        answer = owner.send("PUT", PATH, ENFORCE, If_Match='"1"')
        assert problem(answer) == (409, "Mail servers are not covered", None)
        assert answer.json()["hosts"] == ["mx2.correio.example"]
        over = owner.send("PUT", PATH, {**ENFORCE, "override": True}, If_Match='"1"')
        assert over.status_code == 200
        line = AuditEntry.objects.of(ready.organisation).filter(action="policy.published").get()
        assert (line.override, line.after["uncovered"]) == (True, ["mx2.correio.example"])

    def test_dry_it_says_all_and_does_nothing(self, owner: Program, domain: HostedDomain) -> None:
        answer = owner.send("PUT", f"{PATH}?dry_run=true", ENFORCE, If_Match='"1"')
        told = answer.json()
        assert (answer.status_code, told["dry_run"], told["changed"]) == (200, True, False)
        assert told["objection"]["type"] == "/api/v1/problems/mx-unknown"
        assert {gate["gate"] for gate in told["open_gates"]} == {"policy", "mx-covered", "mx-tls", "reports"}
        over = owner.send("PUT", f"{PATH}?dry_run=true", {**ENFORCE, "override": True}, If_Match='"1"').json()
        assert (over["changed"], over["objection"], over["policy"]["number"]) == (True, None, 2)
        assert support_panel.standing(domain).current.number == 1
        assert not AuditEntry.objects.of(domain.organisation).filter(action="policy.published").exists()

    def test_a_domain_that_leaves(self, owner: Program, ready: HostedDomain) -> None:
        owner.send("DELETE", "/domains/correio.example")
        answer = owner.send("PATCH", PATH, {"mode": "testing"}, If_Match="*")
        assert (problem(answer), answer.json()["state"]) == ((409, "Not in this state", None), "leaving")


class TestUndo:
    def test_it_publishes_what_was_before(self, owner: Program, ready: HostedDomain) -> None:
        assert problem(owner.send("POST", f"{PATH}/undo", If_Match="*"))[:2] == (409, "Nothing to undo")
        owner.send("PATCH", PATH, {"mode": "enforce"}, If_Match="*")
        dry = owner.send("POST", f"{PATH}/undo?dry_run=true", If_Match='"2"').json()
        answer = owner.send("POST", f"{PATH}/undo", If_Match='"2"')
        assert (answer["ETag"], answer.json()["policy"]["mode"], dry["policy"]["mode"]) == ('"3"', "testing", "testing")
        assert problem(owner.send("POST", f"{PATH}/undo", If_Match='"2"'))[0] == 412

    def test_one_that_leaves_stays(self, owner: Program, ready: HostedDomain) -> None:
        owner.send("DELETE", "/domains/correio.example")
        assert owner.send("POST", f"{PATH}/undo", {"override": False}, If_Match="*").status_code == 200
        assert owner.json("/domains/correio.example")["state"] == "live"


class TestHistory:
    def test_versions_in_pages(self, owner: Program, ready: HostedDomain) -> None:
        owner.send("PATCH", PATH, {"mode": "enforce"}, If_Match="*")
        owner.send("POST", f"{PATH}/undo", If_Match="*")
        first = owner.json(f"{PATH}/versions?limit=2")
        rest = owner.json(f"{PATH}/versions?limit=2&cursor={first['next']}")
        rows = [*first["rows"], *rest["rows"]]
        assert [(row["number"], row["mode"], row["undoes"]) for row in rows] == [
            (3, "testing", 2),
            (2, "enforce", None),
            (1, "testing", None),
        ]
        assert rest["next"] is None

    def test_what_each_mode_would_mean(self, owner: Program, domain: HostedDomain) -> None:
        told = owner.json(f"{PATH}/proposals")
        assert [(row["mode"], row["current"], row["mx"]) for row in told["rows"]] == [
            ("none", False, []),
            ("testing", True, MX),
            ("enforce", False, MX),
        ]
        assert [row["objection"] and row["objection"]["title"] for row in told["rows"]] == [
            None, None, "Mail servers are not known"]  # fmt: skip


class TestManyModes:
    """Issue 5: bulk mode change with a preview of consequences per domain."""

    def test_preview_then_deed(self, owner: Program, ready: HostedDomain) -> None:
        support_panel.live(ready.organisation, "outro.example", ("mx.outro.example",))
        body = {"mode": "enforce", "domains": ["correio.example", "OUTRO.example", "nada.example", "a b"]}
        dry = owner.send("POST", "/policies:mode?dry_run=true", body).json()
        assert support_panel.standing(ready).current.number == 1
        told = owner.send("POST", "/policies:mode", body).json()
        for each in (dry, told):
            assert [(row["name"], row["outcome"], row["before"]) for row in each["rows"]] == [
                ("correio.example", "changed", "testing"),
                ("outro.example", "refused", "testing"),
                ("nada.example", "refused", None),
                (None, "refused", None),
            ]
            assert [row["problem"] and row["problem"]["status"] for row in each["rows"]] == [None, 409, 404, 404]
            assert each["rows"][0]["policy"] == {"mode": "enforce", "mx": MX, "max_age": 604800}
        assert (dry["dry_run"], dry["changed"], told["changed"]) == (True, 1, 1)
        assert support_panel.standing(ready).current.mode == "enforce"

    def test_queries_do_not_grow(self, owner: Program, ours: Organisation, django_assert_max_num_queries: Any) -> None:
        names = [f"d{number}.example" for number in range(30)]
        for name in names:
            support_panel.live(ours, name)
        with django_assert_max_num_queries(70):
            told = owner.send("POST", "/policies:mode", {"mode": "none", "domains": names}).json()
        assert told["changed"] == 30


class TestManyDomains:
    def test_each_line_has_its_result(self, owner: Program, domain: HostedDomain) -> None:
        lines = [
            {"name": "Um.example", "mx": ["mx.um.example"]},
            {"name": "correio.example"},
            {"name": "um.example"},
            {"name": "no_name"},
            {"name": "dois.example", "mx": ["*.com"]},
            {"name": "tres.example", "mx": ["a b"]},
            {"name": "ours.trinco.example"},
        ]
        dry = owner.send("POST", "/domains:bulk?dry_run=true", {"domains": lines}).json()
        assert HostedDomain.objects.everywhere().count() == 1
        told = owner.send("POST", "/domains:bulk", {"domains": lines}).json()
        for each in (dry, told):
            assert [row["outcome"] for row in each["rows"]] == ["added", "there", *["refused"] * 5]
            assert each["added"] == 1
        made = HostedDomain.objects.everywhere().get(name="um.example")
        assert (made.standing.current.mode, made.standing.current.mx) == ("testing", ["mx.um.example"])
        again = owner.send("POST", "/domains:bulk", {"domains": lines[:2]}).json()
        assert (again["added"], [row["outcome"] for row in again["rows"]]) == (0, ["there", "there"])

    def test_queries_do_not_grow(self, owner: Program, ours: Organisation, django_assert_max_num_queries: Any) -> None:
        lines = [{"name": f"d{number}.example", "mx": [f"mx.d{number}.example"]} for number in range(200)]
        with django_assert_max_num_queries(60):
            assert owner.send("POST", "/domains:bulk", {"domains": lines}).json()["added"] == 200

    def test_too_many(self, owner: Program, ours: Organisation) -> None:
        lines = [{"name": f"d{number}.example"} for number in range(1001)]
        assert problem(owner.send("POST", "/domains:bulk", {"domains": lines}))[0] == 422
