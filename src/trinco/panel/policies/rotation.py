"""Which edges are in rotation: whose addresses our zone gives for the policy hosts, and whom the gate awaits.

An edge whose lease ran out, or that has not acknowledged a revision within a minute, is withdrawn: its own addresses
(TRINCO_EDGE_ADDRESSES) go out of the zone, unless none would stay. Once every other edge has the zone without them, and
what resolvers keep of it has run out, the gate goes on without the one that lags. It is back when it holds a lease and
has acknowledged the newest revision, and not before. An edge that names no addresses is never withdrawn; one that lags
is awaited until somebody waives it.

Nothing is decided while no edge has been heard of: it may be the database that nobody reached.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q

from trinco.core.errors import TrincoError
from trinco.panel.domains.services import newest_revision, next_revision
from trinco.panel.policies.gate import heard_lately, shorten_leases
from trinco.panel.policies.models import EdgeNode

LAG: Final = timedelta(seconds=60)
"""How long an edge may take to acknowledge a revision."""
ALLOWANCE: Final = timedelta(seconds=30)
"""Beside the TTL: for secondaries to have the zone, and for resolvers that round up."""
_log = structlog.get_logger("trinco.edges")


class NotLagging(TrincoError):
    """There is no such edge, or nothing that would have to be done about it."""


class Rotation(StrEnum):
    """How an edge stands."""

    SERVING = "serving"
    LAGGING = "lagging"
    """It is there and awaited, and has owed a revision for long."""
    WAIVED = "waived"
    """It is there, lags, and is not awaited."""
    RETURNING = "returning"
    """It is there, and its addresses are out of the zone until it is in step."""
    AWAY = "away"
    """Its lease ran out."""


def state(edge: EdgeNode, now: datetime) -> Rotation:
    """How this edge stands."""
    if not edge.live(now):
        return Rotation.AWAY
    if edge.waived(now):
        return Rotation.WAIVED
    if edge.lags(now, LAG):
        return Rotation.LAGGING
    return Rotation.SERVING if edge.withdrawn_at is None else Rotation.RETURNING


def addresses(all_of_them: Sequence[str]) -> tuple[str, ...]:
    """Of the addresses of the policy hosts, those in rotation: never none."""
    return in_rotation(all_of_them, EdgeNode.objects.exclude(addresses=[]).order_by("pk")) or tuple(all_of_them)


def in_rotation(all_of_them: Sequence[str], edges: Iterable[EdgeNode]) -> tuple[str, ...]:
    """Those that no withdrawn edge has for itself. An address that two edges share stays while one of them does."""
    gone, kept = set[str](), set[str]()
    for edge in edges:
        (kept if edge.withdrawn_at is None else gone).update(edge.addresses)
    return tuple(address for address in all_of_them if address not in gone - kept)


def rotate_due(now: datetime) -> int:
    """Withdraw, waive and take back whoever is due. How many were."""
    shorten_leases(now)
    edges = list(EdgeNode.objects.order_by("pk"))
    if not heard_lately(edges, now):
        return 0
    newest = newest_revision()
    _note_lag(edges, newest, now)
    if _to_withdraw(edges, now) or _to_take_back(edges, newest, now):
        return _move(now)
    return _waive_withdrawn(edges, now)


def waive(*, name: str, now: datetime) -> None:
    """Announce from now on without an edge that lags. Raises NotLagging."""
    edge = EdgeNode.objects.filter(name=name, lease_until__gt=now).first()
    if edge is None or not edge.lags(now, LAG):
        raise NotLagging(f"no edge named {name} is there that lags")
    EdgeNode.objects.filter(pk=edge.pk).update(waived_at=now)
    _log.warning("edge waived", edge=name, since=edge.awaited_since)


def forget(*, name: str, now: datetime) -> None:
    """Strike out an edge that is gone for good: its addresses are free for another. Raises NotLagging."""
    with transaction.atomic():
        if not EdgeNode.objects.filter(name=name, lease_until__lte=now).delete()[0]:
            raise NotLagging(f"no edge named {name} is known whose lease ran out")
        next_revision()
    _log.warning("edge forgotten", edge=name)


def _note_lag(edges: Iterable[EdgeNode], newest: int, now: datetime) -> None:
    """Remember the revision that a live edge owes, and since when; forget it when it has come. Nobody owes it since a
    time to come: a clock was ahead."""
    for edge in edges:
        if not edge.live(now):
            continue
        owes = not edge.has(newest)
        before = edge.awaited_since is not None and edge.awaited_since <= now
        if owes and before and edge.awaited is not None and not edge.has(edge.awaited):
            continue  # the same still
        awaited, since = (newest, now) if owes else (None, None)
        if (edge.awaited, edge.awaited_since) != (awaited, since):
            edge.awaited, edge.awaited_since = awaited, since
            EdgeNode.objects.filter(pk=edge.pk).update(awaited=awaited, awaited_since=since)


def _to_withdraw(edges: Sequence[EdgeNode], now: datetime) -> list[EdgeNode]:
    """Those that are gone or lag, as long as an address stays."""
    left = in_rotation(settings.CONFIG.policy_addresses, edges)
    found = []
    for edge in edges:
        if edge.withdrawn_at is not None or not edge.addresses or (edge.live(now) and not edge.lags(now, LAG)):
            continue
        if remaining := tuple(address for address in left if address not in edge.addresses):
            left = remaining
            found.append(edge)
    return found


def _to_take_back(edges: Iterable[EdgeNode], newest: int, now: datetime) -> list[EdgeNode]:
    away = [edge for edge in edges if edge.withdrawn_at is not None or edge.waived_at is not None]
    return [edge for edge in away if edge.live(now) and edge.has(newest)]


@transaction.atomic
def _move(now: datetime) -> int:
    """The zone changes. Nobody publishes meanwhile: whoever is taken back has what is newest."""
    edges = list(EdgeNode.objects.select_for_update().order_by("pk"))
    revision = next_revision()
    back, out = _to_take_back(edges, revision - 1, now), _to_withdraw(edges, now)
    nothing = {"withdrawn_at": None, "withdrawn_revision": None, "waived_at": None}
    EdgeNode.objects.filter(pk__in=[edge.pk for edge in back]).update(**nothing)
    EdgeNode.objects.filter(pk__in=[edge.pk for edge in out]).update(withdrawn_at=now, withdrawn_revision=revision)
    for edge in back:
        _log.info("edge back in rotation", edge=edge.name)
    for edge in out:
        why = "it does not acknowledge" if edge.live(now) else "its lease ran out"
        _log.warning("edge withdrawn", edge=edge.name, addresses=edge.addresses, reason=why)
    return len(back) + len(out)


def _waive_withdrawn(edges: Sequence[EdgeNode], now: datetime) -> int:
    """From when on nobody can have the addresses of the withdrawn: not awaited from then, and no later than that,
    whatever a clock that was ahead has put there."""
    until = now + timedelta(seconds=settings.CONFIG.zone.ttl) + ALLOWANCE
    others = [edge for edge in edges if edge.live(now) and edge.withdrawn_at is None]
    due = [
        edge
        for edge in edges
        if edge.withdrawn_revision is not None
        and others
        and all(other.has(edge.withdrawn_revision) for other in others)
    ]
    awaited = Q(waived_at=None) | Q(waived_at__gt=until)
    return EdgeNode.objects.filter(awaited, pk__in=[edge.pk for edge in due]).update(waived_at=until)
