"""The OpenAPI document, where the framework's own is not exact: problems have a media type of their own."""

from __future__ import annotations

from typing import Any

from trinco.panel.api.problems import MEDIA_TYPE


def exact(described: dict[str, Any]) -> dict[str, Any]:
    """The same document, with each answer under the media type that it comes as."""
    for operations in described["paths"].values():
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                _correct(int(status), answer)
    return described


def _correct(status: int, answer: dict[str, Any]) -> None:
    content = answer.get("content", {})
    if status >= 400 and "application/json" in content:
        content[MEDIA_TYPE] = content.pop("application/json")
