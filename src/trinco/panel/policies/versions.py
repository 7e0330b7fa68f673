"""Writing a version: the one place where a policy comes into being. In a transaction, with the domain's row locked."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from trinco.core.mtasts import policy as policies
from trinco.core.mtasts.ids import policy_id
from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.services import record
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


def write(domain: HostedDomain, policy: Policy, deed: Deed, now: datetime) -> PolicyVersion:
    """Make `policy` the current one: a version with an id above all before it, a revision, an audit line."""
    standing = standing_of(domain)
    before = standing.current if standing else None
    body = policies.render(policy)
    domain.revision = next_revision()
    version = PolicyVersion.objects.everywhere().create(
        domain=domain,
        number=before.number + 1 if before else 1,
        policy_id=policy_id(body, now, highest_id(domain.name)),
        mode=policy.mode.value,
        mx=list(policy.mx),
        max_age=policy.max_age,
        body=body,
        revision=domain.revision,
        created_at=now,
        created_by=deed.actor.name,
        undoes=deed.undoes,
        override=deed.overridden is not None,
    )
    domain.save(update_fields=["revision"])
    _stand(domain, standing, version)
    _open_ledger(domain, before, version)
    _audit(domain, before, version, deed)
    return version


def highest_id(name: str) -> str:
    """The highest id that the world has seen, or may see, for a name, whoever published it here; "" for none."""
    ids = PolicyVersion.objects.everywhere().filter(domain__name=name).order_by("-policy_id")
    floors = Standing.objects.everywhere().filter(domain__name=name).order_by("-id_floor")
    highest = ids.values_list("policy_id", flat=True).first() or ""
    return max(highest, floors.values_list("id_floor", flat=True).first() or "")


def _stand(domain: HostedDomain, standing: Standing | None, version: PolicyVersion) -> None:
    if standing is None:
        Standing.objects.everywhere().create(domain=domain, current=version)
    else:
        standing.current = version
        standing.save(update_fields=["current"])


def _open_ledger(domain: HostedDomain, before: PolicyVersion | None, version: PolicyVersion) -> None:
    """From now on an edge may serve the version, and may have served the one before it."""
    if domain.state not in SERVED:
        return
    if before is not None:
        begin(before, domain)
    begin(version, domain)


def begin(version: PolicyVersion, domain: HostedDomain) -> None:
    """Note the first moment at which an edge may have served the version, unless that is known."""
    if version.served_from is None:
        version.served_from = max(version.created_at, domain.verified_at or version.created_at)
        version.save(update_fields=["served_from"])


def _audit(domain: HostedDomain, before: PolicyVersion | None, version: PolicyVersion, deed: Deed) -> None:
    after = _summary(version)
    if deed.overridden is not None:
        after["uncovered"] = list(deed.overridden)
    record(
        organisation=domain.organisation,
        actor=deed.actor,
        action=deed.action,
        subject=domain.name,
        before=_summary(before) if before else {},
        after=after,
        override=deed.overridden is not None,
    )


def _summary(version: PolicyVersion) -> dict[str, Any]:
    return {"mode": version.mode, "mx": version.mx, "max_age": version.max_age, "id": version.policy_id}
