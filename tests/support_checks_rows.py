"""A domain for which everything is as it should be, to be spoiled by a test in one thing."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone
from tests.support_panel import announced, organisation, sight_mx

from trinco.panel.accounts.models import Organisation
from trinco.panel.certificates.models import Certificate, Chain
from trinco.panel.domains.models import HostedDomain, MxSighting, Starttls
from trinco.panel.reports.models import DailyTotal, Trust

NAME = "correio.example"


def certified(domain: HostedDomain, until: datetime | None = None, renew: datetime | None = None) -> None:
    """Give the domain a certificate (that nothing but its dates is real of)."""
    not_after = until or timezone.now() + timedelta(days=60)
    Certificate.objects.everywhere().filter(domain=domain).delete()
    Certificate.objects.everywhere().create(
        domain=domain,
        leaf=b"",
        chain=Chain.objects.get_or_create(digest="0", defaults={"certificates": []})[0],
        sealed_key=b"",
        issuer="test",
        not_before=not_after - timedelta(days=90),
        not_after=not_after,
        renew_due_at=renew or not_after - timedelta(days=30),
    )


def reported(domain: HostedDomain, *failed: int, sessions: int = 1000, last: int = 1, **columns: object) -> None:
    """Counted reports: so many sessions failed on each of these days, the newest last, `last` days ago."""
    newest = timezone.now().date() - timedelta(days=last)
    rows = [
        DailyTotal(
            **{
                "organisation_id": domain.organisation_id,
                "domain": domain,
                "day": newest - timedelta(days=number),
                "trust": Trust.DKIM,
                "submitter": "sender.example",
                "successful_session_count": sessions - count,
                "failed_session_count": count,
                "reports": 1,
                **columns,
            }
        )
        for number, count in enumerate(reversed(failed))
    ]
    DailyTotal.objects.everywhere().bulk_create(rows)


def ready_domain(owner: Organisation | None = None, name: str = NAME) -> HostedDomain:
    """LIVE, testing, announced, certified; its one MX is covered and passes STARTTLS; two weeks of good reports."""
    host = f"mx1.{name}"
    domain = announced(owner or organisation(), name, (host,))
    certified(domain)
    sight_mx(domain, host)
    MxSighting.objects.everywhere().filter(domain=domain).update(starttls=Starttls.OK, tls_version="TLSv1.3")
    reported(domain, *[0] * 14, last=10)
    return HostedDomain.objects.everywhere().get(pk=domain.pk)
