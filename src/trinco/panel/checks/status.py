"""How urgently a domain wants its owner, and for which one reason: the worst problem first.

`statuses(domains, now)` gives a `Status` for each row of a page with a bounded number of queries. `HostedDomain.level`
and `level_revision` hold the level between looks, so that ten thousand domains are sorted, filtered and counted by the
database: `refresh(domains, now)` brings them up to date (call it after a deed that changes a policy, since `checks`
stands above `policies`), and the worker does so by itself within seconds (`refresh_changed`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet

from trinco.core.mtasts.policy import Mode
from trinco.panel.asking import Question
from trinco.panel.checks import troubles
from trinco.panel.checks.facts import Edges, Facts, edges_at, facts_of
from trinco.panel.checks.readiness import gates
from trinco.panel.domains.models import Finding, HostedDomain, Level, RecordName, RecordSighting, Starttls, State, Way
from trinco.panel.policies.ways import text_of

PATIENCE = timedelta(minutes=5)
"""How long a certificate or an announcement may take before it counts as trouble."""
MX_CERTIFICATE_SOON = timedelta(days=14)
_RENEWAL_LATE = timedelta(days=1)
_SHOWN_HOSTS = 5
_AT_ONCE = 200
_RIGHT = (Finding.FOUND, Finding.LATER)
_UNPUBLISHED = (Finding.STALE, Finding.MISSING, Finding.PARTLY)
"""How the owner's own TXT stands while its newest id is not there yet."""
_UNKNOWN_REVISION = 0
"""Below that of any live domain."""


@dataclass(frozen=True, slots=True)
class Status:
    """The level, and the problem that makes it so.

    `problem` is one of the keys below; `hosts` the names that it is about, `record` and `finding` the DNS record,
    `seen` what stands there instead, `until` the moment that a certificate ends or is expected, `before` how many other
    domains get theirs before.

    critical or attention: certificate-missing, certificate-expired (until), certificate-renewal (until),
      policy-unserved, record-lost (record, finding, seen), caa-forbids (record, seen), dns-silent (record),
      mx-uncovered (hosts), mx-tls (hosts: no STARTTLS or no matching certificate), mx-unreachable (hosts),
      mx-certificate (hosts; until), announcement-waits, reports-failing (hosts: the mail servers at which senders
      failed, worst first; seen: the result type that was reported most; senders: those that met it while others did
      not), publish-waits (seen: the text that the owner is to publish; until: since when it may be),
      publish-refused (finding: the trouble at the DNS provider; seen: what it said; until)
    ready: ready
    setup: record-wrong (record, finding, seen), records-missing (hosts), dns-silent (record), mx-unconfirmed,
      going-live, certificate-pending (until, before), announcing, publish-writing
    ok: enforce, testing, none
    leaving: leaving, gone
    """

    level: Level
    problem: str
    hosts: tuple[str, ...] = ()
    record: str = ""
    finding: str = ""
    seen: str = ""
    until: datetime | None = field(default=None)
    before: int = 0
    senders: tuple[str, ...] = ()


def status(domain: HostedDomain, now: datetime) -> Status:
    """The status of one domain."""
    return status_of(facts_of([domain], now)[0], now)


def statuses(domains: Iterable[HostedDomain], now: datetime) -> dict[int, Status]:
    """The status of each by primary key."""
    return {facts.domain.pk: status_of(facts, now) for facts in facts_of(domains, now)}


def refresh(domains: Iterable[HostedDomain], now: datetime) -> int:
    """Work out the levels of these rows and write down those that changed, at once. Gives how many."""
    judged = [(facts.domain, judged_of(facts, now)) for facts in facts_of(domains, now)]
    troubles.note(judged, now)
    worked_out = [(row, _worst(found).level) for row, found in judged]
    changed = [(row, level) for row, level in worked_out if (row.level, row.level_revision) != (level, row.revision)]
    changed.sort(key=lambda pair: pair[0].pk)  # locks are taken in one order, or two writers wait for each other
    if not changed:
        return 0
    with transaction.atomic():
        return sum(_write(row, level) for row, level in changed)


def _write(row: HostedDomain, level: Level) -> int:
    """A row that changed since it was read is left for the next time."""
    rows = HostedDomain.objects.everywhere().filter(pk=row.pk, revision=row.revision)
    return rows.update(level=level, level_revision=row.revision)


