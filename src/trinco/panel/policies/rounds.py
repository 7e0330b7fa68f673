"""What the worker does by itself: announce, reissue after a restore, and end what has left. Each is level-triggered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet

from trinco.panel.accounts.actors import TRINCO
from trinco.panel.accounts.services import record
from trinco.panel.asking import Question
from trinco.panel.domains.models import HostedDomain, KeptAccess, State, Way
from trinco.panel.domains.services import SERVED, locked, next_revision, touch
from trinco.panel.policies import ledger
from trinco.panel.policies.gate import Gate, gate
from trinco.panel.policies.models import PolicyVersion, Standing
from trinco.panel.policies.versions import Deed, Draft, begin, policy_of, standing_of, write
from trinco.panel.policies.ways import at_addresses

_AT_ONCE = 200
_log = structlog.get_logger("trinco.policies")


def announce_due(now: datetime) -> int:
    """Announce the id of every policy that every live edge serves (RFC 8461 section 8.1); where an owner publishes it,
    it may be published from now on (`policies.ways`). How many were announced."""
    if not _SOME.holds(now):
        return 0
    keys = _waiting(gate(now))
    return sum(_announce_some(some, now) for some in _portions(keys))


def _waiting(known: Gate) -> list[int]:
    standings = _unannounced().filter(domain__state__in=SERVED, domain__revision__lte=known.acknowledged)
    pairs = standings.order_by("domain").values_list("domain", "domain__label")
    return [key for key, label in pairs if label not in known.failing]


def _open(rows: Sequence[HostedDomain], known: Gate) -> list[HostedDomain]:
    """Those of the rows for which the gate is open."""
    strictly = set[int]()
    if known.of_all:
        domains = HostedDomain.objects.everywhere().filter(pk__in=[row.pk for row in rows])
        strictly = set(at_addresses(domains).values_list("pk", flat=True))
    return [row for row in rows if (known.strict if row.pk in strictly else known).open_for(row)]


def _unannounced() -> QuerySet[Standing]:
    return Standing.objects.everywhere().filter(Q(announced=None) | ~Q(announced=F("current")))


_SOME = Question(lambda _now: _unannounced().filter(domain__state__in=SERVED))


@transaction.atomic
def _announce_some(keys: Sequence[int], now: datetime) -> int:
    rows = _taken(HostedDomain.objects.everywhere().filter(pk__in=keys, state__in=SERVED))
    # Both again, now that nobody can publish or announce in between.
    known, waiting = gate(now), set(_unannounced().filter(domain__in=rows).values_list("domain", flat=True))
    ready = _open([row for row in rows if row.pk in waiting], known)
    if not ready:
        return 0
    _announce(ready, now)
    ledger.close_superseded(ready, now)
    HostedDomain.objects.everywhere().filter(pk__in=[row.pk for row in ready]).update(revision=next_revision())
    return len(ready)


def _announce(ready: Sequence[HostedDomain], now: datetime) -> None:
    standings = Standing.objects.everywhere().filter(domain__in=ready)
    fresh = standings.select_related("current", "domain").filter(current__served_from=None)
    begin((standing.domain, standing.current) for standing in fresh)
    versions = PolicyVersion.objects.everywhere()
    versions.filter(pk__in=standings.values("current"), released_at=None).update(released_at=now)
    by_us = standings.filter(domain__sts_way=Way.CNAME)
    versions.filter(pk__in=by_us.values("current"), announced_at=None).update(announced_at=now)
    standings.update(announced=F("current"))
    theirs = [row.pk for row in ready if row.sts_way != Way.CNAME]
    HostedDomain.objects.everywhere().filter(pk__in=theirs).update(check_due_at=now)
    KeptAccess.objects.everywhere().filter(domain__in=theirs).update(due_at=now)
    _log.info("policies announced", domains=len(ready), first=ready[0].name, by_owners=len(theirs))


def reissue_due(now: datetime) -> int:
    """Give a new id to every policy whose name the world knows under a later one: the database was restored."""
    if not _SOME_OVERTAKEN.holds(now):
        return 0
    return sum(_reissue(standing.domain, now) for standing in _overtaken().select_related("domain"))


def _overtaken() -> QuerySet[Standing]:
    return Standing.objects.everywhere().filter(domain__state__in=SERVED, id_floor__gt=F("current__policy_id"))


_SOME_OVERTAKEN = Question(lambda _now: _overtaken())


@transaction.atomic
def _reissue(domain: HostedDomain, now: datetime) -> int:
    row = locked(domain)
    standing = standing_of(row)
    if standing is None or standing.id_floor <= standing.current.policy_id:
        return 0
    write(Draft(row, standing, policy_of(standing.current)), Deed(TRINCO, "policy.reissued"), now)
    return 1


def retire_due(now: datetime) -> int:
    """End the domains that are leaving and whose horizon has passed (RFC 8461 section 8.3). How many ended."""
    ledger.open_ledgers()
    ledger.close_gone(gate(now), now)
    leaving = HostedDomain.objects.everywhere().filter(state=State.LEAVING).order_by("pk")
    return sum(_retire(domain, now) for domain in leaving)


@transaction.atomic
def _retire(domain: HostedDomain, now: datetime) -> int:
    row = locked(domain)
    if row.state != State.LEAVING or not _may_end(row, now):
        return 0
    row.state, row.gone_at = State.GONE, now
    row.save(update_fields=["state", "gone_at"])
    touch(row)
    record(organisation=row.organisation, actor=TRINCO, action="domain.gone", subject=row.name)
    return 1


def _may_end(row: HostedDomain, now: datetime) -> bool:
    standing = standing_of(row)
    if standing is None or standing.announced is None:
        # DNS never named a policy of this row: what may be held is what others served under the name before
        return ledger.horizon_of_others(row, now) is None
    return standing.announced == standing.current and ledger.horizon_of(row, now) is None


def _taken(rows: QuerySet[HostedDomain]) -> list[HostedDomain]:
    """Those of the rows that no other worker has in hand, locked."""
    return list(rows.select_for_update(skip_locked=True).order_by("pk"))


def _portions(keys: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield keys[start : start + _AT_ONCE]
