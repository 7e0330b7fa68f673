"""Keys to the API: made, told once, looked up, revoked.

A key is `trinco_`, eight characters by which it is found, and 32 that are secret: 160 random bits in base 32. Whoever
reads the table has no key, and a leaked one is recognised by its beginning.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from trinco.panel import wall
from trinco.panel.accounts import roles
from trinco.panel.accounts.access import Access, access_to, by_token
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import ScopeTooWide, TooManyTokens
from trinco.panel.accounts.models import ApiToken, Membership, TokenScope
from trinco.panel.accounts.roles import Deed
from trinco.panel.accounts.services import hold_account, record

MARK = "trinco_"
LIFETIMES = (30, 90, 365)
"""Days that a token may be made for."""
LIFETIME = 365
MAX_TOKENS = 50
"""Usable ones of one person."""
SCOPES = {
    TokenScope.READ: frozenset({Deed.READ}),
    TokenScope.POLICY_WRITE: frozenset({Deed.READ, Deed.DOMAINS_WRITE, Deed.POLICY_WRITE}),
    TokenScope.ADMIN: frozenset(Deed),
}
"""What a token's scope leaves of its person's role. Whoever changes policies adds and sets up the domains as well."""
_ADDS = {TokenScope.READ: Deed.READ, TokenScope.POLICY_WRITE: Deed.POLICY_WRITE, TokenScope.ADMIN: Deed.PEOPLE_MANAGE}
"""The deed that a scope is made for: without it in one's role, the scope is offered to nobody."""
_PREFIX_LENGTH = len(MARK) + 8
_KEY_LENGTH = _PREFIX_LENGTH + 32
_NOTED = timedelta(minutes=1)
"""How often a use is written down."""
_NO_DIGEST = hashlib.sha256(secrets.token_bytes(32)).hexdigest()


def seen_by(membership: Access) -> QuerySet[ApiToken]:
    """A person's own tokens; whoever looks after the organisation sees everybody's."""
    tokens = ApiToken.objects.of(membership.organisation).select_related("user")
    return tokens if membership.may_manage else tokens.filter(user=membership.user_id)


def usable(tokens: QuerySet[ApiToken], now: datetime) -> QuerySet[ApiToken]:
    """Those that open something."""
    return tokens.filter(revoked_at=None, expires_at__gt=now)


def scopes_of(membership: Membership | Access) -> list[TokenScope]:
    """The scopes that a token of this person may have: none that opens more than who makes it may do."""
    may = membership.may if isinstance(membership, Access) else partial(roles.may, membership.role)
    return [scope for scope in TokenScope if may(_ADDS[scope])]


@transaction.atomic
def create_token(
    *, membership: Membership | Access, name: str, days: int, actor: Actor, scope: str = TokenScope.READ
) -> tuple[ApiToken, str]:
    """A token of this person in this organisation, and its key, which is told nowhere else.

    Raises ScopeTooWide, TooManyTokens, AccountGone.
    """
    now = timezone.now()
    if scope not in scopes_of(membership):
        raise ScopeTooWide(scope)
    # The person's row is the lock: of two requests at once the second counts what the first has made.
    user = hold_account(membership.user)
    if usable(ApiToken.objects.of(membership.organisation).filter(user=user), now).count() >= MAX_TOKENS:
        raise TooManyTokens(str(MAX_TOKENS))
    key = _key()
    token = ApiToken.objects.everywhere().create(
        organisation=membership.organisation,
        user=user,
        name=name,
        prefix=key[:_PREFIX_LENGTH],
        digest=_digest(key),
        scope=scope,
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    _record("token.created", token, actor)
    return token, key


@transaction.atomic
def revoke_token(*, token: ApiToken, actor: Actor) -> None:
    """From now on the key opens nothing. Revoking it again changes nothing."""
    if ApiToken.objects.everywhere().filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
        _record("token.revoked", token, actor)
    token.refresh_from_db()


@wall.lifted()
def member_by(key: str, now: datetime) -> Access | None:
    """As whom a program with this key acts; None: the key is unknown, revoked or expired, or its person has left.

    Three queries, and once a minute a fourth that notes the use. What is compared takes as long for a wrong key as for
    the right one.
    """
    if len(key) != _KEY_LENGTH or not key.startswith(MARK) or not key.isascii():
        return None
    tokens = ApiToken.objects.everywhere().select_related("user").filter(user__is_active=True)
    token = usable(tokens, now).filter(prefix=key[:_PREFIX_LENGTH]).first()
    if not hmac.compare_digest(_digest(key), token.digest if token else _NO_DIGEST) or token is None:
        return None
    access = access_to(token.user, token.organisation_id)
    if access is None:
        return None
    _note_use(token, now)
    return by_token(access, token.prefix, _left(token.scope))


@wall.lifted()
def in_client(access: Access, organisation_id: int) -> Access | None:
    """The same program in a client of its organisation, as its person acts there; None: that is no client of it."""
    there = access_to(access.user, organisation_id)
    if there is None or there.organisation.parent_id != access.organisation.pk:
        return None
    return by_token(there, access.token, access.allowed)


def _left(scope: str) -> frozenset[Deed]:
    """Nothing of a scope that a later version made."""
    return SCOPES[TokenScope(scope)] if scope in TokenScope.values else frozenset()


def _note_use(token: ApiToken, now: datetime) -> None:
    if token.last_used_at is None or token.last_used_at <= now - _NOTED:
        unnoted = Q(last_used_at=None) | Q(last_used_at__lte=now - _NOTED)
        ApiToken.objects.everywhere().filter(unnoted, pk=token.pk).update(last_used_at=now)


def _key() -> str:
    return MARK + base64.b32encode(secrets.token_bytes(25)).decode("ascii").lower()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _record(action: str, token: ApiToken, actor: Actor) -> None:
    told = {
        "token": token.name,
        "prefix": token.prefix,
        "scope": token.scope,
        "expires": token.expires_at.date().isoformat(),
    }
    before, after = ({}, told) if action == "token.created" else (told, {})
    record(
        organisation=token.organisation,
        actor=actor,
        action=action,
        subject=token.user.email,
        before=before,
        after=after,
    )
