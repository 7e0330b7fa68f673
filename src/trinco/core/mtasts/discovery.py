"""Which policy a sender applies, and what it should find out next (RFC 8461 sections 3.3, 5, 5.1 and 10.2).

A pure state machine. Whoever has a cache, a resolver and an HTTPS client drives it like this, for one policy domain:

    decision = decide(now, cached)
    if decision.step is Step.ASK:    decision = decide(now, cached, record=…)            # the TXT record was looked up
    if decision.step is Step.FETCH:  decision = decide(now, cached, record, fetched=…)   # the policy was fetched
    remember decision.keep for the domain, when it differs from cached

Each decision says at once what applies with what is known so far, so a caller that does not want to keep a message
waiting may answer from an earlier one and go on in the background. It is complete when `step` is DONE. Outcomes that
are failures are given as the exceptions they are.

The rules that others got wrong:

- an id that did not change never stretches a policy's life: max_age runs from the last fetch, nothing else moves it;
- an unexpired policy applies whatever DNS or HTTPS say now, until another one was fetched and is valid;
- a refresh is due by the clock, also while the TXT record is gone (10.2), and is retried after five minutes or more;
- DNS that does not answer is not DNS that says "no record": without a policy nothing is known then.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from trinco.core.errors import (
    DnsFailure,
    FetchFailure,
    LookupFailure,
    MultipleRecords,
    NoRecord,
    PolicySyntaxError,
    RecordSyntaxError,
)
from trinco.core.mtasts.policy import Mode, Policy
from trinco.core.mtasts.reasons import Reason
from trinco.core.mtasts.record import Record

RecordOutcome = Record | LookupFailure | RecordSyntaxError
"""What `record.select` gave or raised; DnsFailure when DNS could not be asked."""
FetchOutcome = Policy | FetchFailure | PolicySyntaxError
"""What fetching and `policy.parse` gave or raised."""

CHECK_EVERY = timedelta(minutes=5)
"""How long an answer about the TXT record is not asked for again."""
REFRESH_EVERY = timedelta(days=1)
"""How old a fetched policy gets before it is fetched again, if max_age leaves that much (section 3.3: once per day)."""
RETRY_AFTER = timedelta(minutes=5)
"""How long a failed fetch of one id is not repeated (section 3.3: five minutes or longer); doubled at each failure."""
RETRY_AT_MOST = timedelta(hours=1)
DNS_RETRY = timedelta(seconds=30)
"""How long an unexpired policy is used before DNS that did not answer is asked again."""


class Verdict(StrEnum):
    """What a message to this domain is subject to."""

    POLICY = "policy"
    """`Decision.policy` applies, in mode testing or enforce."""
    NO_POLICY = "no-policy"
    """Deliver as if the domain had no MTA-STS."""
    UNKNOWN = "unknown"
    """Not found out: deferring the message is safe, delivering it without a policy is not."""


class Step(StrEnum):
    """What to find out before deciding again."""

    ASK = "ask"
    """Look up the TXT record at `_mta-sts.<domain>`."""
    FETCH = "fetch"
    """Fetch the policy over HTTPS."""
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Held:
    """A policy as it was last fetched, under the id that DNS announced then."""

    policy: Policy
    id: str
    fetched_at: datetime

    @property
    def expires_at(self) -> datetime:
        """The last moment at which the policy applies: its time since fetch has then reached max_age (5.1)."""
        return self.fetched_at + timedelta(seconds=self.policy.max_age)

    @property
    def refresh_at(self) -> datetime:
        """When to fetch it again: after a day, at half of a shorter life, but not within minutes unless it must be."""
        life = timedelta(seconds=self.policy.max_age)
        return self.fetched_at + min(max(min(REFRESH_EVERY, life / 2), RETRY_AFTER), life)


@dataclass(frozen=True, slots=True)
class Failure:
    """Fetches of one id that failed in a row."""

    id: str
    at: datetime
    """The last attempt."""
    attempts: int
    result_type: str
    """Of RFC 8460 section 4.3."""

    @property
    def retry_at(self) -> datetime:
        return self.at + min(RETRY_AFTER * (1 << min(self.attempts - 1, 8)), RETRY_AT_MOST)


@dataclass(frozen=True, slots=True)
class Cached:
    """What a sender remembers of one policy domain."""

    held: Held | None = None
    announced: str | None = None
    """The id in the TXT record when DNS last gave an answer; None: no usable record then."""
    checked_at: datetime | None = None
    """When that was; None: never."""
    failure: Failure | None = None


NOTHING = Cached()


@dataclass(frozen=True, slots=True)
class Decision:
    """What applies now, why, and what comes next."""

    verdict: Verdict
    policy: Policy | None
    """The policy to apply, mode testing or enforce; None unless the verdict is POLICY."""
    step: Step
    keep: Cached
    """To be remembered in place of what was given."""
    good_until: datetime
    """Until when the same answer may be given without deciding again."""
    refresh_at: datetime | None
    """When to decide again even if no mail comes, so that the policy does not run out; None: no need."""
    result_type: str | None
    """Of RFC 8460 section 4.3: the fetch failure that a report has to name (section 6); None: none."""
    alert: bool
    """A refresh has just failed while a policy is held: the administrator should hear of it (3.3, 10.2)."""
    reasons: tuple[Reason, ...]
    """How it came to this, in order."""


def decide(
    now: datetime,
    cached: Cached = NOTHING,
    record: RecordOutcome | None = None,
    fetched: FetchOutcome | None = None,
) -> Decision:
    """What to apply and what to do next; see the module for how to drive it. Times are aware datetimes.

    `record` None: DNS has not been asked in this round; `fetched` None: nothing has been fetched in this round.
    """
    known, why_held = _still_valid(cached, now)
    known, why_record = _with_record(known, record, now)
    known, why_fetched = _with_fetch(known, fetched, now)
    step, why_step = _next_step(known, record, fetched, now)
    verdict, why_verdict = _verdict(known, record, step)
    return Decision(
        verdict=verdict,
        policy=known.held.policy if known.held and verdict is Verdict.POLICY else None,
        step=step,
        keep=known,
        good_until=_good_until(known, record, step, now),
        refresh_at=_fetch_at(known.held, known) if known.held else None,
        result_type=_reportable(known),
        alert=isinstance(fetched, Exception) and _binding(known),
        reasons=(*why_held, *why_record, *why_fetched, *why_step, *why_verdict),
    )


_Told = tuple[Cached, tuple[Reason, ...]]


def _still_valid(cached: Cached, now: datetime) -> _Told:
    """Drop a policy that has run out. One that was fetched in what is now the future counts as fetched now."""
    held = cached.held
    if held is None:
        return cached, ()
    if held.expires_at < now:
        return replace(cached, held=None), (Reason("expired", (_when(held.expires_at),)),)
    if held.fetched_at > now:
        held = replace(held, fetched_at=now)
        return replace(cached, held=held), (Reason("clock", (_when(held.expires_at),)),)
    return cached, (Reason("held", (held.policy.mode, held.id, _when(held.expires_at))),)


def _with_record(known: Cached, record: RecordOutcome | None, now: datetime) -> _Told:
    """Take in what DNS says. No answer changes nothing of what is known."""
    if record is None:
        return known, ()
    if isinstance(record, Record):
        return replace(known, announced=record.id, checked_at=now), (Reason("announced", (record.id,)),)
    if isinstance(record, DnsFailure):
        return known, (Reason("dns-failure", (str(record),)),)
    return replace(known, announced=None, checked_at=now), (_no_record(record),)


def _no_record(record: LookupFailure | RecordSyntaxError) -> Reason:
    """RFC 8461 section 3.1: none, several or a broken one mean the same, yet a person wants to know which."""
    if isinstance(record, NoRecord | MultipleRecords):
        return Reason("no-record" if isinstance(record, NoRecord) else "multiple-records")
    return Reason("broken-record", (str(record),))


def _with_fetch(known: Cached, fetched: FetchOutcome | None, now: datetime) -> _Told:
    """Take in a fetch: only a valid policy replaces the one held (section 3.3)."""
    if fetched is None:
        return known, ()
    name = _fetch_id(known)
    if isinstance(fetched, Policy):
        if name is None:
            return known, (Reason("unannounced"),)
        held = Held(fetched, name, now)
        return replace(known, held=held, failure=None), (Reason("fetched", (name, _when(held.expires_at))),)
    last = known.failure
    attempts = last.attempts + 1 if last and last.id == name else 1
    failure = Failure(name or "", now, attempts, str(fetched.result_type))
    return replace(known, failure=failure), (Reason("fetch-failed", (str(fetched), failure.result_type)),)


def _fetch_id(known: Cached) -> str | None:
    """The id under which a fetch goes now: the announced one; while none is, the held policy's; None: fetch nothing."""
    if known.announced is not None:
        return known.announced
    return known.held.id if known.held else None


