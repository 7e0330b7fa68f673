"""An organisation is closed: nobody acts in it any more, and what opened it opens nothing.

That is a state and no delete. Its log stays, and ends with the line that tells of it: a provider goes on reading that
of its former clients. Its reports go when its terms say so (`reports.retention`), and labels of its domains are never
given to others. It is for an organisation that hosts nothing: leaving takes its time (RFC 8461 section 8.3).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace

from django.db import transaction
from django.db.models import QuerySet
from django.shortcuts import get_object_or_404

from trinco.panel import clock, wall
from trinco.panel.accounts import audit, labels, people
from trinco.panel.accounts.access import Access
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.errors import RankTooHigh, StillInUse
from trinco.panel.accounts.models import (
    ApiToken,
    HostClaim,
    IdempotencyKey,
    Invitation,
    Label,
    Membership,
    Organisation,
)
from trinco.panel.accounts.roles import Deed
from trinco.panel.accounts.services import record
from trinco.panel.domains.models import HostedDomain, KeptAccess, State
from trinco.panel.policies.import_models import DomainImport, ImportState
from trinco.panel.reports.models import Recipient
from trinco.panel.webhooks.models import Webhook


@dataclass(frozen=True, slots=True)
class Ended:
    """What ends with an organisation: how many people, invitations, tokens that work, webhooks."""

    people: int
    invitations: int
    tokens: int
    webhooks: int


@dataclass(frozen=True, slots=True)
class Hindrances:
    """What has to be over first."""

    domains: QuerySet[HostedDomain]
    clients: int
    importing: bool


def ends(organisation: Organisation) -> Ended:
    """What would end now."""
    tokens = ApiToken.objects.of(organisation).filter(revoked_at=None, expires_at__gt=clock.now())
    return Ended(
        Membership.objects.filter(organisation=organisation).count(),
        Invitation.objects.of(organisation).count(),
        tokens.count(),
        Webhook.objects.of(organisation).count(),
    )


def hindrances(organisation: Organisation) -> Hindrances | None:
    """What keeps the organisation open; None: nothing."""
    found = Hindrances(
        HostedDomain.objects.of(organisation).exclude(state=State.GONE).order_by("name"),
        Organisation.objects.filter(parent=organisation).count(),
        DomainImport.objects.of(organisation).filter(state=ImportState.RUNNING).exists(),
    )
    return found if found.domains.exists() or found.clients or found.importing else None


@wall.lifted()
@transaction.atomic
def close(*, access: Access, actor: Actor) -> Ended:
    """Close the organisation in which the person acts. Raises RankTooHigh, StillInUse."""
    now = people.judged_anew(access)
    if not now.may(Deed.ORGANISATION_MANAGE):
        raise RankTooHigh(now.role)
    row, provider = now.organisation, now.organisation.parent
    _take(row)
    audit.hold(each.pk for each in (row, provider) if each is not None)  # whoever adds a domain is done, or refused
    _require_unused(row)
    ended = ends(row)
    _end(row, actor)
    if provider is not None:
        record(organisation=provider, actor=actor, action="client.closed", subject=row.name)
    record(organisation=row, actor=actor, action="organisation.closed", subject=row.name, before=asdict(ended))
    audit.end(row.pk)
    Organisation.objects.filter(pk=row.pk).update(closed_at=clock.now(), parent=None, former_parent=provider)
    return ended


def closed_clients(provider: Organisation) -> QuerySet[Organisation]:
    """Those that were clients of this provider, the last one that was closed first."""
    return Organisation.objects.filter(former_parent=provider).order_by("-closed_at", "-pk")


def former(access: Access, key: int) -> Access:
    """As what the person reads the log of a former client of their organisation: what it wanted of the provider's
    people first, it wants still. Raises Http404."""
    client = get_object_or_404(closed_clients(access.organisation), pk=key)
    return replace(access, organisation=client, provider=access.organisation)


def _require_unused(row: Organisation) -> None:
    found = hindrances(row)
    if found is not None:
        names = tuple(found.domains.values_list("name", flat=True)[:100])
        raise StillInUse(names, found.clients, importing=found.importing)


def _take(row: Organisation) -> None:
    """Hold what ends before the chain's end, as each deed on it does: else the two would wait for each other."""
    for table in (Webhook, ApiToken, Recipient, KeptAccess, HostClaim):
        held = table.objects.of(row).select_for_update(of=("self",)).order_by("pk")
        list(held.values_list("pk", flat=True))
    list(Label.objects.select_for_update().filter(organisation=row))


def _end(row: Organisation, actor: Actor) -> None:
    """All that lets somebody in, is told of something, or knows a secret of others."""
    if Label.objects.filter(organisation=row).exists():
        labels.remove(organisation=row, actor=actor)
    ApiToken.objects.of(row).filter(revoked_at=None).update(revoked_at=clock.now())
    Invitation.objects.of(row).delete()
    Webhook.objects.of(row).delete()
    KeptAccess.objects.of(row).delete()
    Recipient.objects.of(row).delete()
    IdempotencyKey.objects.of(row).delete()
    Membership.objects.filter(organisation=row).delete()
