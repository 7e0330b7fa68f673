"""A person's account ends, as they wish: what they did stays in the logs, under the name that stands there."""

from __future__ import annotations

from contextlib import suppress

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.http import Http404

from trinco.panel import wall
from trinco.panel.accounts import people
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import Membership, Role, User
from trinco.panel.accounts.services import hold_account


def owned_alone(user: User) -> QuerySet[Membership]:
    """Where the person is the only owner: they cannot go from there before there is another, or it is closed."""
    owners = Membership.objects.filter(role=Role.OWNER)
    others = owners.filter(organisation=OuterRef("organisation")).exclude(user=user)
    return (
        owners.filter(user=user).exclude(Exists(others)).select_related("organisation").order_by("organisation__name")
    )


@wall.lifted()
@transaction.atomic
def delete_account(*, user: User, source: str) -> None:
    """The person leaves everywhere; then password, second factors, sessions, tokens and the account are gone.

    Raises LastOwner, AccountGone.
    """
    hold_account(user)  # nobody makes them a member meanwhile
    for row in Membership.objects.filter(user=user).order_by("organisation"):
        with suppress(Http404):  # somebody has removed them there meanwhile
            people.leave(membership=row, actor=Actor(user.email, source))
    user.delete()
