"""How an owner publishes the three records: by CNAMEs to us, or, where none can be, by records of their own.

The order stays the same (RFC 8461 section 8.1): every edge serves the body, then its id is released. Our own zone says
it from that moment, whatever the way: so both are right while an owner changes from one to the other, and no id that an
owner was shown is later than what stands behind the CNAME. By hand it counts as announced once it was seen in DNS.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, TypedDict, Unpack

import structlog
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from trinco.core.mtasts import ids
from trinco.core.mtasts import record as records
from trinco.panel import clock
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.services import record
from trinco.panel.domains.models import Finding, HostedDomain, KeptAccess, RecordName, RecordSighting, State, Way
from trinco.panel.domains.services import locked
from trinco.panel.policies.errors import NoAccess, NoSuchWay, NotHosted
from trinco.panel.policies.models import PolicyVersion, Standing
from trinco.panel.policies.versions import highest_ids, said_id, standing_of

RECORDS: Final = {"host": RecordName.MTA_STS, "sts": RecordName.STS_TXT, "tlsrpt": RecordName.TLSRPT_TXT}
"""What the keys of `Ways` are about."""
_COLUMNS: Final = {name: f"{name}_way" for name in RECORDS}
CHOICES: Final[Mapping[str, tuple[Way, ...]]] = {
    "host": (Way.CNAME, Way.ADDRESSES),
    "sts": (Way.CNAME, Way.TXT, Way.PROVIDER),
    "tlsrpt": (Way.CNAME, Way.TXT, Way.PROVIDER),
}
"""What may be chosen for each record."""
_CLOCKS_DIFFER: Final = timedelta(hours=1)
_log = structlog.get_logger("trinco.policies")


class Ways(TypedDict, total=False):
    """A way for each record: `mta-sts`, `_mta-sts`, `_smtp._tls`. What is left out stays as it is."""

    host: str
    sts: str
    tlsrpt: str


def ways_of(domain: HostedDomain) -> dict[str, str]:
    """The way of each record, as it is."""
    return {name: str(getattr(domain, column)) for name, column in _COLUMNS.items()}


def way_at(domain: HostedDomain, record: str) -> str:
    """How the record of this name is published."""
    return next(way for name, way in ways_of(domain).items() if RECORDS[name] == record)


@transaction.atomic
def set_ways(*, domain: HostedDomain, actor: Actor, **wanted: Unpack[Ways]) -> None:
    """Change how records are published; DNS is looked at at once. Raises NoSuchWay, NotHosted; NoAccess where we are to
    write at a provider and no credentials are kept."""
    row = locked(domain)
    before = ways_of(row)
    after = {name: str(way) for name, way in wanted.items() if before[name] != way}
    if wrong := next((name for name, way in after.items() if way not in CHOICES[name]), None):
        raise NoSuchWay(wrong, after[wrong])
    if row.state == State.GONE:
        raise NotHosted(row.state)
    if Way.PROVIDER in after.values() and not KeptAccess.objects.everywhere().filter(domain=row).exists():
        raise NoAccess(row.name)
    if after:
        _set(row, after)
        old = {name: before[name] for name in after}
        record(
            organisation=row.organisation, actor=actor, action="domain.ways", subject=row.name, before=old, after=after
        )
    domain.refresh_from_db()


def _set(row: HostedDomain, after: Mapping[str, str]) -> None:
    now = clock.now()
    for name, way in after.items():
        setattr(row, _COLUMNS[name], way)
    row.check_due_at, row.level_revision = now, 0
    row.save(update_fields=["check_due_at", "level_revision", *(_COLUMNS[name] for name in after)])
    KeptAccess.objects.everywhere().filter(domain=row).update(due_at=now)
    if after.get("host") == Way.CNAME:  # the addresses stand there until a look says otherwise
        at_host = RecordSighting.objects.everywhere().filter(domain=row, record=RecordName.MTA_STS)
        at_host.update(finding=Finding.PROXIED)
    if after.get("sts") == Way.CNAME:  # our zone says the newest id since it was released
        _announced(row).update(announced_at=now)


def _announced(row: HostedDomain) -> QuerySet[PolicyVersion]:
    standing = Standing.objects.everywhere().filter(domain=row, announced__isnull=False)
    return PolicyVersion.objects.everywhere().filter(pk__in=standing.values("announced"), announced_at=None)


def text_of(domain: HostedDomain) -> str:
    """What `_mta-sts` is to say where it is no CNAME; "" before the first policy is served by every edge."""
    standing: Standing | None = getattr(domain, "standing", None)
    identifier = said_id(standing) if standing else None
    return records.render(records.Record(identifier)) if identifier else ""


def waits_for_owner(domain: HostedDomain) -> PolicyVersion | None:
    """The version whose id the owner is to publish, and that DNS was not seen to say; None: there is none."""
    standing: Standing | None = getattr(domain, "standing", None)
    told = standing.announced if standing else None
    by_hand = domain.sts_way != Way.CNAME and domain.state in (State.LIVE, State.LEAVING)
    return told if by_hand and told is not None and told.announced_at is None else None


def announced_version(domain: HostedDomain) -> PolicyVersion | None:
    """What DNS says, as far as is known: of an owner's own text, the newest that was seen. None: nothing yet."""
    standing: Standing | None = getattr(domain, "standing", None)
    if waits_for_owner(domain) is None:
        return standing.announced if standing else None
    return PolicyVersion.objects.everywhere().filter(domain=domain, announced_at__isnull=False).first()


def note_announced(domain: HostedDomain, identifier: str, now: datetime) -> None:
    """DNS was seen to say this id: note since when. In a transaction."""
    versions = PolicyVersion.objects.everywhere().filter(domain=domain, policy_id=identifier)
    versions.filter(released_at__isnull=False, announced_at=None).update(announced_at=now)


def note_later_id(domain: HostedDomain, seen: str, now: datetime) -> bool:
    """An owner's own text has an id of ours that is later than any known here: the database was restored, and no edge
    is left that could tell (`panel.recovery`). The policy comes back under one that is later still. In a transaction.

    Whether it was so. One that lies in the future is none that we gave, and is not gone above.
    """
    latest = ids.latest_in(seen)
    standing = standing_of(domain) if latest else None
    if standing is None or latest <= max(standing.current.policy_id, standing.id_floor):
        return False
    if latest <= highest_ids([domain.name])[domain.name] or latest > ids.policy_id(b"", now + _CLOCKS_DIFFER, ""):
        return False
    Standing.objects.everywhere().filter(pk=standing.pk).update(id_floor=latest)
    _log.error("DNS says a later id than the database knows", domain=domain.name, id=latest)
    return True


def at_addresses(domains: QuerySet[HostedDomain]) -> QuerySet[HostedDomain]:
    """Those whose policy host may lead to edges that our zone has withdrawn: as chosen, or as seen last."""
    at_host = RecordSighting.objects.everywhere().filter(domain=OuterRef("pk"), record=RecordName.MTA_STS)
    seen = Q(finding=Finding.PROXIED) | Q(finding=Finding.FOUND) & ~Q(seen="")
    return domains.filter(Q(host_way=Way.ADDRESSES) | Exists(at_host.filter(seen)))
