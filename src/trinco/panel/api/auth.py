"""Who asks, and what the operation does: a program with a token, or a person who is signed in.

Each operation names its deed, `auth=needs(Deed.READ)`. One that names none is refused to everybody.
"""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.errors import HttpError
from ninja.security import APIKeyCookie, HttpBearer

from trinco.panel import doors, mounts, wall
from trinco.panel.accounts import came, mfa, sso_terms
from trinco.panel.accounts.access import Access, access_to, first_access
from trinco.panel.accounts.errors import NoMembership
from trinco.panel.accounts.models import Organisation, User
from trinco.panel.accounts.roles import Deed
from trinco.panel.accounts.tokens import in_client, member_by
from trinco.panel.api import kinds
from trinco.panel.api.problems import Problem


class Token(HttpBearer):
    """`Authorization: Bearer trinco_…`. A request that has this header is never taken for the session's."""

    def __init__(self, deed: Deed | None) -> None:
        super().__init__()
        self.deed = deed

    def authenticate(self, request: HttpRequest, token: str) -> Access | None:
        access = member_by(token.strip(), timezone.now())
        if access is None:
            return None
        there = _behind(request, _there(access, mounts.named(request)))
        wall.tell([there.organisation.pk])
        require_terms(there)
        return _allowed(there, self.deed)


class Session(APIKeyCookie):
    """The cookie of a member who is signed in; what changes something needs the form token as well."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self, deed: Deed | None) -> None:
        super().__init__(csrf=deed is not Deed.READ)
        self.deed = deed

    def _get_key(self, request: HttpRequest) -> str | None:
        """Nobody who has no session is asked for its form token: they are told to sign in."""
        if "Authorization" in request.headers or not isinstance(request.user, User):
            return None
        try:
            found: str | None = super()._get_key(request)
        except HttpError:
            raise Problem(kinds.NO_FORM_TOKEN) from None
        return found

    def authenticate(self, request: HttpRequest, key: str | None) -> Access | None:
        if key is None or not isinstance(request.user, User):
            return None
        access = replace(_acting(request, request.user), by_sso=came.by_sso(request))
        require_terms(access)
        return _allowed(access, self.deed)


def needs(deed: Deed | None) -> list[Token | Session]:
    """What an operation asks of its caller."""
    return [Token(deed), Session(deed)]


def _there(access: Access, named: int | None) -> Access:
    """In the token's organisation, or in the client that the address names. Raises Problem 404."""
    if named in (None, access.organisation.pk):
        return access
    there = in_client(access, int(named or 0))
    if there is None:
        raise Problem(kinds.NOT_FOUND)
    return there


def _acting(request: HttpRequest, user: User) -> Access:
    named = mounts.named(request)
    try:
        access = first_access(user, doors.here(request)) if named is None else access_to(user, named)
    except NoMembership:
        raise Problem(kinds.NO_ORGANISATION) from None
    if access is None:
        raise Problem(kinds.NOT_FOUND)
    return _behind(request, access)


def _behind(request: HttpRequest, access: Access) -> Access:
    """Where the door leads to this organisation. Raises Problem 404."""
    if not doors.opens(request, access.organisation):
        raise Problem(kinds.NOT_FOUND)
    return access


def require_terms(access: Access) -> None:
    """What the organisation wants of its people is there: a program is let in where its person would be."""
    if sso_terms.missing(access):
        raise Problem(kinds.SINGLE_SIGN_ON)
    if mfa.missing(access.user, access):
        raise Problem(kinds.SECOND_FACTOR)


def _allowed(access: Access, deed: Deed | None) -> Access:
    if deed is None or not access.may(deed):
        raise Problem(kinds.FORBIDDEN)
    return access


def caller(request: HttpRequest) -> Access:
    """As what an operation runs."""
    return cast(Access, request.auth)  # type: ignore[attr-defined]


def clients_of(access: Access) -> list[Organisation]:
    """The clients that the caller may enter, whose rows may be seen from now on."""
    found = list(mfa.open_clients(access))
    wall.tell([access.organisation.pk, *(each.pk for each in found)])
    return found
