"""The digest: arrivals that are due are read, their signatures looked at, and what they say becomes rows and totals.

An arrival is taken by a lease, read and looked at outside any transaction, and written in one with its batch: a crash
at any moment leaves it due again. What cannot be read is parked at once, with the reason, since it would be no better
the next time. What fails otherwise is tried again after one and after ten minutes, by itself, and then parked: it stops
no other. What the database's own trouble ended was no try; what alone is in trouble with the database, while others of
its batch pass, was one. While DNS does not answer for a signature's key, the arrival
waits, for a day at most.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from random import SystemRandom

import structlog
from django.db import DatabaseError, InterfaceError, OperationalError, transaction
from django.db.models import F, QuerySet

from trinco.core.errors import DnsFailure, InputError, ReportSyntaxError
from trinco.core.tlsrpt import message, parse
from trinco.core.tlsrpt.arrival import Channel
from trinco.core.tlsrpt.report import Report
from trinco.net import dkim
from trinco.net.dkim import Verdict
from trinco.panel import clock
from trinco.panel.asking import Question
from trinco.panel.reports import trust
from trinco.panel.reports.models import TEXT_LENGTH, RawReport, RawState, Trust
from trinco.panel.reports.parts import refuse_size
from trinco.panel.reports.trust import Verify, Voucher
from trinco.panel.reports.writing import write

AT_ONCE = 100
"""Arrivals of one batch."""
LEASE = timedelta(minutes=2)
_AFAR = timedelta(days=1)
"""Nothing waits that long: the clock of an edge or of the database was wrong when that was written, and it is due."""
TRIES = 3
_WAITS = (timedelta(minutes=1), timedelta(minutes=10))
_OCTETS = 8 * 1024 * 1024
"""Of one batch, but for a single arrival that is larger."""
_DETAILS = 20_000
"""Rows that are written in one transaction, about."""
_IN_A_ROW = 3
"""So many reports that the database does not take one after the other: it takes none."""
_AHEAD = timedelta(days=2)
"""How far a report's day may lie ahead of its arrival: clocks differ, and time zones."""
_FIRST = datetime(2016, 1, 1, tzinfo=UTC)
"""RFC 8460 is of 2018 and its drafts are of 2016: nobody reported about an earlier time."""
_LONGEST_RANGE = timedelta(days=35)
"""A report is about a day (section 4.1). Some tell of a week, and a month is thinkable: all of it is counted on the
first day, so that more would be no sum of a day at all."""
_SHORTEST, _LONGEST, _IN_ALL = timedelta(minutes=1), timedelta(hours=4), timedelta(days=1)
"""Pauses while DNS does not answer."""
_UNANSWERED = "DNS gave no answer for the key of its signature for a day"
_log = structlog.get_logger("trinco.reports")

_owed: list[tuple[list[int], datetime]] = []
"""Arrivals by their keys, and the end of their lease: their try is to be given back once the database answers."""


@dataclass(slots=True)
class Read:
    """An arrival that could be read, and the verdict on it once it is known."""

    raw: RawReport
    reports: tuple[Report, ...]
    mail: bytes = b""
    kept: Voucher | None = None


def digest_due(now: datetime, *, verify: Verify = dkim.verify) -> int:
    """Digest what is due, a batch of it. Gives how many arrivals were looked at. Raises DatabaseError."""
    taken = _taken(now)
    try:
        for group in _groups(taken, now):
            _digest(group, now, verify)
    except (OperationalError, InterfaceError):  # the database's trouble, not the reports'
        _owed.append(([raw.pk for raw in taken], now + LEASE))
        with suppress(DatabaseError, InterfaceError):
            _give_back()
        raise
    return len(taken)


def _give_back() -> None:
    """The tries of those that nothing became of. What is still owed after it, the next taking gives back."""
    while _owed:
        keys, lease = _owed[-1]
        untried = RawReport.objects.everywhere().filter(pk__in=keys, due_at=lease, tries__gt=0)
        untried.update(tries=F("tries") - 1)
        _owed.pop()


def reports_in(raw: RawReport, body: bytes) -> tuple[Report, ...]:
    """The reports in an arrival. Raises ReportSyntaxError, TooLarge."""
    found = parse.in_mail(message.read(body)) if raw.channel == Channel.MAIL else parse.reports(body)
    for report in found:
        refuse_size(report)
        if report.start < _FIRST:
            raise ReportSyntaxError(f"it is about a day before TLS reports: {report.start.date()}")
        if report.end - report.start > _LONGEST_RANGE:
            raise ReportSyntaxError(f"it is about more than {_LONGEST_RANGE.days} days")
        if report.start > raw.received_at + _AHEAD:
            raise ReportSyntaxError(f"it is about a day to come: {report.start.date()}")
    return tuple(found)


def body_of(raw: RawReport) -> bytes:
    """The octets that came. Raises ReportSyntaxError where the database has damaged them."""
    try:
        return zlib.decompress(bytes(raw.body))
    except zlib.error as error:
        raise ReportSyntaxError("what was kept of it is damaged") from error


def _due(now: datetime) -> QuerySet[RawReport]:
    return RawReport.objects.everywhere().filter(clock.due("due_at", now, _AFAR))


_SOME = Question(_due)


def _taken(now: datetime) -> list[RawReport]:
    """The arrivals that are due, the longest overdue first, leased to this worker.

    One that was tried before comes alone: whatever it does to us, it does to no other.
    """
    _give_back()
    if not _SOME.holds(now):  # without a lock, since most calls find nothing
        return []
    raws, due = RawReport.objects.everywhere(), _due(now)
    with transaction.atomic():
        ordered = due.order_by("due_at", "pk").select_for_update(skip_locked=True)
        found = list(ordered.values_list("pk", "size", "tries")[:AT_ONCE])
        keys = _fitting(found)
        raws.filter(pk__in=keys).update(due_at=now + LEASE, tries=F("tries") + 1)
    return list(raws.filter(pk__in=keys).order_by("pk"))


