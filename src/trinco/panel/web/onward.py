"""Going on at another host: after a deed by which that of a label may have ceased to be one, and after joining.

By a page that goes on by itself: browsers hold a form's redirect against `form-action`.
"""

from __future__ import annotations

from typing import Final

from allauth.mfa.models import Authenticator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url

from trinco.panel import doors, mounts
from trinco.panel.accounts import came, labels
from trinco.panel.accounts.models import Organisation, User

SECONDS: Final = 5
"""That somebody has to read where they are being led."""


def go_on(request: HttpRequest, to: str) -> HttpResponse:
    """To this view or path; at the panel's own host where the door by which the request came is closed now."""
    label = doors.label_here(request)
    if label is None or labels.at(str(label.host)) is not None:
        return redirect(to)
    return _lead(request, f"{labels.root(None)}{resolve_url(to)}")


def enter(request: HttpRequest, user: User, organisation: Organisation) -> HttpResponse:
    """Into what the person has just joined, at the host of its label where they can sign in there."""
    root, to = labels.root_of(user, labels.of(organisation)), mounts.root(organisation.pk)
    if root == labels.root(None) or _signs_in_here(request, user, organisation):
        return redirect(to)
    return _lead(request, f"{root}{to}", joined=organisation.name)


def _signs_in_here(request: HttpRequest, user: User, organisation: Organisation) -> bool:
    """Single sign-on and the passkeys that they have are for the panel's own host."""
    passkeys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    by_sso = organisation.sso_required or came.by_sso(request) or not user.has_usable_password()
    return by_sso or passkeys.exists()


def _lead(request: HttpRequest, address: str, **facts: str) -> HttpResponse:
    response = render(request, "web/onward.html", {"address": address, **facts})
    response["Refresh"] = f"{SECONDS if facts else 0}; url={address}"
    return response
