"""`Idempotency-Key`: a POST that is sent again is not done again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.test import Client
from django.utils import timezone
from tests import support_reports, support_web
from tests.support_api import Program, key_of, problem

from trinco.panel.accounts import idempotency
from trinco.panel.accounts.models import ApiToken, AuditEntry, IdempotencyKey, Organisation
from trinco.panel.api import once
from trinco.panel.api.describing import KEY
from trinco.panel.domains.models import HostedDomain

ASKED = {"email": "eva@example.com", "role": "viewer"}
BULK = {"domains": [{"name": "um.example"}]}


@pytest.fixture
def owner(ours: Organisation) -> Program:
    return Program(key_of(support_web.owner_of(ours), "policy:write"))


def sent(program: Program, body: Any = BULK, key: str = "k1", path: str = "/domains:bulk") -> Any:
    return program.send("POST", path, body, Idempotency_Key=key)


class TestOnce:
    """Issue 5: Idempotency-Key. The same answer is replayed, never to another caller."""

    def test_the_same_answer_again(self, owner: Program) -> None:
        first, second = sent(owner), sent(owner)
        assert (first.status_code, second.status_code, first.content) == (200, 200, second.content)
        assert first.json()["added"] == 1
        assert ("Idempotency-Replayed" in first.headers, second["Idempotency-Replayed"]) == (False, "true")
        assert (second["Content-Type"], second["Cache-Control"]) == (first["Content-Type"], "no-store")
        assert "RateLimit" in second.headers

    def test_another_key_does_it_again(self, owner: Program) -> None:
        assert [sent(owner, key=key).json()["added"] for key in ("a", "b")] == [1, 0]

    @pytest.mark.parametrize(
        ("body", "path"),
        [({"domains": [{"name": "dois.example"}]}, "/domains:bulk"), (BULK, "/domains:bulk?dry_run=false")],
    )
    def test_for_another_request(self, owner: Program, body: Any, path: str) -> None:
        sent(owner)
        assert problem(sent(owner, body, path=path))[:2] == (422, "Idempotency-Key was used for another request")

    def test_while_the_first_runs(self, owner: Program) -> None:
        sent(owner)
        IdempotencyKey.objects.everywhere().update(status=None)
        answer = sent(owner)
        assert problem(answer)[0] == 409
        assert (answer.json()["type"], answer["Retry-After"]) == ("/api/v1/problems/idempotency-key-running", "1")

    def test_one_that_was_cut_off_is_not_done_again(self, owner: Program) -> None:
        sent(owner)
        IdempotencyKey.objects.everywhere().update(status=None, created_at=timezone.now() - idempotency.LONGEST)
        assert sent(owner).json()["type"] == "/api/v1/problems/idempotency-key-cut-off"

    def test_after_an_error_it_is_free(self, owner: Program) -> None:
        wrong = {"mode": "none", "domains": []}
        assert sent(owner, wrong, path="/policies:mode").status_code == 422
        assert problem(sent(owner, None, path="/domains/um.example/policy/undo"))[0] == 404
        assert IdempotencyKey.objects.everywhere().count() == 0
        assert sent(owner).json()["added"] == 1

    def test_for_nobody_else(self, owner: Program, ours: Organisation, theirs: Organisation) -> None:
        first = sent(owner)
        others = [
            Program(key_of(support_web.owner_of(ours), "policy:write")),
            Program(key_of(support_web.person("eva@example.com", ours), "policy:write")),
            Program(key_of(support_web.owner_of(theirs), "policy:write")),
        ]
        answers = [sent(other) for other in others]
        assert [answer.json()["added"] for answer in answers] == [0, 0, 1]
        assert all("Idempotency-Replayed" not in answer.headers for answer in answers)
        assert first.json()["added"] == 1

    @pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256, "a\tb"])
    def test_keys_that_are_none(self, owner: Program, key: str) -> None:
        assert problem(sent(owner, key=key)) == (400, "Bad Request", "Idempotency-Key")

    def test_other_methods_take_no_notice(self, owner: Program) -> None:
        for _ in range(2):
            assert owner.get("/domains", Idempotency_Key="k1").status_code == 200
        assert IdempotencyKey.objects.everywhere().count() == 0


class TestFaults:
    """docs/api.md: after a fault of ours the key is not free, since the fault may lie behind the deed."""

    @pytest.fixture
    def manager(self, ours: Organisation) -> Program:
        return Program(key_of(support_web.owner_of(ours), "admin"))

    def test_behind_the_deed(self, manager: Program, monkeypatch: pytest.MonkeyPatch) -> None:
        def broken(_row: object) -> None:
            raise RuntimeError

        monkeypatch.setattr("trinco.panel.api.people._invitation", broken)
        headers = {**manager.headers, "Idempotency-Key": "k1"}
        client = Client(raise_request_exception=False)
        post = lambda: client.post("/api/v1/invitations", ASKED, "application/json", headers=headers)  # noqa: E731
        first, second = post(), post()
        assert (first.status_code, second.json()["type"]) == (500, "/api/v1/problems/idempotency-key-cut-off")
        assert [message.to for message in mail.outbox] == [["eva@example.com"]]

    def test_an_invitation_without_its_mail_stands(
        self, manager: Program, ours: Organisation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def broken(_mail: object) -> None:
            raise ConnectionRefusedError

        monkeypatch.setattr("django.core.mail.EmailMessage.send", broken)
        first, second = (sent(manager, ASKED, path="/invitations") for _ in range(2))
        assert (first.status_code, second.status_code, first.content) == (409, 409, second.content)
        assert second["Idempotency-Replayed"] == "true"
        assert AuditEntry.objects.of(ours).filter(action="member.invited").count() == 1


class TestNothingToKeep:
    """What changes nothing needs no key: nothing of it is kept."""

    def test_of_a_report_that_is_only_read(self, ours: Organisation) -> None:
        reader = Program(key_of(support_web.owner_of(ours)))
        report = support_reports.report_json()
        headers = {"Idempotency_Key": "k1", "Content_Type": "application/tlsrpt+json"}
        answers = [reader.send("POST", "/read", report, **headers) for _ in range(2)]
        assert [(answer.status_code, answer.get("Idempotency-Replayed")) for answer in answers] == [(200, None)] * 2
        assert IdempotencyKey.objects.everywhere().count() == 0

    def test_of_a_rehearsal(self, owner: Program) -> None:
        told = [sent(owner, path="/domains:bulk?dry_run=true").json()["added"], sent(owner).json()["added"]]
        assert (told, IdempotencyKey.objects.everywhere().count()) == ([1, 1], 1)

    def test_the_description_names_it_where_it_counts(self, client: Client) -> None:
        paths = client.get("/api/v1/openapi.json").json()["paths"]
        posts = {path: verbs["post"] for path, verbs in paths.items() if "post" in verbs}
        without = [path for path, post in posts.items() if KEY not in post["parameters"]]
        assert without == ["/api/v1/read"]


class TestKeeping:
    def test_a_day(self, owner: Program) -> None:
        sent(owner)
        IdempotencyKey.objects.everywhere().update(created_at=timezone.now() - idempotency.KEPT)
        assert sent(owner).json()["added"] == 0
        assert IdempotencyKey.objects.everywhere().count() == 1

    def test_the_worker_lets_go(self, owner: Program) -> None:
        for key in ("a", "b"):
            sent(owner, key=key)
        old = timezone.now() - idempotency.KEPT
        IdempotencyKey.objects.everywhere().filter(key="a").update(created_at=old - timedelta(seconds=1))
        assert [idempotency.forget(timezone.now()) for _ in range(2)] == [1, 0]
        assert IdempotencyKey.objects.everywhere().get().key == "b"

    def test_it_lets_go_of_all_however_many(self, owner: Program, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(idempotency, "_AT_ONCE", 2)
        for key in "abcde":
            sent(owner, key=key)
        assert idempotency.forget(timezone.now() + idempotency.KEPT) == 5
        assert IdempotencyKey.objects.everywhere().count() == 0

    def test_of_what_is_long_the_status_alone(self, owner: Program, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(idempotency, "LONGEST_BODY", 10)
        first, second = sent(owner), sent(owner)
        assert (first.status_code, problem(second)[0]) == (200, 409)
        assert (second.json()["type"], second.json()["answered"]) == ("/api/v1/problems/idempotency-key-not-kept", 200)
        assert bytes(IdempotencyKey.objects.everywhere().get().body) == b""

    def test_nor_more_than_so_much_a_day(
        self, owner: Program, theirs: Organisation, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        other = Program(key_of(support_web.owner_of(theirs), "policy:write"))
        length = len(sent(owner, key="a").content)
        monkeypatch.setattr(idempotency, "MOST_A_DAY", 2 * length + 1)
        answers = [sent(program, key=key) for program, key in ((owner, "b"), (owner, "c"), (other, "c"))]
        assert [each.status_code for each in answers] == [200] * 3
        kept = IdempotencyKey.objects.everywhere().order_by("pk").values_list("body", flat=True)
        assert [bytes(each) != b"" for each in kept] == [True, True, False, True]
        assert sent(owner, key="c").json()["answered"] == 200

    def test_what_is_told_once_is_not_kept(self, owner: Program, monkeypatch: pytest.MonkeyPatch) -> None:
        started = once._begun

        def secretive(request: Any) -> Any:
            found = started(request)
            once.tells_a_secret(request)
            return found

        monkeypatch.setattr(once, "_begun", secretive)
        assert sent(owner).status_code == 200
        assert sent(owner).json()["type"] == "/api/v1/problems/idempotency-key-told-once"
        assert bytes(IdempotencyKey.objects.everywhere().get().body) == b""

    def test_it_goes_with_its_person(self, owner: Program, ours: Organisation) -> None:
        sent(owner)
        ApiToken.objects.everywhere().all().delete()
        assert HostedDomain.objects.of(ours).count() == 1
        support_web.owner_of(ours).delete()
        assert IdempotencyKey.objects.everywhere().count() == 0
