"""`/takeout`: all that an organisation hosts, as files: for going on without Trinco, and for `trinco apply`."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from ninja import Field, Query, Router, Schema

from trinco.panel.accounts.roles import Deed
from trinco.panel.api import kinds
from trinco.panel.api.auth import caller, clients_of, needs
from trinco.panel.api.octets import attached
from trinco.panel.api.parameters import flag, known
from trinco.panel.api.problems import Problem
from trinco.panel.api.schemas import told
from trinco.panel.declared import present
from trinco.panel.declared.writing import written
from trinco.panel.policies import bundles

router = Router(tags=["takeout"])

NOTHING = "No domain has a policy yet: there is nothing to take along."
ZIP = {200: {"description": "OK", "content": {"application/zip": {}}}}
YAML = {200: {"description": "OK", "content": {"application/yaml": {}}}}


class TakeoutParameters(Schema):
    """How much."""

    clients: str | None = Field(None, description="`true`: those of all clients as well.")


@router.get(
    "/bundle.zip",
    auth=needs(Deed.READ),
    response=told(None),
    summary="All domains as files",
    openapi_extra={"responses": ZIP},
)
def bundle(request: HttpRequest, asked: Query[TakeoutParameters]) -> StreamingHttpResponse:  # noqa: ARG001
    """Policy files, records and web servers' settings: what serves the domains without Trinco."""
    known(request, TakeoutParameters.model_fields)
    access = caller(request)
    here = access.organisation
    domains = bundles.taken_along([here, *(clients_of(access) if flag(request, "clients") else ())])
    if not domains.exists():
        raise Problem(kinds.NOT_FOUND, NOTHING)
    pieces = bundles.zip_pieces(bundles.entries_of_many(domains))
    return StreamingHttpResponse(pieces, content_type="application/zip", headers=attached(f"mta-sts-{here.pk}.zip"))


@router.get(
    "/apply.yaml",
    auth=needs(Deed.READ),
    response=told(None),
    summary="Everything for `trinco apply`",
    openapi_extra={"responses": YAML},
)
def state(request: HttpRequest) -> HttpResponse:
    """The organisation and its clients, their domains and policies, as `trinco apply` takes them."""
    known(request, ())
    access = caller(request)
    here = access.organisation
    content = written(*present.own(here, clients_of(access)))
    return HttpResponse(content, content_type="application/yaml", headers=attached(f"trinco-{here.pk}.yaml"))
