"""`/domains`: what is hosted, and how it stands."""

from __future__ import annotations

import base64
import binascii
from typing import Any

from django.http import HttpRequest
from ninja import Query, Router

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import schemas
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.parameters import PageParameters, bad, known, limit_of
from trinco.panel.domains.models import HostedDomain, Level, State
from trinco.panel.reports.asked import BadParameter

router = Router(tags=["domains"], by_alias=True)


@router.get("", auth=needs(Deed.READ), response=schemas.told(schemas.DomainsOut), summary="Domains")
def domains(request: HttpRequest, asked: Query[PageParameters]) -> dict[str, Any]:  # noqa: ARG001
    """Your hosted domains by name, in pages."""
    known(request, PageParameters.model_fields)
    limit = limit_of(request)
    hosted = HostedDomain.objects.of(caller(request).organisation).exclude(state=State.GONE)
    rows = hosted.select_related("standing__current").filter(name__gt=_behind(request)).order_by("name")
    found = list(rows[: limit + 1])
    following = _cursor(found[limit - 1].name) if len(found) > limit else None
    return {"rows": list(map(_row, found[:limit])), "next": following}


def _row(domain: HostedDomain) -> dict[str, Any]:
    standing = getattr(domain, "standing", None)
    return {
        "name": domain.name,
        "unicode": domain.unicode,
        "state": domain.state,
        "mode": standing.current.mode if standing else None,
        "level": Level(domain.level).name.lower(),
    }


def _cursor(name: str) -> str:
    return base64.urlsafe_b64encode(name.encode()).decode().rstrip("=")


def _behind(request: HttpRequest) -> str:
    """The name behind which the page begins; "" is before all of them. Raises Problem 400."""
    cursor = request.GET.get("cursor", "")
    if not cursor:
        return ""
    try:
        return str(
            Domain.parse(base64.b64decode(cursor + "=" * (-len(cursor) % 4), b"-_", validate=True).decode("ascii"))
        )
    except (ValueError, binascii.Error, DomainSyntaxError):
        raise bad(BadParameter("is not a cursor that was given out", source="cursor")) from None
