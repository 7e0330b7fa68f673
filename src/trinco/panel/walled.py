"""Each request within `wall`: of nobody until it is known who asks, and then of what that person may see."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from django.db import connection
from django.http import HttpRequest
from django.http.response import HttpResponseBase, StreamingHttpResponse

from trinco.panel import wall, wall_tables
from trinco.panel.accounts.access import scope
from trinco.panel.accounts.models import User

_AGAIN = 30.0
"""Seconds until it is asked again whether the wall stands, where it did not."""


class WallMiddleware:
    """Behind the one that knows who is signed in. A token tells its organisation later (`api.auth`)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not STANDING.stands():
            return self.get_response(request)
        with wall.within(scope(request.user) if isinstance(request.user, User) else ()):
            response = self.get_response(request)
            if isinstance(response, StreamingHttpResponse):
                response.streaming_content = _kept(iter(response), wall.prefix())
            return response


class Standing:
    """Whether the wall stands. Once it does it stays, in this process: a request fails rather than go on without it."""

    def __init__(self) -> None:
        self._stands = False
        self._asked: float | None = None

    def stands(self) -> bool:
        if self._stands or connection.vendor != "postgresql":
            return self._stands
        now = time.monotonic()
        if self._asked is None or now - self._asked >= _AGAIN:
            self._asked = now
            self._stands = wall_tables.stands()
        return self._stands


STANDING: Final = Standing()


def _kept(rest: Iterator[bytes], prefix: str) -> Iterator[bytes]:
    """The pieces, each made within the wall: they are asked for when the request is over."""
    while True:
        with wall.as_before(prefix):
            piece = next(rest, None)
        if piece is None:
            return
        yield piece
