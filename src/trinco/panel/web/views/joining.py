"""The page behind the link of an invitation: yes, by a person with an account or by a new one.

It is at the panel's own host alone, drawn as the label of the organisation has it.
"""

from __future__ import annotations

from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from trinco.panel import doors
from trinco.panel.accounts import actors, invitations, labels, provider
from trinco.panel.accounts.errors import AccountExists, AccountGone, InvitationRefused
from trinco.panel.accounts.models import Invitation, User
from trinco.panel.limits import allowed
from trinco.panel.web.access import public
from trinco.panel.web.context import show_label_of
from trinco.panel.web.onward import enter
from trinco.panel.web.people_forms import PasswordForm
from trinco.panel.web.refusals import refusal

BACKEND = "allauth.account.auth_backends.AuthenticationBackend"
MOST_A_MINUTE = 20
"""Links that one address may try."""


@public
@never_cache
@require_http_methods(["GET", "POST"])
def show(request: HttpRequest, token: str) -> HttpResponse:
    """What the link is about; posted, the answer is yes."""
    if not allowed("join", actors.client_address(request), MOST_A_MINUTE):
        return render(request, "429.html", status=429)
    try:
        row = _row(request, token)
        if doors.label_here(request) is not None:
            return redirect(f"{labels.root(None)}{request.path}")
        return _answered(request, token, row)
    except InvitationRefused as error:
        return _again(request, token) or render(request, "web/invitation.html", {"problem": refusal(error)}, status=404)
    except AccountGone:  # deleted in another tab: a stranger asks now
        return redirect(request.path)


def _again(request: HttpRequest, token: str) -> HttpResponse | None:
    """Into what the person has joined by this link before; None: they have not."""
    if not isinstance(request.user, User):
        return None
    joined = invitations.joined_by(token=token, user=request.user)
    return enter(request, request.user, joined) if joined and doors.opens(request, joined) else None


def _row(request: HttpRequest, token: str) -> Invitation:
    """The invitation, under its organisation's label. Raises InvitationRefused, also at the host of another label."""
    row = invitations.invitation_of(token)
    if not doors.opens(request, row.organisation):
        raise InvitationRefused("behind another door")
    show_label_of(request, row.organisation)
    return row


def _answered(request: HttpRequest, token: str, row: Invitation) -> HttpResponse:
    if isinstance(request.user, User):
        if request.method == "POST" and request.user.email.lower() == row.email:
            source = actors.client_address(request)
            return enter(request, request.user, invitations.join(token=token, user=request.user, source=source))
        return render(request, "web/invitation.html", {"row": row, "other": request.user.email.lower() != row.email})
    if invitations.has_account(row):
        return render(request, "web/invitation.html", {"row": row, "sign_in": True})
    return _anew(request, token, row)


def _anew(request: HttpRequest, token: str, row: Invitation) -> HttpResponse:
    form = PasswordForm(row.email, request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "web/invitation.html", {"row": row, "form": form, "sso": provider.words()})
    deed = {"password": form.cleaned_data["password"], "source": actors.client_address(request)}
    try:
        user = invitations.join_anew(token=token, **deed)
    except AccountExists:  # made by somebody else in between
        return render(request, "web/invitation.html", {"row": row, "sign_in": True})
    login(request, user, backend=BACKEND)  # the mail proved the address, and a new account has no second factor
    return enter(request, user, row.organisation)
