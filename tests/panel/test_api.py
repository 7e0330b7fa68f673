"""The API: who gets what, and what is said when something is wrong."""

from __future__ import annotations

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.test import Client, RequestFactory
from django.utils import timezone
from tests import support_api, support_panel, support_web
from tests.support_api import RANGE, Program, key_of, problem
from tests.support_api_walk import operations

from trinco.panel.accounts import tokens
from trinco.panel.accounts.models import ApiToken, Organisation, Role
from trinco.panel.api.v1 import api
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import Report

TABLES = ["by-result", "by-source", "by-day", "by-mx", "details", "turned-away"]


@pytest.fixture
def told(domain: HostedDomain) -> Report:
    """One report about `correio.example`, with its totals."""
    return support_api.counted(domain)


@pytest.fixture
def owner(ours: Organisation) -> Program:
    return Program(key_of(support_web.owner_of(ours)))


def paths(told: Report) -> list[str]:
    """Every operation."""
    tables = [f"/reports/{table}{RANGE}" for table in TABLES]
    return ["/domains", *tables, f"/reports{RANGE}", f"/reports/{told.pk}", f"/reports/{told.pk}/raw"]


class TestWhoGetsWhat:
    """RELIABILITY 2, row 29: the owner, a teammate by role, a stranger, nobody, for every operation."""

    def test_the_owner_and_a_viewer_see_the_same(self, told: Report, owner: Program) -> None:
        viewer = Program(key_of(support_web.person("eva@example.com", told.organisation, Role.VIEWER)))
        for path in paths(told):
            seen, by_viewer = owner.get(path), viewer.get(path)
            assert (seen.status_code, by_viewer.status_code, by_viewer.content) == (200, 200, seen.content), path

    def test_a_member_who_is_signed_in(self, told: Report) -> None:
        client = support_web.browser(support_web.owner_of(told.organisation))
        assert {client.get(f"/api/v1{path}").status_code for path in paths(told)} == {200}

    def test_a_stranger_finds_nothing(self, told: Report, theirs: Organisation) -> None:
        stranger = Program(key_of(support_web.owner_of(theirs)))
        answers = {path: stranger.get(path) for path in paths(told)}
        assert {path: answer.status_code for path, answer in answers.items() if answer.status_code != 200} == {
            f"/reports/{told.pk}": 404, f"/reports/{told.pk}/raw": 404}  # fmt: skip
        assert [
            path for path, answer in answers.items() if b"google" in answer.content or b"correio" in answer.content
        ] == []
        named = [f"{path}&domain=correio.example" for path in paths(told) if "?" in path]
        assert {stranger.problem(path) for path in named} == {(404, "Not Found", None)}

    def test_nobody_is_told_to_sign_in(self, told: Report) -> None:
        for path in paths(told):
            answer = Client().get(f"/api/v1{path}")
            assert problem(answer) == (401, "Unauthorized", None)
            assert answer["WWW-Authenticate"] == 'Bearer realm="trinco"'

    def test_a_person_without_an_organisation(self, db: None) -> None:
        user = support_web.person("sem@example.com")
        user.memberships.all().delete()
        assert problem(support_web.browser(user).get("/api/v1/domains")) == (403, "Forbidden", None)

    def test_answers_are_kept_by_nobody(self, told: Report, owner: Program) -> None:
        for path in [*paths(told), "/reports/0", "/nothing"]:
            assert owner.get(path)["Cache-Control"] == "no-store", path


