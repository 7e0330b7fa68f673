"""Who asks: a program with a token, or a person who is signed in. Both read what the person may see."""

from __future__ import annotations

from http import HTTPStatus

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone
from ninja.security import APIKeyCookie, HttpBearer

from trinco.panel.accounts.errors import NoMembership
from trinco.panel.accounts.models import Membership, User
from trinco.panel.accounts.services import membership_of
from trinco.panel.accounts.tokens import member_by
from trinco.panel.api.problems import SENTENCES, Problem


class Token(HttpBearer):
    """`Authorization: Bearer trinco_…`. A request that has this header is never taken for the session's."""

    def authenticate(self, _request: HttpRequest, token: str) -> Membership | None:
        return member_by(token.strip(), timezone.now())


class Session(APIKeyCookie):
    """The cookie of a member who is signed in. Every operation reads, so that no form token is needed."""

    param_name = settings.SESSION_COOKIE_NAME

    def __init__(self) -> None:
        super().__init__(csrf=False)

    def authenticate(self, request: HttpRequest, _key: str | None) -> Membership | None:
        if "Authorization" in request.headers or not isinstance(request.user, User):
            return None
        try:
            return membership_of(request.user)
        except NoMembership:
            raise Problem(HTTPStatus.FORBIDDEN, SENTENCES[HTTPStatus.FORBIDDEN]) from None


def caller(request: HttpRequest) -> Membership:
    """The member on whose behalf an operation runs."""
    membership: Membership = request.auth  # type: ignore[attr-defined]
    return membership