def refresh_by_key(keys: Sequence[int], now: datetime) -> int:
    """`refresh` for these primary keys, however many."""
    rows = _hosted()
    portions = (keys[start : start + _AT_ONCE] for start in range(0, len(keys), _AT_ONCE))
    return sum(refresh(rows.filter(pk__in=portion), now) for portion in portions)


def refresh_changed(now: datetime) -> int:
    """`refresh` for the domains whose policy, certificate or state changed since their level was worked out, or of
    whose edges something else is known than at the last call in this process. At most 200 at a time."""
    _edges.mark(edges_at(now))
    return refresh(_changed(now).order_by("pk")[:_AT_ONCE], now) if _SOME.holds(now) else 0


def _hosted() -> QuerySet[HostedDomain]:
    rows = HostedDomain.objects.everywhere().exclude(state=State.GONE)
    return rows.select_related("standing__current", "standing__announced")


def _changed(_now: datetime) -> QuerySet[HostedDomain]:
    return _hosted().exclude(level_revision=F("revision"))


_SOME = Question(_changed)


class _LastEdges:
    """What this process last knew of the edges: they change without any domain's revision changing."""

    known: Edges | None = None

    def mark(self, edges: Edges) -> None:
        """Mark the levels that may be others now as to be worked out."""
        before, self.known = self.known, edges
        if edges == before:
            return
        rows = HostedDomain.objects.everywhere().filter(state=State.LIVE)
        if before is not None and edges.serving == before.serving:
            rows = rows.filter(label__in=edges.failing ^ before.failing)
        with transaction.atomic():
            keys = list(rows.select_for_update().order_by("pk").values_list("pk", flat=True))
            for start in range(0, len(keys), _AT_ONCE):
                some = HostedDomain.objects.everywhere().filter(pk__in=keys[start : start + _AT_ONCE])
                some.update(level_revision=_UNKNOWN_REVISION)


_edges = _LastEdges()


def status_of(facts: Facts, now: datetime) -> Status:
    """The worst of all that speaks against a domain; of two that are equally bad, the one that comes first here."""
    return _worst(judged_of(facts, now))


def judged_of(facts: Facts, now: datetime) -> list[Status]:
    """All that speaks against a domain; where nothing does, how it stands."""
    if facts.domain.state == State.SETUP:
        return [_setup(facts)]
    if facts.domain.state != State.LIVE:
        return [Status(Level.LEAVING, facts.domain.state)]
    problems = [*_certificate(facts, now), *_policy(facts, now), *_by_hand(facts, now), *_records(facts)]
    problems += _mail(facts, now)
    problems += _reports(facts, now)
    return problems or [_well(facts, now)]


def _worst(found: Sequence[Status]) -> Status:
    return min(found, key=lambda each: each.level)


def _setup(facts: Facts) -> Status:
    others = [sighting for sighting in facts.records if sighting.finding not in _RIGHT]
    for sighting in others:
        if sighting.finding not in (Finding.MISSING, Finding.UNKNOWN):
            return _record(Level.SETUP, "record-wrong", sighting)
    for sighting in others:
        if sighting.finding == Finding.UNKNOWN:
            return _record(Level.SETUP, "dns-silent", sighting)
    found = {sighting.record for sighting in facts.records} - {sighting.record for sighting in others}
    missing = tuple(f"{name}.{facts.domain.name}" for name in RecordName.values if name not in found)
    if missing:
        return Status(Level.SETUP, "records-missing", hosts=missing)
    return Status(Level.SETUP, "going-live" if facts.standing else "mx-unconfirmed")


def _record(level: Level, problem: str, sighting: RecordSighting) -> Status:
    return Status(level, problem, record=sighting.record, finding=sighting.finding, seen=sighting.seen)


def _bad(facts: Facts) -> Level:
    """What cuts mail off in enforce, and would cut it off if testing became enforce."""
    return Level.CRITICAL if facts.mode is Mode.ENFORCE else Level.ATTENTION


def _certificate(facts: Facts, now: datetime) -> Iterator[Status]:
    certificate, since = facts.certificate, facts.domain.verified_at or now
    if certificate is None:
        expected = facts.expected
        if expected is not None and expected.at > now:  # it is not late, its turn has not come
            yield Status(Level.SETUP, "certificate-pending", until=expected.at, before=expected.before)
        elif now - since > PATIENCE:
            yield Status(_bad(facts), "certificate-missing")
        else:
            yield Status(Level.SETUP, "certificate-pending")
    elif certificate.not_after <= now:
        yield Status(_bad(facts), "certificate-expired", until=certificate.not_after)
    elif certificate.renew_due_at <= now - _RENEWAL_LATE:
        yield Status(Level.ATTENTION, "certificate-renewal", until=certificate.not_after)


