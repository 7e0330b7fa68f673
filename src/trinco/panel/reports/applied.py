"""Which policy of ours does a sender apply? The policy-string of a report against the ledger (RFC 8460 section 4.4).

Policies are the same when mode, mx hosts (in any order and case) and max_age are; one that cannot be read is compared
line by line. What counts is the day that the report is about: a version that was served within its date range is
current, one that was no longer served by then is older (the sender's cache), everything else was never ours by then.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from trinco.core.mtasts.policy import Policy
from trinco.core.tlsrpt.report import PolicyResult
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.reports.models import Applied

_STS = "sts"

Essence = tuple[str, frozenset[str], int]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the ledger: its key (None: of somebody else who had the name), what it says, when it was served."""

    key: int | None
    essence: Essence
    lines: frozenset[str]
    since: datetime
    until: datetime | None


Ledger = Mapping[int, Sequence[Version]]
"""By domain, the newest version first."""

UNTOLD: tuple[str, int | None] = (Applied.UNTOLD.value, None)


def ledger(domains: Collection[int]) -> Ledger:
    """What was served under the names of these domains, also by others who had them before."""
    names = dict(HostedDomain.objects.everywhere().filter(pk__in=domains).values_list("pk", "name"))
    served = PolicyVersion.objects.everywhere().filter(domain__name__in=set(names.values()), served_from__isnull=False)
    of: defaultdict[str, list[tuple[int, PolicyVersion]]] = defaultdict(list)
    for version in served.select_related("domain").order_by("-served_from", "-number"):
        of[version.domain.name].append((version.domain_id, version))
    return {
        domain: [_version(row, row.pk if owner == domain else None) for owner, row in of[name]]
        for domain, name in names.items()
    }


def applied(one: PolicyResult, versions: Sequence[Version], start: datetime, end: datetime) -> tuple[str, int | None]:
    """What the ledger says of the policy that the sender applied in this range: word of `Applied`, version's key."""
    if one.policy_type != _STS or not one.policy_string:
        return UNTOLD
    policy = one.applied_policy
    said = _essence(policy) if policy else None
    lines = _lines(one.policy_string)
    same = [each for each in versions if (each.essence == said if said else each.lines == lines)]
    before = [each for each in same if each.since <= end]
    if not before:
        return Applied.NEVER.value, None
    then = [each for each in before if each.until is None or each.until >= start]
    return (Applied.CURRENT.value, then[0].key) if then else (Applied.OLDER.value, before[0].key)


def _version(row: PolicyVersion, key: int | None) -> Version:
    essence = (row.mode, frozenset(mx.lower() for mx in row.mx), row.max_age)
    lines = _lines(bytes(row.body).decode("utf-8", "replace").split("\n"))
    since = row.served_from or row.created_at
    return Version(key, essence, lines, since, row.served_until)


def _essence(policy: Policy) -> Essence:
    return policy.mode.value, frozenset(mx.lower() for mx in policy.mx), policy.max_age


def _lines(lines: Sequence[str]) -> frozenset[str]:
    """The lines without order and blanks."""
    return frozenset(squeezed for line in lines if (squeezed := "".join(line.split()).lower()))