def _next_step(
    known: Cached, record: RecordOutcome | None, fetched: FetchOutcome | None, now: datetime
) -> tuple[Step, tuple[Reason, ...]]:
    if fetched is not None:
        return Step.DONE, ()
    if record is None and (known.checked_at is None or not known.checked_at <= now < known.checked_at + CHECK_EVERY):
        return Step.ASK, ()
    why = () if record is not None else (_recently(known),)
    wanted = _why_fetch(known, now)
    if wanted is None or _blind(known, record):
        return Step.DONE, why
    if waiting := _waits(known, now):
        return Step.DONE, (*why, wanted, waiting)
    return Step.FETCH, (*why, wanted)


def _blind(known: Cached, record: RecordOutcome | None) -> bool:
    """Nothing is held and DNS does not answer: what it announced once is no reason to discover a policy now."""
    return known.held is None and isinstance(record, DnsFailure)


def _recently(known: Cached) -> Reason:
    return Reason("recently-none") if known.announced is None else Reason("recently", (known.announced,))


def _why_fetch(known: Cached, now: datetime) -> Reason | None:
    """Why a fetch is due; None: it is not."""
    held, announced = known.held, known.announced
    if announced is not None and held is None:
        return Reason("nothing-held")
    if announced is not None and held is not None and announced != held.id:
        return Reason("new-id", (held.id, announced))
    if held is not None and now >= held.refresh_at:
        return Reason("refresh-due", (_when(held.fetched_at),))
    return None


