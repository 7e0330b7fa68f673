"""Single sign-on by the OpenID provider of the installation: there, back, and what comes of it (docs/sso.md).

The provider sends people back to the panel's own host, where the session is that asked. At the host of a label there is
a link to there, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final
from urllib.parse import urlencode

import structlog
from allauth.account.decorators import reauthentication_required
from allauth.account.internal.flows.reauthentication import resume_request
from allauth.account.utils import perform_login
from django.contrib import messages
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from trinco.core.errors import TrincoError
from trinco.net.idtoken import Claims, TokenRefused
from trinco.net.oidc import ProviderAway
from trinco.panel import doors
from trinco.panel.accounts import actors, came, labels, provider, sso
from trinco.panel.accounts.errors import BoundOtherwise, NotAwaited
from trinco.panel.accounts.models import User
from trinco.panel.limits import allowed
from trinco.panel.web import sso_flow
from trinco.panel.web.access import public
from trinco.panel.web.refusals import refusal
from trinco.panel.web.sso_flow import Asked, Why
from trinco.panel.web.sso_forms import BindForm

MOST_A_MINUTE: Final = 20
"""Questions, and answers, of one address."""
_log = structlog.get_logger("trinco.sso")


@public
@never_cache
@require_http_methods(["GET", "POST"])
def start(request: HttpRequest) -> HttpResponse:
    """A page that says single sign-on is wanted; posted, the way to the provider."""
    if request.method == "POST":
        return _there(request, Why.ENTER)
    if not provider.configured():
        raise Http404
    facts = {"following": sso_flow.following(request.GET.get("next", "")), "words": provider.words()}
    if doors.label_here(request) is not None:
        facts["elsewhere"] = f"{labels.root(None)}{request.get_full_path()}"
    return render(request, "web/sso.html", facts)


@public
@never_cache
@require_http_methods(["GET", "POST"])
def again(request: HttpRequest) -> HttpResponse:
    """The same for somebody who is signed in, and has to prove once more who they are."""
    if not isinstance(request.user, User):
        return redirect("account_login")
    if request.method == "POST":
        return _there(request, Why.AGAIN)
    _require_provider(request)
    facts = {"words": provider.words(), "following": sso_flow.following(request.GET.get("next", "")), "again": True}
    return render(request, "web/sso.html", facts)


@public
@never_cache
@require_POST
@reauthentication_required  # type: ignore[untyped-decorator]
def connect(request: HttpRequest) -> HttpResponse:
    """Connect the account of who is signed in with what the provider says."""
    return _there(request, Why.CONNECT)


@public
@never_cache
@require_POST
@reauthentication_required  # type: ignore[untyped-decorator]
def disconnect(request: HttpRequest) -> HttpResponse:
    """From now on the provider lets the person in no longer; a password has to be there for that."""
    user = request.user
    if not isinstance(user, User) or not user.has_usable_password():
        messages.error(request, _("Set a password first: there would be no way in."))
        return redirect("mfa_index")
    sso.unbind(user=user, issuer=provider.issuer(), source=actors.client_address(request))
    messages.success(request, _("Disconnected."))
    return redirect("mfa_index")


@public
@never_cache
@require_http_methods(["GET"])
def callback(request: HttpRequest) -> HttpResponseBase:
    """The provider has sent the person back."""
    _require_provider(request)
    if not allowed("sso-back", actors.client_address(request), MOST_A_MINUTE):
        return render(request, "429.html", status=429)
    asked = sso_flow.taken(request, request.GET.get("state", ""))
    if asked is None:
        return _refused(request, None, _("This sign-in was begun elsewhere, or too long ago. Begin again."))
    try:
        claims = provider.provider().claims(_code(request), asked.question)
        return _ANSWERS[asked.why](request, asked, claims)
    except (ProviderAway, TokenRefused, NotAwaited, BoundOtherwise) as error:
        return _failed(request, asked, error)


@public
@never_cache
@require_http_methods(["GET", "POST"])
def bind(request: HttpRequest) -> HttpResponse:
    """The password of an account that the provider knows by its address alone: asked for once."""
    waiting = sso_flow.waiting(request)
    user = User.objects.filter(pk=waiting.user, is_active=True).first() if waiting else None
    if waiting is None or user is None:
        return redirect("account_login")
    form = BindForm(request, user, request.POST or None)
    if request.method != "POST" or not form.is_valid():
        return render(request, "web/sso_bind.html", {"form": form, "email": user.email})
    sso_flow.end(request)
    try:
        sso.bind(user=user, claims=waiting.claims, source=actors.client_address(request))
    except BoundOtherwise as error:
        return _refused(request, None, refusal(error))
    return _enter(request, user, waiting.next)


def _there(request: HttpRequest, why: Why) -> HttpResponse:
    """To the provider by a page that goes on by itself: browsers hold a form's redirect against `form-action`."""
    _require_provider(request)
    if not allowed("sso", actors.client_address(request), MOST_A_MINUTE):
        return render(request, "429.html", status=429)
    asked = sso_flow.ask(request, why, sso_flow.following(request.POST.get("next", "")))
    try:
        address = provider.provider().address(asked.question)
    except ProviderAway as error:
        return _failed(request, asked, error)
    response = render(request, "web/sso_onward.html", {"address": address})
    response["Refresh"] = f"0; url={address}"
    return response


