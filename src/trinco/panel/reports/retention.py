"""How long raw reports, reports and their rows are kept. The daily totals stay for ever.

A day of a domain goes as a whole, in one transaction, once it is too old and its reports came as long ago: what is
imported of old times is there for as long as what came then. From then on it is closed (`ClosedDay`): its totals are
never worked out again, and what arrives about it later is not counted. An arrival that speaks of several organisations'
domains stays as long as any of them keeps its own.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.services import record
from trinco.panel.reports.errors import RetentionOutOfRange
from trinco.panel.reports.merge import lock
from trinco.panel.reports.models import ClosedDay, FailureRow, RawReport, RawState, Report, Retention

MOST_DAYS = 36_500
_RAWS_AT_ONCE = 500
_SLICES_AT_ONCE = 50
"""Days of domains."""
_TURN = 5.0
"""Seconds after which the worker's turn ends, though there is more: the portion in hand is done."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be removed now."""

    raw_reports: int
    octets: int
    """What these raw reports had when they came; in the database they are compressed."""
    reports: int
    failure_rows: int


def retention_of(organisation: Organisation) -> Retention:
    """The organisation's own terms, or the defaults (a row that is not saved)."""
    return Retention.objects.of(organisation).first() or Retention(organisation=organisation)


def preview(organisation: Organisation, retention: Retention, now: datetime) -> Preview:
    """What these terms, saved or not, would remove now. Nothing is removed."""
    raws = _old_raws(retention, now).filter(organisation=organisation)
    reports = _old_reports(retention, now).filter(organisation=organisation)
    failures = FailureRow.objects.of(organisation).filter(report__in=reports.values("pk"))
    octets = raws.aggregate(octets=Sum("size"))["octets"] or 0
    return Preview(raws.count(), octets, reports.count(), failures.count())


@transaction.atomic
def set_retention(*, organisation: Organisation, raw_days: int, row_days: int, actor: Actor) -> Retention:
    """Set the terms. What they remove goes in portions, by the worker. Raises RetentionOutOfRange."""
    if not (1 <= raw_days <= MOST_DAYS and 1 <= row_days <= MOST_DAYS):
        raise RetentionOutOfRange(f"from 1 to {MOST_DAYS} days")
    before = _terms(retention_of(organisation))
    terms = {"raw_days": raw_days, "row_days": row_days}
    row, _ = Retention.objects.everywhere().update_or_create(organisation=organisation, defaults=terms)
    if before != _terms(row):
        subject, action = organisation.name[:254], "reports.retention"
        record(organisation=organisation, actor=actor, action=action, subject=subject, before=before, after=_terms(row))
    return row


def prune_due(now: datetime) -> int:
    """Remove what is too old, a portion for each organisation in turn, for some seconds at most.

    How many raw reports and reports that were.
    """
    until, removed = time.monotonic() + _TURN, 0
    while (some := _round(now, until)) and time.monotonic() < until:
        removed += some
    return removed + some


def _round(now: datetime, until: float) -> int:
    removed = 0
    for retention in _behind(now):
        removed += _prune_some(retention, now)
        if time.monotonic() >= until:
            break
    return removed


def prune(organisation: Organisation, now: datetime) -> int:
    """Remove all that is too old, in portions. How many raw reports and reports that were."""
    removed = 0
    while some := _prune_some(retention_of(organisation), now):
        removed += some
    return removed


def _terms(row: Retention) -> dict[str, int]:
    return {"raw_days": row.raw_days, "row_days": row.row_days}


def _behind(now: datetime) -> Iterator[Retention]:
    """The terms of the organisations that have something to remove: one question for all that share their terms."""
    own = Retention.objects.everywhere()
    everybody = Organisation.objects.order_by("pk")
    defaults = Retention()
    for organisation in _with_old(everybody.exclude(pk__in=own.values("organisation")), defaults, now):
        yield Retention(organisation=organisation)
    for raw_days, row_days in own.values_list("raw_days", "row_days").distinct():
        same = own.filter(raw_days=raw_days, row_days=row_days).values("organisation")
        for organisation in _with_old(
            everybody.filter(pk__in=same), Retention(raw_days=raw_days, row_days=row_days), now
        ):
            yield Retention(organisation=organisation, raw_days=raw_days, row_days=row_days)