def _waits(known: Cached, now: datetime) -> Reason | None:
    """RFC 8461 section 3.3: attempts that fail are spaced, per id."""
    failure = _standing(known)
    if failure is None or not failure.at <= now < failure.retry_at:
        return None
    return Reason("waits", (failure.id, _when(failure.retry_at)))


def _standing(known: Cached) -> Failure | None:
    """The failure to fetch what would be fetched now; one of an id that is no longer announced is over."""
    return known.failure if known.failure is not None and known.failure.id == _fetch_id(known) else None


def _verdict(known: Cached, record: RecordOutcome | None, step: Step) -> tuple[Verdict, tuple[Reason, ...]]:
    if known.held is not None:
        if known.held.policy.mode is Mode.NONE:
            return Verdict.NO_POLICY, (Reason("mode-none"),)
        return Verdict.POLICY, (Reason("applies", (known.held.policy.mode,)),)
    if _blind(known, record) or step is not Step.DONE:
        return Verdict.UNKNOWN, (Reason("unknown"),)
    return Verdict.NO_POLICY, (Reason("no-policy"),)


def _good_until(known: Cached, record: RecordOutcome | None, step: Step, now: datetime) -> datetime:
    """The first moment at which deciding again could say something else."""
    if step is not Step.DONE:
        return now
    ends = [_asked_until(known, record, now)]
    if known.held is not None:
        ends += [known.held.expires_at, _fetch_at(known.held, known)]
    elif (failure := _standing(known)) is not None:
        ends.append(failure.retry_at)
    return max(now, min(ends))


def _asked_until(known: Cached, record: RecordOutcome | None, now: datetime) -> datetime:
    """Until when DNS need not be asked again."""
    if isinstance(record, DnsFailure):
        return now if known.held is None else now + DNS_RETRY
    return now if known.checked_at is None else known.checked_at + CHECK_EVERY


def _fetch_at(held: Held, known: Cached) -> datetime:
    """When the next fetch is due by the clock; while attempts fail, when the next one may be made."""
    failure = _standing(known)
    return held.refresh_at if failure is None else failure.retry_at


def _binding(known: Cached) -> bool:
    """Whether a policy is held that binds: with mode none, failures are part of a clean removal (8.3, 10.2)."""
    return known.held is not None and known.held.policy.mode is not Mode.NONE


def _reportable(known: Cached) -> str | None:
    """RFC 8461 section 6: a failed fetch counts when a record announces a policy or a binding one is held."""
    failure = _standing(known)
    if failure is None or not (known.announced is not None or _binding(known)):
        return None
    return failure.result_type


def _when(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
