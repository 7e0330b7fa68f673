"""Certificates that the owner of a domain brings: served at once, and while they last none is ordered."""

from __future__ import annotations

import hashlib
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.services import record
from trinco.panel.certificates import keeping
from trinco.panel.certificates.authority import OWN, RETIRED
from trinco.panel.certificates.judging import judged
from trinco.panel.certificates.models import Attempt, Certificate
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import SERVED, locked, touch
from trinco.panel.policies.errors import NotHosted


def brought(domain: HostedDomain) -> Certificate | None:
    """The one that the owner brought and that is served."""
    return Certificate.objects.everywhere().filter(domain=domain, directory=OWN).first()


def bring(*, domain: HostedDomain, actor: Actor, pem: bytes) -> None:
    """Serve this certificate: chain and key in PEM, which is sealed at once and never given out again.

    Raises CertificateRefused, NotHosted.
    """
    now = timezone.now()
    issued = judged(domain.policy_host, pem, now, settings.CONFIG.acme_ca_file)
    with transaction.atomic():
        row = _served(domain)
        keeping.store(row, issued, now, lambda: 0.0)
        after = {"issuer": issued.issuer, "until": f"{issued.not_after:%Y-%m-%d}", "sha256": _digest(issued.leaf)}
        record(organisation=row.organisation, actor=actor, action="certificate.brought", subject=row.name, after=after)


def remove(*, domain: HostedDomain, actor: Actor) -> bool:
    """Have certificates obtained again, at once. Whether there was one to remove.

    It is served until the next one is there, so that no sender finds none; where another is there it goes at once.
    """
    now = timezone.now()
    with transaction.atomic():
        row = _served(domain)
        held = brought(row)
        if held is None:
            return False
        before = {"issuer": held.issuer, "sha256": _digest(bytes(held.leaf))}
        _retire(row, held, now)
        record(
            organisation=row.organisation, actor=actor, action="certificate.removed", subject=row.name, before=before
        )
    return True


def _served(domain: HostedDomain) -> HostedDomain:
    row = locked(domain)
    if row.state not in SERVED:
        raise NotHosted(row.state)
    return row


def _retire(row: HostedDomain, held: Certificate, now: datetime) -> None:
    others = Certificate.objects.everywhere().filter(domain=row, not_after__gt=now).exclude(pk=held.pk)
    others = others.filter(renew_due_at__gt=now)  # one that is about to end may end before the next is there
    others = others.exclude(directory="") if settings.CONFIG.acme_directory else others
    if others.exists():
        held.delete()
    else:
        held.directory, held.renew_due_at = RETIRED, now
        held.save(update_fields=["directory", "renew_due_at"])
    Attempt.objects.everywhere().filter(domain=row).delete()
    touch(row)


def _digest(leaf: bytes) -> str:
    """As the Certificates page shows it."""
    return hashlib.sha256(leaf).hexdigest()[:12]
