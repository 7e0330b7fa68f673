"""Certificates into the table, and failures: for whoever obtained one, or did not."""

from __future__ import annotations

from datetime import datetime

import structlog
from django.db.models import Q

from trinco.panel import keyring
from trinco.panel.certificates.authority import OWN, RETIRED, Issued
from trinco.panel.certificates.models import Attempt, Certificate, Chain
from trinco.panel.certificates.terms import Jitter, again_at, renew_due_at, taken_over_at
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import touch

_log = structlog.get_logger("trinco.certificates")


def store(domain: HostedDomain, issued: Issued, now: datetime, jitter: Jitter, ask_at: datetime | None = None) -> None:
    """Keep a fresh certificate: the edges get it with the next revision. In a transaction that has the domain's row.

    `ask_at`: when the authority is asked for the first time when to renew it.
    """
    certificates = Certificate.objects.everywhere().filter(domain=domain)
    certificates.filter(Q(not_after__lt=now) | Q(directory__in=(OWN, RETIRED))).delete()
    certificates.filter(not_after__gte=issued.not_after).delete()  # what lives longest is served: this one from now on
    certificates.update(ask_due_at=None)
    certificates.create(
        domain=domain,
        leaf=issued.leaf,
        chain=Chain.of(issued.chain),
        sealed_key=keyring.current().seal(issued.key, domain.policy_host),
        issuer=issued.issuer,
        directory=issued.directory,
        not_before=issued.not_before,
        not_after=issued.not_after,
        issued_at=now,
        renew_due_at=_renewed_at(issued, jitter),
        ask_due_at=ask_at,
    )
    Attempt.objects.everywhere().filter(domain=domain).delete()
    touch(domain)


def _renewed_at(issued: Issued, jitter: Jitter) -> datetime:
    if issued.directory == OWN:
        return taken_over_at(issued.not_before, issued.not_after)
    return renew_due_at(issued.not_before, issued.not_after, jitter())


def stands(domain: HostedDomain, now: datetime) -> bool:
    """Whether the owner has brought a certificate that is not to be replaced yet."""
    return Certificate.objects.everywhere().filter(domain=domain, directory=OWN, renew_due_at__gt=now).exists()


def postpone(domain: HostedDomain, problem: str, now: datetime) -> None:
    """A failure: it is tried again after 1, 10 and 100 minutes, then daily."""
    attempts = Attempt.objects.everywhere()
    attempt, _ = attempts.get_or_create(domain=domain, defaults={"due_at": now, "problem": ""})
    attempt.due_at = again_at(now, attempt.failures)
    attempt.failures = attempt.failures + 1
    attempt.problem, attempt.rehearsed = problem[:255], False
    attempt.save(update_fields=["failures", "due_at", "problem", "rehearsed"])
    _log.warning("no certificate", domain=domain.name, problem=attempt.problem, again=attempt.due_at.isoformat())


def hold_back(domain: HostedDomain, problem: str, until: datetime) -> None:
    """No failure: the authority wants to be asked later."""
    attempts = Attempt.objects.everywhere()
    attempts.update_or_create(domain=domain, defaults={"due_at": until, "problem": problem[:255]})
