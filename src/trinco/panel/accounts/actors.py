"""Who does a deed: what the audit log writes down."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest


@dataclass(frozen=True, slots=True)
class Actor:
    """`name` is a person's e-mail address, or `cli`, `apply`, `trinco`; `source` the address the request came from.

    `provider`: as whose staff the person acts in a client's organisation; `token`: the prefix of the key that was used.
    """

    name: str
    source: str = ""
    provider: str = ""
    token: str = ""


CLI = Actor("cli")
APPLY = Actor("apply")
"""What a file declares (`trinco apply`)."""
TRINCO = Actor("trinco")


def of(request: HttpRequest) -> Actor:
    """The person behind a request: signed in, or by a token."""
    access = getattr(request, "membership", None) or getattr(request, "auth", None)
    if access is None:
        return Actor(request.user.get_username(), client_address(request))
    provider = access.provider.name if access.provider else ""
    return Actor(access.user.get_username(), client_address(request), provider, access.token)


def client_address(request: HttpRequest) -> str:
    """The client's address: the peer's, or what a proxy on this machine says in front of an https panel.

    Only a loopback peer is believed, and only the last hop of its X-Forwarded-For: everything before that one was
    written by the client.
    """
    peer = str(request.META.get("REMOTE_ADDR", ""))
    forwarded = str(request.META.get("HTTP_X_FORWARDED_FOR", "")).rpartition(",")[2].strip()
    if settings.CONFIG.panel_url.startswith("https:") and _is_loopback(peer) and _is_address(forwarded):
        return forwarded
    return peer


def _is_loopback(text: str) -> bool:
    return _is_address(text) and ipaddress.ip_address(text).is_loopback


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
