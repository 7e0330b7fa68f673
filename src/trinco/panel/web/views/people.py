"""The people of an organisation: members, their roles, invitations, second factors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from trinco.core.errors import TrincoError
from trinco.panel import limits
from trinco.panel.accounts import actors, invitations, mfa, people
from trinco.panel.accounts.invitations import Wanted
from trinco.panel.accounts.models import Invitation, Membership
from trinco.panel.accounts.roles import Deed, Role
from trinco.panel.web.access import MemberRequest, may
from trinco.panel.web.people_forms import InviteForm, OrganisationForm, given_by
from trinco.panel.web.refusals import refusal


@require_http_methods(["GET", "POST"])
@may(Deed.PEOPLE_MANAGE)
def show(request: MemberRequest) -> HttpResponse:
    """The lists; posted, an address is asked to join."""
    form = InviteForm(request.membership, request.POST or None)
    if request.method == "POST" and form.is_valid():
        wanted = Wanted(form.cleaned_data["email"], Role(form.cleaned_data["role"]))
        return _mailed(request, lambda: invitations.invite(wanted=wanted, **_by(request)))
    return render(request, "web/people.html", _page(request, form))


@require_POST
@may(Deed.PEOPLE_MANAGE)
def role(request: MemberRequest, pk: int) -> HttpResponse:
    """Give a member another role."""
    row = _member(request, pk)
    wanted = request.POST.get("role")
    if wanted not in Role.values:
        return HttpResponseBadRequest()
    deed = {"membership": row, **_by(request)}
    return _done(request, lambda: people.change_role(role=Role(wanted), **deed), _("Saved."))


@require_POST
@may(Deed.PEOPLE_MANAGE)
def remove(request: MemberRequest, pk: int) -> HttpResponse:
    """The person sees nothing of the organisation any more."""
    row = _member(request, pk)
    deed = {"membership": row, **_by(request)}
    text = _("%s is no longer a member.") % row.user.email
    return _done(request, lambda: people.remove_member(**deed), text)


@require_POST
@may(Deed.PEOPLE_MANAGE)
def resend(request: MemberRequest, pk: int) -> HttpResponse:
    """Ask once more, with a new link."""
    row = get_object_or_404(Invitation.objects.of(request.organisation), pk=pk)
    deed = {"invitation": row, **_by(request)}
    return _mailed(request, lambda: invitations.resend(**deed))


@require_POST
@may(Deed.PEOPLE_MANAGE)
def revoke(request: MemberRequest, pk: int) -> HttpResponse:
    """The link opens nothing any more."""
    row = get_object_or_404(Invitation.objects.of(request.organisation).select_related("organisation"), pk=pk)
    deed = {"invitation": row, **_by(request)}
    return _done(request, lambda: invitations.revoke(**deed), _("The invitation is taken back."))


@require_POST
@may(Deed.ORGANISATION_MANAGE)
def organisation(request: MemberRequest) -> HttpResponse:
    """Its name, and what it demands of everybody."""
    form = OrganisationForm(request.organisation, request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest()
    terms = {"organisation": request.organisation, "actor": actors.of(request), **form.cleaned_data}
    return _done(request, lambda: people.set_organisation(**terms), _("Saved."))


def _by(request: MemberRequest) -> dict[str, Any]:
    return {"access": request.membership, "actor": actors.of(request)}


def _member(request: MemberRequest, pk: int) -> Membership:
    rows = Membership.objects.select_related("user").filter(organisation=request.organisation)
    return get_object_or_404(rows, pk=pk)


def _mailed(request: MemberRequest, deed: Callable[[], object]) -> HttpResponse:
    if not limits.allowed("invitation", actors.client_address(request), limits.INVITATIONS):
        messages.error(request, _("That was a lot at once. Wait a minute, then go on."))
        return redirect("people")
    return _done(request, deed, _("The invitation is on its way."))


def _done(request: MemberRequest, deed: Callable[[], object], text: str) -> HttpResponse:
    try:
        deed()
    except TrincoError as error:
        messages.error(request, refusal(error))
    else:
        messages.success(request, text)
    return redirect("people")


def _page(request: MemberRequest, form: InviteForm) -> dict[str, Any]:
    members = list(Membership.objects.select_related("user").filter(organisation=request.organisation))
    members.sort(key=lambda each: (list(Role).index(Role(each.role)), each.user.email))
    given = given_by(request.membership)
    return {
        "nav": "people",
        "form": form,
        "members": members,
        "protected": mfa.having([each.user_id for each in members]),
        "only_owner": people.only_owner(request.organisation),
        "given": given,
        "within": [role for role, _label in given],
        "invitations": Invitation.objects.of(request.organisation),
        "terms": OrganisationForm(request.organisation),
        "now": timezone.now(),
    }
