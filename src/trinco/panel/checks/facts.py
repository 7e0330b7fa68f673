"""What is known of some domains, read with a handful of queries however many they are."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from django.db.models import Prefetch, prefetch_related_objects

from trinco.core.mtasts.policy import Mode, uncovered
from trinco.panel.certificates.models import Certificate
from trinco.panel.certificates.queue import Expected, estimates
from trinco.panel.checks.reported import Reported, reported_of
from trinco.panel.domains.models import HostedDomain, MxSighting, RecordSighting, State, Way
from trinco.panel.policies.models import EdgeNode, PolicyVersion, Standing
from trinco.panel.policies.versions import policy_of
from trinco.panel.policies.ways import waits_for_owner

_WITHIN = ("standing__current", "standing__announced", "records", "mx_hosts")


@dataclass(frozen=True, slots=True)
class Edges:
    """The edges whose lease runs. `serving`: one of them at least has shown that it serves what it took; `failing`: the
    labels whose policy one of them could not fetch from itself."""

    serving: bool
    failing: frozenset[str]


@dataclass(frozen=True, slots=True)
class Facts:
    """One domain as the tables tell it. `certificate` is the one served; `uncovered` the MX hosts in DNS that match no
    pattern of the policy (RFC 8461 section 4.1); `reported` what senders tell of it."""

    domain: HostedDomain
    standing: Standing | None
    records: tuple[RecordSighting, ...]
    mx: tuple[MxSighting, ...]
    certificate: Certificate | None
    edges: Edges
    uncovered: tuple[str, ...]
    reported: Reported = Reported()  # noqa: RUF009 - a value that never changes
    expected: Expected | None = None
    """When its first certificate will be there, where an authority is asked for it."""

    @property
    def mode(self) -> Mode:
        """The mode of the policy that is served or about to be; NONE before the first."""
        return Mode(self.standing.current.mode) if self.standing else Mode.NONE

    @property
    def served(self) -> bool:
        return self.domain.state in (State.LIVE, State.LEAVING)

    @property
    def announced(self) -> bool:
        """Whether DNS has said the id of some policy: from then on every live edge had served it."""
        return self.standing is not None and self.standing.announced is not None

    @property
    def up_to_date(self) -> bool:
        """Whether DNS may say the id of the policy that is served now: our zone does."""
        return self.standing is not None and self.standing.announced == self.standing.current

    @property
    def to_publish(self) -> PolicyVersion | None:
        """The version whose id the owner is to publish by hand; None: there is none."""
        return waits_for_owner(self.domain)

    @property
    def failing(self) -> bool:
        """Whether some live edge could not fetch this policy from itself."""
        return self.domain.label in self.edges.failing


def edges_at(now: datetime) -> Edges:
    """The live edges, in one query."""
    rows = list(EdgeNode.objects.filter(lease_until__gt=now).values_list("acknowledged", "failing"))
    failing = frozenset(label for _, labels in rows for label in labels)
    return Edges(any(acknowledged is not None for acknowledged, _ in rows), failing)


def facts_of(domains: Iterable[HostedDomain], now: datetime) -> list[Facts]:
    """The facts of each, in their order: at most ten queries, and a few more while first certificates
    are ordered at an authority. What was prefetched with the rows is not read again."""
    rows = list(domains)
    if not rows:
        return []
    newest = Certificate.objects.everywhere().defer("leaf", "sealed_key").order_by("-not_after")
    prefetch_related_objects(rows, *_WITHIN, Prefetch("certificates", newest))
    if written := [row for row in rows if Way.PROVIDER in (row.sts_way, row.tlsrpt_way)]:
        prefetch_related_objects(written, "kept_access")
    edges, reported = edges_at(now), reported_of(rows, now.date())
    bare = [row.pk for row in rows if row.state == State.LIVE and not row.certificates.all()]
    expected = estimates(bare, now)
    return [
        replace(_facts(row, edges, reported.get(row.pk, Reported())), expected=expected.get(row.pk)) for row in rows
    ]


def _facts(row: HostedDomain, edges: Edges, reported: Reported) -> Facts:
    standing: Standing | None = getattr(row, "standing", None)
    certificates, mx = list(row.certificates.all()), tuple(row.mx_hosts.all())
    return Facts(
        domain=row,
        standing=standing,
        records=tuple(row.records.all()),
        mx=mx,
        certificate=certificates[0] if certificates else None,
        edges=edges,
        uncovered=_uncovered(mx, standing),
        reported=reported,
    )


def _uncovered(mx: Iterable[MxSighting], standing: Standing | None) -> tuple[str, ...]:
    hosts = tuple(sighting.host for sighting in mx)
    return uncovered(policy_of(standing.current), hosts) if standing else hosts
