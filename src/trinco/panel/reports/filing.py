"""Whose each policy of a report is: filed by its policy domain, never by the address that the report was sent to.

The rule, policy by policy:

1. The policy domain is a name that was hosted when the report arrived: it is that domain's. Where a name has changed
   hands, it is theirs who had it then. An import is filed as if it had come at the end of what it is about. What was
   filed before, and is read again, is theirs who got it then: that an MX has changed since, or a domain has gone, says
   nothing about the report. Where nobody hosted it by then, it is theirs who had it when the report begins: what is
   told of their last day is not for whoever comes after them. Only then, a report from a time at which nobody hosted
   the name goes to whoever has it now.
2. `tlsa`, and the policy domain is no such name: senders write the TLSA base domain there, which is the MX's name
   (RFC 8460 section 4.4). It is theirs among the domains of rule 1 in the same report, or the domain whose token the
   report came with and of which the mail speaks (`trust.speaks_of`: tenants of one mail provider share an MX, and a
   signed report can be sent on to another's address), who has that MX by its last look at DNS. Where none has, and the
   report speaks of one hosted domain alone, it is that one's.
3. Everything else is foreign. A report that names no domain at all (nor does its mail) is foreign too: the token says
   where it was sent to, not what it is about. No report ever makes a domain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from trinco.core.tlsrpt.arrival import Channel
from trinco.core.tlsrpt.report import PolicyResult, Report
from trinco.panel.domains.models import HostedDomain, MxSighting
from trinco.panel.domains.services import SERVED
from trinco.panel.reports import trust
from trinco.panel.reports.models import DOMAIN_LENGTH, TEXT_LENGTH, PolicyRow, RawReport, RawState
from trinco.panel.reports.models import Report as Row
from trinco.panel.reports.parts import Holder, Part, content, part, word

_AT_ONCE = 500
"""Names in one question to the database."""
_TLSA = "tlsa"
_BROUGHT_NOTHING = (RawState.REPEATED, RawState.FOREIGN)
_COLUMNS = (
    "report__raw", "report__start", "report__end", "report__report_id", "policy_type", "policy_domain",
    "report__domain", "report__organisation", "report__domain__name",
)  # fmt: skip

Entry = tuple[int, datetime, datetime, str, str, str]
"""One policy of an arrival: the arrival's key, start, end and id of the report, type and domain of the policy."""


@dataclass(frozen=True, slots=True)
class Tenure:
    """From when to when a name was hosted by whom; None: it still is."""

    holder: Holder
    since: datetime
    until: datetime | None
    now: bool


@dataclass(frozen=True, slots=True)
class Filed:
    """What became of one arrival's reports: the parts, and the names of foreign domains in it."""

    parts: tuple[Part, ...]
    foreign: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Directory:
    """Who has, and had, the names of a batch of reports, and whose MX are which."""

    tenures: Mapping[str, Sequence[Tenure]]
    mx: Mapping[str, frozenset[int]]
    """By MX host: keys of domains."""
    tokens: Mapping[int, Holder]
    """By key of the domain whose token it is."""
    before: Mapping[Entry, Holder]
    """Who got what when these arrivals were read the last time."""

    def then(self, name: str, when: datetime) -> Holder | None:
        """Whose a name was."""
        tenures = self.tenures.get(name, ())
        return next((e.holder for e in tenures if e.since <= when and (e.until is None or when < e.until)), None)

    def now(self, name: str) -> Holder | None:
        """Who has a name now."""
        return next((each.holder for each in self.tenures.get(name, ()) if each.now), None)

    def file(self, raw: RawReport, reports: Iterable[Report]) -> Filed:
        """Each report's policies to whose they are: a part for each report and domain, in the report's order."""
        parts: list[Part] = []
        foreign: dict[str, None] = {}
        for report in reports:
            own: defaultdict[Holder, list[PolicyResult]] = defaultdict(list)
            for holder, one in self._filed(raw, report):
                if holder is None:
                    foreign[one.policy_domain] = None
                else:
                    own[holder].append(one)
            parts += [part(holder, report, tuple(policies)) for holder, policies in own.items()]
        return Filed(tuple({each.key: each for each in parts}.values()), tuple(foreign))

    def _filed(self, raw: RawReport, report: Report) -> Iterator[tuple[Holder | None, PolicyResult]]:
        when = report.end if raw.channel == Channel.IMPORT else raw.received_at
        sure = [self._sure(raw, report, one, when) for one in report.policies]
        now = [self.now(name(one.policy_domain)) for one in report.policies]
        named = [(known, known or later, one) for known, later, one in zip(sure, now, report.policies, strict=True)]
        hosted = list(dict.fromkeys(holder for _, holder, _ in named if holder))
        strangers = any(holder is None and one.policy_type != _TLSA for _, holder, one in named)
        alone = hosted[0] if len(hosted) == 1 and not strangers else None
        for known, holder, one in named:
            if known is None and one.policy_type == _TLSA and one.policy_domain:
                yield self._by_mx(raw, one, hosted) or holder or alone, one
            else:
                yield holder, one

    def _sure(self, raw: RawReport, report: Report, one: PolicyResult, when: datetime) -> Holder | None:
        named, before = name(one.policy_domain), self.before.get(_entry(raw.pk, report, one))
        return self.then(named, when) or before or self.then(named, report.start)

    def _by_mx(self, raw: RawReport, one: PolicyResult, hosted: Sequence[Holder]) -> Holder | None:
        token = self.tokens.get(raw.domain_id) if raw.domain_id else None
        mine = self.mx.get(name(one.policy_domain), frozenset())
        candidates = [*hosted, *([token] if token and trust.speaks_of(raw, token.name) else [])] if mine else []
        return next((each for each in candidates if each.domain in mine), None)