def _fitting(found: Sequence[tuple[int, int, int]]) -> list[int]:
    if found and found[0][2]:
        return [found[0][0]]
    keys: list[int] = []
    octets = 0
    for key, size, _ in takewhile(lambda each: not each[2], found):
        octets += size
        if keys and octets > _OCTETS:
            break
        keys.append(key)
    return keys


def _groups(taken: Sequence[RawReport], now: datetime) -> Iterator[list[Read]]:
    """What could be read of these, in portions of a bearable number of rows."""
    group: list[Read] = []
    details = 0
    for raw in taken:
        if (read := _read(raw, now)) is None:
            continue
        group.append(read)
        details += sum(len(one.failure_details) for report in read.reports for one in report.policies)
        if details >= _DETAILS:
            yield group
            group, details = [], 0
    if group:
        yield group


def _read(raw: RawReport, now: datetime) -> Read | None:
    if raw.tries > TRIES:
        _park(raw, f"{TRIES} attempts to read it came to no end")
        return None
    try:
        body = body_of(raw)
        return Read(raw, reports_in(raw, body), trust.signed(raw, body))
    except InputError as error:
        _park(raw, error.reason)
    except Exception as error:  # noqa: BLE001 - the outermost loop of one arrival
        _postpone(raw, error, now)
    return None


def _digest(group: list[Read], now: datetime, verify: Verify) -> None:
    ready = _vouched(group, now, verify)
    try:
        _write(ready, now)
    except (OperationalError, InterfaceError) as error:
        _one_by_one(ready, error, now)
    except Exception as error:  # noqa: BLE001 - the outermost loop of a batch
        _log.warning("batch failed", reports=len(ready), error=f"{type(error).__name__}: {error}")
        for each in ready:
            _alone(each, now)


def _one_by_one(ready: Sequence[Read], error: Exception, now: datetime) -> None:
    """Tell one report's trouble with the database from the database's own, in which nothing passes, or nothing more.

    In any order, so that a few that go wrong are not always the first. One that was found out before, and is alone now,
    has its try as well, if the database takes that down.
    """
    if len(ready) == 1 and ready[0].raw.tries > 1:
        _postpone(ready[0].raw, error, now)
        return
    failed: list[tuple[Read, Exception]] = []
    passed = in_a_row = 0
    for each in SystemRandom().sample(ready, len(ready)) if len(ready) > 1 else ():
        try:
            _alone(each, now)
        except (OperationalError, InterfaceError) as its_own:
            failed.append((each, its_own))
            in_a_row += 1
            if in_a_row >= _IN_A_ROW:
                raise
        else:
            passed, in_a_row = passed + 1, 0
    if not passed:
        raise error
    for each, trouble in failed:
        _postpone(each.raw, trouble, now)


def _alone(each: Read, now: datetime) -> None:
    try:
        _write([each], now)
    except (OperationalError, InterfaceError):
        raise
    except Exception as error:  # noqa: BLE001 - the outermost loop of one arrival
        _postpone(each.raw, error, now)


@transaction.atomic
def _write(ready: Sequence[Read], now: datetime) -> None:
    leases = {each.raw.pk: each.raw.due_at for each in ready}
    locked = RawReport.objects.everywhere().filter(pk__in=leases).order_by("pk").select_for_update()
    held = {pk for pk, due_at in locked.values_list("pk", "due_at") if leases[pk] == due_at}
    write([(each.raw, each.reports, each.kept or Voucher(Trust.NONE)) for each in ready if each.raw.pk in held], now)


def _vouched(group: Sequence[Read], now: datetime, verify: Verify) -> list[Read]:
    """Those of which it is known who vouches for them. The others are due later."""
    mails = {each.raw.pk: (each.mail, each.raw.received_at.timestamp()) for each in group if each.mail}
    found = trust.verdicts(mails, verify)
    return [each for each in group if _decided(each, found.get(each.raw.pk), now)]


def _decided(each: Read, verdict: Verdict | Exception | None, now: datetime) -> bool:
    since = each.raw.unanswered_since or now
    if isinstance(verdict, DnsFailure) and now - since >= _IN_ALL:
        verdict = Verdict(reason=_UNANSWERED)
    if isinstance(verdict, DnsFailure):
        pause = min(max(now - since, _SHORTEST), _LONGEST)
        _mine(each.raw).update(due_at=now + pause, tries=0, unanswered_since=since, reason=str(verdict)[:TEXT_LENGTH])
    elif isinstance(verdict, Exception):
        _postpone(each.raw, verdict, now)
    else:
        each.kept = trust.voucher(each.raw, each.reports, verdict)
    return each.kept is not None


def _park(raw: RawReport, reason: str) -> None:
    _log.info("report parked", arrival=raw.arrival_id, reason=reason)
    _mine(raw).update(state=RawState.PARKED, due_at=None, reason=reason[:TEXT_LENGTH])


def _postpone(raw: RawReport, error: Exception, now: datetime) -> None:
    told = f"{type(error).__name__}: {error}".replace("\0", "")[:TEXT_LENGTH]
    _log.error("digest failed", arrival=raw.arrival_id, tries=raw.tries, error=told)
    if raw.tries >= TRIES:
        _park(raw, told)
    else:
        _mine(raw).update(due_at=now + _WAITS[raw.tries - 1], reason=told)


def _mine(raw: RawReport) -> QuerySet[RawReport]:
    """The row, as long as this worker's lease is on it."""
    return RawReport.objects.everywhere().filter(pk=raw.pk, due_at=raw.due_at)
