"""What happens to certificates that people should know of: one row for each event, however many names it touches.

Level-triggered, as all that the worker does: what is the case now is read off the tables, a row is opened for what is
new, and closed for what has been over for a while. A crash loses nothing, and no place that fails must tell anybody.
While an authority is away, or most names fail at once, that is the event, and not each of the names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Max, Q, QuerySet

from trinco.panel.accounts.models import Organisation
from trinco.panel.certificates import account as accounts
from trinco.panel.certificates import hosts
from trinco.panel.certificates.account import Site
from trinco.panel.certificates.authority import OWN
from trinco.panel.certificates.models import Account, Attempt, Certificate, Event, EventKind, Order
from trinco.panel.certificates.queue import AWAY
from trinco.panel.certificates.terms import wanted_at
from trinco.panel.domains.models import Finding, HostedDomain, RecordName, RecordSighting
from trinco.panel.domains.services import SERVED
from trinco.panel.webhooks import troubles
from trinco.panel.webhooks.troubles import Seen

MANY: Final = 20
"""So many names that fail at once, and a tenth of all, are one event."""
SOON: Final = timedelta(days=7)
"""A certificate ends soon when less is left, and less than a sixth of its life."""
_SHARE: Final = 6
_CALM: Final = {
    EventKind.AWAY: timedelta(minutes=15),
    EventKind.SECOND: timedelta(minutes=15),
    EventKind.MANY: timedelta(hours=1),
}
"""How long something must be over before it counts as over; others: at once."""
_HEARD: Final = timedelta(hours=26)
"""In which every certificate has been asked about, however seldom an authority wants it."""
_OVERSHADOWING: Final = frozenset({EventKind.AWAY, EventKind.ACCOUNT, EventKind.MANY})
"""While one of these lasts, a certificate that ends soon is no event of its own, unless a second authority is asked in
place of the one that is away."""
_STAGED: Final = timedelta(hours=25)
"""A name that keeps failing has its turn once a day."""
_TOLD: Final = {EventKind.FAILING: "certificate-failing", EventKind.ENDING: "certificate-ending"}
"""As which problem a domain's webhooks hear of them; of CAA they hear by the record."""
_log = structlog.get_logger("trinco.certificates")

Key = tuple[str, str, int | None]
"""Kind, directory, domain."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that is the case now."""

    kind: EventKind
    directory: str = ""
    domain: int | None = None
    count: int = 1
    detail: str = ""

    @property
    def key(self) -> Key:
        return self.kind.value, self.directory, self.domain


def watch(now: datetime) -> int:
    """Open, refresh and close events, as the tables have it. How many were opened or closed."""
    return observe(now, accounts.sites(settings.CONFIG))


def observe(now: datetime, sites: tuple[Site, ...]) -> int:
    """As `watch`, with these authorities."""
    opened = {_key(event): event for event in Event.objects.everywhere().filter(ended_at__isnull=True)}
    facts = {fact.key: fact for fact in _facts(now, sites, opened.values())}
    changed = sum(_opened(fact, now) for key, fact in facts.items() if key not in opened)
    for key, event in opened.items():
        if key in facts:
            _refreshed(event, facts[key], now)
        else:
            changed += _closed(event, now)
    return changed


def visible(organisation: Organisation) -> QuerySet[Event]:
    """What a tenant may see: what is about its own domains, and what is everybody's."""
    mine = Q(domain__organisation=organisation) | Q(domain__isnull=True)
    return Event.objects.everywhere().filter(mine).select_related("domain")


def _key(event: Event) -> Key:
    return event.kind, event.directory, event.domain_id


def _facts(now: datetime, sites: tuple[Site, ...], opened: Collection[Event]) -> Iterator[Fact]:
    everybodys = [*_of_authorities(now, sites, opened), *_of_our_hosts()]
    failing = list(_failing())
    served = HostedDomain.objects.everywhere().filter(state__in=SERVED)
    if len(failing) >= MANY and len(failing) * 10 >= served.count():
        everybodys.append(Fact(EventKind.MANY, count=len(failing), detail=failing[0].detail))
        failing = []
    yield from everybodys
    yield from failing
    yield from _forbidden()
    kinds = {fact.kind for fact in everybodys}
    if not _OVERSHADOWING & (kinds - {EventKind.AWAY} if EventKind.SECOND in kinds else kinds):
        yield from _ending(now)
    yield from _to_bring(now)


def _of_authorities(now: datetime, sites: tuple[Site, ...], opened: Collection[Event]) -> Iterator[Fact]:
    rows = {row.directory: row for row in Account.objects.all()}
    found = [(rows[site.place.directory], site.rehearsal) for site in sites if site.place.directory in rows]
    for account, rehearsal in found:
        yield from _of_staging(account, now) if rehearsal else _of_authority(account, now, opened)
    asked = [account for account, rehearsal in found if not rehearsal]
    if len(asked) > 1 and asked[0].away_since is not None and asked[0].away_since <= now - AWAY:
        yield Fact(EventKind.SECOND, asked[1].directory)


def _of_staging(account: Account, now: datetime) -> Iterator[Fact]:
    """What keeps failing is tried there, and while it waits for its next turn as well."""
    tried = Order.objects.everywhere().filter(account=account, created_at__gt=now - _STAGED)
    if count := tried.values("host").distinct().count():
        yield Fact(EventKind.STAGING, account.directory, count=count)


