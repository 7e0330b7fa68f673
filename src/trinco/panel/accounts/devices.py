"""Browsers in which somebody has signed in before. Attempts in them are counted apart from everybody else's, so that
whoever keeps guessing elsewhere locks nobody out.

The browser keeps a signed cookie with a number of its own and the digests of up to five addresses. It opens nothing:
who steals it may guess as often as anybody.
"""

from __future__ import annotations

import secrets
from typing import Any

from django.conf import settings
from django.core import signing
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac

YEAR = 365 * 86_400
_SALT = "trinco.device"
_MOST = 5


def known(request: HttpRequest, email: str) -> str:
    """The number of the browser, where this address has signed in; "" elsewhere."""
    number, digests = _read(request)
    return number if _digest(email) in digests else ""


def remember(request: HttpRequest, response: HttpResponseBase, email: str) -> None:
    """This address has signed in here, with all that was asked for."""
    number, digests = _read(request)
    mine = _digest(email)
    kept = [mine, *(each for each in digests if each != mine)][:_MOST]
    value = signing.dumps([number or secrets.token_urlsafe(12), kept], salt=_SALT)
    flags: dict[str, Any] = {"secure": settings.SESSION_COOKIE_SECURE, "httponly": True, "samesite": "Lax"}
    response.set_cookie(settings.DEVICE_COOKIE_NAME, value, max_age=YEAR, **flags)


def _read(request: HttpRequest) -> tuple[str, list[str]]:
    try:
        number, digests = signing.loads(request.COOKIES.get(settings.DEVICE_COOKIE_NAME, ""), salt=_SALT, max_age=YEAR)
    except signing.BadSignature:
        return "", []
    return str(number), list(digests)


def _digest(email: str) -> str:
    return salted_hmac(_SALT, email.strip().lower(), algorithm="sha256").hexdigest()[:24]
