"""What a browser that was left alone may not do: be told a new secret, or lead elsewhere what is told."""

from __future__ import annotations

from allauth.account.decorators import reauthentication_required
from allauth.core.exceptions import ReauthenticationRequired
from django.http import HttpRequest

from trinco.panel.api import kinds
from trinco.panel.api.auth import caller
from trinco.panel.api.problems import Problem

SIGN_IN_AGAIN = "Sign in again first: it was a while ago."


@reauthentication_required  # type: ignore[untyped-decorator]
def _signed_in_lately(_request: HttpRequest) -> None:
    """Raises ReauthenticationRequired."""


def require_lately(request: HttpRequest) -> None:
    """As the pages do; a program with a token is not asked. Raises Problem 403."""
    if caller(request).token:
        return
    try:
        _signed_in_lately(request)
    except ReauthenticationRequired:
        raise Problem(kinds.FORBIDDEN, SIGN_IN_AGAIN) from None