def directory(batch: Iterable[tuple[RawReport, Sequence[Report]]]) -> Directory:
    """What filing these reports takes to know, in a few questions to the database."""
    told = list(batch)
    policies = [one for _, reports in told for report in reports for one in report.policies]
    names = {name(one.policy_domain) for one in policies} - {""}
    hosts = {name(one.policy_domain) for one in policies if one.policy_type == _TLSA} - {""}
    tokens = {raw.domain_id for raw, _ in told if raw.domain_id}
    again = {raw.pk for raw, _ in told if raw.state != RawState.PENDING}
    before = _equal(told) | _before(again)
    return Directory(_tenures(names), _mx(hosts), _tokens(tokens) if hosts else {}, before)


def name(policy_domain: str) -> str:
    """A policy domain as it stands in our table."""
    return policy_domain.strip().rstrip(".").lower()


def _tenures(names: set[str]) -> dict[str, list[Tenure]]:
    found: defaultdict[str, list[Tenure]] = defaultdict(list)
    columns = ("pk", "organisation_id", "name", "verified_at", "gone_at", "state")
    for some in _portions(names):
        rows = HostedDomain.objects.everywhere().filter(name__in=some, verified_at__isnull=False).order_by("pk")
        for pk, organisation, its_name, since, until, state in rows.values_list(*columns):
            found[its_name].append(Tenure(Holder(pk, organisation, its_name), since, until, state in SERVED))
    return found


def _before(raws: set[int]) -> dict[Entry, Holder]:
    """Who got which policy of these arrivals; of none that several got."""
    found: defaultdict[Entry, set[Holder]] = defaultdict(set)
    if not raws:
        return {}
    rows = PolicyRow.objects.everywhere().filter(report__raw__in=raws).order_by()
    for raw, start, end, report_id, policy_type, policy_domain, *whose in rows.values_list(*_COLUMNS):
        found[raw, start, end, report_id, policy_type, policy_domain].add(Holder(*whose))
    return {entry: holders.pop() for entry, holders in found.items() if len(holders) == 1}


def _equal(told: Iterable[tuple[RawReport, Sequence[Report]]]) -> dict[Entry, Holder]:
    """Who got what arrivals brought again that brought nothing new: whose token it was, and who has the same."""
    brought: dict[tuple[int | None, str], list[Entry]] = defaultdict(list)
    for raw, reports in told:
        for report in reports if raw.state in _BROUGHT_NOTHING else ():
            brought[raw.domain_id, content(report)] += [_entry(raw.pk, report, one) for one in report.policies]
    narrow = {"domain__in": {domain for domain, _ in brought}, "content__in": {same for _, same in brought}}
    rows = Row.objects.everywhere().filter(**narrow).order_by()
    columns = ("content", "domain", "organisation", "domain__name")
    found = rows.values_list(*columns) if brought else ()
    return {entry: Holder(*whose) for same, *whose in found for entry in brought.get((whose[0], same), ())}


def _entry(raw: int, report: Report, one: PolicyResult) -> Entry:
    told = report.report_id[:TEXT_LENGTH]
    return raw, report.start, report.end, told, word(one.policy_type), one.policy_domain[:DOMAIN_LENGTH]


def _mx(hosts: set[str]) -> dict[str, frozenset[int]]:
    found: defaultdict[str, set[int]] = defaultdict(set)
    for some in _portions(hosts):
        sightings = MxSighting.objects.everywhere().filter(host__in=some)
        for host, domain in sightings.values_list("host", "domain_id"):
            found[host].add(domain)
    return {host: frozenset(domains) for host, domains in found.items()}


def _tokens(keys: set[int]) -> dict[int, Holder]:
    rows = HostedDomain.objects.everywhere().filter(pk__in=keys, state__in=SERVED)
    return {
        pk: Holder(pk, owner, its_name) for pk, owner, its_name in rows.values_list("pk", "organisation_id", "name")
    }


def _portions(names: set[str]) -> Iterator[list[str]]:
    ordered = sorted(names)
    yield from (ordered[start : start + _AT_ONCE] for start in range(0, len(ordered), _AT_ONCE))
