"""Keys to the API: what there is, a new one, and its end."""

from __future__ import annotations

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from trinco.panel.accounts import actors, tokens
from trinco.panel.accounts.errors import TooManyTokens
from trinco.panel.accounts.models import ApiToken
from trinco.panel.accounts.roles import Deed
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.token_form import TokenForm

SHOWN = 200
"""How many stand on the page, the newest first."""


@require_http_methods(["GET", "POST"])
@may(Deed.TOKENS)
@reauthentication_required(allow_get=True)  # type: ignore[untyped-decorator]
def show(request: MemberRequest) -> HttpResponse:
    """The list, and a form for one more. The new key stands on the answer to the form and nowhere else."""
    scopes = tokens.scopes_of(request.membership)
    form, key = TokenForm(scopes, request.POST or None), ""
    if request.method == "POST" and form.is_valid():
        try:
            _token, key = tokens.create_token(
                membership=request.membership, actor=actors.of(request), **form.cleaned_data
            )
            form = TokenForm(scopes)
        except TooManyTokens as error:
            form.add_error(None, _("You have %s tokens that work. Revoke one that you no longer need.") % error)
    context = {
        "nav": "account",
        "form": form,
        "key": key,
        "tokens": tokens.seen_by(request.membership)[:SHOWN],
        "now": timezone.now(),
    }
    return render(request, "web/tokens.html", context)


@require_POST
@may(Deed.TOKENS)
def revoke(request: MemberRequest, pk: int) -> HttpResponse:
    """From now on the key opens nothing."""
    token: ApiToken = get_object_or_404(tokens.seen_by(request.membership), pk=pk)
    tokens.revoke_token(token=token, actor=actors.of(request))
    messages.success(request, _("Revoked: %s") % token.name)
    return redirect("tokens")
