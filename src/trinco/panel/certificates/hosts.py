"""The certificate of our own hosts: the reports host, over HTTPS (RFC 8460 section 5.4), and its mail hosts, over SMTP.

All have one certificate, so that there is one key to seal and one renewal to miss. It is bound to the reports host.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import datetime
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from trinco.config import Config
from trinco.core.errors import TrincoError
from trinco.panel import keyring
from trinco.panel.certificates.authority import Authority, Issued
from trinco.panel.certificates.development import DevelopmentAuthority
from trinco.panel.certificates.models import Chain, HostCertificate
from trinco.panel.certificates.terms import FARTHEST, Jitter, again_at, renew_due_at
from trinco.panel.domains.services import next_revision

_OFTEN: Final = 2
"""Failures that are more than a moment's."""
_log = structlog.get_logger("trinco.certificates")


def names(config: Config) -> tuple[str, ...]:
    """The reports host, then those of its mail hosts that lie in our zone; others have certificates of their own."""
    return config.zone.own_hosts


def ours() -> QuerySet[HostCertificate]:
    """The row of the reports host as it is called now, or none."""
    return HostCertificate.objects.filter(host=names(settings.CONFIG)[0])


def trouble(now: datetime) -> str:
    """What is wrong with the certificate of our own hosts, for the operator; "": nothing, or none was asked for."""
    row = ours().defer("leaf", "sealed_key").first()
    if row is None or (row.failures < _OFTEN and (row.not_after is None or row.not_after > now)):
        return ""
    until = "there is none" if row.not_after is None else f"it ends {row.not_after:%Y-%m-%d %H:%M} UTC"
    until = f"it ended {row.not_after:%Y-%m-%d %H:%M} UTC" if row.not_after and row.not_after <= now else until
    return f"{until}; {row.failures} attempts failed: {row.problem}" if row.failures else until


def issue_due(now: datetime, *, authority: Authority | None = None, jitter: Jitter = random.random) -> int:
    """Get the certificate when there is none, when it is due for renewal, and when the names have changed.

    How many were got. What fails is due again after 1, 10 and 100 minutes, then daily. With an authority in the
    settings it is ordered there (`queue`), and nothing is done here.
    """
    if authority is None and settings.CONFIG.acme_directory:
        return 0
    wanted = due(now)
    if not wanted:
        return 0
    return _issue(wanted, authority or DevelopmentAuthority.at(settings.DATA, keyring.current()), now, jitter)


def due(now: datetime) -> tuple[str, ...]:
    """The names of which a certificate is wanted now; none: it is not."""
    wanted = names(settings.CONFIG)
    held = ours().defer("leaf", "sealed_key").first()
    if held is None or held.names != list(wanted) or held.due_at <= now:
        return wanted
    if held.problem and held.due_at > now + FARTHEST:
        return wanted
    of_the_development_ca = held.issued_at is not None and not held.directory and not held.problem
    return wanted if settings.CONFIG.acme_directory and of_the_development_ca else ()


@transaction.atomic
def _issue(wanted: tuple[str, ...], authority: Authority, now: datetime, jitter: Jitter) -> int:
    """Get it, unless another worker has it in hand, or had it since."""
    row = _row(wanted, now, skip_locked=True)
    if row is None or not due(now):
        return 0
    try:
        issued = authority.issue(wanted[0], now, also=wanted[1:])
    except TrincoError as error:
        postpone(wanted, str(error), now)
        return 0
    store(wanted, issued, now, jitter)
    _log.info("certificate issued", host=row.host, issuer=issued.issuer, until=issued.not_after.isoformat())
    return 1


def _row(wanted: Sequence[str], now: datetime, *, skip_locked: bool = False) -> HostCertificate | None:
    HostCertificate.objects.get_or_create(host=wanted[0], defaults={"names": [], "due_at": now})
    return HostCertificate.objects.select_for_update(skip_locked=skip_locked).filter(host=wanted[0]).first()


def store(wanted: Sequence[str], issued: Issued, now: datetime, jitter: Jitter, ask_at: datetime | None = None) -> None:
    """Keep a fresh certificate of these names: the edges get it with the next revision. In a transaction."""
    row = _row(wanted, now)
    if row is None:
        return
    row.names = list(wanted)
    row.leaf, row.chain = issued.leaf, Chain.of(issued.chain)
    row.sealed_key = keyring.current().seal(issued.key, row.host)
    row.issuer, row.directory, row.issued_at = issued.issuer, issued.directory, now
    row.not_before, row.not_after = issued.not_before, issued.not_after
    row.due_at = renew_due_at(issued.not_before, issued.not_after, jitter())
    row.ask_due_at, row.window_start, row.window_end = ask_at, None, None
    row.failures, row.problem, row.rehearsed = 0, "", False
    row.save()
    ended = Q(not_after__lt=now) | Q(not_after__isnull=True)
    HostCertificate.objects.exclude(pk=row.pk).filter(ended).delete()  # the reports host had another name
    next_revision()


def postpone(wanted: Sequence[str], problem: str, now: datetime) -> None:
    """A failure: it is tried again after 1, 10 and 100 minutes, then daily. In a transaction."""
    row = _row(wanted, now)
    if row is None:
        return
    row.names, row.due_at = list(wanted), again_at(now, row.failures)
    row.failures += 1
    row.problem, row.rehearsed = problem[:255], False
    row.save(update_fields=["names", "due_at", "failures", "problem", "rehearsed"])
    _log.warning("no certificate", host=row.host, problem=row.problem, again=row.due_at.isoformat())


def hold_back(wanted: Sequence[str], problem: str, until: datetime) -> None:
    """No failure: the authority wants to be asked later. In a transaction."""
    row = _row(wanted, until)
    if row is not None:
        row.names, row.due_at, row.problem = list(wanted), until, problem[:255]
        row.save(update_fields=["names", "due_at", "problem"])
