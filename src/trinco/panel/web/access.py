"""Who may see a page: a member of an organisation sees its rows, an editor changes them, a stranger finds nothing."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, cast

from django.conf import settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, resolve_url
from django.views.decorators.cache import never_cache

from trinco.core.names import Domain
from trinco.panel.accounts.errors import NoMembership
from trinco.panel.accounts.models import Membership, Organisation, User
from trinco.panel.accounts.services import membership_of
from trinco.panel.domains.models import HostedDomain, State


class MemberRequest(HttpRequest):
    """A request of a signed-in member."""

    user: User
    membership: Membership
    organisation: Organisation
    """The tenant whose rows this request may see."""


View = Callable[..., HttpResponseBase]


def member(view: View) -> View:
    """The view is for members: it gets a request that knows its membership. Others are sent to sign in, or get 403."""

    @never_cache
    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return _sign_in(request)
        seen = cast(MemberRequest, request)
        try:
            seen.membership = membership_of(seen.user)
        except NoMembership:
            raise PermissionDenied from None
        seen.organisation = seen.membership.organisation
        return view(request, *args, **kwargs)

    return guarded


def editor(view: View) -> View:
    """The view changes things: viewers get 403."""

    @member
    @wraps(view)
    def guarded(request: MemberRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.membership.may_edit:
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return guarded


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
