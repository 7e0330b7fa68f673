"""The Content-Security-Policy of every page, from `settings.SECURE_CSP` (shaped like Django 6's setting)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from django.conf import settings
from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER = "Content-Security-Policy"
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


class ContentSecurityPolicyMiddleware:
    """Sends the policy, and what goes with it, unless a view has set its own."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response
        self.value = policy(settings.SECURE_CSP)

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        response = self.get_response(request)
        response.headers.setdefault(HEADER, self.value)
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        return response


def policy(directives: Mapping[str, Iterable[str]]) -> str:
    """The header's value: `default-src 'none'; script-src 'self'; …`."""
    return "; ".join(" ".join([name, *sources]) for name, sources in directives.items())
