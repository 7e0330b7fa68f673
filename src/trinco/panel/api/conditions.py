"""ETag, If-Match and If-None-Match (RFC 9110 sections 8.8.3 and 13.1): a change is of what its caller has read.

An ETag is the number of the version that is current: there is one for each state that a policy ever had.
"""

from __future__ import annotations

import re
from typing import Any, Final

from django.http import HttpRequest

from trinco.panel.api import kinds
from trinco.panel.api.problems import Problem

ANY = "*"
PARAMETERS: Final[dict[str, Any]] = {
    "parameters": [
        {
            "in": "header",
            "name": name,
            "required": False,
            "schema": {"type": "string", "title": name},
            "description": text,
        }
        for name, text in (
            ("If-Match", "The `ETag` of the version that you have read, or `*` for whichever is current."),
            ("If-None-Match", "`*`: there is no policy yet. One of the two is wanted."),
        )
    ]
}
"""For the description of an operation whose changes are of what its caller has read."""
_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_LIST = re.compile(rf"\s*(?:{_TAG.pattern})(?:\s*,\s*(?:{_TAG.pattern}))*\s*")


def etag_of(number: int) -> str:
    """The ETag of a version."""
    return f'"{number}"'


def require_match(request: HttpRequest, current: str | None) -> bool:
    """Hold the request's conditions against what is there now; `current` is None where there is nothing yet.

    True: the request names the version that it has read. False: it takes any (`If-Match: *`), or wants the first
    (`If-None-Match: *`). Raises Problem 428 without a condition, 412 where it is not met, 400 where it is none.
    """
    if "If-Match" in request.headers:
        return _require_one_of(_tags(request, "If-Match"), current)
    if "If-None-Match" in request.headers:
        _require_none_of(_tags(request, "If-None-Match"), current)
        return False
    text = "" if current is not None else "There is none yet: send `If-None-Match: *` for the first."
    raise Problem(kinds.NO_CONDITION, text)


def _require_one_of(tags: list[str], current: str | None) -> bool:
    """Strong comparison: a weak tag is equal to none."""
    if current is None or not (tags == [ANY] or current in tags):
        raise changed(current)
    return tags != [ANY]


def _require_none_of(tags: list[str], current: str | None) -> None:
    weak = {tag.removeprefix("W/") for tag in tags}
    if current is not None and (tags == [ANY] or current in weak):
        raise changed(current)


def changed(current: str | None) -> Problem:
    """Problem 412, with the ETag of what is there now."""
    problem = Problem(kinds.PRECONDITION)
    return problem.with_headers(ETag=current) if current is not None else problem


def _tags(request: HttpRequest, name: str) -> list[str]:
    text = request.headers[name]
    if text.strip() == ANY:
        return [ANY]
    if not _LIST.fullmatch(text):
        raise Problem(kinds.BAD_PARAMETER, f"`{name}` is neither `*` nor a list of entity tags.", name)
    return _TAG.findall(text)
