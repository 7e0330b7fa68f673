"""`POST /api/v1/state` with clients that are not there: what makes them, within the wall between tenants."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests import support_web

from trinco.panel.accounts.models import AuditEntry, Organisation, Role
from trinco.panel.domains.models import HostedDomain

pytestmark = pytest.mark.django_db(transaction=True)
Sent = tuple[int, Any]


def sent(where: Organisation, clients: str, query: str = "") -> Sent:
    client = support_web.browser(support_web.owner_of(where))
    text = f"version: 1\norganisations:\n  {json.dumps(where.name)}:\n    clients: {clients}\n"
    answer = client.post(f"/o/{where.pk}/api/v1/state{query}", {"file": text}, content_type="application/json")
    return answer.status_code, answer.json()


class TestClients:
    """Issue 5: a provider's file makes its clients at another installation as well."""

    def test_they_are_made_once(self, ours: Organisation) -> None:
        step: dict[str, Any] = {"domain": None, "step": "add", "differences": {}, "refused": None, "unjudged": False}
        made = {"steps": [{"organisation": [ours.name, name], **step} for name in ("Um", "Dois")], "same": 0}
        assert sent(ours, "{Um: , Dois: }") == (200, made)
        assert sent(ours, "{Um: , Dois: }") == (200, {"steps": [], "same": 0})
        assert sorted(Organisation.objects.filter(parent=ours).values_list("name", flat=True)) == ["Dois", "Um"]
        assert AuditEntry.objects.of(ours).filter(action="client.added").count() == 2

    def test_a_dry_run_says_what_they_would_have(self, ours: Organisation) -> None:
        code, told = sent(ours, "{Um: {domains: {a.example: {policy: {mx: [mx.a.example]}}}}}", "?dry_run=true")
        found = [(each["organisation"], each["domain"], each["step"]) for each in told["steps"]]
        assert (code, found) == (200, [([ours.name, "Um"], None, "add"), ([ours.name, "Um"], "a.example", "add")])
        assert not Organisation.objects.filter(parent=ours).exists()

    def test_their_domains_go_to_their_own_address(self, ours: Organisation) -> None:
        code, told = sent(ours, "{Um: {domains: {a.example: }}}")
        detail = "Of clients it has names, and `second_factor`: send the rest to each one's `root`."
        assert (code, told["errors"]) == (422, [{"pointer": "/file", "detail": detail}])
        assert not HostedDomain.objects.everywhere().exists()

    def test_one_name_of_several(self, ours: Organisation) -> None:
        for _ in range(2):
            Organisation.objects.create(name="Um", parent=ours)
        code, told = sent(ours, "{Um: }")
        refused = "several organisations have this name; rename all but one"
        assert (code, [each["refused"] for each in told["steps"]]) == (200, [refused])

    def test_a_client_has_none(self, ours: Organisation) -> None:
        client = Organisation.objects.create(name="Um", parent=ours)
        support_web.person("c@example.com", client, Role.OWNER)
        code, told = sent(client, "{Outra: }")
        assert (code, [each["refused"] for each in told["steps"]]) == (200, ["a client has no clients of its own"])
        assert not Organisation.objects.filter(name="Outra").exists()
