"""Whose each policy of a report is: filed by its policy domain, never by the address that the report was sent to.

The rule, policy by policy:

1. The policy domain is a name that was hosted when the report arrived: it is that domain's. Where a name has changed
   hands, it is theirs who had it then; only a report that is older than anybody's hosting of the name (an import) goes
   to whoever has it now.
2. `tlsa`, and the policy domain is no hosted name: senders write the TLSA base domain there, which is the MX's name
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

from trinco.core.tlsrpt.report import PolicyResult, Report
from trinco.panel.domains.models import HostedDomain, MxSighting
from trinco.panel.domains.services import SERVED
from trinco.panel.reports import trust
from trinco.panel.reports.models import RawReport
from trinco.panel.reports.parts import Holder, Part, part

_AT_ONCE = 500
"""Names in one question to the database."""
_TLSA = "tlsa"


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

    def holder(self, name: str, when: datetime) -> Holder | None:
        """Whose a name was, or who has it now where nobody had it then."""
        tenures = self.tenures.get(name, ())
        then = [each for each in tenures if each.since <= when and (each.until is None or when < each.until)]
        found = then or [each for each in tenures if each.now]
        return found[0].holder if found else None

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
        named = [(self.holder(name(one.policy_domain), raw.received_at), one) for one in report.policies]
        hosted = list(dict.fromkeys(holder for holder, _ in named if holder))
        strangers = any(holder is None and one.policy_type != _TLSA for holder, one in named)
        alone = hosted[0] if len(hosted) == 1 and not strangers else None
        token = self.tokens.get(raw.domain_id) if raw.domain_id else None
        for holder, one in named:
            if holder is None and one.policy_type == _TLSA and one.policy_domain:
                candidates = [*hosted, *([token] if token and trust.speaks_of(raw, token.name) else [])]
                mine = self.mx.get(name(one.policy_domain), frozenset())
                holder = next((each for each in candidates if each.domain in mine), alone)  # noqa: PLW2901
            yield holder, one


def directory(batch: Iterable[tuple[RawReport, Sequence[Report]]]) -> Directory:
    """What filing these reports takes to know, in a few questions to the database."""
    told = list(batch)
    policies = [one for _, reports in told for report in reports for one in report.policies]
    names = {name(one.policy_domain) for one in policies} - {""}
    hosts = {name(one.policy_domain) for one in policies if one.policy_type == _TLSA} - {""}
    tokens = {raw.domain_id for raw, _ in told if raw.domain_id}
    return Directory(_tenures(names), _mx(hosts), _tokens(tokens) if hosts else {})


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
