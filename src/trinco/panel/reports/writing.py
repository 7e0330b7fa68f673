"""One batch of arrivals becomes rows, in the caller's transaction: filed, merged, and noted on the arrivals."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from trinco.core.tlsrpt.report import Report
from trinco.panel.reports import outbox, rows, trust
from trinco.panel.reports.filing import Filed, directory
from trinco.panel.reports.merge import Claim, Fresh, Slice, lock, merge, touch
from trinco.panel.reports.models import TEXT_LENGTH, RawReport, RawState
from trinco.panel.reports.trust import Voucher

_LATE = "about a day whose reports were removed when they were too old"
_SHOWN = 5
"""Foreign domains that a reason names."""

Arrived = tuple[RawReport, Sequence[Report], Voucher]


@dataclass(frozen=True, slots=True)
class Brought:
    """What one arrival brought."""

    raw: RawReport
    kept: Voucher
    filed: Filed
    claims: tuple[Claim, ...]


def write(arrived: Sequence[Arrived], now: datetime) -> list[Fresh]:
    """Write what these arrivals say, and that they were read. The caller has locked them. Gives the new reports."""
    brought = claimed(arrived)
    domains = {claim.part.holder.domain for each in brought for claim in each.claims}
    lock(domains)
    merged = merge([claim for each in brought for claim in each.claims])
    outbox.queue(merged, now)
    note(brought, {each.best.raw for each in merged.fresh}, merged.closed)
    touch(domains)
    return merged.fresh


def claimed(arrived: Sequence[Arrived]) -> list[Brought]:
    """Whose each part of these is, and who vouches for it."""
    known = directory([(raw, reports) for raw, reports, _ in arrived])
    return [_brought(raw, kept, known.file(raw, reports)) for raw, reports, kept in arrived]


def _brought(raw: RawReport, kept: Voucher, filed: Filed) -> Brought:
    claims = []
    for part in filed.parts:
        level, signer = trust.trust_of(raw, kept, part.report)
        claims.append(Claim(part, raw.pk, raw.arrival_id, raw.received_at, raw.channel, level, signer))
    return Brought(raw, kept, filed, tuple(claims))


def note(brought: Sequence[Brought], new: set[int], closed: Collection[Slice]) -> None:
    """Note on the arrivals that they were read. `new`: those that brought a report that was not there."""
    columns = ("organisation_id", "state", "due_at", "reason", "trust", "signer", "mixed")
    rows.change(RawReport, columns, [_noted(each, _state(each, new, closed)) for each in brought])


def _state(each: Brought, new: set[int], closed: Collection[Slice]) -> RawState:
    if not each.filed.parts:
        return RawState.FOREIGN
    if each.raw.pk in new:
        return RawState.DIGESTED
    return RawState.LATE if any(part.slice in closed for part in each.filed.parts) else RawState.REPEATED


def _noted(each: Brought, state: RawState) -> rows.Row:
    owner = owner_of(each)
    foreign = ", ".join(name or "no domain" for name in each.filed.foreign[:_SHOWN])
    told = {RawState.FOREIGN: f"about {foreign or 'no policy at all'}", RawState.LATE: _LATE}
    reason = told.get(state, each.kept.reason)
    others = bool(each.filed.foreign) or any(part.holder.organisation != owner for part in each.filed.parts)
    kept = (each.kept.trust.value, each.kept.signer)
    return owner, state.value, None, reason[:TEXT_LENGTH], *kept, others, each.raw.pk


def owner_of(each: Brought) -> int:
    """Whose the arrival is: its token's owner; an import is theirs whom all of it is about."""
    owners = {part.holder.organisation for part in each.filed.parts}
    imported = each.raw.domain_id is None and len(owners) == 1
    return owners.pop() if imported else each.raw.organisation_id
