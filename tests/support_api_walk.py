"""Every operation of the API with its deed, found in its routers, and a request that it can answer: a new operation
cannot be forgotten, since a table without it is a red test."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.core.cache import caches
from django.db import transaction
from django.test import Client
from django.utils import timezone
from tests import support_panel, support_reports
from tests.support_walk import World

from trinco.panel.accounts import tokens
from trinco.panel.accounts.access import access_to
from trinco.panel.accounts.models import ApiToken, Invitation, Organisation, TokenScope, User
from trinco.panel.accounts.roles import Deed
from trinco.panel.api.v1 import api
from trinco.panel.policies import imports
from trinco.panel.reports.models import RawReport, RawState
from trinco.panel.webhooks.models import Delivery, DeliveryState

CSV = "um.example\ndois.example,mx.dois.example\n"
DONE = {200, 201, 202, 204}


@dataclass(frozen=True, slots=True)
class Operation:
    """An operation. `takes`: the names in its path."""

    verb: str
    path: str
    deeds: frozenset[Deed | None]
    takes: frozenset[str]
    body: bool

    @property
    def name(self) -> str:
        return f"{self.verb} {self.path}"

    @property
    def deed(self) -> Deed:
        (deed,) = self.deeds
        assert deed is not None
        return deed


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent beside the address. `answers`: what whoever may do it gets."""

    body: Any = None
    media_type: str = "application/json"
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    answers: frozenset[int] = frozenset(DONE)

    @property
    def octets(self) -> bytes:
        if isinstance(self.body, bytes):
            return self.body
        return b"" if self.body is None else json.dumps(self.body).encode()


def operations() -> list[Operation]:
    """All of `/api/v1`."""
    return [
        Operation(
            verb,
            prefix + path,
            frozenset(getattr(each, "deed", None) for each in operation.auth_callbacks),
            frozenset(part.partition("}")[0].rpartition(":")[2] for part in (prefix + path).split("{")[1:]),
            _has_body(operation),
        )
        for prefix, router in api._routers
        for path, view in router.path_operations.items()
        for operation in view.operations
        for verb in operation.methods
    ]


def _has_body(operation: Any) -> bool:
    models = {model.__ninja_param_source__ for model in operation.models}
    return "body" in models or "requestBody" in (operation.openapi_extra or {})


PEM = {"certificate": "-----BEGIN CERTIFICATE-----", "key": "-----BEGIN PRIVATE KEY-----"}
STATE = '{"version": 1, "organisations": {"ours": {"domains": {"correio.example": {"tags": ["a"]}}}}}'
REFUSED, NONE = frozenset({422}), frozenset({404})
ANY = {"If-Match": "*"}
SENT: dict[str, Sent] = {
    "PUT /domains/{name}": Sent({}),
    "PATCH /domains/{name}": Sent({"tls_reporting": {"on": False}}),
    "PUT /domains/{name}/policy": Sent({"mode": "none"}, headers=ANY),
    "PATCH /domains/{name}/policy": Sent({"mode": "testing"}, headers=ANY),
    "POST /domains/{name}/policy/undo": Sent({}, headers=ANY),
    "POST /domains:bulk": Sent({"domains": [{"name": "um.example"}]}),
    "POST /policies:mode": Sent({"mode": "none", "domains": ["correio.example"]}),
    "POST /domains/{name}/recipients": Sent({"address": "nova@example.com"}),
    "PUT /domains/{name}/certificate": Sent(PEM, answers=REFUSED),
    "DELETE /domains/{name}/certificate": Sent(answers=NONE),
    "POST /imports": Sent(CSV.encode(), "text/csv"),
    "PUT /retention": Sent({"raw_days": 30, "row_days": 60}),
    "POST /read": Sent(support_reports.report_json(), "application/tlsrpt+json"),
    "PATCH /organisation": Sent({"name": "Nova"}),
    "DELETE /organisation": Sent(answers=frozenset({409})),
    "POST /organisation/leave": Sent(answers=frozenset({204, 404, 409})),
    "GET /clients/closed": Sent(answers=NONE),
    "GET /clients/closed/{int:pk}/activity.{form}": Sent(answers=NONE),
    "GET /organisation/label": Sent(answers=NONE),
    "PUT /organisation/label": Sent({"product": "Correio Seguro"}, answers=NONE),
    "DELETE /organisation/label": Sent(answers=NONE),
    "PUT /organisation/label/logo/{theme}": Sent(b"RIFF", "image/webp", answers=NONE),
    "DELETE /organisation/label/logo/{theme}": Sent(answers=NONE),
    "PUT /organisation/label/host": Sent({"host": "tls.provedor.example"}, answers=NONE),
    "POST /organisation/label/host/check": Sent(answers=NONE),
    "DELETE /organisation/label/host": Sent(answers=NONE),
    "POST /state": Sent({"file": STATE}),
    "POST /clients": Sent({"name": "Cliente"}, answers=NONE),
    "GET /clients": Sent(answers=NONE),
    "PATCH /people/{int:pk}": Sent({"role": "viewer"}),
    "POST /invitations": Sent({"email": "eva@example.com", "role": "viewer"}),
    "POST /tokens": Sent({"name": "x", "scope": "read", "days": 30}, answers=frozenset({403})),
    "POST /webhooks": Sent({"name": "x", "url": "https://hook.example.com/", "kinds": ["domain.added"]}),
    "PATCH /webhooks/{int:pk}": Sent({"on": False}),
    "POST /webhooks/{int:pk}/secret": Sent({"leaked": True}),
}
"""What each operation that takes a body gets, and what is out of the ordinary: a client has no clients and no label of
its own, and no token makes a token."""


