"""Who it is that the OpenID provider sends, and the bond between an account and what the provider calls its person.

Issuer and subject decide. Where they are not known yet, an e-mail address counts that the provider vouches for: an
account that has a password is bound once the password was given, one without at once, and a new one is made for who has
begun at the page of an invitation, or whose domain the settings name. An invitation that nobody has opened makes nobody
a member: anybody may invite any address.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import IntegrityError, transaction

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.net.idtoken import Claims
from trinco.panel import wall
from trinco.panel.accounts import invitations
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import (
    AccountExists,
    BoundOtherwise,
    EmailSyntaxError,
    InvitationRefused,
    NotAwaited,
)
from trinco.panel.accounts.models import Identity, Membership, User
from trinco.panel.accounts.services import address_of, create_account, entry, record_all


@dataclass(frozen=True, slots=True)
class Known:
    """The person may come in. `joined`: by the invitation at whose page they began."""

    user: User
    joined: bool = False


@dataclass(frozen=True, slots=True)
class Unbound:
    """There is an account with this address and a password: whoever knows it may bind the two."""

    user: User


def person(*, claims: Claims, source: str, invitation: str = "") -> Known | Unbound:
    """Whom these claims are about; their account is bound, or made, where nothing more has to be asked. `invitation`:
    the token of the one that they have opened.

    Raises NotAwaited, BoundOtherwise.
    """
    bound = bound_to(claims)
    if bound is not None:
        return Known(bound)
    if not claims.email:
        raise NotAwaited("no address that the provider vouches for")
    user = _holder(claims.email)
    if user is None:
        return _new(claims, source, invitation)
    if _bond(user, claims.issuer) is not None:
        raise BoundOtherwise(user.email)
    if user.has_usable_password():
        return Unbound(user)
    bind(user=user, claims=claims, source=source)
    return Known(user)


def bound_to(claims: Claims) -> User | None:
    """The person that issuer and subject are bound to."""
    row = Identity.objects.select_related("user").filter(issuer=claims.issuer, subject=claims.subject).first()
    return row.user if row else None


def is_bound(user: User, issuer: str) -> bool:
    """Whether the person can come by this provider."""
    return bool(issuer) and _bond(user, issuer) is not None


@wall.lifted()
def bind(*, user: User, claims: Claims, source: str) -> None:
    """From now on the provider lets this person in, and the logs of their organisations tell of it.

    Raises BoundOtherwise.
    """
    if bound_to(claims) == user:
        return
    try:
        with transaction.atomic():
            Identity.objects.create(user=user, issuer=claims.issuer, subject=claims.subject)
            _record("member.sso-bound", user, source, {"issuer": claims.issuer})
    except IntegrityError:
        raise BoundOtherwise(user.email) from None


@wall.lifted()
@transaction.atomic
def unbind(*, user: User, issuer: str, source: str) -> None:
    """From now on the provider lets this person in no longer."""
    if Identity.objects.filter(user=user, issuer=issuer).delete()[0]:
        _record("member.sso-unbound", user, source, {"issuer": issuer})


@wall.lifted()
@transaction.atomic
def _new(claims: Claims, source: str, invitation: str) -> Known:
    """Raises NotAwaited."""
    try:
        email = address_of(claims.email)
        joined = _joined(email, source, invitation)
        user = create_account(email=email, password=None) if joined is None and _is_ours(email) else joined
    except (AccountExists, EmailSyntaxError):
        raise NotAwaited("made by somebody else in between, or no address") from None
    if user is None:
        raise NotAwaited("neither by an invitation nor of a domain that may come in")
    bind(user=user, claims=claims, source=source)
    return Known(user, joined is not None)


def _joined(email: str, source: str, invitation: str) -> User | None:
    """The new account of who follows this invitation; None: it is none, or somebody else's. Raises AccountExists."""
    try:
        if invitations.invitation_of(invitation).email != email:
            return None
        return invitations.join_anew(token=invitation, password=None, source=source)
    except InvitationRefused:
        return None


def _holder(email: str) -> User | None:
    """Whose address it is, to the letter: a database takes more for the same than we do."""
    found = User.objects.filter(email__iexact=email)
    return next((each for each in found if each.email.lower() == email), None)


def _is_ours(email: str) -> bool:
    """Whether the address is at one of the domains whose people may come in: exactly there, not below it."""
    try:
        domain = Domain.parse(email.rpartition("@")[2])
    except DomainSyntaxError:
        return False
    return domain in settings.CONFIG.oidc_domains


def _bond(user: User, issuer: str) -> Identity | None:
    return Identity.objects.filter(user=user, issuer=issuer).first()


def _record(action: str, user: User, source: str, after: dict[str, str]) -> None:
    rows = Membership.objects.select_related("organisation").filter(user=user)
    actor = Actor(user.email, source)
    facts = {"actor": actor, "action": action, "subject": user.email}
    record_all([entry(organisation=each.organisation, after=after, **facts) for each in rows])  # type: ignore[arg-type]
