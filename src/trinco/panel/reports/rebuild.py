"""Working everything out anew from the raw reports: for a new version that reads better, or after damage.

First each raw report that was read before is read again, with the verdict that was kept, since keys change: what it
says is filed to whoever had the name when it arrived, or else got it before; its rows are written anew, what it no
longer says goes, what is missing comes. Then every day that has reports is summed again. Both go in portions, each a
transaction under the digest's locks: it may be stopped and begun again at any moment, and new reports arrive meanwhile.
The outcome is the same each time.

Reports whose raw arrival retention has removed stay as they are; days whose reports it has removed keep their totals.
Parked arrivals are for `retry`. `copies` and the mails to recipients are not touched.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import structlog
from django.db import transaction
from django.db.models import QuerySet

from trinco.core.errors import InputError
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import inserts, merge, totals
from trinco.panel.reports.digest import body_of, reports_in
from trinco.panel.reports.merge import Claim, Group, Slice
from trinco.panel.reports.models import RawReport, RawState, Report, Trust
from trinco.panel.reports.trust import Voucher
from trinco.panel.reports.writing import Arrived, claimed, note

READ = (RawState.DIGESTED, RawState.REPEATED, RawState.LATE, RawState.FOREIGN)
_RAWS_AT_ONCE = 50
_DAYS_AT_ONCE = 31
_COLUMNS = ("pk", "raw_id", "domain_id", "content", "identity", "day")
_log = structlog.get_logger("trinco.reports")

Progress = Callable[[int, int], None]
"""Is told how much is done, of how much."""


@dataclass(slots=True)
class Rebuilt:
    """What was done."""

    raw_reports: int = 0
    unreadable: int = 0
    """Raw reports that were read before and no longer can be: their rows stay."""
    reports_added: int = 0
    reports_removed: int = 0
    days: int = 0


def rebuild(domain: HostedDomain | None = None, progress: Progress = lambda _done, _of: None) -> Rebuilt:
    """Work out a domain's reports and totals anew, or everybody's. `progress` may raise, to stop between portions."""
    raws = _raws(domain)
    slices = _days(domain)
    done, of, counts = 0, raws.count() + sum(len(days) for days in slices.values()), Rebuilt()
    for keys in _portions(raws):
        progress(done, of)
        _again(keys, counts)
        done += len(keys)
    for pk, days in _days(domain).items():
        for some in _some(days):
            progress(min(done, of), of)
            counts.days += _summed(pk, some)
            done += len(some)
    progress(of, of)
    return counts


def _raws(domain: HostedDomain | None) -> QuerySet[RawReport]:
    raws = RawReport.objects.everywhere().filter(state__in=READ).order_by()
    if domain is None:
        return raws
    about = Report.objects.everywhere().filter(domain=domain, raw__isnull=False).order_by().values("raw")
    return raws.filter(domain=domain) | raws.filter(pk__in=about)


def _days(domain: HostedDomain | None) -> dict[int, list[date]]:
    reports = Report.objects.everywhere().order_by("domain_id", "day")
    found: defaultdict[int, list[date]] = defaultdict(list)
    for pk, day in (reports.filter(domain=domain) if domain else reports).values_list("domain_id", "day").distinct():
        found[pk].append(day)
    return found


def _portions(raws: QuerySet[RawReport]) -> Iterator[list[int]]:
    last = 0
    while keys := list(raws.filter(pk__gt=last).order_by("pk").values_list("pk", flat=True)[:_RAWS_AT_ONCE]):
        yield keys
        last = keys[-1]


def _some(days: Sequence[date]) -> Iterator[Sequence[date]]:
    yield from (days[start : start + _DAYS_AT_ONCE] for start in range(0, len(days), _DAYS_AT_ONCE))


@transaction.atomic
def _summed(domain: int, days: Sequence[date]) -> int:
    """Sum these days again, but for those whose reports have gone since they were listed."""
    merge.lock([domain])
    closed = totals.closed_days([(domain, day) for day in days])
    merge.recompute((domain, day) for day in days if (domain, day) not in closed)
    return len(days) - len(closed)


@transaction.atomic
def _again(keys: Sequence[int], counts: Rebuilt) -> None:
    locked = RawReport.objects.everywhere().filter(pk__in=keys, state__in=READ).order_by("pk").select_for_update()
    arrived = [each for raw in locked if (each := _read(raw, counts))]
    brought = claimed(arrived)
    before = Report.objects.everywhere().filter(raw__in=[raw.pk for raw, _, _ in arrived]).order_by()
    claims = [claim for each in brought for claim in each.claims]
    domains = {claim.part.holder.domain for claim in claims} | set(before.values_list("domain_id", flat=True))
    merge.lock(domains)
    slices = {claim.part.slice for claim in claims}
    closed = totals.closed_days(slices)
    claims = [claim for claim in claims if claim.part.slice not in closed]
    groups, gone = _settled(claims, before)
    added = merge.merge(claims, again=True).fresh
    merge.elect_again(groups | {(claim.part.holder.domain, claim.identity) for claim in claims})
    merge.recompute((slices | set(gone)) - closed)
    new = {each.best.raw for each in added} | {raw.pk for raw, _, _ in arrived if raw.state == RawState.DIGESTED}
    note(brought, new, closed)
    merge.touch(domains)
    counts.raw_reports += len(arrived)
    counts.reports_added += len(added)
    counts.reports_removed += len(gone)


def _settled(claims: Sequence[Claim], before: QuerySet[Report]) -> tuple[set[Group], list[Slice]]:
    """Remove what these arrivals no longer say, and write anew what they still say.

    Gives the identities to settle, and the day of each report that was removed.
    """
    said = {(claim.raw, *claim.part.key): claim for claim in claims}
    groups: set[Group] = set()
    gone: dict[int, Slice] = {}
    again: list[tuple[int, Claim]] = []
    for pk, raw, domain, content, identity, day in before.values_list(*_COLUMNS):
        groups.add((domain, identity))
        if claim := said.get((raw, domain, content)):
            again.append((pk, claim))
        else:
            gone[pk] = (domain, day)
    Report.objects.everywhere().filter(pk__in=gone).delete()
    inserts.rewrite(again)
    return groups, list(gone.values())


def _read(raw: RawReport, counts: Rebuilt) -> Arrived | None:
    try:
        return raw, reports_in(raw, body_of(raw)), Voucher(Trust(raw.trust), raw.signer, raw.reason)
    except InputError as error:
        _log.warning("no longer readable", arrival=raw.arrival_id, reason=error.reason)
        counts.unreadable += 1
        return None
