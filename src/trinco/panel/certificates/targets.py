"""What an order is for: the policy host of a domain, or our own hosts."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from trinco.panel.certificates import hosts, keeping
from trinco.panel.certificates.authority import Issued
from trinco.panel.certificates.models import Attempt, Certificate, HostCertificate, Order
from trinco.panel.certificates.terms import Jitter
from trinco.panel.domains.services import SERVED, locked


def wanted(order: Order, now: datetime) -> bool:
    """Whether what it is for is still served, and not with a certificate that its owner brought."""
    if order.domain is None:
        return bool(order.names == list(hosts.names(settings.CONFIG)))
    return order.domain.state in SERVED and not keeping.stands(order.domain, now)


def store(order: Order, issued: Issued, now: datetime, jitter: Jitter, ask_at: datetime | None) -> None:
    """Keep the certificate. In a transaction."""
    if order.domain is None:
        hosts.store(order.names, issued, now, jitter, ask_at)
        return
    domain = locked(order.domain)
    if not keeping.stands(domain, now):  # it was brought while this was on its way
        keeping.store(domain, issued, now, jitter, ask_at)


def postpone(order: Order, problem: str, now: datetime) -> None:
    """It failed: try again later, and later each time."""
    if order.domain is None:
        hosts.postpone(order.names, problem, now)
    else:
        keeping.postpone(order.domain, problem, now)


def hold_back(order: Order, problem: str, until: datetime) -> None:
    """The authority wants to be asked later."""
    if order.domain is None:
        hosts.hold_back(order.names, problem, until)
    else:
        keeping.hold_back(order.domain, problem, until)


def unadvised(order: Order) -> None:
    """The authority does not take the next one as a renewal: it is ordered, and counted, as any other."""
    if order.domain is None:
        HostCertificate.objects.filter(host=order.host).update(ask_due_at=None)
    else:
        Certificate.objects.everywhere().filter(domain=order.domain).update(ask_due_at=None)


def rehearsed(order: Order, now: datetime) -> None:
    """The staging environment gave one: the authority itself is asked next, at once."""
    if order.domain is None:
        HostCertificate.objects.filter(host=order.host).update(rehearsed=True, due_at=now)
    else:
        Attempt.objects.everywhere().filter(domain=order.domain).update(rehearsed=True, due_at=now)