def _with_old(organisations: QuerySet[Organisation], terms: Retention, now: datetime) -> list[Organisation]:
    raws = _old_raws(terms, now).filter(organisation=OuterRef("pk"))
    reports = _old_reports(terms, now).filter(organisation=OuterRef("pk"))
    return list(organisations.filter(Exists(raws) | Exists(reports)))


def _prune_some(retention: Retention, now: datetime) -> int:
    raws = _old_raws(retention, now).filter(organisation=retention.organisation)
    removed = _remove_raws(raws)
    reports = _old_reports(retention, now).filter(organisation=retention.organisation).order_by("day")
    slices = reports.values_list("domain_id", "day").distinct()[:_SLICES_AT_ONCE]
    return removed + sum(_remove_day(domain, day) for domain, day in list(slices))


@transaction.atomic
def _remove_raws(raws: QuerySet[RawReport]) -> int:
    """The oldest of them. Locked first, as a rebuild does it, and without waiting for one."""
    locked = raws.order_by("received_at", "pk").select_for_update(skip_locked=True)
    keys = list(locked.values_list("pk", flat=True)[:_RAWS_AT_ONCE])
    Report.objects.everywhere().filter(raw__in=keys).update(raw=None)
    removed, _ = RawReport.objects.everywhere().filter(pk__in=keys).only("pk").delete()
    return removed


@transaction.atomic
def _remove_day(domain: int, day: date) -> int:
    """All reports of one day of one domain. The rows below go first: it is their number that counts."""
    lock([domain])
    reports = Report.objects.everywhere().filter(domain=domain, day=day)
    FailureRow.objects.everywhere().filter(report__in=reports.values("pk")).delete()
    removed = reports.count()
    reports.delete()
    ClosedDay.objects.everywhere().bulk_create([ClosedDay(domain_id=domain, day=day)], ignore_conflicts=True)
    return removed


def _old_raws(retention: Retention, now: datetime) -> QuerySet[RawReport]:
    """What still waits to be read is never too old."""
    old = RawReport.objects.everywhere().filter(received_at__lt=now - timedelta(days=retention.raw_days))
    return old.exclude(_kept_by_others(retention, now)).exclude(state=RawState.PENDING)


def _kept_by_others(retention: Retention, now: datetime) -> Q:
    """What is somebody else's as well, who keeps it for longer."""
    own = Retention.objects.everywhere()
    kept = Q(pk__in=[])
    for days in {Retention().raw_days, *own.values_list("raw_days", flat=True).distinct()}:
        if days > retention.raw_days:
            others = Report.objects.everywhere().filter(raw=OuterRef("pk")).order_by()
            same = others.filter(organisation__in=own.filter(raw_days=days).values("organisation"))
            if days == Retention().raw_days:
                same |= others.exclude(organisation__in=own.values("organisation"))
            kept |= Q(
                Exists(same.exclude(organisation=OuterRef("organisation"))),
                mixed=True,
                received_at__gte=now - timedelta(days=days),
            )
    return kept


def _old_reports(retention: Retention, now: datetime) -> QuerySet[Report]:
    """Those of days that are too old, but for a day about which a report came lately."""
    old = Report.objects.everywhere().filter(day__lt=_first_day(retention, now)).order_by()
    since = now - timedelta(days=retention.row_days)
    lately = Report.objects.everywhere().filter(domain=OuterRef("domain"), day=OuterRef("day"), received_at__gte=since)
    return old.exclude(Exists(lately.order_by()))


def _first_day(retention: Retention, now: datetime) -> date:
    """The first day that is kept."""
    return (now - timedelta(days=retention.row_days)).date()
