"""Which certificates are wanted: exactly those of the domains that are served, never from a handshake."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import Exists, OuterRef, Q, QuerySet

from trinco.panel.certificates.authority import OWN
from trinco.panel.certificates.models import Certificate, Order
from trinco.panel.certificates.terms import FARTHEST
from trinco.panel.domains.models import Finding, HostedDomain, RecordName, RecordSighting
from trinco.panel.domains.services import SERVED

_LOST = (Finding.CAA_FORBIDS, Finding.ELSEWHERE, Finding.MISSING)
"""What an authority would see as well, when it is asked: the order would only fail there."""


def due(now: datetime) -> QuerySet[HostedDomain]:
    """The domains that want a certificate now: served, proven, and not waiting after a failure.

    Where an authority is named, what the development CA issued counts as none; where none is,
    what an owner has brought is served to its end.
    """
    served = HostedDomain.objects.everywhere().filter(state__in=SERVED, verified_at__isnull=False)
    waiting = Q(issuance_attempt__due_at__gt=now, issuance_attempt__due_at__lte=now + FARTHEST)
    good = Certificate.objects.everywhere().filter(domain=OuterRef("pk"))
    if settings.CONFIG.acme_directory:
        good = good.filter(renew_due_at__gt=now).exclude(directory="")
    else:
        good = good.filter(Q(renew_due_at__gt=now) | Q(directory=OWN, not_after__gt=now))
    return served.exclude(Exists(good)).exclude(waiting).order_by("pk")


def orderable(now: datetime) -> QuerySet[HostedDomain]:
    """Those of the due for which an authority can be asked: none has been, their CNAME was there at the last look, and
    no CAA record forbids it (RFC 8659; `checks.caa` names the record to the owner)."""
    sightings = RecordSighting.objects.everywhere().filter(domain=OuterRef("pk"), record=RecordName.MTA_STS)
    pending = Order.objects.everywhere().filter(domain=OuterRef("pk"), ended_at__isnull=True)
    return due(now).exclude(Exists(sightings.filter(finding__in=_LOST))).exclude(Exists(pending))
