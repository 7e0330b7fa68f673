"""How the person of a session proved who they are: by the provider, and how lately. Kept where allauth keeps it, bound
to the person, so that it is gone when they sign out."""

from __future__ import annotations

import time
from typing import Any, Final

from allauth.account import app_settings
from allauth.account.authentication import get_authentication_records
from allauth.account.internal.flows.login import record_authentication
from django.http import HttpRequest

from trinco.panel.accounts import provider
from trinco.panel.accounts.models import User

_METHOD: Final = "oidc"


def note(request: HttpRequest, user: User, *, anew: bool = False) -> None:
    """The provider has said that it is this person; `anew`: it has just asked them once more."""
    record_authentication(request, user, _METHOD, issuer=provider.issuer(), reauthenticated=True if anew else None)


def by_sso(request: HttpRequest) -> bool:
    """Whether the person came by the provider of now in this session."""
    here = provider.issuer()
    return bool(here) and any(
        each.get("method") == _METHOD and each.get("issuer") == here for each in _records(request)
    )


def lately(request: HttpRequest) -> bool:
    """Whether the person has proved once more who they are, by whatever means, a moment ago."""
    anew = [each["at"] for each in _records(request) if each.get("reauthenticated")]
    return bool(anew) and time.time() - max(anew) < app_settings.REAUTHENTICATION_TIMEOUT


def _records(request: HttpRequest) -> list[dict[str, Any]]:
    user = request.user if isinstance(request.user, User) else None
    found: list[dict[str, Any]] = get_authentication_records(request, user)
    return found
