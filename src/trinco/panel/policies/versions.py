"""Writing versions: the one place where a policy comes into being. In a transaction, with the domains' rows locked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Max

from trinco.core.mtasts import policy as policies
from trinco.core.mtasts.ids import policy_id
from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel import wall
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.accounts.services import entry, record_all
from trinco.panel.domains.models import HostedDomain
from trinco.panel.domains.services import SERVED, next_revision
from trinco.panel.policies.models import PolicyVersion, Standing


@dataclass(frozen=True, slots=True)
class Deed:
    """Who publishes what and why: the audit line's `action`, the version set aside by an undo, the hosts that were
    overridden (None: nothing was overridden)."""

    actor: Actor
    action: str
    undoes: PolicyVersion | None = None
    overridden: tuple[str, ...] | None = None


def policy_of(version: PolicyVersion) -> Policy:
    """The version's policy as a value."""
    return Policy(Mode(version.mode), tuple(version.mx), version.max_age)


def standing_of(domain: HostedDomain) -> Standing | None:
    """What is current and what is announced, or None before the first policy."""
    standings = Standing.objects.everywhere().select_related("current", "announced")
    return standings.filter(domain=domain).first()


def said(announced: str | None, current: str | None, floor: str | None) -> str | None:
    """The id that DNS says, of those that are announced, current, and the highest that the world knew before a restore.
    That one stays until the policy comes under one that is later still, and is not said of a body older than it."""
    if not floor or (announced or "") >= floor:
        return announced
    return floor if (current or "") >= floor else None


def said_id(standing: Standing) -> str | None:
    """The id that DNS says, or is to say where an owner publishes it; None: none yet."""
    announced = standing.announced.policy_id if standing.announced else None
    return said(announced, standing.current.policy_id, standing.id_floor)


@dataclass(frozen=True, slots=True)
class Draft:
    """A policy that is about to become a domain's current one. `standing` is None before the first."""

    domain: HostedDomain
    standing: Standing | None
    policy: Policy

    @property
    def before(self) -> PolicyVersion | None:
        """The version that is current until now."""
        return self.standing.current if self.standing else None


def write(draft: Draft, deed: Deed, now: datetime) -> PolicyVersion:
    """Make one draft a version: see `write_all`."""
    return write_all([draft], deed, now)[0]


def write_all(drafts: Sequence[Draft], deed: Deed, now: datetime) -> list[PolicyVersion]:
    """Make each draft its domain's current version, with an id above all before it, an audit line, and one revision for
    all. However many they are, the number of queries stays the same.
    """
    revision, highest = next_revision(), highest_ids([draft.domain.name for draft in drafts])
    versions = [_version(draft, deed, highest.get(draft.domain.name, ""), now) for draft in drafts]
    for draft, version in zip(drafts, versions, strict=True):
        draft.domain.revision = version.revision = revision
    PolicyVersion.objects.everywhere().bulk_create(versions)
    _stand(drafts, versions)
    _open_ledger(drafts, versions)
    keys = [draft.domain.pk for draft in drafts]
    HostedDomain.objects.everywhere().filter(pk__in=keys).update(revision=revision)
    record_all([_audit(draft, version, deed) for draft, version in zip(drafts, versions, strict=True)])
    return versions


@wall.lifted()
def highest_ids(names: Sequence[str]) -> dict[str, str]:
    """By name, the highest id that the world has seen, or may see, whoever published it here."""
    ids = PolicyVersion.objects.everywhere().filter(domain__name__in=names).order_by()
    floors = Standing.objects.everywhere().filter(domain__name__in=names).order_by()
    highest: dict[str, str] = {}
    for rows in (
        ids.values_list("domain__name").annotate(Max("policy_id")),
        floors.values_list("domain__name").annotate(Max("id_floor")),
    ):
        for name, identifier in rows:
            highest[name] = max(identifier, highest.get(name, ""))
    return highest


def begin(pairs: Iterable[tuple[HostedDomain, PolicyVersion]]) -> None:
    """Note of each version the first moment at which an edge may have served it, unless that is known."""
    opened = []
    for domain, version in pairs:
        if version.served_from is None:
            version.served_from = max(version.created_at, domain.verified_at or version.created_at)
            opened.append(version)
    PolicyVersion.objects.everywhere().bulk_update(opened, ["served_from"])


def _version(draft: Draft, deed: Deed, above: str, now: datetime) -> PolicyVersion:
    body = policies.render(draft.policy)
    return PolicyVersion(
        domain=draft.domain,
        number=draft.before.number + 1 if draft.before else 1,
        policy_id=policy_id(body, now, above),
        mode=draft.policy.mode.value,
        mx=list(draft.policy.mx),
        max_age=draft.policy.max_age,
        body=body,
        created_at=now,
        created_by=deed.actor.name,
        undoes=deed.undoes,
        override=deed.overridden is not None,
    )


def _stand(drafts: Sequence[Draft], versions: Sequence[PolicyVersion]) -> None:
    first, later = [], []
    for draft, version in zip(drafts, versions, strict=True):
        if draft.standing is None:
            first.append(Standing(domain=draft.domain, current=version))
        else:
            later.append(Standing(pk=draft.standing.pk, current=version))
    Standing.objects.everywhere().bulk_create(first)
    Standing.objects.everywhere().bulk_update(later, ["current"])


def _open_ledger(drafts: Sequence[Draft], versions: Sequence[PolicyVersion]) -> None:
    """From now on an edge may serve each version, and may have served the one before it."""
    both = [(draft.domain, each) for draft, new in zip(drafts, versions, strict=True) for each in (draft.before, new)]
    begin((domain, version) for domain, version in both if version is not None and domain.state in SERVED)


def _audit(draft: Draft, version: PolicyVersion, deed: Deed) -> AuditEntry:
    after = _summary(version)
    if deed.overridden is not None:
        after["uncovered"] = list(deed.overridden)
    return entry(
        organisation=draft.domain.organisation,
        actor=deed.actor,
        action=deed.action,
        subject=draft.domain.name,
        before=_summary(draft.before) if draft.before else {},
        after=after,
        override=deed.overridden is not None,
    )


def _summary(version: PolicyVersion) -> dict[str, Any]:
    return {"mode": version.mode, "mx": version.mx, "max_age": version.max_age, "id": version.policy_id}
