"""Getting and renewing certificates: exactly those of the domains that are served, never from a handshake."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet

from trinco.core.errors import TrincoError
from trinco.panel.certificates import development
from trinco.panel.certificates.authority import Authority, Issued
from trinco.panel.certificates.development import DevelopmentAuthority
from trinco.panel.certificates.models import Attempt, Certificate, Chain
from trinco.panel.certificates.terms import Jitter, again_at, renew_due_at
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import SERVED, touch
from trinco.panel.seal import Seal

AT_ONCE = 50
"""Certificates per call, so that a thousand new domains do not keep the worker from its other work."""
_log = structlog.get_logger("trinco.certificates")


def development_root(data: Path) -> Path:
    """The path of the development CA's root (PEM, `<data>/ca.pem`); the CA is made where there is none."""
    return development.ensure(data, _seal())


def issue_due(now: datetime, *, authority: Authority | None = None, jitter: Jitter = random.random) -> int:
    """Get a certificate for served domains that have none, or whose own is due for renewal. How many were got.

    At most AT_ONCE per call. What fails is due again after 1, 10 and 100 minutes, then daily.
    """
    keys = list(due(now).values_list("pk", flat=True)[:AT_ONCE])
    if not keys:
        return 0
    source = authority or DevelopmentAuthority.at(settings.DATA, _seal())
    return sum(_issue(key, source, now, jitter) for key in keys)


def due(now: datetime) -> QuerySet[HostedDomain]:
    """The domains that want a certificate now: served, proven, and not waiting after a failure."""
    served = HostedDomain.objects.everywhere().filter(state__in=SERVED, verified_at__isnull=False)
    waiting = Q(issuance_attempt__due_at__gt=now)
    return served.exclude(certificates__renew_due_at__gt=now).exclude(waiting).order_by("pk")


def current(domain: HostedDomain) -> Certificate | None:
    """The certificate that is served: the one that lives longest."""
    return Certificate.objects.everywhere().select_related("chain").filter(domain=domain).first()


def _issue(key: int, authority: Authority, now: datetime, jitter: Jitter) -> int:
    """One domain, unless another worker has it in hand, or had it since."""
    with transaction.atomic():
        domain = HostedDomain.objects.everywhere().select_for_update(skip_locked=True).filter(pk=key).first()
        if domain is None or not due(now).filter(pk=key).exists():  # asked anew, now that nobody else has the row
            return 0
        try:
            issued = authority.issue(domain.policy_host, now)
        except TrincoError as error:
            _postpone(domain, error, now)
            return 0
        _store(domain, issued, now, jitter)
    _log.info("certificate issued", domain=domain.name, issuer=issued.issuer, until=issued.not_after.isoformat())
    return 1


def _store(domain: HostedDomain, issued: Issued, now: datetime, jitter: Jitter) -> None:
    certificates = Certificate.objects.everywhere().filter(domain=domain)
    certificates.filter(not_after__lt=now).delete()
    certificates.create(
        domain=domain,
        leaf=issued.leaf,
        chain=Chain.of(issued.chain),
        sealed_key=_seal().seal(issued.key, domain.policy_host),
        issuer=issued.issuer,
        not_before=issued.not_before,
        not_after=issued.not_after,
        issued_at=now,
        renew_due_at=renew_due_at(issued.not_before, issued.not_after, jitter()),
    )
    Attempt.objects.everywhere().filter(domain=domain).delete()
    touch(domain)


def _postpone(domain: HostedDomain, error: TrincoError, now: datetime) -> None:
    attempts = Attempt.objects.everywhere()
    attempt, _ = attempts.get_or_create(domain=domain, defaults={"due_at": now, "problem": ""})
    attempt.due_at = again_at(now, attempt.failures)
    attempt.failures = attempt.failures + 1
    attempt.problem = str(error)[:255]
    attempt.save(update_fields=["failures", "due_at", "problem"])
    _log.warning("no certificate", domain=domain.name, problem=attempt.problem, again=attempt.due_at.isoformat())


def _seal() -> Seal:
    return Seal.of(settings.SEAL_KEY)
