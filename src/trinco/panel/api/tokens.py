"""`/tokens`: the keys to this API."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.shortcuts import get_object_or_404
from ninja import Field, Query, Router, Status

from trinco.panel.accounts import actors, tokens
from trinco.panel.accounts.models import ApiToken, TokenScope
from trinco.panel.accounts.roles import Deed
from trinco.panel.accounts.tokens import LIFETIME
from trinco.panel.api import kinds
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.bodies import Strict
from trinco.panel.api.lately import require_lately
from trinco.panel.api.names import Label
from trinco.panel.api.once import tells_a_secret
from trinco.panel.api.organisation_schemas import NewTokenOut, TokensOut
from trinco.panel.api.pages import NEWEST, page_of
from trinco.panel.api.parameters import PageParameters, known
from trinco.panel.api.problems import Problem
from trinco.panel.api.schemas import told

router = Router(tags=["tokens"])

A_PERSON = "A token makes no token: it would live on in what it has made. Make it signed in, in a browser."


class TokenIn(Strict):
    """What it is for, what it opens, and how many days it is good for."""

    name: Label
    scope: TokenScope = Field(TokenScope.READ, strict=False)
    days: int = Field(LIFETIME, ge=1, le=LIFETIME)


@router.get("", auth=needs(Deed.TOKENS), response=told(TokensOut), summary="Tokens")
def known_tokens(request: HttpRequest, asked: Query[PageParameters]) -> dict[str, Any]:  # noqa: ARG001
    """Your own, or everybody's if you look after the organisation; the newest first, in pages."""
    known(request, PageParameters.model_fields)
    page = page_of(request, tokens.seen_by(caller(request)), NEWEST)
    return {"rows": list(map(_token, page.rows)), "next": page.next}


@router.post("", auth=needs(Deed.TOKENS), response=told(NewTokenOut, 201), summary="Make a token")
def create(request: HttpRequest, wanted: TokenIn) -> Status[dict[str, Any]]:
    """For whoever is signed in in a browser: a token makes none. Its key is told in this answer alone."""
    known(request, ())
    if caller(request).token:
        raise Problem(kinds.FORBIDDEN, A_PERSON)
    require_lately(request)
    tells_a_secret(request)
    token, key = tokens.create_token(membership=caller(request), actor=actors.of(request), **wanted.model_dump())
    return Status(201, {**_token(token), "key": key})


@router.delete("/{int:pk}", auth=needs(Deed.TOKENS), response=told(None, 204), summary="Revoke a token")
def revoke(request: HttpRequest, pk: int) -> Status[None]:
    """From now on its key opens nothing. Revoking it again changes nothing."""
    known(request, ())
    token: ApiToken = get_object_or_404(tokens.seen_by(caller(request)), pk=pk)
    tokens.revoke_token(token=token, actor=actors.of(request))
    return Status(204, None)


def _token(row: ApiToken) -> dict[str, Any]:
    facts = ("name", "prefix", "scope", "created_at", "expires_at", "last_used_at", "revoked_at")
    return {"id": row.pk, "person": row.user.email, **{name: getattr(row, name) for name in facts}}