def _code(request: HttpRequest) -> str:
    """Raises TokenRefused: the provider has refused, or is another one (RFC 9207)."""
    issuer, code = request.GET.get("iss"), request.GET.get("code", "")
    if issuer not in (None, provider.issuer()):
        raise TokenRefused(f"the answer comes from {issuer[:200]!a}")
    if not code:
        raise TokenRefused(f"no code: {request.GET.get('error', '')[:80]!a}")
    return code


def _entering(request: HttpRequest, asked: Asked, claims: Claims) -> HttpResponseBase:
    invitation = sso_flow.invitation(asked.next)
    found = sso.person(claims=claims, source=actors.client_address(request), invitation=invitation)
    if isinstance(found, sso.Unbound):
        sso_flow.wait(request, claims, found.user, asked.next)
        return redirect("sso_bind")
    return _enter(request, found.user, "" if found.joined else asked.next)  # that page is over


def _enter(request: HttpRequest, user: User, following: str) -> HttpResponse:
    """All steps of a sign-in come now, a second factor among them; who is signed in already has been through them."""
    if isinstance(request.user, User) and request.user.pk == user.pk:
        came.note(request, user)
        return redirect(following or "/")
    if request.user.is_authenticated:
        logout(request)
    came.note(request, user)
    response: HttpResponse = perform_login(request, user, redirect_url=following or None)
    return response


def _connecting(request: HttpRequest, asked: Asked, claims: Claims) -> HttpResponseBase:
    user = _same(request, asked)
    sso.bind(user=user, claims=claims, source=actors.client_address(request))
    came.note(request, user)
    messages.success(request, _("Connected: from now on you can sign in by single sign-on."))
    return redirect("mfa_index")


def _proving(request: HttpRequest, asked: Asked, claims: Claims) -> HttpResponseBase:
    user = _same(request, asked)
    if sso.bound_to(claims) != user:
        raise BoundOtherwise(user.email)
    came.note(request, user, anew=True)
    request.GET = QueryDict(urlencode({"next": asked.next}))  # allauth looks there for what was suspended
    resumed: HttpResponseBase | None = resume_request(request)
    return resumed or redirect("/")


_ANSWERS: Final[dict[Why, Callable[[HttpRequest, Asked, Claims], HttpResponseBase]]] = {
    Why.ENTER: _entering,
    Why.CONNECT: _connecting,
    Why.AGAIN: _proving,
}


def _same(request: HttpRequest, asked: Asked) -> User:
    """Who has asked. Raises TokenRefused: somebody else is signed in by now."""
    if not isinstance(request.user, User) or request.user.pk != asked.user:
        raise TokenRefused("another person is signed in")
    return request.user


def _failed(request: HttpRequest, asked: Asked, error: TrincoError) -> HttpResponse:
    _log.warning("single sign-on failed", kind=type(error).__name__, error=str(error))
    return _refused(request, asked, refusal(error))


def _refused(request: HttpRequest, asked: Asked | None, text: str) -> HttpResponse:
    """A sentence on the page on which it was begun."""
    messages.error(request, text)
    return redirect("mfa_index" if asked and asked.why is not Why.ENTER else "account_login")


def _require_provider(request: HttpRequest) -> None:
    if not provider.configured() or doors.label_here(request) is not None:
        raise Http404
