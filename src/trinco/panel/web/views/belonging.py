"""Where a person belongs: leaving an organisation by oneself, and the end of the account."""

from __future__ import annotations

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.contrib.auth import logout
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from trinco.core.errors import TrincoError
from trinco.panel import doors
from trinco.panel.accounts import actors, adapters, labels, leaving, people
from trinco.panel.accounts.access import visible
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import AccountGone
from trinco.panel.accounts.models import Membership, User
from trinco.panel.afterwards import afterwards
from trinco.panel.web.access import signed_in
from trinco.panel.web.refusals import refusal


@require_GET
@signed_in
def show(request: HttpRequest) -> HttpResponse:
    """The organisations, each with the way out."""
    rows = _memberships(request).order_by("organisation__name", "pk")
    return render(request, "web/belonging.html", {"nav": "account", "memberships": rows, "alone": _alone(request)})


@require_http_methods(["GET", "POST"])
@signed_in
@reauthentication_required(allow_get=True)  # type: ignore[untyped-decorator]
def leave(request: HttpRequest, pk: int) -> HttpResponse:
    """What leaving means; posted, the person is no longer a member."""
    row = get_object_or_404(_memberships(request), pk=pk)
    problem = ""
    if request.method == "POST":
        try:
            people.leave(membership=row, actor=_actor(request))
        except TrincoError as error:
            problem = refusal(error)
        else:
            messages.success(request, _("You have left %s.") % row.organisation.name)
            return redirect("belonging")
    context = {"nav": "account", "row": row, "problem": problem, "alone": row.pk in _alone(request)}
    return render(request, "web/leave_organisation.html", context)


@require_http_methods(["GET", "POST"])
@signed_in
@reauthentication_required(allow_get=True)  # type: ignore[untyped-decorator]
def delete(request: HttpRequest) -> HttpResponse:
    """What goes and what stays; posted, the account is gone."""
    user, problem = _user(request), ""
    elsewhere = _beyond(request)
    if request.method == "POST" and not elsewhere:
        farewell = adapters.farewell(request, user)
        try:
            leaving.delete_account(user=user, source=actors.client_address(request))
        except AccountGone:  # deleted in another tab, or by the first of two clicks
            return _gone(request)
        except TrincoError as error:
            problem = refusal(error)
        else:
            afterwards(request, farewell.send)
            return _gone(request)
    context = {
        "nav": "account",
        "problem": problem,
        "alone": leaving.owned_alone(user),
        "elsewhere": f"{labels.root(None)}{request.path}" if elsewhere else "",
    }
    return render(request, "web/delete_account.html", context)


def _gone(request: HttpRequest) -> HttpResponse:
    logout(request)
    messages.success(request, _("Your account is deleted."))
    return redirect("account_login")


def _memberships(request: HttpRequest) -> QuerySet[Membership]:
    """Those behind the door by which the person came."""
    seen = doors.within(request, visible(_user(request)))
    return Membership.objects.select_related("organisation", "user").filter(user=request.user.pk, organisation__in=seen)


def _alone(request: HttpRequest) -> set[int]:
    """The memberships as the only owner."""
    return set(leaving.owned_alone(_user(request)).values_list("pk", flat=True))


def _beyond(request: HttpRequest) -> bool:
    """Whether they belong to others as well: a host that is somebody else's ends nothing of theirs."""
    return Membership.objects.filter(user=request.user.pk).exclude(pk__in=_memberships(request)).exists()


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)
    return request.user


def _actor(request: HttpRequest) -> Actor:
    return Actor(_user(request).email, actors.client_address(request))
