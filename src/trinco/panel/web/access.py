"""Who may see a page and do its deed (`accounts.roles`): a stranger finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, resolve_url
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache

from trinco.core.names import Domain
from trinco.panel import doors, mounts
from trinco.panel.accounts import came, mfa, sso_terms
from trinco.panel.accounts.access import Access, access_to, first_access
from trinco.panel.accounts.errors import NoMembership
from trinco.panel.accounts.models import Organisation, User
from trinco.panel.accounts.provider import configured
from trinco.panel.accounts.roles import Deed
from trinco.panel.domains.models import HostedDomain, State


class MemberRequest(HttpRequest):
    """A request of a signed-in member."""

    user: User
    membership: Access
    """As what the person acts."""
    organisation: Organisation
    """The tenant whose rows this request may see."""


View = Callable[..., HttpResponseBase]

PUBLIC = "public"
"""The deed of a page that anybody may use."""
PERSON = "person"
"""The deed of a page about the very person, wherever they belong, and where to nothing as well."""


def may(deed: Deed) -> Callable[[View], View]:
    """The view does this: its request knows as what the person acts, and who may not do it gets 403.

    Nobody is sent to sign in; an organisation that the person may not see does not exist.
    """

    def guarding(view: View) -> View:
        @never_cache
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            if not request.user.is_authenticated:
                return _sign_in(request)
            elsewhere = _entered(cast(MemberRequest, request), kwargs)
            if elsewhere is not None:
                return elsewhere
            if not cast(MemberRequest, request).membership.may(deed):
                raise PermissionDenied
            return view(request, *args, **kwargs)

        guarded.deed = deed  # type: ignore[attr-defined]
        return guarded

    return guarding


def public(view: View) -> View:
    """The view is for anybody."""
    view.deed = PUBLIC  # type: ignore[attr-defined]
    return view


def signed_in(view: View) -> View:
    """The view is about the person who asks, and about nobody else."""

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        return view(request, *args, **kwargs) if request.user.is_authenticated else _sign_in(request)

    guarded.deed = PERSON  # type: ignore[attr-defined]
    return guarded


def _entered(request: MemberRequest, asked: dict[str, Any]) -> HttpResponse | None:
    """Find out as what the person acts; the way to it where the address has to say so, or a step comes before."""
    request.membership = replace(_acting(request), by_sso=came.by_sso(request))
    request.organisation = request.membership.organisation
    first = step_before(request, request.membership)
    if first is not None:
        return first
    if request.method == "GET" and mounts.named(request) is None and request.membership.several:
        return redirect(mounts.address(request, mounts.best(request, request.membership, asked.get("name"))))
    return None


def step_before(request: MemberRequest, access: Access) -> HttpResponse | None:
    """The way to what the organisation wants of the person before they see anything of it; None: they lack nothing."""
    if sso_terms.missing(access):
        return _to_provider(request)
    return _set_up(request) if mfa.missing(request.user, access) else None


def _acting(request: MemberRequest) -> Access:
    named = mounts.named(request)
    if named is not None:
        access = access_to(request.user, named)
        if access is None or not doors.opens(request, access.organisation):
            raise Http404
        return access
    try:
        return first_access(request.user, doors.here(request))
    except NoMembership:
        raise PermissionDenied(
            _("You belong to no organisation here. Whoever invites you sends a mail with a link.")
        ) from None


def _to_provider(request: HttpRequest) -> HttpResponse:
    """To the page that leads to the provider, and back."""
    if not configured():
        raise PermissionDenied(_("Your organisation wants single sign-on, which is not set up here. Ask an owner."))
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url("sso")})
    return redirect_to_login(request.get_full_path(), resolve_url("sso"))


def _set_up(request: HttpRequest) -> HttpResponse:
    """To the page where a second factor is set up: nothing else comes before it."""
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url("mfa_index")})
    messages.warning(request, _("Your organisation wants a second factor at sign-in. Set one up, then go on."))
    return redirect("mfa_index")


def domain_of(request: MemberRequest, name: Domain) -> HostedDomain:
    """The organisation's domain of this name. Raises Http404: a name of somebody else's does not exist here."""
    mine = HostedDomain.objects.of(request.organisation).exclude(state=State.GONE)
    return get_object_or_404(
        mine.select_related("organisation", "standing__current", "standing__announced"), name=str(name)
    )


def is_htmx(request: HttpRequest) -> bool:
    """Whether a part of a page is asked for, and not a page."""
    return request.headers.get("HX-Request") == "true"


def _sign_in(request: HttpRequest) -> HttpResponse:
    """To the sign-in page and back; a part of a page cannot show it, so the whole page goes there."""
    if is_htmx(request):
        return HttpResponse(status=204, headers={"HX-Redirect": resolve_url(settings.LOGIN_URL)})
    return redirect_to_login(request.get_full_path())
