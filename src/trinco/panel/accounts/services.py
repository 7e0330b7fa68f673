"""Deeds on accounts, and the audit log."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict, Unpack

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import IntegrityError, transaction

from trinco.panel.accounts import audit
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import AccountExists, AccountGone, EmailSyntaxError, NoMembership
from trinco.panel.accounts.models import AuditEntry, Membership, Organisation, Role, User


class Details(TypedDict, total=False):
    """What an audit line says besides who, what and whom: values before and after; was a refusal overridden."""

    before: dict[str, Any]
    after: dict[str, Any]
    override: bool


def record(
    *, organisation: Organisation, actor: Actor, action: str, subject: str, **details: Unpack[Details]
) -> AuditEntry:
    """Write an audit line, in the transaction of the deed that it tells of."""
    line = entry(organisation=organisation, actor=actor, action=action, subject=subject, **details)
    return record_all([line])[0]


def entry(
    *, organisation: Organisation, actor: Actor, action: str, subject: str, **details: Unpack[Details]
) -> AuditEntry:
    """An audit line for `record_all`."""
    who = {"actor": actor.name, "source": actor.source, "provider": actor.provider, "token": actor.token}
    return AuditEntry(organisation=organisation, **who, action=action, subject=subject, **details)


def record_all(lines: Sequence[AuditEntry]) -> list[AuditEntry]:
    """Write many audit lines, in the transaction of the deeds that they tell of."""
    return audit.append(lines)


def create_account(*, email: str, password: str | None, organisation: Organisation | None = None) -> User:
    """A person with a confirmed address, and an organisation of their own unless one is given.

    The password's strength is the caller's to judge; None: no login by password.
    Raises EmailSyntaxError, AccountExists.
    """
    address = address_of(email)
    if User.objects.filter(email__iexact=address).exists():
        raise AccountExists(address)
    try:
        return _created(address, password, organisation)
    except IntegrityError:
        raise AccountExists(address) from None


@transaction.atomic
def _created(address: str, password: str | None, organisation: Organisation | None) -> User:
    user = User.objects.create_user(address, password)
    EmailAddress.objects.create(user=user, email=address, verified=True, primary=True)
    give_organisation(user=user, organisation=organisation)
    return user


def give_organisation(*, user: User, organisation: Organisation | None) -> Membership:
    """Make the person an editor in the organisation, its owner where it has nobody yet, or the owner of a new one named
    after the address."""
    if organisation is not None:
        role = Role.EDITOR if Membership.objects.filter(organisation=organisation).exists() else Role.OWNER
        return Membership.objects.create(organisation=organisation, user=user, role=role)
    own = Organisation.objects.create(name=user.email[:120])
    return Membership.objects.create(organisation=own, user=user, role=Role.OWNER)


def hold_account(user: User) -> User:
    """The person's row, held until the deed is committed: their account does not end meanwhile. Raises AccountGone.

    Before any organisation's, as the end of an account has it.
    """
    row = User.objects.select_for_update().filter(pk=user.pk).first()
    if row is None:
        raise AccountGone(user.email)
    return row


def membership_of(user: User) -> Membership:
    """The membership under which a person works: the oldest one. Raises NoMembership."""
    membership = Membership.objects.select_related("organisation").filter(user=user).order_by("pk").first()
    if membership is None:
        raise NoMembership(user.email)
    return membership


def address_of(text: str) -> str:
    """An e-mail address as accounts have it. Raises EmailSyntaxError."""
    address = text.strip().lower()
    if not _is_address(address):
        raise EmailSyntaxError("not an e-mail address", source=text)
    return address


def _is_address(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return text.isprintable()  # Django lets a line separator through
