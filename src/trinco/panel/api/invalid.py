"""What the framework itself refuses, before an operation has seen it: which place, and why."""

from __future__ import annotations

from typing import Any

from ninja.errors import ValidationError

from trinco.panel.api import kinds
from trinco.panel.api.problems import Problem

MOST = 20
"""Faults that one answer tells of."""


def invalid(error: ValidationError) -> Problem:
    """422 with a JSON pointer for each fault of the body; 400 for the address."""
    faults = [each for each in error.errors if each.get("loc")]
    body = [each for each in faults if each["loc"][0] == "body"]
    if body:
        return Problem(kinds.BAD_BODY, errors=[_told(each) for each in body[:MOST]])
    first = faults[0] if faults else {"loc": [""], "msg": ""}
    return Problem(kinds.BAD_PARAMETER, str(first["msg"]), str(first["loc"][-1])[:100])


def _told(fault: dict[str, Any]) -> dict[str, str]:
    """`loc` begins with `body` and the name of the operation's argument, which nobody has sent."""
    path = [str(each)[:100].replace("~", "~0").replace("/", "~1") for each in fault["loc"][2:]]
    shown = "".join(f"/{each}" for each in path)
    return {"pointer": "".join(each if each.isprintable() else "?" for each in shown), "detail": str(fault["msg"])}
