"""How many requests a caller has in a minute, and what the answers say about it (draft-ietf-httpapi-ratelimit-headers).

Each token has its own; whoever is signed in has one as a person. The count is this process's alone: it is looked at
with each request.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from ninja.throttling import BaseThrottle

from trinco.panel import limits
from trinco.panel.api import kinds
from trinco.panel.api.auth import caller
from trinco.panel.api.problems import Problem

_ATTRIBUTE = "api_spent"


@dataclass(frozen=True, slots=True)
class Spent:
    """`left` of `most` requests, for `rest` seconds more. Below zero: it was one too many."""

    most: int
    left: int
    rest: int


class Budget(BaseThrottle):
    """Asked once it is known who the caller is."""

    def allow_request(self, request: HttpRequest) -> bool:
        access, most = caller(request), settings.CONFIG.api_requests
        who = access.token or f"person-{access.user_id}"
        spent = Spent(most, most - limits.counted("api", who), limits.rest())
        setattr(request, _ATTRIBUTE, spent)
        return spent.left >= 0

    def wait(self) -> float:
        return float(limits.rest())


def require(what: str, address: str, most: int) -> None:
    """Of what costs more than a request: raises Problem 429 where this address did it so often in this minute."""
    if not limits.allowed(what, address, most):
        raise Problem(kinds.TOO_MANY).with_headers(Retry_After=str(limits.rest()))


def tell(request: HttpRequest, response: HttpResponseBase) -> None:
    """Say on the answer what is left."""
    spent: Spent | None = getattr(request, _ATTRIBUTE, None)
    if spent is not None:
        response.headers["RateLimit-Policy"] = f'"requests";q={spent.most};w={limits.MINUTE}'
        response.headers["RateLimit"] = f'"requests";r={max(spent.left, 0)};t={spent.rest}'
