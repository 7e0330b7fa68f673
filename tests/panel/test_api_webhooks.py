"""By the API: webhooks, their secrets, what was delivered."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from tests import support_api, support_panel, support_web
from tests.support_api import Program
from tests.support_web import signed_in

from trinco.panel import limits
from trinco.panel.accounts.models import AuditEntry, Organisation, TokenScope
from trinco.panel.webhooks import services
from trinco.panel.webhooks.models import Delivery, DeliveryState, Webhook

WANTED = {"name": "tickets", "url": "https://Hook.example.com/t/abc", "kinds": ["policy.published", "domain.added"]}
SECRET = re.compile(r"whsec_[A-Za-z0-9+/]{43}=")


def program_of(organisation: Organisation) -> Program:
    return Program(support_api.key_of(support_web.owner_of(organisation), TokenScope.ADMIN))


@pytest.fixture
def program(ours: Organisation) -> Program:
    return program_of(ours)


@pytest.fixture
def made(program: Program) -> dict[str, Any]:
    answer: dict[str, Any] = program.send("POST", "/webhooks", WANTED).json()
    return answer


def errors(answer: Any) -> list[str]:
    """The places of a body that are wrong."""
    assert answer.status_code == 422, answer.content
    return [each["pointer"] for each in answer.json()["errors"]]


class TestMade:
    """What the page of webhooks does, for programs."""

    def test_its_secret_is_told_once(self, program: Program, made: dict[str, Any]) -> None:
        hook = Webhook.objects.everywhere().get()
        secret = made.pop("secret")
        assert services.secrets_of(hook, timezone.now()) == [secret]
        assert (made["id"], made["url"], made["on"]) == (hook.pk, "https://hook.example.com/t/abc", True)
        assert made["kinds"] == ["domain.added", "policy.published"]
        assert program.json("/webhooks") == {"rows": [made], "next": None}
        assert program.json(f"/webhooks/{hook.pk}") == made

    def test_nor_to_one_who_sends_its_key_again(self, program: Program) -> None:
        first, again = (program.send("POST", "/webhooks", WANTED, Idempotency_Key="x") for _ in range(2))
        assert (first.status_code, support_api.problem(again)[0]) == (201, 409)
        assert Webhook.objects.everywhere().count() == 1
        assert not SECRET.search(again.content.decode())

    @pytest.mark.parametrize(
        ("change", "places"),
        [
            ({"url": "http://hook.example.com/"}, ["/url"]),
            ({"url": "https://169.254.169.254/"}, ["/url"]),
            ({"url": 7}, ["/url"]),
            ({"kinds": []}, ["/kinds"]),
            ({"kinds": ["ping"]}, ["/kinds"]),
            ({"kinds": ["domain.lost"]}, ["/kinds/0"]),
            ({"name": ""}, ["/name"]),
            ({"name": "a\u202eb"}, ["/name"]),
            ({"organisation": 1}, ["/organisation"]),
            ({"line": 0}, ["/line"]),
        ],
    )
    def test_what_is_refused(self, program: Program, change: dict[str, Any], places: list[str]) -> None:
        assert errors(program.send("POST", "/webhooks", {**WANTED, **change})) == places
        assert not Webhook.objects.everywhere().exists()

    def test_twenty_at_most(self, program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(services, "MOST", 1)
        statuses = [program.send("POST", "/webhooks", WANTED).status_code for _ in range(2)]
        assert statuses == [201, 409]

    def test_a_browser_that_was_left_alone_gets_no_secret(self, ours: Organisation, made: dict[str, Any]) -> None:
        browser = support_web.browser(support_web.owner_of(ours))
        answers = [
            browser.post(path, body, content_type="application/json")
            for path, body in (("/api/v1/webhooks", WANTED), (f"/api/v1/webhooks/{made['id']}/secret", {}))
        ]
        assert [answer.status_code for answer in answers] == [403, 403]
        lately = signed_in(support_web.owner_of(ours))
        assert lately.post("/api/v1/webhooks", WANTED, content_type="application/json").status_code == 201

    def test_nor_leads_one_elsewhere(self, ours: Organisation, made: dict[str, Any]) -> None:
        path = f"/api/v1/webhooks/{made['id']}"
        elsewhere = {"url": "https://other.example.com/"}
        left = support_web.browser(support_web.owner_of(ours))
        answers = [
            left.patch(path, change, content_type="application/json")
            for change in (elsewhere, {"name": "x", "url": WANTED["url"]})
        ]
        assert [answer.status_code for answer in answers] == [403, 200]
        assert Webhook.objects.everywhere().get().url == made["url"]
        lately = signed_in(support_web.owner_of(ours))
        assert lately.patch(path, elsewhere, content_type="application/json").status_code == 200


class TestChanged:
    def test_what_is_not_named_stays(self, program: Program, made: dict[str, Any]) -> None:
        path = f"/webhooks/{made['id']}"
        assert program.send("PATCH", path, {"on": False}).json()["on"] is False
        told = program.send("PATCH", path, {"url": "https://other.example.com/", "kinds": ["domain.gone"]}).json()
        assert (told["name"], told["url"], told["kinds"], told["on"]) == (
            "tickets",
            "https://other.example.com/",
            ["domain.gone"],
            False,
        )
        line = AuditEntry.objects.everywhere().filter(action="webhook.changed").latest("pk")
        assert (line.before["host"], line.after["host"]) == ("hook.example.com", "other.example.com")
        assert errors(program.send("PATCH", path, {"url": "https://127.0.0.1/"})) == ["/url"]
        assert errors(program.send("PATCH", path, {"failures": 0})) == ["/failures"]

    def test_a_new_secret(self, program: Program, made: dict[str, Any]) -> None:
        hook, path = Webhook.objects.everywhere().get(), f"/webhooks/{made['id']}/secret"
        new = program.send("POST", path, {}).json()["secret"]
        assert services.secrets_of(hook, timezone.now()) == [new, made["secret"]]
        last = program.send("POST", path, {"leaked": True}).json()["secret"]
        assert services.secrets_of(hook, timezone.now()) == [last]

    def test_removed(self, program: Program, made: dict[str, Any]) -> None:
        assert program.send("DELETE", f"/webhooks/{made['id']}").status_code == 204
        assert program.problem(f"/webhooks/{made['id']}") == (404, "Not Found", None)
        assert not Webhook.objects.everywhere().exists()


class TestDeliveries:
    def test_a_test_and_what_it_says(self, program: Program, made: dict[str, Any]) -> None:
        answer = program.send("POST", f"/webhooks/{made['id']}/test")
        sent = answer.json()
        assert (answer.status_code, sent["type"], sent["state"], sent["tries"]) == (202, "ping", "waiting", 0)
        whole = program.json(f"/deliveries/{sent['id']}")
        assert json.loads(whole.pop("body"))["data"] == {"webhook": "tickets"}
        assert whole == sent

    def test_once_more(self, program: Program, made: dict[str, Any]) -> None:
        sent = program.send("POST", f"/webhooks/{made['id']}/test").json()
        path = f"/deliveries/{sent['id']}/redeliver"
        assert support_api.problem(program.send("POST", path))[0] == 409
        Delivery.objects.everywhere().update(state=DeliveryState.FAILED, ended_at=timezone.now(), tries=9)
        again = program.send("POST", path)
        assert (again.status_code, again.json()["uid"], again.json()["tries"]) == (202, sent["uid"], 0)
        program.send("PATCH", f"/webhooks/{made['id']}", {"on": False})
        for each in (path, f"/webhooks/{made['id']}/test"):
            assert "switched off" in program.send("POST", each).json()["detail"]

    def test_so_many_a_minute_and_each_is_in_the_log(
        self, program: Program, made: dict[str, Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(limits, "WEBHOOKS_SENT", 2)
        monkeypatch.setattr(limits, "MINUTE", 10**9)
        sent = program.send("POST", f"/webhooks/{made['id']}/test").json()
        Delivery.objects.everywhere().update(state=DeliveryState.DONE)
        again = f"/deliveries/{sent['id']}/redeliver"
        assert program.send("POST", again).status_code == 202
        for path in (again, f"/webhooks/{made['id']}/test"):
            answer = program.send("POST", path)
            assert (answer.status_code, "Retry-After" in answer) == (429, True)
        lines = AuditEntry.objects.everywhere().filter(action__in=["webhook.tested", "webhook.redelivered"])
        told = {"webhook": "tickets", "delivery": sent["uid"]}
        assert [(line.action, line.after) for line in lines.order_by("pk")] == [
            ("webhook.tested", told),
            ("webhook.redelivered", told),
        ]
        assert {line.actor for line in lines} == {AuditEntry.objects.everywhere().get(action="webhook.added").actor}

    def test_pages_and_filters(self, program: Program, made: dict[str, Any]) -> None:
        ids = [program.send("POST", f"/webhooks/{made['id']}/test").json()["id"] for _ in range(3)]
        Delivery.objects.everywhere().filter(pk=ids[0]).update(state=DeliveryState.FAILED, subject="um.example")
        Delivery.objects.everywhere().filter(pk=ids[1]).update(created_at=timezone.now() - timedelta(days=1))
        path = f"/webhooks/{made['id']}/deliveries"
        first = program.json(f"{path}?limit=2")
        rest = program.json(f"{path}?limit=2&cursor={first['next']}")
        assert [row["id"] for page in (first, rest) for row in page["rows"]] == [ids[2], ids[0], ids[1]]
        for query in ("state=failed", "domain=Um.example", "state=failed&type=ping"):
            assert [row["id"] for row in program.json(f"{path}?{query}")["rows"]] == [ids[0]]
        assert program.json(f"{path}?type=domain.gone")["rows"] == []
        assert program.problem(f"{path}?state=lost") == (400, "Bad Request", "state")
        assert program.problem(f"{path}?kind=ping") == (400, "Bad Request", "kind")


class TestOthers:
    def test_another_organisation_sees_nothing(self, theirs: Organisation, made: dict[str, Any]) -> None:
        hook = Webhook.objects.everywhere().get()
        sent = services.send_test(webhook=hook, actor=support_panel.ANA)
        stranger = program_of(theirs)
        paths = [f"/webhooks/{hook.pk}", f"/webhooks/{hook.pk}/deliveries", f"/deliveries/{sent.pk}"]
        assert [stranger.get(path).status_code for path in paths] == [404] * 3
        assert stranger.json("/webhooks") == {"rows": [], "next": None}

    def test_a_token_that_only_reads(self, ours: Organisation, made: dict[str, Any]) -> None:
        reader = Program(support_api.key_of(support_web.owner_of(ours), TokenScope.READ))
        assert reader.problem("/webhooks") == (403, "Forbidden", None)