def _of_authority(account: Account, now: datetime, opened: Collection[Event]) -> Iterator[Fact]:
    if account.away_since is not None:
        kind = EventKind.ACCOUNT if account.refused else EventKind.AWAY
        yield Fact(kind, account.directory, count=max(account.failures, 1), detail=account.problem)
    if account.limited_until is not None and account.limited_until > now:
        yield Fact(EventKind.LIMITED, account.directory, detail=account.limit_problem)
    yield from _of_hurry(account, now, opened)


def _of_hurry(account: Account, now: datetime, opened: Collection[Event]) -> Iterator[Fact]:
    """As before a revocation: until all that it is about are renewed, and everybody else has been asked about."""
    key = (EventKind.REVOKED.value, account.directory, None)
    began = next((event.began_at for event in opened if _key(event) == key), now)
    hurried = Certificate.objects.everywhere().filter(directory=account.directory, hurried_at__gt=began - _HEARD)
    lasts = Q(hurried_at__gt=now - _HEARD) | Q(ask_due_at__isnull=False, not_after__gt=now)
    if hurried.filter(lasts).exists():
        count = hurried.values("domain").distinct().count()
        yield Fact(EventKind.REVOKED, account.directory, count=count)


def _of_our_hosts() -> Iterator[Fact]:
    """One certificate has them all."""
    for row in hosts.ours().filter(failures__gt=1).defer("leaf", "sealed_key"):
        yield Fact(EventKind.OWN, count=row.failures, detail=row.problem)
        return


def _failing() -> Iterator[Fact]:
    """A second failure is an event; after the first it is tried again within a minute."""
    rows = Attempt.objects.everywhere().filter(failures__gt=1, domain__state__in=SERVED)
    for row in rows.order_by("-failures", "pk"):
        yield Fact(EventKind.FAILING, domain=row.domain_id, count=row.failures, detail=row.problem)


def _forbidden() -> Iterator[Fact]:
    """The customer's own record, by name."""
    rows = RecordSighting.objects.everywhere().filter(record=RecordName.MTA_STS, finding=Finding.CAA_FORBIDS)
    for domain, seen in rows.filter(domain__state__in=SERVED).values_list("domain", "seen"):
        yield Fact(EventKind.CAA, domain=domain, detail=seen)


def _ending(now: datetime) -> Iterator[Fact]:
    rows, brought = Certificate.objects.everywhere(), Certificate.objects.everywhere().filter(directory=OWN)
    theirs = rows.filter(domain__state__in=SERVED).exclude(domain__in=brought.values("domain"))
    ends = (
        theirs.order_by()
        .values("domain")
        .annotate(last=Max("not_after"), first=Max("not_before"))
        .filter(last__lte=now + SOON)
    )
    for domain, last, first in ends.values_list("domain", "last", "first"):
        if _soon(first, last, now):
            yield Fact(EventKind.ENDING, domain=domain, detail=last.isoformat(timespec="minutes"))
    for row in hosts.ours().filter(failures__lte=1, not_after__lte=now + SOON).defer("leaf", "sealed_key"):
        if row.not_after is not None and _soon(row.not_before, row.not_after, now):
            yield Fact(EventKind.OWN, detail=row.problem)
            return


def _to_bring(now: datetime) -> Iterator[Fact]:
    """What an owner has brought is the owner's to replace, whatever happens to authorities."""
    rows = Certificate.objects.everywhere().filter(directory=OWN, domain__state__in=SERVED)
    soon = rows.filter(not_after__lte=now + timedelta(days=14)).values_list("domain", "not_before", "not_after")
    for domain, first, last in soon:
        if wanted_at(first, last) <= now:
            yield Fact(EventKind.ENDING, OWN, domain, detail=last.isoformat(timespec="minutes"))


def _soon(not_before: datetime | None, not_after: datetime, now: datetime) -> bool:
    life = SOON * _SHARE if not_before is None else not_after - not_before
    return not_after - now < min(SOON, life / _SHARE)


def _opened(fact: Fact, now: datetime) -> int:
    facts = {"kind": fact.kind, "directory": fact.directory, "domain_id": fact.domain}
    try:
        with transaction.atomic():
            event = Event.objects.everywhere().create(
                **facts, began_at=now, seen_at=now, count=fact.count, detail=fact.detail[:255]
            )
            _tell(event, now)
    except IntegrityError:  # another worker was faster
        return 0
    _log.warning("certificate event", **{**facts, "kind": fact.kind.value}, detail=fact.detail)
    return 1


def _refreshed(event: Event, fact: Fact, now: datetime) -> None:
    """The count only grows while it lasts."""
    event.seen_at, event.count = now, max(event.count, fact.count)
    event.detail = fact.detail[:255] or event.detail
    event.save(update_fields=["seen_at", "count", "detail"])


def _closed(event: Event, now: datetime) -> int:
    if now - event.seen_at < _CALM.get(EventKind(event.kind), timedelta()):
        return 0
    event.ended_at = event.seen_at if event.kind in _CALM else now
    with transaction.atomic():
        event.save(update_fields=["ended_at"])
        _tell(event, now)
    _log.info("certificate event over", kind=event.kind, directory=event.directory, domain=event.domain_id)
    return 1


def _tell(event: Event, now: datetime) -> None:
    """Those who want to hear of a domain's certificate."""
    if event.kind not in _TOLD or event.domain is None:
        return
    domain, problem = event.domain, _TOLD[EventKind(event.kind)]
    seen = Seen(domain.pk, domain.organisation_id, domain.name, {problem: {"seen": event.detail}})
    if event.ended_at is None:
        troubles.began(seen, now)
    else:
        troubles.over(seen, problem, now)
