"""Deeds on the members of an organisation, and on the organisation itself. An organisation keeps one owner at least."""

from __future__ import annotations

from dataclasses import replace
from typing import TypedDict, Unpack

from django.db import transaction
from django.db.models import Q
from django.shortcuts import get_object_or_404
from django.utils import timezone

from trinco.panel import wall
from trinco.panel.accounts import roles
from trinco.panel.accounts.access import Access, access_to
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import LastOwner, NoClients, NoSingleSignOn, RankTooHigh
from trinco.panel.accounts.models import ApiToken, Invitation, Membership, Organisation
from trinco.panel.accounts.provider import configured
from trinco.panel.accounts.roles import Deed, Role
from trinco.panel.accounts.services import Details, record


class Terms(TypedDict, total=False):
    """An organisation's name, whether its people need a second factor before they see anything, and whether they have
    to come by single sign-on. None: as it is now."""

    name: str | None
    mfa_required: bool | None
    sso_required: bool | None


def require_rank(access: Access, *wanted: str) -> None:
    """Raises RankTooHigh where one of these roles is higher than the person's own."""
    if any(roles.rank(role) > roles.rank(access.role) for role in wanted):
        raise RankTooHigh(access.role)


@wall.lifted()
def judged_anew(access: Access) -> Access:
    """The same person as they stand now, with the organisation held: what was read before may be over.

    A provider's row is held before its client's. Only inside a transaction. Raises RankTooHigh where the person looks
    after nobody there any more.
    """
    held = sorted({access.organisation.pk, access.organisation.parent_id or access.organisation.pk})
    list(Organisation.objects.select_for_update(no_key=True).filter(pk__in=held).order_by("pk"))
    now = access_to(access.user, access.organisation.pk)
    if now is None or not replace(now, allowed=access.allowed).may(Deed.PEOPLE_MANAGE):
        raise RankTooHigh(access.role)
    return now


@transaction.atomic
def change_role(*, membership: Membership, role: Role, access: Access, actor: Actor) -> None:
    """Give a member another role. Raises RankTooHigh, LastOwner."""
    now = judged_anew(access)
    row = _locked(membership)
    require_rank(now, row.role, role)
    if row.role == role:
        return
    if row.role == Role.OWNER:
        _require_another_owner(row)
    before, row.role = row.role, role
    row.save(update_fields=["role"])
    _take_back_invitations(row, role)
    _record("member.role", row, actor, before={"role": before}, after={"role": str(role)})


@transaction.atomic
def remove_member(*, membership: Membership, access: Access, actor: Actor) -> None:
    """The person sees nothing of the organisation from now on; their tokens for it are revoked.

    Invitations that they sent and nobody followed yet are taken back. Raises RankTooHigh, LastOwner.
    """
    now = judged_anew(access)
    row = _locked(membership)
    require_rank(now, row.role)
    if row.role == Role.OWNER:
        _require_another_owner(row)
    _revoke_tokens(row)
    _take_back_invitations(row, None)
    _record("member.removed", row, actor, before={"role": row.role}, after={})
    row.delete()


@transaction.atomic
def leave(*, membership: Membership, actor: Actor) -> None:
    """The person goes by themselves; as when they are removed. Raises LastOwner, and Http404: they are gone already."""
    row = _locked(membership)
    if row.role == Role.OWNER:
        _require_another_owner(row)
    _revoke_tokens(row)
    _take_back_invitations(row, None)
    _record("member.left", row, actor, before={"role": row.role}, after={})
    row.delete()


@transaction.atomic
def set_organisation(*, organisation: Organisation, actor: Actor, **terms: Unpack[Terms]) -> None:
    """Change what is named. Raises NoSingleSignOn: there is no provider by which its people could come."""
    row = _lock(organisation.pk)
    wanted = {key: value for key, value in terms.items() if value is not None}
    before = {key: getattr(row, key) for key in wanted if getattr(row, key) != wanted[key]}
    if not before:
        return
    after = {key: wanted[key] for key in before}
    if after.get("sso_required") and not configured():
        raise NoSingleSignOn
    for key, value in after.items():
        setattr(row, key, value)
    row.save(update_fields=list(after))
    told: Details = {"before": before, "after": after}
    record(organisation=row, actor=actor, action="organisation.changed", subject=row.name, **told)


@transaction.atomic
def add_organisation(*, name: str, actor: Actor) -> Organisation:
    """An organisation that is nobody's client, without people as yet: the first who joins owns it."""
    row = Organisation.objects.create(name=name)
    record(organisation=row, actor=actor, action="organisation.added", subject=name)
    return row


@wall.lifted()
@transaction.atomic
def add_client(*, provider: Organisation, name: str, actor: Actor) -> Organisation:
    """A client of this provider, without people of its own as yet. Both logs tell of it. Raises NoClients."""
    row = _lock(provider.pk)
    if row.parent_id is not None or row.closed_at is not None:
        raise NoClients(row.name)
    client = Organisation.objects.create(name=name, parent=row, mfa_required=row.mfa_required)
    for whose in (row, client):
        record(organisation=whose, actor=actor, action="client.added", subject=name)
    return client


def _lock(organisation_id: int) -> Organisation:
    """Who changes people or terms of an organisation comes one after the other.

    Its key stays free: whoever writes a line of its log meanwhile holds the end of the chain, for which we wait.
    """
    return Organisation.objects.select_for_update(no_key=True).get(pk=organisation_id)


def _locked(membership: Membership) -> Membership:
    organisation = _lock(membership.organisation_id)
    rows = Membership.objects.select_related("user", "organisation").filter(organisation=organisation)
    return get_object_or_404(rows, pk=membership.pk)


@wall.lifted()
def _revoke_tokens(row: Membership) -> None:
    """Here, and in the clients where the person was nothing but this provider's staff."""
    own = Membership.objects.filter(user=row.user_id).values("organisation")
    here = Q(organisation=row.organisation_id)
    clients = Q(organisation__parent=row.organisation_id) & ~Q(organisation__in=own)
    tokens = ApiToken.objects.everywhere().filter(here | clients, user=row.user_id, revoked_at=None)
    tokens.update(revoked_at=timezone.now())


def _take_back_invitations(row: Membership, role: Role | None) -> None:
    """Those of this member that they could not send with this role: else they would come back by them."""
    sent = Invitation.objects.of(row.organisation).filter(invited_by__iexact=row.user.email)
    if role is not None and roles.may(role, Deed.PEOPLE_MANAGE):
        sent = sent.filter(role__in=[each for each in Role if roles.rank(each) > roles.rank(role)])
    sent.delete()


def only_owner(organisation: Organisation) -> int | None:
    """The key of the membership without which nobody would own the organisation; None: there are others."""
    owners = Membership.objects.filter(organisation=organisation, role=Role.OWNER).values_list("pk", flat=True)[:2]
    return owners[0] if len(owners) == 1 else None


def _require_another_owner(row: Membership) -> None:
    owners = Membership.objects.filter(organisation=row.organisation_id, role=Role.OWNER)
    if not owners.exclude(pk=row.pk).exists():
        raise LastOwner(row.user.email)


def _record(action: str, row: Membership, actor: Actor, *, before: dict[str, str], after: dict[str, str]) -> None:
    told: Details = {"before": before, "after": after}
    record(organisation=row.organisation, actor=actor, action=action, subject=row.user.email, **told)
