"""Bodies, strictly: JSON in UTF-8, each member once and known, nothing deep, nothing that a database refuses.

What is ambiguous (RFC 8259 section 4: a name twice) is an error: two readers would read two things.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

from django.http import HttpRequest
from ninja import Schema
from ninja.parser import Parser
from pydantic import ConfigDict

from trinco.panel.api import kinds
from trinco.panel.api.problems import Problem

MOST_OCTETS = 1 << 20
DEEPEST = 16
"""Arrays and objects within each other."""
LARGEST = (1 << 53) - 1
"""The largest integer that every reader of JSON has exactly (RFC 8259 section 6)."""
MEDIA_TYPES = ("application/json", "application/merge-patch+json")


class Strict(Schema):
    """What an operation takes: a member that it does not know is an error, and `"1"` is no number."""

    model_config = ConfigDict(extra="forbid", strict=True)


class StrictParser(Parser):
    """For every operation with a body."""

    def parse_body(self, request: HttpRequest) -> dict[str, Any]:
        if request.content_type not in MEDIA_TYPES or _charset(request) not in ("", "utf-8"):
            raise Problem(kinds.WRONG_TYPE)
        return parsed(request.body)


def parsed(octets: bytes) -> dict[str, Any]:
    """The object in a body. Raises Problem 413, 422."""
    if len(octets) > MOST_OCTETS:
        raise Problem(kinds.TOO_LARGE, f"A body has {MOST_OCTETS} octets at most.")
    try:
        text = octets.decode("utf-8")
        found = json.loads(
            text, object_pairs_hook=_object, parse_constant=_no_number, parse_int=_integer, parse_float=_fraction
        )
    except UnicodeDecodeError:
        raise refused("", "It is not UTF-8.") from None
    except RecursionError:
        raise refused("", _DEEP) from None
    except json.JSONDecodeError as error:
        raise refused("", f"It is not JSON: {error.msg} at character {error.pos}.") from None
    if not isinstance(found, dict):
        raise refused("", "It is not an object.")
    _look_through(found)
    return found


_DEEP = f"Arrays and objects lie within each other deeper than {DEEPEST}."


def refused(pointer: str, detail: str) -> Problem:
    """Problem 422 about one place of the body, named by a JSON pointer (RFC 6901)."""
    return Problem(kinds.BAD_BODY, errors=[{"pointer": pointer, "detail": detail}])


def _charset(request: HttpRequest) -> str:
    return str((request.content_params or {}).get("charset", "")).strip('"').lower()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:  # one pass: a body may have a hundred thousand names
        if name in found:
            raise refused(f"/{_escaped(name)}", "It is there more than once.")
        found[name] = value
    return found


def _no_number(text: str) -> NoReturn:
    raise refused("", f"{text} is no number of JSON.")


def _integer(text: str) -> int:
    if len(text) > len(str(LARGEST)) + 1 or abs(int(text)) > LARGEST:
        raise refused("", "A number is too large.")
    return int(text)


def _fraction(text: str) -> float:
    if math.isinf(float(text)):
        raise refused("", "A number is too large.")
    return float(text)


def _look_through(found: dict[str, Any]) -> None:
    """Refuse what lies too deep, and texts that no database takes."""
    waiting: list[tuple[str, Any, int]] = [("", found, 1)]
    while waiting:
        pointer, value, depth = waiting.pop()
        if depth > DEEPEST:
            raise refused(pointer, _DEEP)
        if isinstance(value, str):
            _require_text(pointer, value)
        elif isinstance(value, (dict, list)):
            waiting += _within(pointer, value, depth + 1)


def _within(pointer: str, value: dict[str, Any] | list[Any], depth: int) -> list[tuple[str, Any, int]]:
    if isinstance(value, list):
        return [(f"{pointer}/{number}", each, depth) for number, each in enumerate(value)]
    for name in value:
        _require_text(pointer, name)
    return [(f"{pointer}/{_escaped(name)}", each, depth) for name, each in value.items()]


def _require_text(pointer: str, text: str) -> None:
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise refused(pointer, "There is a character in it that no text has.")


def _escaped(name: str) -> str:
    """A member's name in a JSON pointer (RFC 6901 section 3), fit to be shown."""
    shown = "".join(character if character.isprintable() else "?" for character in name[:100])
    return shown.replace("~", "~0").replace("/", "~1")
