"""What an edge tells the database about itself: ids that it announced, and revisions that it served.

A database that was put back from a backup has forgotten what the world has not: senders hold policies under ids that it
never issued, secondaries hold later serials. The edges have them in their snapshots, and say so when they register. The
database stays the truth about what is to be served; its policies come back under new ids, above all that were seen
(`policies.services.reissue_due`), its revisions go on above all that were served, and the ledger learns what was. Where
no edge is left to tell, the text that an owner publishes still does (`policies.ways.note_later_id`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog
from django.db.models import F

from trinco.core.errors import FeedUnavailable, PolicySyntaxError
from trinco.core.hosting import HostedDomain as Held
from trinco.core.hosting import Publication
from trinco.core.mtasts.policy import parse
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import revision_above
from trinco.panel.policies.models import PolicyVersion, Standing

LEAP: Final = 2**20
"""How far revisions leap after a restore: other edges may have served later ones than the edge that tells first."""
_PORTION: Final = 500
_log = structlog.get_logger("trinco.feeds")


@dataclass(slots=True)
class Loss:
    """What the database has forgotten of what an edge holds."""

    known: int = 0
    """Labels of the edge that the database has."""
    behind: bool = False
    """A domain, or the whole, has an older revision here than there."""
    floors: dict[int, Held] = field(default_factory=dict)
    """By key of the standing: domains that were announced under a later id than the database knows of."""


def learn(held: Publication, revision: int, now: datetime) -> Loss | None:
    """Take in what the edge holds; None: nothing was lost. In a transaction.

    Raises FeedUnavailable for a database that knows none of the domains that the edge serves: it is another one, and
    what the edge holds is worth more than its word.
    """
    loss = _compared(held, revision)
    served = sum(domain.policy is not None for domain in held.domains.values())
    if served and not loss.known:
        raise FeedUnavailable(f"the database knows none of the {served} domains that are served here")
    unknown = len(held.domains) - loss.known
    if not (loss.behind or loss.floors or unknown):
        return None
    _go_above(held.revision)
    for portion in _portions(loss.floors):
        _raise_floors(portion)
        _enter_in_ledger(portion, now)
    _log.error("database restored", unknown=unknown, ids_lost=len(loss.floors), edge=held.revision, database=revision)
    return loss


def _compared(held: Publication, revision: int) -> Loss:
    loss = Loss(behind=held.revision > revision)
    ids = ("standing", "standing__announced__policy_id", "standing__id_floor")
    rows = HostedDomain.objects.everywhere().order_by().values_list("label", "revision", *ids)
    for label, known_revision, standing, announced, floor in rows.iterator():
        domain = held.domains.get(label)
        if domain is None:
            continue
        loss.known += 1
        loss.behind |= domain.revision > known_revision
        if standing is not None and (domain.policy_id or "") > max(announced or "", floor):
            loss.floors[standing] = domain
    return loss


def _go_above(served: int) -> None:
    """Every domain is taken anew by every edge, under a revision that none has seen."""
    everyone = HostedDomain.objects.everywhere()
    list(everyone.select_for_update().order_by("pk").values_list("pk", flat=True))  # domains first, then the revision
    everyone.update(revision=revision_above(served + LEAP))


def _raise_floors(floors: Mapping[int, Held]) -> None:
    standings = [Standing(pk=key, id_floor=domain.policy_id or "") for key, domain in floors.items()]
    Standing.objects.everywhere().bulk_update(standings, ["id_floor"])


def _enter_in_ledger(floors: Mapping[int, Held], now: datetime) -> None:
    """Senders may hold what the edge served: a version of the past, which the restored one comes after."""
    standings = list(Standing.objects.everywhere().filter(pk__in=floors).select_related("current"))
    versions = PolicyVersion.objects.everywhere()
    rows = versions.filter(domain__in=[standing.domain_id for standing in standings]).order_by()
    known = set(rows.values_list("domain", "policy_id"))
    lost = [version for one in standings if (version := _version(one, floors[one.pk], now))]
    lost = [version for version in lost if (version.domain_id, version.policy_id) not in known]
    domains = {version.domain_id for version in lost}
    later = [standing.current_id for standing in standings if standing.domain_id in domains]
    versions.filter(pk__in=later).update(number=F("number") + 1)
    versions.bulk_create(lost)


def _version(standing: Standing, held: Held, now: datetime) -> PolicyVersion | None:
    try:
        policy = parse(held.policy or b"")
    except PolicySyntaxError:
        return None
    return PolicyVersion(
        domain_id=standing.domain_id,
        number=standing.current.number,
        policy_id=held.policy_id or "",
        mode=policy.mode.value,
        mx=list(policy.mx),
        max_age=policy.max_age,
        body=held.policy,
        revision=held.revision,
        created_at=now,
        created_by="trinco",
        announced_at=now,
        served_from=now,
    )


def _portions(floors: Mapping[int, Held]) -> Iterator[Mapping[int, Held]]:
    items = list(floors.items())
    for start in range(0, len(items), _PORTION):
        yield dict(items[start : start + _PORTION])
