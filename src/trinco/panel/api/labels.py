"""`/organisation/label`: how a provider's pages look, to its people and to its clients', and the host of its own."""

from __future__ import annotations

from typing import Any, Final, Literal

from django.http import HttpRequest
from ninja import Router, Status

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.panel.accounts import accents, actors, labels, logos
from trinco.panel.accounts.errors import NoLabel
from trinco.panel.accounts.labels import Wanted
from trinco.panel.accounts.models import HostClaim, Label, Organisation
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import kinds
from trinco.panel.api.auth import needs
from trinco.panel.api.bodies import refused
from trinco.panel.api.label_schemas import HostIn, LabelIn, LabelOut
from trinco.panel.api.lookups import provider_of
from trinco.panel.api.octets import described, octets, require_type
from trinco.panel.api.parameters import known
from trinco.panel.api.problems import Problem
from trinco.panel.api.schemas import told
from trinco.panel.checks import label_hosts

router = Router(tags=["label"])

Theme = Literal["light", "dark"]
MEDIA_TYPES: Final = ("image/png", "image/jpeg", "image/webp")
BODY: Final = described(
    MEDIA_TYPES, "The picture, of 512 KiB at most. What is kept is a PNG of 480 by 96 pixels at most."
)
_FIELDS: Final[dict[Theme, str]] = {"light": "logo", "dark": "logo_dark"}
_OWNER: Final = needs(Deed.ORGANISATION_MANAGE)


@router.get("", auth=_OWNER, response=told(LabelOut), summary="The label")
def label(request: HttpRequest) -> dict[str, Any]:
    """As it is. A client has its provider's, and a provider may have none: 404."""
    known(request, ())
    return _told(provider_of(request))


@router.put("", auth=_OWNER, response=told(LabelOut), summary="Have it so")
def put(request: HttpRequest, wanted: LabelIn) -> dict[str, Any]:
    """Name and colour; logos and the host stay. A colour in which text could not be read is refused with the nearest
    that can be: 422."""
    known(request, ())
    row = provider_of(request)
    labels.change(organisation=row, wanted=Wanted(**wanted.model_dump()), actor=actors.of(request))
    return _told(row)


@router.delete("", auth=_OWNER, response=told(None, 204), summary="Remove it")
def remove(request: HttpRequest) -> Status[None]:
    """Trinco's own name and look again, and no host."""
    known(request, ())
    row = provider_of(request)
    _required(row)
    labels.remove(organisation=row, actor=actors.of(request))
    return Status(204, None)


@router.put(
    "/logo/{theme}", auth=_OWNER, response=told(LabelOut), summary="Show a logo", openapi_extra={"requestBody": BODY}
)
def put_logo(request: HttpRequest, theme: Theme) -> dict[str, Any]:
    """The body is the picture: PNG, JPEG or WebP. Without one of its own the dark theme has the light one's."""
    known(request, ())
    row = provider_of(request)
    require_type(request, MEDIA_TYPES)
    picture = logos.picture(octets(request, logos.MOST_OCTETS))
    labels.show_picture(organisation=row, name=_FIELDS[theme], picture=picture, actor=actors.of(request))
    return _told(row)


@router.delete("/logo/{theme}", auth=_OWNER, response=told(LabelOut), summary="Show no logo")
def remove_logo(request: HttpRequest, theme: Theme) -> dict[str, Any]:
    """The product's name alone, or in the dark theme the light one's logo."""
    known(request, ())
    row = provider_of(request)
    labels.show_picture(organisation=row, name=_FIELDS[theme], picture=None, actor=actors.of(request))
    return _told(row)


@router.put("/host", auth=_OWNER, response=told(LabelOut), summary="Want a host")
def put_host(request: HttpRequest, wanted: HostIn) -> dict[str, Any]:
    """It is yours, and the pages answer there, once the TXT record that the answer names is found. A host that you had
    is given up at once."""
    known(request, ())
    row = provider_of(request)
    _required(row)
    labels.claim(organisation=row, name=_name(wanted.host), actor=actors.of(request))
    return _told(row)


@router.post("/host/check", auth=_OWNER, response=told(LabelOut), summary="Look for its record now")
def check_host(request: HttpRequest) -> dict[str, Any]:
    """The worker looks at DNS at once; what it has found stands here some seconds later."""
    known(request, ())
    row = provider_of(request)
    if labels.claim_of(row) is None:
        raise Problem(kinds.NOT_FOUND)
    label_hosts.check_now(row)
    return _told(row)


@router.delete("/host", auth=_OWNER, response=told(None, 204), summary="Give the host up")
def remove_host(request: HttpRequest) -> Status[None]:
    """At once."""
    known(request, ())
    row = provider_of(request)
    if labels.claim_of(row) is None:
        raise Problem(kinds.NOT_FOUND)
    labels.release(organisation=row, actor=actors.of(request))
    return Status(204, None)


def _name(text: str) -> Domain:
    """Raises Problem 422 for what is no host."""
    try:
        return Domain.parse(text)
    except DomainSyntaxError as error:
        raise refused("/host", f"The name {error.reason}.") from None


def _required(organisation: Organisation) -> Label:
    """As it is in the table now. Raises NoLabel."""
    found = labels.own(organisation)
    if found is None:
        raise NoLabel(organisation.name)
    return found


def _told(organisation: Organisation) -> dict[str, Any]:
    row, claim = _required(organisation), labels.claim_of(organisation)
    return {
        "product": row.product,
        "accent": row.accent,
        "accent_dark": accents.shades(row.accent)[1].accent if row.accent else "",
        "powered": row.powered,
        "logo": row.logo or None,
        "logo_dark": row.logo_dark or None,
        "host": _host(row, claim) if claim else None,
    }


def _host(row: Label, claim: HostClaim) -> dict[str, Any]:
    record, text = labels.proof(claim)
    proven = row.host == claim.host
    return {
        "name": claim.host,
        "record": {"name": record, "type": "TXT", "value": text},
        "state": _state(claim, proven=proven),
        "looked_at": claim.looked_at,
        "address": labels.root(row) if proven else None,
    }


def _state(claim: HostClaim, *, proven: bool) -> str:
    if proven:
        return "proven" if claim.found_at == claim.looked_at else "lapsing"
    return "taken" if claim.taken else "waiting"
