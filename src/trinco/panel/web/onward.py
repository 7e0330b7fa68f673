"""Going on at another host: after a deed by which that of a label may have ceased to be one, and after joining.

By a page, since browsers hold a form's redirect against `form-action`. It goes on by itself where there is nothing to
read; otherwise the person does, whose time to read is their own (WCAG 2.2.1).
"""

from __future__ import annotations

from allauth.mfa.models import Authenticator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render, resolve_url

from trinco.panel import doors, mounts
from trinco.panel.accounts import came, labels
from trinco.panel.accounts.models import Organisation, User


def go_on(request: HttpRequest, to: str) -> HttpResponse:
    """To this view or path; at the panel's own host where the door by which the request came is closed now."""
    label = doors.label_here(request)
    if label is None or labels.at(str(label.host)) is not None:
        return redirect(to)
    address = f"{labels.root(None)}{resolve_url(to)}"
    response = render(request, "web/onward.html", {"address": address})
    response["Refresh"] = f"0; url={address}"
    return response


def enter(request: HttpRequest, user: User, organisation: Organisation) -> HttpResponse:
    """Into what the person has just joined, at the host of its label where they can sign in there."""
    root, to = labels.root_of(user, labels.of(organisation)), mounts.root(organisation.pk)
    if root == labels.root(None) or _signs_in_here(request, user, organisation):
        return redirect(to)
    return render(request, "web/onward.html", {"address": f"{root}{to}", "joined": organisation.name})


def _signs_in_here(request: HttpRequest, user: User, organisation: Organisation) -> bool:
    """Single sign-on and the passkeys that they have are for the panel's own host."""
    passkeys = Authenticator.objects.filter(user=user, type=Authenticator.Type.WEBAUTHN)
    by_sso = organisation.sso_required or came.by_sso(request) or not user.has_usable_password()
    return by_sso or passkeys.exists()
