"""Deeds that are done when the answer is with the browser: how long they take tells nobody anything."""

from __future__ import annotations

from collections.abc import Callable

import structlog
from django.http import HttpRequest
from django.http.response import HttpResponseBase

_ATTRIBUTE = "deeds_afterwards"
_log = structlog.get_logger("trinco.panel")

Deed = Callable[[], object]


class AfterwardsMiddleware:
    """Around all that may have something to do later. A deed that fails is logged: nobody is there to hear of it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        deeds: list[Deed] = []
        setattr(request, _ATTRIBUTE, deeds)
        response = self.get_response(request)
        if deeds:
            response.close = _closing(response.close, deeds)  # type: ignore[method-assign]
        return response


def afterwards(request: HttpRequest | None, deed: Deed) -> None:
    """Do it once the request is answered; at once where there is none."""
    deeds: list[Deed] | None = getattr(request, _ATTRIBUTE, None)
    if deeds is None:
        deed()
    else:
        deeds.append(deed)


def _closing(close: Callable[[], None], deeds: list[Deed]) -> Callable[[], None]:
    def closed() -> None:
        close()
        while deeds:
            _done(deeds.pop(0))

    return closed


def _done(deed: Deed) -> None:
    try:
        deed()
    except OSError as error:  # SMTPException is one
        _log.error("not done after the answer", error=str(error))
