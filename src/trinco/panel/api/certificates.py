"""`/certificates` and `/domains/{name}/certificate`: of the policy hosts, and what happens to them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Status
from pydantic import SecretStr

from trinco.panel import clock
from trinco.panel.accounts import actors
from trinco.panel.accounts.roles import Deed
from trinco.panel.api import kinds
from trinco.panel.api.auth import caller, needs
from trinco.panel.api.bodies import Strict
from trinco.panel.api.certificate_schemas import CertificateOut, CertificatesOut, EventsOut
from trinco.panel.api.lookups import domain_of
from trinco.panel.api.pages import page_of
from trinco.panel.api.parameters import PageParameters, known
from trinco.panel.api.problems import Problem
from trinco.panel.api.schemas import told
from trinco.panel.certificates import listing, own, queue
from trinco.panel.certificates.authority import OWN
from trinco.panel.certificates.judging import MOST
from trinco.panel.certificates.models import Certificate, Event
from trinco.panel.domains.models import HostedDomain

router = Router(tags=["certificates"])
own_router = Router(tags=["certificates"])

NONE_OF_YOURS = "The domain is served with no certificate that was brought."


class CertificateParameters(PageParameters):
    """Which certificates."""

    show: str | None = Field(None, description=f"{', '.join(f'`{each}`' for each in listing.SHOWN)}; all without it.")


class OwnIn(Strict):
    """A certificate with its chain, the host's first, and its private key, all in PEM."""

    certificate: str = Field(max_length=MOST)
    key: SecretStr = Field(max_length=MOST)


@router.get("", auth=needs(Deed.READ), response=told(CertificatesOut), summary="Certificates")
def certificates(request: HttpRequest, asked: Query[CertificateParameters]) -> dict[str, Any]:
    """Each domain with the certificate that it is served with, by name, in pages."""
    known(request, CertificateParameters.model_fields)
    show = listing.SHOWN[0] if asked.show is None else asked.show
    if show not in listing.SHOWN:
        raise Problem(kinds.BAD_PARAMETER, f"`show` is one of {', '.join(listing.SHOWN)}.", "show")
    now = clock.now()
    page = page_of(request, listing.domains(caller(request).organisation, now, show))
    return {"rows": _rows(request, page.rows, now), "next": page.next}


@router.get("/events", auth=needs(Deed.READ), response=told(EventsOut), summary="What happens to certificates")
def events(request: HttpRequest) -> dict[str, Any]:
    """What lasts, and what was lately, of your domains and of everybody's; the newest first, at most fifty of each."""
    known(request, ())
    organisation = caller(request).organisation
    return {
        "lasting": list(map(_event, listing.lasting(organisation))),
        "over": list(map(_event, listing.over(organisation, clock.now()))),
    }


@own_router.get("/{name}/certificate", auth=needs(Deed.READ), response=told(CertificateOut), summary="A certificate")
def certificate(request: HttpRequest, name: str) -> dict[str, Any]:
    """The one that a domain's policy host is served with."""
    known(request, ())
    return _one(request, domain_of(request, name))


@own_router.put(
    "/{name}/certificate", auth=needs(Deed.POLICY_WRITE), response=told(CertificateOut), summary="Bring your own"
)
def bring(request: HttpRequest, name: str, wanted: OwnIn) -> dict[str, Any]:
    """Serve this certificate within seconds. Its key is sealed at once and never given out again."""
    known(request, ())
    domain = domain_of(request, name)
    pem = f"{wanted.certificate}\n{wanted.key.get_secret_value()}".encode()
    own.bring(domain=domain, actor=actors.of(request), pem=pem)
    return _one(request, domain)


@own_router.delete(
    "/{name}/certificate", auth=needs(Deed.POLICY_WRITE), response=told(None, 204), summary="Take your own out again"
)
def remove(request: HttpRequest, name: str) -> Status[None]:
    """Have certificates obtained again. The one that was brought is served until the next one is there."""
    known(request, ())
    if not own.remove(domain=domain_of(request, name), actor=actors.of(request)):
        raise Problem(kinds.NOT_FOUND, NONE_OF_YOURS)
    return Status(204, None)


def _one(request: HttpRequest, domain: HostedDomain) -> dict[str, Any]:
    row = HostedDomain.objects.of(caller(request).organisation).select_related("issuance_attempt").get(pk=domain.pk)
    return _rows(request, [row], clock.now())[0]


def _rows(request: HttpRequest, domains: Iterable[HostedDomain], now: datetime) -> list[dict[str, Any]]:
    """A handful of queries, however many they are."""
    rows = list(domains)
    keys = [row.pk for row in rows]
    held, expected = listing.newest(caller(request).organisation, keys), queue.estimates(keys, now)
    return [{**_domain(row, expected.get(row.pk)), **_held(held.get(row.pk))} for row in rows]


def _domain(row: HostedDomain, expected: queue.Expected | None) -> dict[str, Any]:
    attempt = getattr(row, "issuance_attempt", None)
    return {
        "domain": row.name,
        "host": row.policy_host,
        "expected_at": expected.at if expected else None,
        "problem": attempt.problem if attempt else "",
        "failures": attempt.failures if attempt else 0,
    }


def _held(row: Certificate | None) -> dict[str, Any]:
    facts = ("issuer", "not_before", "not_after", "issued_at", "renew_due_at")
    told: dict[str, Any] = {name: getattr(row, name, None) for name in facts}
    digest = hashlib.sha256(bytes(row.leaf)).hexdigest() if row else None
    return {**told, "sha256": digest, "own": row is not None and row.directory == OWN}


def _event(row: Event) -> dict[str, Any]:
    facts = {name: getattr(row, name) for name in ("kind", "began_at", "seen_at", "ended_at", "count")}
    domain = row.domain.name if row.domain else None
    return {**facts, "domain": domain, "authority": listing.authority_of(row), "detail": listing.detail_of(row)}