class TestTokens:
    """RELIABILITY 2, row 30: a revoked or expired token is refused at once, and no token is written into a log."""

    def test_revoked(self, told: Report, owner: Program) -> None:
        assert owner.get("/domains").status_code == 200
        tokens.revoke_token(token=ApiToken.objects.everywhere().get(), actor=support_panel.ANA)
        assert owner.problem("/domains") == (401, "Unauthorized", None)

    def test_expired(self, told: Report, owner: Program) -> None:
        ApiToken.objects.everywhere().update(expires_at=timezone.now())
        assert owner.problem("/domains") == (401, "Unauthorized", None)

    @pytest.mark.parametrize("header", ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer trinco_", "Bearer \u00e9" * 40])
    def test_a_bad_header_is_not_saved_by_a_session(self, told: Report, header: str) -> None:
        client = support_web.browser(support_web.owner_of(told.organisation))
        assert client.get("/api/v1/domains", headers={"Authorization": header}).status_code == 401

    def test_nothing_of_it_is_logged(self, told: Report, owner: Program, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level("DEBUG")
        for path in ["/domains", "/nothing", "/reports/by-day?range=x"]:
            owner.get(path)
        assert owner.headers["Authorization"][7:30] not in caplog.text


class TestProblems:
    """RFC 9457; UX: errors say what to do."""

    @pytest.mark.parametrize(
        ("query", "parameter"),
        [
            ("range=31", "range"),
            ("from=yesterday", "from"),
            ("to=2026-02-30", "to"),
            ("from=2026-11-20&to=2026-11-19", "from"),
            ("from=2010-01-01&to=2026-11-19", "from"),
            ("day=20261120", "day"),
            ("trust=dkim", "trust"),
            ("form=2026-11-01", "form"),
            ("range=7&range=30", "range"),
        ],
    )
    @pytest.mark.parametrize("path", ["/reports", *(f"/reports/{table}" for table in TABLES)])
    def test_a_bad_parameter_is_named(self, owner: Program, path: str, query: str, parameter: str) -> None:
        assert owner.problem(f"{path}?{query}") == (400, "Bad Request", parameter)

    @pytest.mark.parametrize("path", ["/domains", "/reports"])
    @pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=-1", "limit=\u0661", "limit=1e9", "cursor=x", "cursor=MjAyNjExMjAuOTk5OTk5OTk5OTk5OTk5OTk5OTk", "cursor=%00", "cursor=\u00e9"])  # fmt: skip
    def test_a_bad_page_is_named(self, owner: Program, path: str, query: str) -> None:
        assert owner.problem(f"{path}?{query}") == (400, "Bad Request", query.partition("=")[0])

    def test_a_parameter_that_only_details_have(self, owner: Program) -> None:
        assert owner.problem("/reports/by-day?mx=mx1.example") == (400, "Bad Request", "mx")
        assert owner.get("/reports/details?mx=mx1.example%00").status_code == 200

    @pytest.mark.parametrize(
        "path", ["/", "/nothing", "/reports/x", "/reports/0", f"/reports/{2**63}", f"/reports/{9**99}"]
    )
    def test_what_is_not_there(self, owner: Program, path: str) -> None:
        assert owner.problem(path) == (404, "Not Found", None)

    def test_what_is_not_for_writing(self, owner: Program) -> None:
        answers = [owner.send("POST", path) for path in ("/domains", "/domains/correio.example", "/reports")]
        assert {problem(answer) for answer in answers} == {(405, "Method Not Allowed", None)}
        assert [answer["Allow"] for answer in answers] == [
            "GET, HEAD",
            "DELETE, GET, HEAD, PATCH, PUT",
            "GET, HEAD",
        ]

    @pytest.mark.parametrize(
        ("path", "status"), [("/domains", 200), ("/domains/nowhere.example", 404), ("/domains:bulk", 405)]
    )
    def test_head_is_get_without_its_content(self, owner: Program, path: str, status: int) -> None:
        """RFC 9110, section 9.3.2."""
        got, told = (
            WSGIHandler().get_response(RequestFactory().generic(verb, f"/api/v1{path}", headers=owner.headers))
            for verb in ("GET", "HEAD")
        )
        assert (got.status_code, told.status_code, told.content) == (status, status, b"")
        assert told.headers["Content-Length"] == str(len(got.content))
        assert told.headers["Content-Type"] == got.headers["Content-Type"]

    def test_head_of_a_file_writes_none(self, owner: Program, monkeypatch: pytest.MonkeyPatch) -> None:
        def unread(*_facts: object) -> None:
            raise AssertionError

        monkeypatch.setattr("trinco.panel.api.activity._lines", lambda *_facts: map(unread, [1]))
        request = RequestFactory().head("/api/v1/activity/export.csv", headers=owner.headers)
        told = WSGIHandler().get_response(request)
        assert (told.status_code, told.headers["Content-Type"]) == (200, "text/csv; charset=utf-8")
        assert b"".join(told) == b""

    def test_a_fault_of_ours_says_nothing_of_itself(self, owner: Program, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(*_args: object) -> None:
            raise RuntimeError("secret")

        monkeypatch.setattr("trinco.panel.reports.charts.by_day", broken)
        client = Client(raise_request_exception=False)
        answer = client.get("/api/v1/reports/by-day", headers=owner.headers)
        assert problem(answer) == (500, "Internal Server Error", None)
        assert b"secret" not in answer.content

    def test_pages_keep_their_own_errors(self, db: None) -> None:
        assert Client().get("/nothing/")["Content-Type"].startswith("text/html")


class TestDescription:
    """DESIGN 4: OpenAPI at `/api/v1/docs`."""

    def test_it_names_every_operation_and_its_parameters(self, db: None) -> None:
        described = Client().get("/api/v1/openapi.json").json()
        told = {f"{verb.upper()} {path}" for path, verbs in described["paths"].items() for verb in verbs}
        assert told == {f"{each.verb} /api/v1{each.path.replace('int:', '')}" for each in operations()}
        asked = described["paths"]["/api/v1/reports/by-day"]["get"]["parameters"]
        assert [each["name"] for each in asked] == ["domain", "from", "to", "range", "day", "sender", "trust"]

    def test_it_says_what_holds_for_all(self, db: None) -> None:
        described = Client().get("/api/v1/openapi.json").json()
        for path, verbs in described["paths"].items():
            for verb, told in verbs.items():
                errors = [
                    each for status, each in told["responses"].items() if int(status) >= 400 and "content" in each
                ]
                assert {kind for each in errors for kind in each["content"]} <= {"application/problem+json"}, path
                keyed = [each["name"] for each in told["parameters"]].count("Idempotency-Key")
                takes = verb == "post" and path != "/api/v1/read"
                assert (keyed, bool(told["security"]), bool(told["summary"])) == (takes, True, True), path

    def test_it_is_made_once(self) -> None:
        """Making it takes seconds, and anybody may ask for it."""
        assert api.get_openapi_schema(path_params={}) is api.get_openapi_schema(path_params={})

    def test_its_page_has_no_script_of_its_own(self, db: None) -> None:
        page = Client().get("/api/v1/docs")
        assert page.status_code == 200
        assert "https://" not in page.content.decode()
