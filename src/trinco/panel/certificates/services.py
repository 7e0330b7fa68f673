"""Getting and renewing certificates: exactly those of the domains that are served, never from a handshake."""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction

from trinco.core.errors import TrincoError
from trinco.panel import keyring
from trinco.panel.asking import Question
from trinco.panel.certificates import development, queue
from trinco.panel.certificates.authority import Authority
from trinco.panel.certificates.development import DevelopmentAuthority
from trinco.panel.certificates.due import due
from trinco.panel.certificates.keeping import postpone, store
from trinco.panel.certificates.models import Certificate
from trinco.panel.certificates.terms import Jitter
from trinco.panel.domains.models import HostedDomain

AT_ONCE = 50
"""Certificates per call, so that a thousand new domains do not keep the worker from its other work."""
_log = structlog.get_logger("trinco.certificates")


def development_root(data: Path) -> Path:
    """The path of the development CA's root (PEM, `<data>/ca.pem`); the CA is made where there is none."""
    return development.ensure(data, keyring.current())


_SOME = Question(due)
"""Where no authority is named."""


def issue_due(now: datetime, *, authority: Authority | None = None, jitter: Jitter = random.random) -> int:
    """Get a certificate for served domains that have none, or whose own is due for renewal. How many were got.

    From the authority that the settings name (`queue`), the development CA without one. At most AT_ONCE per call. What
    fails is due again after 1, 10 and 100 minutes, then daily.
    """
    if authority is None and settings.CONFIG.acme_directory:
        return queue.work(now, jitter)
    if not settings.CONFIG.acme_directory and not _SOME.holds(now):
        return 0
    keys = list(due(now).values_list("pk", flat=True)[:AT_ONCE])
    if not keys:
        return 0
    source = authority or DevelopmentAuthority.at(settings.DATA, keyring.current())
    return sum(_issue(key, source, now, jitter) for key in keys)


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
            postpone(domain, str(error), now)
            return 0
        store(domain, issued, now, jitter)
    _log.info("certificate issued", domain=domain.name, issuer=issued.issuer, until=issued.not_after.isoformat())
    return 1
