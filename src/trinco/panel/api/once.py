"""`Idempotency-Key`: a POST that is sent again because its answer got lost is not done again."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import wraps
from http import HTTPStatus
from typing import Any, Final

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from trinco.panel.accounts import idempotency
from trinco.panel.accounts.idempotency import Standing
from trinco.panel.accounts.models import IdempotencyKey
from trinco.panel.api import budget, kinds
from trinco.panel.api.auth import caller
from trinco.panel.api.problems import PRIVATE, Problem
from trinco.panel.api.rehearsing import dry

HEADER: Final = "Idempotency-Key"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_ATTRIBUTE = "api_claim"
_STANDS = "api_stands"
_KEPT = ("Content-Type", "ETag", "Location")
_REFUSALS = {
    Standing.RUNNING: kinds.KEY_RUNNING,
    Standing.CUT_OFF: kinds.KEY_CUT_OFF,
    Standing.OTHER: kinds.KEY_REUSED,
}

KEYLESS: Final = "/api/v1/read"
"""Nothing of a report that is only read is kept, no answer either; it changes nothing, so that it needs no key."""
Run = Callable[..., Any]


def once(view: Run) -> Run:
    """Around what an operation does, when it is known who asks and what for."""

    @wraps(view)
    def run(request: HttpRequest, **values: Any) -> Any:
        again = _begun(request)
        return view(request, **values) if again is None else again

    return run


def framed(run: Run) -> Run:
    """Around a whole operation: what became of it is written down, and what is left of the budget is told."""

    @wraps(run)
    def framing(request: HttpRequest, **values: Any) -> HttpResponseBase:
        try:
            response: HttpResponseBase = run(request, **values)
        except BaseException:
            _ended(request, None)
            raise
        _ended(request, response)
        budget.tell(request, response)
        return response

    return framing


def tells_a_secret(request: HttpRequest) -> None:
    """The answer to this request holds what is told once: it is not kept for one who sends its key again."""
    row: IdempotencyKey | None = getattr(request, _ATTRIBUTE, None)
    if row is not None:
        row.secret = True


def stands(request: HttpRequest) -> None:
    """It is done, although its answer is an error: whoever sends the key again gets that answer."""
    setattr(request, _STANDS, True)


def _begun(request: HttpRequest) -> HttpResponse | None:
    """The answer that the request got before, if it has a key; None: it is to be done. Raises Problem 400, 409, 422."""
    if HEADER not in request.headers or not _takes_a_key(request):
        return None
    key = request.headers[HEADER].strip()
    if not _KEY.fullmatch(key):
        raise Problem(kinds.BAD_PARAMETER, f"`{HEADER}` has 1 to 255 visible ASCII characters.", HEADER)
    claim = idempotency.claim(access=caller(request), key=key, request=_whole(request))
    if claim.standing is Standing.NEW:
        setattr(request, _ATTRIBUTE, claim.row)
        return None
    if claim.standing is Standing.DONE:
        return _again(claim.row)
    raise Problem(_REFUSALS[claim.standing]).with_headers(**_later(claim.standing))


def _takes_a_key(request: HttpRequest) -> bool:
    """Whether it may change something, and may not be sent twice."""
    return request.method == "POST" and not request.path.endswith(KEYLESS) and not dry(request)


def _later(standing: Standing) -> dict[str, str]:
    return {"Retry_After": "1"} if standing is Standing.RUNNING else {}


def _whole(request: HttpRequest) -> bytes:
    """All that makes one request another one. The conditions are part of what is asked for."""
    conditions = [request.headers.get(name, "") for name in ("If-Match", "If-None-Match", "Content-Type")]
    return "\n".join([str(request.method), request.get_full_path(), *conditions, ""]).encode() + request.body


def _again(row: IdempotencyKey) -> HttpResponse:
    if row.secret:
        raise Problem(kinds.KEY_TOLD_ONCE)
    if row.status != HTTPStatus.NO_CONTENT and not row.body:
        raise Problem(kinds.KEY_NOT_KEPT, answered=row.status)
    headers = {**PRIVATE, **row.headers, "Idempotency-Replayed": "true"}
    return HttpResponse(bytes(row.body), status=row.status, headers=headers)


def _ended(request: HttpRequest, response: HttpResponseBase | None) -> None:
    row: IdempotencyKey | None = getattr(request, _ATTRIBUTE, None)
    if row is None:
        return
    if not isinstance(response, HttpResponse) or response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        idempotency.cut_off(row=row)  # a fault of ours may lie behind the deed
        return
    if response.status_code >= HTTPStatus.BAD_REQUEST and not hasattr(request, _STANDS):
        idempotency.release(row=row)
        return
    headers = {name: response.headers[name] for name in _KEPT if name in response.headers}
    idempotency.settle(row=row, status=response.status_code, headers=headers, body=response.content)
