"""`/organisation` and `/clients`: whose all this is, and the clients of a provider."""

from __future__ import annotations

from typing import Any, cast

from django.http import HttpRequest
from ninja import Query, Router, Status

from trinco.panel import mounts
from trinco.panel.accounts import actors, people
from trinco.panel.accounts.access import visible
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.people import Terms
from trinco.panel.accounts.roles import Deed
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.bodies import Strict
from trinco.panel.api.lookups import provider_of
from trinco.panel.api.names import Name
from trinco.panel.api.organisation_schemas import ClientOut, ClientsOut, OrganisationOut
from trinco.panel.api.pages import page_of
from trinco.panel.api.parameters import PageParameters, known
from trinco.panel.api.schemas import told

router = Router(tags=["organisation"])
clients_router = Router(tags=["clients"])


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


@clients_router.get("", auth=needs(Deed.READ), response=told(ClientsOut), summary="Clients")
def clients(request: HttpRequest, asked: Query[PageParameters]) -> dict[str, Any]:  # noqa: ARG001
    """The clients of this provider by name, in pages. A client has none: 404."""
    known(request, PageParameters.model_fields)
    provider = provider_of(request)
    page = page_of(request, visible(caller(request).user).filter(parent=provider))
    return {"rows": list(map(_row, page.rows)), "next": page.next}


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
