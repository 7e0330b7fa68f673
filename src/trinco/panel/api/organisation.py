"""`/organisation` and `/clients`: whose all this is, and the clients of a provider."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Any, Final, cast

from django.http import HttpRequest, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from ninja import Query, Router, Status

from trinco.panel import closing, mounts, wall
from trinco.panel.accounts import actors, log, people
from trinco.panel.accounts.access import visible
from trinco.panel.accounts.models import Membership, Organisation
from trinco.panel.accounts.people import Terms
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import client_counts, kinds
from trinco.panel.api.activity import FILES, FORMS
from trinco.panel.api.auth import caller, needs, require_terms
from trinco.panel.api.bodies import Strict
from trinco.panel.api.lately import require_lately
from trinco.panel.api.lookups import provider_of
from trinco.panel.api.names import Name
from trinco.panel.api.octets import attached
from trinco.panel.api.organisation_schemas import ClientOut, ClientsOut, ClosedClientsOut, ClosedOut, OrganisationOut
from trinco.panel.api.pages import Order, page_of
from trinco.panel.api.parameters import PageParameters, known
from trinco.panel.api.problems import Problem
from trinco.panel.api.rehearsing import DryParameters, dry, rehearsal
from trinco.panel.api.schemas import told

router = Router(tags=["organisation"])
clients_router = Router(tags=["clients"])

CLOSED: Final = Order((("closed_at", datetime), ("pk", int)))


class OrganisationIn(Strict):
    """What is to change; what is not named stays."""

    name: Name | None = None
    mfa_required: bool | None = None
    sso_required: bool | None = None


class ClientIn(Strict):
    """A new client."""

    name: Name


@router.get("", auth=needs(Deed.READ), response=told(OrganisationOut), summary="The organisation")
def organisation(request: HttpRequest) -> dict[str, Any]:
    """The one that the address and the token are about."""
    known(request, ())
    return _organisation(request)


@router.patch("", auth=needs(Deed.ORGANISATION_MANAGE), response=told(OrganisationOut), summary="Change it")
def change(request: HttpRequest, wanted: OrganisationIn) -> dict[str, Any]:
    """Rename it; demand a second factor of everybody, or single sign-on of all but its owners, or no longer."""
    known(request, ())
    row = caller(request).organisation
    people.set_organisation(organisation=row, actor=actors.of(request), **cast(Terms, wanted.model_dump()))
    row.refresh_from_db(fields=["name", "mfa_required", "sso_required"])
    return _organisation(request)


def _organisation(request: HttpRequest) -> dict[str, Any]:
    access = caller(request)
    provider = access.provider.name if access.provider else None
    return {**_row(access.organisation), "provider": provider, "role": access.role}


@router.delete("", auth=needs(Deed.ORGANISATION_MANAGE), response=told(ClosedOut), summary="Close it")
def close(request: HttpRequest, asked: Query[DryParameters]) -> dict[str, Any]:  # noqa: ARG001
    """Nobody acts in it any more; its log stays. It hosts no domain, has no clients, and no import runs: else 409 says
    what there is. With `dry_run` it is only said what would end."""
    known(request, DryParameters.model_fields)
    require_lately(request)
    with rehearsal(dry=dry(request)):
        return asdict(closing.close(access=caller(request), actor=actors.of(request)))


@router.post("/leave", auth=needs(Deed.LEAVE), response=told(None, 204), summary="Leave it")
def leave(request: HttpRequest) -> Status[None]:
    """The token's person, or the session's, is no longer a member, and their tokens for it end. The last owner stays:
    409. Whoever acts for a provider is no member: 404."""
    known(request, ())
    require_lately(request)
    access = caller(request)
    rows = Membership.objects.filter(organisation=access.organisation, user=access.user)
    people.leave(membership=get_object_or_404(rows), actor=actors.of(request))
    return Status(204, None)


@clients_router.get("", auth=needs(Deed.READ), response=told(ClientsOut), summary="Clients")
def clients(request: HttpRequest, asked: Query[PageParameters]) -> dict[str, Any]:  # noqa: ARG001
    """The clients of this provider by name, in pages, each with how many of its domains stand how. A client has none:
    404."""
    known(request, PageParameters.model_fields)
    provider = provider_of(request)
    page = page_of(request, visible(caller(request).user).filter(parent=provider))
    counts = client_counts.of(caller(request), page.rows)
    return {"rows": [{**_row(row), "counts": counts.get(row.pk)} for row in page.rows], "next": page.next}


@clients_router.get("/closed", auth=needs(Deed.READ), response=told(ClosedClientsOut), summary="Former clients")
def former(request: HttpRequest, asked: Query[PageParameters]) -> dict[str, Any]:  # noqa: ARG001
    """Those that were closed, the first one first, in pages. Their logs stay."""
    known(request, PageParameters.model_fields)
    page = page_of(request, closing.closed_clients(provider_of(request)), CLOSED)
    rows = [{"id": row.pk, "name": row.name, "closed_at": row.closed_at} for row in page.rows]
    return {"rows": rows, "next": page.next}


@clients_router.get(
    "/closed/{int:pk}/activity.{form}",
    auth=needs(Deed.READ),
    response=told(None),
    summary="The log of a former client",
    openapi_extra={"responses": FILES},
)
def former_log(request: HttpRequest, pk: int, form: str) -> StreamingHttpResponse:
    """All of it, as `csv` or `jsonl`, the oldest line first. It asks for the second factor, or the single sign-on, that
    the client wanted."""
    known(request, ())
    provider_of(request)
    there = closing.former(caller(request), pk)
    if form not in FORMS:
        raise Problem(kinds.NOT_FOUND)
    require_terms(there)
    client = there.organisation
    wall.tell([caller(request).organisation.pk, client.pk])
    write, media_type = FORMS[form]
    headers = attached(f"activity-{client.pk}.{form}")
    return StreamingHttpResponse(write(log.lines(client, log.Asked())), content_type=media_type, headers=headers)


@clients_router.post("", auth=needs(Deed.CLIENTS_MANAGE), response=told(ClientOut, 201), summary="Make a client")
def add(request: HttpRequest, wanted: ClientIn) -> Status[dict[str, Any]]:
    """A client without people of its own as yet. A token of the provider works for it at its `root`."""
    known(request, ())
    client = people.add_client(provider=provider_of(request), name=wanted.name, actor=actors.of(request))
    return Status(201, _row(client))


def _row(row: Organisation) -> dict[str, Any]:
    root = f"{mounts.root(row.pk)}api/v1/"
    return {
        "id": row.pk,
        "name": row.name,
        "mfa_required": row.mfa_required,
        "sso_required": row.sso_required,
        "root": root,
    }
