"""`/domains/{name}/records` and `/domains/{name}/bundle.zip`: what a domain's owner publishes, and how to leave."""

from __future__ import annotations

import io
from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Field, Query, Router, Schema

from trinco.panel.accounts.roles import Deed
from trinco.panel.api import kinds
from trinco.panel.api.auth import needs
from trinco.panel.api.lookups import domain_of
from trinco.panel.api.octets import attached
from trinco.panel.api.parameters import known
from trinco.panel.api.problems import PRIVATE, Problem
from trinco.panel.api.schemas import told
from trinco.panel.policies import bundles
from trinco.panel.policies.instructions import TEXTS, instructions

router = Router(tags=["records"])

FORMATS = ("json", *TEXTS)
ZIP = {200: {"description": "OK", "content": {"application/zip": {}}}}
NO_POLICY = "The domain has no policy yet: there is nothing to take along."


class RecordParameters(Schema):
    """In which form."""

    format: str | None = Field(None, description=f"{', '.join(f'`{each}`' for each in FORMATS)}; `json` without it.")


class RecordOut(Schema):
    """A record, with whole names without the final dot."""

    name: str
    type: str
    ttl: int
    value: str


class RecordsOut(Schema):
    """The records that the domain's owner publishes: CNAMEs, which never change, unless they are published by hand."""

    domain: str
    records: list[RecordOut]


@router.get(
    "/{name}/records",
    auth=needs(Deed.READ),
    response=told(RecordsOut),
    summary="The records to publish",
    openapi_extra={"responses": {200: {"content": {"text/plain": {}}}}},
)
def records(request: HttpRequest, name: str, asked: Query[RecordParameters]) -> Any:
    """What stands at the three names: as JSON, as lines of a zone file, for Terraform or for octoDNS."""
    known(request, RecordParameters.model_fields)
    domain, form = domain_of(request, name), asked.format or FORMATS[0]
    if form not in FORMATS:
        raise Problem(kinds.BAD_PARAMETER, f"`format` is one of {', '.join(FORMATS)}.", "format")
    if form in TEXTS:
        return HttpResponse(TEXTS[form](domain), content_type="text/plain; charset=utf-8", headers=PRIVATE)
    rows = [
        {"name": each.owner, "type": rdtype, "ttl": each.ttl, "value": value}
        for each in instructions(domain)
        for rdtype, value in ([("CNAME", each.target)] if each.target else each.values)
    ]
    return {"domain": domain.name, "records": rows}


@router.get(
    "/{name}/bundle.zip",
    auth=needs(Deed.READ),
    response=told(None),
    summary="All of it as files",
    openapi_extra={"responses": ZIP},
)
def bundle(request: HttpRequest, name: str) -> HttpResponse:
    """Policy file, records and web servers' settings: what serves the domain without Trinco."""
    known(request, ())
    domain, content = domain_of(request, name), io.BytesIO()
    if not bundles.write_zip(content, bundles.entries([domain])):
        raise Problem(kinds.NOT_FOUND, NO_POLICY)
    headers = attached(f"{domain.name}.zip")
    return HttpResponse(content.getvalue(), content_type="application/zip", headers=headers)