class ApiWorld(World):
    """The same, with the keys by the path's first word."""

    def __init__(self) -> None:
        super().__init__()
        imports.stop(job=imports.DomainImport.objects.of(self.ours).get(), actor=support_panel.ANA)
        RawReport.objects.everywhere().filter(pk=self.keys["report_retry"]).update(state=RawState.PARKED)
        Delivery.objects.everywhere().filter(pk=self.keys["webhook_redeliver"]).update(state=DeliveryState.DONE)
        Invitation.objects.everywhere().update(sent_at=timezone.now() - timedelta(hours=1))
        keys = {
            "reports": "report",
            "imports": "import",
            "arrivals": "report_retry",
            "people": "member_role",
            "invitations": "invitation_resend",
            "tokens": "token_revoke",
            "webhooks": "webhook",
            "deliveries": "webhook_redeliver",
            "domains": "recipient_remove",
            "clients": "client_closed_log",
        }
        self.of_path = {word: self.keys[name] for word, name in keys.items()}

    def address(self, operation: Operation, where: Organisation | None = None) -> str:  # type: ignore[override]
        """`where`: the organisation that it names; None: none."""
        word = operation.path.split("/")[1]
        told = {
            "{int:pk}": str(self.of_path.get(word)),
            "{name}": self.domain.name,
            "{form}": "csv",
            "{theme}": "light",
        }
        path = operation.path
        for pattern, value in told.items():
            path = path.replace(pattern, value)
        return f"{f'/o/{where.pk}' if where else ''}/api/v1{path}{sent_to(operation).query}"

    def known(self, path: str) -> dict[str, Any]:
        """What is there, for the names in a path of the OpenAPI document."""
        values = {"pk": self.of_path.get(path.split("/")[3]), "name": self.domain.name, "form": "csv", "theme": "light"}
        return {name: value for name, value in values.items() if f"{{{name}}}" in path}


def sent_to(operation: Operation) -> Sent:
    return SENT.get(operation.name, Sent())


def key_of(user: User, where: Organisation, scope: TokenScope = TokenScope.ADMIN) -> str:
    """A token of this person there, of a scope that their role may not reach: a scope only takes away."""
    access = access_to(user, where.pk)
    assert access is not None
    token, key = tokens.create_token(membership=access, name="x", days=30, actor=support_panel.ANA)
    ApiToken.objects.everywhere().filter(pk=token.pk).update(scope=scope)
    return key


def headers_of(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def asked(operation: Operation, address: str, headers: Mapping[str, str]) -> Any:
    """The answer, and all that was done is taken back."""
    sent = sent_to(operation)
    caches["here"].clear()
    content_type = {"content_type": sent.media_type} if sent.body is not None else {}
    with transaction.atomic():
        answer = Client().generic(
            operation.verb, address, sent.octets, headers={**sent.headers, **headers}, **content_type
        )
        if answer.streaming:
            b"".join(answer)
        transaction.set_rollback(True)
    return answer


def statuses(world: ApiWorld, headers: Mapping[str, str], where: Organisation | None) -> dict[str, int]:
    """What every operation answers."""
    return {each.name: asked(each, world.address(each, where), headers).status_code for each in operations()}
