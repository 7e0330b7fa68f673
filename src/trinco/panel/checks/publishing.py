"""Writing the texts of domains at their DNS providers, with credentials that are kept (`policies.kept`).

Level-triggered: an access is due when an id is released, when a way is chosen, when a look has found another text, and
each hour. The worker writes what our zone says at that moment, which every edge has the body of (RFC 8461 section 8.1);
it counts as announced when a look has seen it at the name servers, as by hand. A conversation ends long before its
lease does, and a later id of ours is never replaced by an earlier one: a worker that was stopped in the middle writes
nothing old when it goes on. None waits in a queue, an organisation has two at once at most, and one with all its
clients has half of them: whoever's provider is silent has no time but its own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent import futures
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet, Window
from django.db.models.functions import RowNumber

from trinco.core.errors import RecordSyntaxError
from trinco.core.mtasts import ids
from trinco.core.mtasts import record as mtasts
from trinco.core.tlsrpt import record as tlsrpt
from trinco.net import dnsbooks, guard
from trinco.net.dnsbooks import Access, Timed
from trinco.net.dnstexts import TextPlace, TextState, WantedText, keep, look
from trinco.net.dnswriting import Trouble, WritingFailed
from trinco.panel import clock
from trinco.panel.accounts.models import Organisation
from trinco.panel.asking import Question
from trinco.panel.domains.models import Finding, HostedDomain, KeptAccess, RecordName, RecordSighting, State, Way
from trinco.panel.domains.reporting import report_text
from trinco.panel.policies.instructions import target_of
from trinco.panel.policies.kept import access_of, forget_gone
from trinco.panel.policies.ways import text_of
from trinco.panel.seal import SealError

SECONDS = 45.0
"""For one conversation, from its beginning."""
LEASE = timedelta(minutes=2)
"""Longer than any conversation, since each begins at once."""
_REST, _SOON, _LONGEST = timedelta(hours=1), timedelta(minutes=5), timedelta(hours=1)
_AT_ONCE, _EACH, _TOGETHER = 16, 2, 8
"""Conversations together, of one organisation, and of one with all its clients."""
_FEW = 10
"""Rows of an organisation that are looked at together."""
_CALL_SECONDS = 10.0
"""After which a call goes; what is going on then is noted by the next."""
TAKEN = "taken"
"""The trouble of a name at which something stands that is not ours to replace."""
_SAID_CHARACTERS = 255
_log = structlog.get_logger("trinco.checks")


def wanted_of(domain: HostedDomain, *, every: bool = False) -> tuple[WantedText, ...]:
    """The texts that are to be written for it now; with `every`, those that would be if it were chosen for both. One
    that is empty is to be taken away."""
    found = []
    if (text := text_of(domain)) and (every or domain.sts_way == Way.PROVIDER):
        found.append(_wanted(domain, RecordName.STS_TXT, text))
    text = report_text(domain)
    if text if every else domain.tlsrpt_way == Way.PROVIDER:
        found.append(_wanted(domain, RecordName.TLSRPT_TXT, text))
    return tuple(found)


def _wanted(domain: HostedDomain, record: RecordName, text: str) -> WantedText:
    target = target_of(domain.label, record, settings.CONFIG.base)
    name = f"{record.value}.{domain.name}"
    if record is RecordName.STS_TXT:
        return WantedText(name, text, mtasts.VERSION, target, partial(_no_later, text))
    return WantedText(name, text, tlsrpt.VERSION, target, partial(_all_ours, domain.label))


def _no_later(wanted: str, text: str) -> bool:
    """Whether a record of before has no later id of ours: a foreign one has no order."""
    return ids.latest_in(text) <= ids.latest_in(wanted)


def _all_ours(label: str, text: str) -> bool:
    """Whether a record of before asks for reports here and nowhere else."""
    try:
        record = tlsrpt.parse(text)
    except RecordSyntaxError:
        return False
    return record is not None and all(label in address for address in record.rua)


@dataclass(frozen=True, slots=True)
class _Task:
    """A conversation that is to be had."""

    kept: KeptAccess
    zone: str
    access: Access | None
    wanted: tuple[WantedText, ...]


_Outcome = tuple[TextPlace, ...] | WritingFailed


@dataclass(slots=True)
class _Talk:
    """One that goes on. `ends` by the clock that nobody sets; `over`: nobody waits for it any more."""

    task: _Task
    ends: float
    over: bool = False


_threads = ThreadPoolExecutor(_AT_ONCE, "dns-publishing")
_in_hand: dict[Future[_Outcome], _Talk] = {}
"""All that have a thread, of which there are no fewer."""


def publish_due(now: datetime) -> int:
    """Write what is due, some conversations at a time, and note how they went. How many were begun."""
    forget_gone()
    began, count = time.monotonic(), 0
    while True:
        _end(time.monotonic())
        passed = time.monotonic() - began
        count += _begin(now + timedelta(seconds=passed)) if passed < _CALL_SECONDS else 0
        awaited = {future: talk.ends for future, talk in _in_hand.items() if not talk.over}
        if not awaited or passed >= _CALL_SECONDS:
            return count
        left = min(began + _CALL_SECONDS, *awaited.values()) - time.monotonic()
        futures.wait(awaited, max(left, 0), futures.FIRST_COMPLETED)


def _begin(now: datetime) -> int:
    """Each has a thread from its first moment on; what has to wait for one is due as it was."""
    count = 0
    for kept in _take(now):
        task = _task(kept, now)
        if task is not None and _busy(kept.domain.organisation):
            KeptAccess.objects.everywhere().filter(pk=kept.pk, due_at=now + LEASE).update(due_at=kept.due_at)
        elif task is not None:
            _in_hand[_threads.submit(_done, task)] = _Talk(task, time.monotonic() + SECONDS)
            count += 1
    return count


def _busy(organisation: Organisation) -> bool:
    whose = [talk.task.kept.domain.organisation for talk in _in_hand.values()]
    together = sum(_root(each) == _root(organisation) for each in whose)
    return len(whose) >= _AT_ONCE or whose.count(organisation) >= _EACH or together >= _TOGETHER


def _root(organisation: Organisation) -> int:
    """The key of the provider, or of the organisation that is nobody's client."""
    return int(organisation.parent_id or organisation.pk)


