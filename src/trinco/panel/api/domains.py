"""`/domains`: what is hosted, how it stands; adding, setting up, leaving."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from ninja import Body, Query, Router, Status

from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import conditions, domain_schemas, domain_views, kinds, schemas, tagging
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.domain_schemas import DomainIn, DomainParameters
from trinco.panel.api.lookups import again, domain_of, held, hosted, name_of
from trinco.panel.api.pages import BY_NAME, page_of
from trinco.panel.api.parameters import known
from trinco.panel.api.patterns import patterns
from trinco.panel.api.problems import Problem
from trinco.panel.api.rehearsing import NAME as DRY
from trinco.panel.api.rehearsing import DryParameters, dry, rehearsal
from trinco.panel.checks.services import check_now
from trinco.panel.domains import services
from trinco.panel.domains.errors import AlreadyAdded
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies.errors import AlreadyStarted
from trinco.panel.policies.services import leave, start
from trinco.panel.policies.ways import set_ways

router = Router(tags=["domains"], by_alias=True)

Answer = dict[str, Any]
NOTHING = DomainIn.model_validate({})
"""The body of a PUT that has none."""


@router.get("", auth=needs(Deed.READ), response=schemas.told(schemas.DomainsOut), summary="Domains")
def domains(request: HttpRequest, asked: Query[DomainParameters]) -> Answer:  # noqa: ARG001 - for the description
    """Your hosted domains by name, in pages."""
    known(request, DomainParameters.model_fields)
    page = page_of(request, domain_views.filtered(request), BY_NAME)
    return {"rows": list(map(domain_views.row, page.rows)), "next": page.next}


@router.get("/{name}", auth=needs(Deed.READ), response=schemas.told(domain_schemas.WholeDomainOut), summary="A domain")
def domain(request: HttpRequest, name: str) -> Answer:
    """All of one domain."""
    known(request, ())
    return domain_views.whole(domain_of(request, name))


@router.put(
    "/{name}",
    auth=needs(Deed.DOMAINS_WRITE),
    response=schemas.changed(domain_schemas.WholeDomainOut, 201),
    summary="Host a domain",
)
def put(request: HttpRequest, name: str, asked: Query[DryParameters], wanted: Body[DomainIn] = NOTHING) -> Any:  # noqa: ARG001
    """Add it (201) if it is not there, and set up what is sent. Sent again it changes nothing (200)."""
    known(request, (DRY,))
    parsed = name_of(name)
    there = hosted(request, parsed)
    with rehearsal(dry=dry(request)):
        row = there or _added(request, parsed)
        told = domain_views.whole(_set_up(request, row, wanted))
    return Status(200 if there else 201, told)


@router.patch(
    "/{name}",
    auth=needs(Deed.DOMAINS_WRITE),
    response=schemas.changed(domain_schemas.WholeDomainOut),
    summary="Set a domain up",
)
def patch(request: HttpRequest, name: str, wanted: DomainIn, asked: Query[DryParameters]) -> Answer:  # noqa: ARG001
    """Change what is asked of senders, or confirm the mail servers."""
    known(request, (DRY,))
    row = domain_of(request, name)
    with rehearsal(dry=dry(request)):
        return domain_views.whole(_set_up(request, row, wanted))


@router.delete(
    "/{name}",
    auth=needs(Deed.POLICY_WRITE),
    response=schemas.changed(domain_schemas.LeftOut),
    summary="Leave with a domain",
)
def delete(request: HttpRequest, name: str, asked: Query[DryParameters]) -> Answer:  # noqa: ARG001
    """Give up a domain that was never served; one that is served begins to leave, safely: `left_to_do` says what is
    yours. One that leaves already goes on leaving."""
    known(request, (DRY,))
    with rehearsal(dry=dry(request)):
        row = held(request, name)  # of two at once the second sees what the first has done
        if "If-Match" in request.headers:
            standing = getattr(row, "standing", None)
            conditions.require_match(request, conditions.etag_of(standing.current.number) if standing else None)
        _go(request, row)
        return domain_views.left(again(row))


@router.get(
    "/{name}/setup", auth=needs(Deed.READ), response=schemas.told(domain_schemas.SetupOut), summary="Setting up"
)
def setup(request: HttpRequest, name: str) -> Answer:
    """The records that are wanted, those that were found, and which steps are done."""
    known(request, ())
    return domain_views.setup(domain_of(request, name))


@router.get("/{name}/checks", auth=needs(Deed.READ), response=schemas.told(domain_schemas.ChecksOut), summary="Checks")
def checks(request: HttpRequest, name: str) -> Answer:
    """What was last seen of the records and the mail servers, and the conditions of enforce."""
    known(request, ())
    return domain_views.checks(domain_of(request, name))


@router.post(
    "/{name}/checks",
    auth=needs(Deed.DOMAINS_WRITE),
    response=schemas.changed(domain_schemas.AskedOut, 202),
    summary="Look now",
)
def check(request: HttpRequest, name: str, response: HttpResponse) -> Any:
    """Have DNS and the mail servers looked at now (202). Ask for the checks until `checked_at` is newer."""
    known(request, ())
    asked = check_now(domain_of(request, name))
    response.headers["Retry-After"] = "2" if asked else "10"
    return Status(202 if asked else 200, {"asked": asked})


def _added(request: HttpRequest, name: Any) -> HostedDomain:
    organisation = caller(request).organisation
    try:
        return services.add(organisation=organisation, name=name, actor=actors.of(request))
    except AlreadyAdded:  # by another request, this moment
        found = hosted(request, name)
        if found is None:
            raise
        return found


def _set_up(request: HttpRequest, row: HostedDomain, wanted: DomainIn) -> HostedDomain:
    actor = actors.of(request)
    if wanted.tls_reporting and (reporting := wanted.tls_reporting.model_dump(exclude_none=True)):
        services.set_tlsrpt(domain=row, actor=actor, **reporting)
    if wanted.tags is not None:
        tagging.set_all(row, wanted.tags, actor)
    if wanted.ways and (ways := wanted.ways.model_dump(exclude_none=True)):
        set_ways(domain=row, actor=actor, **ways)
    if wanted.mx is not None and not _confirmed(row, mx := patterns(wanted.mx)):
        if not caller(request).may(Deed.POLICY_WRITE):
            raise Problem(kinds.FORBIDDEN)
        if hasattr(row, "standing"):
            raise AlreadyStarted
        start(domain=row, mx=mx, actor=actor)
    return again(row)


def _confirmed(row: HostedDomain, mx: tuple[str, ...]) -> bool:
    """Whether these are the mail servers of the policy already."""
    standing = getattr(row, "standing", None)
    return standing is not None and set(standing.current.mx) == set(mx)


def _go(request: HttpRequest, row: HostedDomain) -> None:
    if row.state == State.SETUP:
        services.remove_unverified(domain=row, actor=actors.of(request))
    elif row.state == State.LIVE:
        leave(domain=row, actor=actors.of(request))
