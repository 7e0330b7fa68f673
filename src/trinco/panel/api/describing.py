"""The description of the API (OpenAPI), completed by what holds for every operation of a kind."""

from __future__ import annotations

from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Final

from trinco.panel.api.once import HEADER, KEYLESS
from trinco.panel.api.problems import MEDIA_TYPE

KEY: Final[dict[str, Any]] = {
    "in": "header",
    "name": HEADER,
    "required": False,
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "title": HEADER},
    "description": "Sent again with the same key, the request is not done again: the first answer comes for 24 hours.",
}
SIGNED_IN: Final = {("/api/v1/tokens", "post")}
"""What no token does."""
BUDGET: Final[dict[str, Any]] = {
    "RateLimit": {"schema": {"type": "string"}, "description": "How many requests are left, and for how many seconds."}
}


def complete(described: dict[str, Any]) -> None:
    """Problems are `application/problem+json`; a POST that changes things takes an `Idempotency-Key`; each answer says
    what is left of the budget."""
    for path, verb, operation in _operations(described):
        if (path, verb) in SIGNED_IN:
            operation["security"] = [each for each in operation["security"] if "Session" in each]
        if verb == "post" and path != KEYLESS and KEY not in operation["parameters"]:
            operation["parameters"] = [*operation["parameters"], KEY]
        for status, response in operation["responses"].items():
            response.setdefault("headers", BUDGET)
            if int(status) >= HTTPStatus.BAD_REQUEST and "application/json" in response.get("content", {}):
                response["content"] = {MEDIA_TYPE: response["content"]["application/json"]}


def _operations(described: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, verbs in described["paths"].items():
        for verb, operation in verbs.items():
            yield path, verb, operation