def _end(moment: float) -> None:
    """Note those that came to their end, and give up waiting for those that should have. A thread that does not end
    keeps its organisation's place."""
    for future, talk in list(_in_hand.items()):
        if future.done():
            del _in_hand[future]
        if not talk.over and (future.done() or moment >= talk.ends):
            talk.over = True
            _note(talk.task, future.result() if future.done() else WritingFailed(Trouble.SILENCE))


def looked(zone: str, access: Access, wanted: Sequence[WantedText]) -> tuple[TextPlace, ...]:
    """What stands at these names by the provider's word; nothing is written. Raises WritingFailed."""
    with dnsbooks.book(zone, access, guard.configured(settings.CONFIG)) as book:
        return look(Timed(book, time.monotonic() + SECONDS), wanted)


def _due(now: datetime) -> QuerySet[KeptAccess]:
    return KeptAccess.objects.everywhere().filter(clock.due("due_at", now, 2 * _REST))


_SOME = Question(_due)


def _take(now: datetime) -> list[KeptAccess]:
    """The longest overdue of each organisation that has room, leased to this worker."""
    if len(_in_hand) >= _AT_ONCE or not _SOME.holds(now):
        return []
    due = _due(now)
    with transaction.atomic():
        turns = {key: turn for turn, key in enumerate(_next(due))}
        rows = due.filter(pk__in=turns).order_by("pk").select_for_update(of=("self",), skip_locked=True)
        taken = list(
            rows.select_related("domain__organisation", "domain__standing__current", "domain__standing__announced")
        )
        KeptAccess.objects.everywhere().filter(pk__in=[row.pk for row in taken]).update(due_at=now + LEASE)
    return sorted(taken, key=lambda row: turns[row.pk])


