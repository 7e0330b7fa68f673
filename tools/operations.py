"""docs/operations.md: every operation of the API with what it takes and answers, from its OpenAPI document."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import Any

HEAD = """# Operations of the API

Every address, with the deed that it does, what it takes and what it answers. [api.md](api.md) has the rest: tokens and
their scopes, pages, errors, and examples. `/o/<number>` in front of an address names an organisation.
"""
ROLES = ("owner", "admin", "editor", "viewer")


def operations() -> str:
    """The page."""
    from trinco.panel.api.v1 import api  # noqa: PLC0415 - the other pages do not need the package

    described = api.get_openapi_schema()
    groups = groupby(_all(described, _deeds(api)), key=lambda each: each[0])
    return HEAD + "".join(f"\n## {tag.capitalize()}\n" + "".join(text for _, text in some) for tag, some in groups)


def _deeds(api: Any) -> dict[str, str]:
    """Deeds by the name of the operation."""
    return {
        api.get_openapi_operation_id(operation): str(operation.auth_callbacks[0].deed)
        for _, router in api._routers  # noqa: SLF001 - as the framework's own document does
        for view in router.path_operations.values()
        for operation in view.operations
    }


def _all(described: Any, deeds: dict[str, str]) -> Iterator[tuple[str, str]]:
    found = [
        (operation["tags"][0], path, verb, operation)
        for path, verbs in described["paths"].items()
        for verb, operation in verbs.items()
    ]
    order = list(dict.fromkeys(tag for tag, *_ in found))
    for tag, path, verb, operation in sorted(found, key=lambda each: order.index(each[0])):
        yield tag, _one(f"{verb.upper()} {path}", operation, deeds[operation["operationId"]])


def _one(name: str, operation: Any, deed: str) -> str:
    from trinco.panel.accounts.roles import may  # noqa: PLC0415
    from trinco.panel.accounts.tokens import SCOPES  # noqa: PLC0415

    roles = ", ".join(f"`{role}`" for role in ROLES if may(role, deed))  # type: ignore[arg-type]
    scopes = ", ".join(f"`{scope.value}`" for scope, deeds in SCOPES.items() if deed in deeds)
    tokens = f"scopes {scopes}" if {"Token": []} in operation["security"] else "no token"
    says = " ".join(operation.get("description", "").split())
    lines = [f"\n### `{name}`\n", f"{operation['summary']}. {says}\n", f"- who: {roles}; {tokens}"]
    lines += [f"- {text}" for text in (_parameters(operation), _body(operation), _answers(operation)) if text]
    return "\n".join(lines) + "\n"


def _parameters(operation: Any) -> str:
    found = [each for each in operation["parameters"] if each["in"] == "query"]
    told = [f"`{each['name']}`{_says(each)}" for each in found]
    return f"parameters: {'; '.join(told)}" if told else ""


def _says(parameter: Any) -> str:
    text = parameter.get("description") or parameter["schema"].get("description", "")
    return f" ({text.rstrip('.')})" if text else ""


def _body(operation: Any) -> str:
    content = operation.get("requestBody", {}).get("content", {})
    return f"body: {_kinds(content)}" if content else ""


def _answers(operation: Any) -> str:
    """What it answers when it can."""
    good = [(status, each.get("content", {})) for status, each in operation["responses"].items() if int(status) < 300]
    told = [f"{status} {_kinds(content)}".strip() for status, content in good]
    return f"answers: {'; '.join(told)}"


def _kinds(content: Any) -> str:
    return ", ".join(f"`{media}`{_schema(each)}" for media, each in content.items())


def _schema(each: Any) -> str:
    name = each.get("schema", {}).get("$ref", "").rpartition("/")[2]
    return f" {name}" if name else ""
