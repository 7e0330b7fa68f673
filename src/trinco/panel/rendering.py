"""From the tables to what an edge serves: a handful of queries, however many domains there are.

A domain that waits for its CNAMEs has its label and nothing else; a live or leaving one has its current body, the id
that is announced (never ahead of the body: RFC 8461 section 8.1), its certificate and its TLSRPT record; one that is
gone is removed.

The database may change between the queries, so their order matters: first the revision, since what is newer than it
comes once more with the next one; then the domains; then the certificates, since each domain has its own by then.
The zone is as the process is configured, with the certificate of the reports host and the account's thumbprint added,
and without the addresses of edges that are withdrawn (`policies.rotation`).
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from django.db.models import QuerySet
from msgspec.structs import replace

from trinco.core.hosting import Certificate, Change, HostedDomain, Zone
from trinco.core.names import Domain
from trinco.panel.certificates.models import AccountKey, Chain, HostCertificate
from trinco.panel.certificates.models import Certificate as CertificateRow
from trinco.panel.domains.models import HostedDomain as DomainRow
from trinco.panel.domains.models import State
from trinco.panel.domains.reporting import tlsrpt_record
from trinco.panel.domains.services import SERVED, newest_revision
from trinco.panel.policies import rotation
from trinco.panel.policies.versions import said

_CHUNK: Final = 2000
_STANDING: Final = ("current__body", "current__policy_id", "announced__policy_id", "id_floor")
_COLUMNS: Final = (
    *("pk", "name", "label", "state", "tlsrpt", "tlsrpt_https", "revision"),
    *(f"standing__{name}" for name in _STANDING),
)
_ANY: Final = "0label0"
"""Stands for any label."""
_CERTIFICATE: Final = ("domain", "leaf", "chain__digest", "sealed_key", "not_after")


class _Row(NamedTuple):
    """A domain and its standing, as they come out of the database."""

    pk: int
    name: str
    label: str
    state: str
    tlsrpt: bool
    tlsrpt_https: bool
    revision: int
    body: bytes | None
    current_id: str | None
    announced_id: str | None
    floor: str | None


def whole(zone: Zone) -> Change:
    """Everything that is to be served."""
    newest = newest_revision()
    rows = _rows(DomainRow.objects.everywhere())
    certificates = _certificates(CertificateRow.objects.everywhere())
    changed = tuple(_hosted(rows, certificates, zone))
    zone = _certified(zone)
    return Change(newest, zone, changed, (), _chains(changed, zone), whole=True)


def since(zone: Zone, held: int) -> Change:
    """What became different after the revision `held`."""
    newest = newest_revision()
    later = DomainRow.objects.everywhere().filter(revision__gt=held)
    rows = _rows(later)
    certificates = _certificates(CertificateRow.objects.everywhere().filter(domain__revision__gt=held))
    changed = tuple(_hosted(rows, certificates, zone))
    gone = later.filter(state=State.GONE, revision__lte=newest)  # what goes later comes with the next one
    removed = tuple(gone.order_by("pk").values_list("label", flat=True))
    zone = _certified(zone)
    return Change(newest, zone, changed, removed, _chains(changed, zone))


def _rows(domains: QuerySet[DomainRow]) -> list[_Row]:
    """Those that are not gone, by now."""
    rows = domains.exclude(state=State.GONE).order_by("pk").values_list(*_COLUMNS)
    return [_Row._make(values) for values in rows.iterator(_CHUNK)]


def _hosted(rows: list[_Row], certificates: dict[int, Certificate], zone: Zone) -> Iterator[HostedDomain]:
    reports = _reports(zone)
    for row in rows:
        if row.state not in SERVED:
            yield HostedDomain(Domain.trusted(row.name), row.label, row.revision)
            continue
        yield HostedDomain(
            domain=Domain.trusted(row.name),
            label=row.label,
            revision=row.revision,
            policy=None if row.body is None else bytes(row.body),
            policy_id=said(row.announced_id, row.current_id, row.floor),
            tlsrpt=reports(row.label, row.tlsrpt_https) if row.tlsrpt else None,
            certificate=certificates.get(row.pk),
        )


def _reports(zone: Zone) -> Callable[[str, bool], str | None]:
    """As `tlsrpt_record`. Labels are letters and digits: one rendering of each kind serves all."""
    rendered = {https: tlsrpt_record(zone, _ANY, https=https) for https in (False, True)}
    parts = {https: text.split(_ANY) if text else None for https, text in rendered.items()}

    def record(label: str, https: bool) -> str | None:  # noqa: FBT001 - one of two kinds
        found = parts[https]
        return label.join(found) if found else None

    return record


def _certificates(rows: QuerySet[CertificateRow]) -> dict[int, Certificate]:
    """By key of the domain: the one that lives longest."""
    found: dict[int, Certificate] = {}
    chains: dict[str, str] = {}  # each key once: a hundred thousand certificates share a handful
    served = rows.filter(domain__state__in=SERVED).order_by().values_list(*_CERTIFICATE)
    for domain, leaf, chain, sealed_key, not_after in served.iterator(_CHUNK):
        ends = int(not_after.timestamp())
        if domain not in found or found[domain].not_after < ends:
            found[domain] = Certificate(bytes(leaf), chains.setdefault(chain, chain), bytes(sealed_key), ends)
    return found


def zone_now(zone: Zone) -> Zone:
    """The zone as edges get it with everything else."""
    return _certified(zone)


def _certified(zone: Zone) -> Zone:
    """The zone as it is now: with the addresses in rotation, what challenges are answered with, and the certificate of
    its reports host, once there are such."""
    zone = replace(zone, policy_addresses=rotation.addresses(zone.policy_addresses))
    thumbprint = AccountKey.objects.values_list("thumbprint", flat=True).first()
    zone = replace(zone, thumbprint=thumbprint) if thumbprint else zone
    row = HostCertificate.objects.select_related("chain").filter(host=zone.reports_host).first()
    if row is None or row.leaf is None or row.chain is None or row.not_after is None:
        return zone
    ends = int(row.not_after.timestamp())
    certificate = Certificate(bytes(row.leaf), row.chain.digest, bytes(row.sealed_key), ends)
    return replace(zone, reports_certificate=certificate)


def _chains(changed: tuple[HostedDomain, ...], zone: Zone) -> dict[str, tuple[bytes, ...]]:
    """The issuers that the certificates of these domains and of the zone need."""
    certificates = (zone.reports_certificate, *(hosted.certificate for hosted in changed))
    digests = {certificate.chain for certificate in certificates if certificate}
    if not digests:
        return {}
    rows = Chain.objects.order_by("pk").values_list("digest", "certificates")
    return {digest: tuple(map(base64.b64decode, texts)) for digest, texts in rows if digest in digests}