def _policy(facts: Facts, now: datetime) -> Iterator[Status]:
    if facts.failing:
        yield Status(_bad(facts), "policy-unserved")
    if facts.standing is None or facts.up_to_date:
        return
    if now - max(facts.standing.current.created_at, facts.domain.verified_at or now) > PATIENCE:
        yield Status(Level.ATTENTION, "announcement-waits")
    elif not facts.announced:
        yield Status(Level.SETUP, "announcing")


def _by_hand(facts: Facts, now: datetime) -> Iterator[Status]:
    """Senders learn of a change by the id alone. The owner is the one to publish it, or we at the owner's provider."""
    version = facts.to_publish
    if version is None:
        return
    kept = getattr(facts.domain, "kept_access", None) if facts.domain.sts_way == Way.PROVIDER else None
    since = version.released_at or now
    if kept is not None and kept.trouble:
        yield Status(Level.ATTENTION, "publish-refused", finding=kept.trouble, seen=kept.said, until=since)
    elif kept is not None and now - since < PATIENCE:
        yield Status(Level.SETUP, "publish-writing")
    else:
        yield Status(Level.ATTENTION, "publish-waits", seen=text_of(facts.domain), until=since)


def _records(facts: Facts) -> Iterator[Status]:
    for sighting in facts.records:
        if sighting.finding == Finding.LATER:
            continue
        if facts.to_publish and sighting.record == RecordName.STS_TXT and sighting.finding in _UNPUBLISHED:
            continue  # `_by_hand` says it
        reports_alone = sighting.record == RecordName.TLSRPT_TXT
        if reports_alone and not facts.domain.tlsrpt:
            continue
        if sighting.finding == Finding.UNKNOWN:
            yield _record(Level.ATTENTION, "dns-silent", sighting)
        elif sighting.finding == Finding.CAA_FORBIDS:
            yield _record(Level.ATTENTION, "caa-forbids", sighting)
        elif sighting.finding != Finding.FOUND:
            yield _record(Level.ATTENTION if reports_alone else _bad(facts), "record-lost", sighting)


def _mail(facts: Facts, now: datetime) -> Iterator[Status]:
    """What senders that obey the policy would meet (RFC 8461 sections 4.1 and 4.2); with mode none they ask nothing."""
    if facts.mode is Mode.NONE:
        return
    if facts.uncovered:
        yield Status(_bad(facts), "mx-uncovered", hosts=facts.uncovered)
    if hosts := _with(facts, Starttls.NOT_OFFERED, Starttls.BAD_CERTIFICATE):
        yield Status(_bad(facts), "mx-tls", hosts=hosts)
    if hosts := _with(facts, Starttls.UNREACHABLE):
        yield Status(Level.ATTENTION, "mx-unreachable", hosts=hosts)
    soon = [
        mx
        for mx in facts.mx
        if mx.starttls == Starttls.OK and mx.not_after and mx.not_after < now + MX_CERTIFICATE_SOON
    ]
    if soon:
        until = min(mx.not_after for mx in soon if mx.not_after)
        yield Status(Level.ATTENTION, "mx-certificate", hosts=tuple(mx.host for mx in soon), until=until)


def _reports(facts: Facts, now: datetime) -> Iterator[Status]:
    """What senders told of the last days. It comes last: what is seen from here says the same more exactly."""
    if not facts.reported.in_trouble(now.date()):
        return
    failing = facts.reported.failing
    critical = facts.reported.holds_mail_back and not facts.reported.alone
    level = _bad(facts) if critical else Level.ATTENTION
    hosts = tuple(dict.fromkeys(row.mx for row in failing if row.mx))[:_SHOWN_HOSTS]
    seen = failing[0].result_type if failing else ""
    senders = facts.reported.senders[:_SHOWN_HOSTS]
    yield Status(level, "reports-failing", hosts=hosts, seen=seen, senders=senders)


def _with(facts: Facts, *results: str) -> tuple[str, ...]:
    return tuple(sighting.host for sighting in facts.mx if sighting.starttls in results)


def _well(facts: Facts, now: datetime) -> Status:
    if facts.mode is Mode.TESTING and all(gate.passed for gate in gates(facts, now)):
        return Status(Level.READY, "ready")
    return Status(Level.OK, facts.mode.value)
