"""Rows that the panel's tests stand on: made by the services wherever there is one."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.utils import timezone

from trinco.core.names import Domain
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.services import create_account, membership_of
from trinco.panel.domains import services as domains
from trinco.panel.domains.models import Finding, HostedDomain, MxSighting, RecordName, RecordSighting, Revision
from trinco.panel.policies import services as policies
from trinco.panel.policies.models import EdgeNode, PolicyVersion, Standing

PASSWORD = "correct horse battery"
ANA = Actor("ana@example.com", "192.0.2.7")


def organisation(email: str = "ana@example.com") -> Organisation:
    """The organisation of a new account."""
    return membership_of(create_account(email=email, password=PASSWORD)).organisation


def hosted(owner: Organisation, name: str = "correio.example") -> HostedDomain:
    """A domain in SETUP, without a policy."""
    return domains.add(organisation=owner, name=Domain.parse(name), actor=ANA)


def sight(domain: HostedDomain, finding: Finding = Finding.FOUND, seen_at: datetime | None = None) -> None:
    """All three CNAMEs were looked at, with this finding."""
    for record in RecordName:
        facts = {"finding": finding, "seen_at": seen_at or timezone.now()}
        RecordSighting.objects.everywhere().update_or_create(domain=domain, record=record, defaults=facts)


def sight_mx(domain: HostedDomain, *hosts: str, ago: timedelta = timedelta()) -> None:
    """The domain's MX were read that long ago."""
    MxSighting.objects.everywhere().filter(domain=domain).delete()
    for number, host in enumerate(hosts):
        MxSighting.objects.everywhere().create(domain=domain, host=host, preference=10 * number)
    domain.mx_checked_at = timezone.now() - ago
    domain.save(update_fields=["mx_checked_at"])


def live(
    owner: Organisation, name: str = "correio.example", mx: tuple[str, ...] = ("mx1.correio.example",)
) -> HostedDomain:
    """A domain that is LIVE with its first policy, not announced yet."""
    domain = hosted(owner, name)
    policies.start(domain=domain, mx=mx, actor=ANA)
    sight(domain)
    domains.mark_live(domain)
    return domain


def edge(
    name: str = "edge1",
    *,
    acknowledged: int | None = None,
    failing: tuple[str, ...] = (),
    lease: timedelta = timedelta(days=10_000),
) -> EdgeNode:
    """An edge as its last heart-beat left it; without `acknowledged` it has the newest revision, for long."""
    newest = Revision.objects.get(pk=1).number if acknowledged is None else acknowledged
    facts = {"acknowledged": newest, "settled": newest, "failing": list(failing), "session": "s"}
    facts["lease_until"] = timezone.now() + lease
    return EdgeNode.objects.update_or_create(name=name, defaults=facts)[0]


def announced(
    owner: Organisation, name: str = "correio.example", mx: tuple[str, ...] = ("mx1.correio.example",)
) -> HostedDomain:
    """A domain that is LIVE and announced by one edge."""
    domain = live(owner, name, mx)
    edge()
    policies.announce_due(timezone.now())
    domain.refresh_from_db()
    return domain


def standing(domain: HostedDomain) -> Standing:
    """What is current and announced, as the tables say now."""
    return Standing.objects.everywhere().select_related("current", "announced").get(domain=domain)


def versions(domain: HostedDomain) -> list[PolicyVersion]:
    """All versions, oldest first."""
    return list(PolicyVersion.objects.everywhere().filter(domain=domain).order_by("number"))