def _next(due: QuerySet[KeptAccess]) -> list[int]:
    """The keys of a few of each organisation, by turns: most need no writing, and what one tenant has due holds up
    nobody."""
    kept = [talk.task.kept for talk in _in_hand.values()]
    whose = Counter(each.domain.organisation_id for each in kept)
    full = [organisation for organisation, count in whose.items() if count >= _EACH]
    roots = Counter(_root(each.domain.organisation) for each in kept)
    whole = [root for root, count in roots.items() if count >= _TOGETHER]
    rows = due.exclude(pk__in=[each.pk for each in kept]).exclude(domain__organisation__in=[*full, *whole])
    rows = rows.exclude(domain__organisation__parent__in=whole)
    turn = Window(RowNumber(), partition_by=F("domain__organisation"), order_by=["due_at", "pk"])
    few = rows.annotate(turn=turn).filter(turn__lte=_FEW).order_by("turn", "due_at")
    return list(few.values_list("pk", flat=True)[: _AT_ONCE * _FEW])


def _task(kept: KeptAccess, now: datetime) -> _Task | None:
    """None: everything stands there already, as DNS says, or nothing is wanted."""
    domain = kept.domain
    wanted = _missing(domain) if domain.state != State.GONE else ()
    if not wanted:
        KeptAccess.objects.everywhere().filter(pk=kept.pk).update(due_at=now + _REST, failures=0, trouble="", said="")
        return None
    try:
        access = access_of(kept)
    except SealError:
        access = None
    return _Task(kept, domain.zone or domain.name, access, wanted)


def _found(wanted: WantedText, seen: Mapping[str, str]) -> bool:
    """Whether DNS was seen to say it, by a CNAME perhaps. A text that asks for reports may say more than ours; one that
    does is not taken away."""
    if wanted.name not in seen:
        return False
    if not wanted.text:
        return not wanted.replaces(seen[wanted.name])
    return wanted.beginning != mtasts.VERSION or seen[wanted.name] in ("", wanted.text)


def _missing(domain: HostedDomain) -> tuple[WantedText, ...]:
    rows = RecordSighting.objects.everywhere().filter(domain=domain, finding__in=(Finding.FOUND, Finding.LATER))
    seen: dict[bool, dict[str, str]] = {True: {}, False: {}}
    for record, finding, text in rows.values_list("record", "finding", "seen"):
        name = f"{record}.{domain.name}"
        seen[False][name] = text
        if finding == Finding.FOUND:
            seen[True][name] = text
    return tuple(each for each in wanted_of(domain) if not _found(each, seen[bool(each.text)]))


def _done(task: _Task) -> _Outcome:
    """In a thread of its own, without any table."""
    ends = time.monotonic() + SECONDS
    if task.access is None:
        return WritingFailed(Trouble.CREDENTIALS)
    try:
        with dnsbooks.book(task.zone, task.access, guard.configured(settings.CONFIG)) as book:
            return keep(Timed(book, ends), task.wanted)
    except WritingFailed as error:
        return error
    except Exception as error:  # noqa: BLE001 - the outermost loop of one conversation
        _log.error("writing failed", provider=task.kept.provider, error=type(error).__name__)
        return WritingFailed(Trouble.ANSWER)


def _note(task: _Task, outcome: _Outcome) -> None:
    """Unless the access was changed or forgotten meanwhile, or is due anew."""
    now, kept = clock.now(), task.kept
    mine = KeptAccess.objects.everywhere().filter(pk=kept.pk, sealed_key=kept.sealed_key)
    trouble, said = _trouble(outcome)
    facts = {"trouble": trouble, "said": said[:_SAID_CHARACTERS], "tried_at": now}
    if trouble:
        rest = min(timedelta(minutes=1) * (1 << min(kept.failures, 10)), _LONGEST)
        mine.update(**facts, failures=kept.failures + 1)
    else:
        rest = _SOON
        mine.update(**facts, failures=0, written_at=now)
    mine.filter(due_at__gt=now).update(due_at=now + rest)
    HostedDomain.objects.everywhere().filter(pk=kept.domain_id).update(check_due_at=now, level_revision=0)


def _trouble(outcome: _Outcome) -> tuple[str, str]:
    if isinstance(outcome, WritingFailed):
        return str(outcome.trouble), outcome.said
    others = list(_others(outcome))
    return (TAKEN, ", ".join(others)) if others else ("", "")


def _others(places: Sequence[TextPlace]) -> Iterator[str]:
    for place in places:
        if place.state is not TextState.RIGHT:
            there = [f"{each.rdtype} {each.content}" for each in place.found if each.rdtype in ("CNAME", "TXT")]
            yield f"{place.wanted.name} {' '.join(there)}".strip()
