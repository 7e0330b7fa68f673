"""`/people` and `/invitations`: the members of an organisation, and who is asked to join."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Status

from trinco.panel import limits
from trinco.panel.accounts import actors, invitations, mfa, people
from trinco.panel.accounts.errors import InvitationNotSent
from trinco.panel.accounts.invitations import Wanted
from trinco.panel.accounts.models import Invitation, Membership
from trinco.panel.accounts.roles import Deed, Role
from trinco.panel.api import budget
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.bodies import Strict
from trinco.panel.api.once import stands
from trinco.panel.api.organisation_schemas import InvitationOut, InvitationsOut, PeopleOut, PersonOut
from trinco.panel.api.pages import Order, page_of
from trinco.panel.api.parameters import PageParameters, known
from trinco.panel.api.schemas import told

router = Router(tags=["people"])
invitations_router = Router(tags=["invitations"])

T = TypeVar("T")
OLDEST = Order((("pk", int),))
BY_ADDRESS = Order((("email", str), ("pk", int)))


class RoleIn(Strict):
    """A role: `owner`, `admin`, `editor` or `viewer`, none above one's own."""

    role: Role = Field(strict=False)


class InvitationIn(RoleIn):
    """Who is to be asked, and as what."""

    email: str = Field(max_length=254)


@router.get("", auth=needs(Deed.PEOPLE_MANAGE), response=told(PeopleOut), summary="Members")
def members(request: HttpRequest, asked: Query[PageParameters]) -> dict[str, Any]:  # noqa: ARG001
    """The members, who came first before all, in pages."""
    known(request, PageParameters.model_fields)
    page = page_of(request, _members(request), OLDEST)
    protected = mfa.having([row.user_id for row in page.rows])
    return {"rows": [_person(row, protected) for row in page.rows], "next": page.next}


@router.patch("/{int:pk}", auth=needs(Deed.PEOPLE_MANAGE), response=told(PersonOut), summary="Change a role")
def change_role(request: HttpRequest, pk: int, wanted: RoleIn) -> dict[str, Any]:
    """Give a member another role. The organisation keeps one owner at least."""
    known(request, ())
    row = get_object_or_404(_members(request), pk=pk)
    people.change_role(membership=row, role=wanted.role, **_by(request))
    row.refresh_from_db(fields=["role"])
    return _person(row, mfa.having([row.user_id]))


@router.delete("/{int:pk}", auth=needs(Deed.PEOPLE_MANAGE), response=told(None, 204), summary="Remove a member")
def remove(request: HttpRequest, pk: int) -> Status[None]:
    """The person sees nothing of the organisation any more, and their tokens for it are revoked."""
    known(request, ())
    people.remove_member(membership=get_object_or_404(_members(request), pk=pk), **_by(request))
    return Status(204, None)


@invitations_router.get("", auth=needs(Deed.PEOPLE_MANAGE), response=told(InvitationsOut), summary="Invitations")
def invited(request: HttpRequest, asked: Query[PageParameters]) -> dict[str, Any]:  # noqa: ARG001
    """Who was asked and has not answered, by address, in pages."""
    known(request, PageParameters.model_fields)
    page = page_of(request, _invitations(request), BY_ADDRESS)
    return {"rows": list(map(_invitation, page.rows)), "next": page.next}


@invitations_router.post("", auth=needs(Deed.PEOPLE_MANAGE), response=told(InvitationOut, 201), summary="Invite")
def invite(request: HttpRequest, wanted: InvitationIn) -> Status[dict[str, Any]]:
    """Ask an address by mail to join; one that was asked before is asked anew, with another link."""
    known(request, ())
    asked = Wanted(wanted.email, wanted.role)
    return Status(201, _invitation(_mailed(request, lambda: invitations.invite(wanted=asked, **_by(request)))))


@invitations_router.post(
    "/{int:pk}/resend", auth=needs(Deed.PEOPLE_MANAGE), response=told(InvitationOut), summary="Ask once more"
)
def resend(request: HttpRequest, pk: int) -> dict[str, Any]:
    """The same with a new link; the one of before opens nothing."""
    known(request, ())
    row = get_object_or_404(_invitations(request), pk=pk)
    _mailed(request, lambda: invitations.resend(invitation=row, **_by(request)))
    row.refresh_from_db()
    return _invitation(row)


@invitations_router.delete(
    "/{int:pk}", auth=needs(Deed.PEOPLE_MANAGE), response=told(None, 204), summary="Take an invitation back"
)
def revoke(request: HttpRequest, pk: int) -> Status[None]:
    """The link opens nothing any more."""
    known(request, ())
    invitations.revoke(invitation=get_object_or_404(_invitations(request), pk=pk), **_by(request))
    return Status(204, None)


def _members(request: HttpRequest) -> Any:
    return Membership.objects.select_related("user").filter(organisation=caller(request).organisation)


def _invitations(request: HttpRequest) -> Any:
    return Invitation.objects.of(caller(request).organisation).select_related("organisation")


def _by(request: HttpRequest) -> dict[str, Any]:
    return {"access": caller(request), "actor": actors.of(request)}


def _mailed(request: HttpRequest, deed: Callable[[], T]) -> T:
    budget.require("invitation", actors.client_address(request), limits.INVITATIONS)
    try:
        return deed()
    except InvitationNotSent:
        stands(request)
        raise


def _person(row: Membership, protected: set[int]) -> dict[str, Any]:
    return {"id": row.pk, "email": row.user.email, "role": row.role, "second_factor": row.user_id in protected}


def _invitation(row: Invitation) -> dict[str, Any]:
    facts = ("email", "role", "invited_by", "sent_at", "expires_at")
    return {"id": row.pk, **{name: getattr(row, name) for name in facts}}
