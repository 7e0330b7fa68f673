"""The certificate of our own hosts: the reports host, over HTTPS (RFC 8460 section 5.4), and its mail hosts, over SMTP.

All have one certificate, so that there is one key to seal and one renewal to miss. It is bound to the reports host.
"""

from __future__ import annotations

import random
from datetime import datetime

import structlog
from django.conf import settings
from django.db import transaction

from trinco.config import Config
from trinco.core.errors import TrincoError
from trinco.panel.certificates.authority import Authority, Issued
from trinco.panel.certificates.development import DevelopmentAuthority
from trinco.panel.certificates.models import Chain, HostCertificate
from trinco.panel.certificates.terms import Jitter, again_at, renew_due_at
from trinco.panel.domains.services import next_revision
from trinco.panel.seal import Seal

_log = structlog.get_logger("trinco.certificates")


def names(config: Config) -> tuple[str, ...]:
    """The reports host, then those of its mail hosts that lie in our zone; others have certificates of their own."""
    mail = sorted({host for _, host in config.reports_mx if _ours(host, str(config.base))})
    return tuple(dict.fromkeys((config.reports_host, *mail)))


def issue_due(now: datetime, *, authority: Authority | None = None, jitter: Jitter = random.random) -> int:
    """Get the certificate when there is none, when it is due for renewal, and when the names have changed.

    How many were got. What fails is due again after 1, 10 and 100 minutes, then daily.
    """
    wanted = names(settings.CONFIG)
    if not _due(wanted, now):
        return 0
    HostCertificate.objects.get_or_create(host=wanted[0], defaults={"names": [], "due_at": now})
    return _issue(wanted, authority or DevelopmentAuthority.at(settings.DATA, _seal()), now, jitter)


def _due(wanted: tuple[str, ...], now: datetime) -> bool:
    held = HostCertificate.objects.filter(host=wanted[0]).values_list("names", "due_at").first()
    return held is None or held[0] != list(wanted) or held[1] <= now


def _ours(host: str, base: str) -> bool:
    return host == base or host.endswith(f".{base}")


@transaction.atomic
def _issue(wanted: tuple[str, ...], authority: Authority, now: datetime, jitter: Jitter) -> int:
    """Get it, unless another worker has it in hand, or had it since."""
    row = HostCertificate.objects.select_for_update(skip_locked=True).filter(host=wanted[0]).first()
    if row is None or not _due(wanted, now):
        return 0
    row.names = list(wanted)
    try:
        issued = authority.issue(wanted[0], now, also=wanted[1:])
    except TrincoError as error:
        _postpone(row, error, now)
        return 0
    _store(row, issued, now, jitter)
    _log.info("certificate issued", host=row.host, issuer=issued.issuer, until=issued.not_after.isoformat())
    return 1


def _store(row: HostCertificate, issued: Issued, now: datetime, jitter: Jitter) -> None:
    row.leaf, row.chain = issued.leaf, Chain.of(issued.chain)
    row.sealed_key = _seal().seal(issued.key, row.host)
    row.issuer, row.issued_at = issued.issuer, now
    row.not_before, row.not_after = issued.not_before, issued.not_after
    row.due_at = renew_due_at(issued.not_before, issued.not_after, jitter())
    row.failures, row.problem = 0, ""
    row.save()
    HostCertificate.objects.exclude(pk=row.pk).filter(not_after__lt=now).delete()  # the reports host had another name
    next_revision()


def _postpone(row: HostCertificate, error: TrincoError, now: datetime) -> None:
    row.due_at = again_at(now, row.failures)
    row.failures += 1
    row.problem = str(error)[:255]
    row.save(update_fields=["names", "due_at", "failures", "problem"])
    _log.warning("no certificate", host=row.host, problem=row.problem, again=row.due_at.isoformat())


def _seal() -> Seal:
    return Seal.of(settings.SEAL_KEY)
