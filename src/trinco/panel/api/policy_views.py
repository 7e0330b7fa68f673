"""Policies as the API tells of them, and what a change of one would do."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from trinco.core import mailhosts
from trinco.core.errors import TrincoError
from trinco.core.mtasts import policy as policies
from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.api import domain_views
from trinco.panel.api.refusals import problem_of
from trinco.panel.checks.readiness import readiness
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.diffs import diff
from trinco.panel.policies.enforced import enforced_until
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.policies.proposals import judged, mx_hosts, proposed, require_narrow
from trinco.panel.policies.versions import standing_of
from trinco.panel.policies.ways import announced_version


def current(domain: HostedDomain) -> PolicyVersion | None:
    """The version that is current; None before the first."""
    standing = getattr(domain, "standing", None)
    return standing.current if standing else None


def state(domain: HostedDomain) -> dict[str, Any] | None:
    """The policy as it is now; None before the first."""
    version = current(domain)
    if version is None:
        return None
    announced = announced_version(domain)
    return {**_facts(version), "announced_id": announced.policy_id if announced else None}


def version_row(version: PolicyVersion) -> dict[str, Any]:
    """One that there was."""
    names = ("override", "announced_at", "served_from", "served_until")
    undone = version.undoes.number if version.undoes else None
    return {**_facts(version), **{name: getattr(version, name) for name in names}, "undoes": undone}


def consequences(domain: HostedDomain, policy: Policy) -> dict[str, Any]:
    """What the page of a confirmation shows: the difference of the files, and what senders go on with."""
    now, version = timezone.now(), current(domain)
    enforcing = policy.mode is Mode.ENFORCE
    return {
        "diff": _diff(version, policy),
        "enforced_until": None if enforcing else enforced_until(domain.versions.all(), now),
        "open_gates": [domain_views.gate(each) for each in readiness(domain, now) if not each.passed]
        if enforcing
        else [],
    }


def proposals(domain: HostedDomain) -> dict[str, Any]:
    """What each mode would mean."""
    return {
        "rows": [_proposal(domain, mode) for mode in Mode],
        "suggested_mx": mailhosts.patterns(mx_hosts(domain)),
    }


def _proposal(domain: HostedDomain, mode: Mode) -> dict[str, Any]:
    version = current(domain)
    told = {"mode": mode.value, "current": version is not None and version.mode == mode}
    try:
        policy = proposed(domain, mode)
    except TrincoError as error:
        return {**told, "mx": [], "max_age": None, "diff": [], "objection": problem_of(error).document}
    facts = {"mx": policy.mx, "max_age": policy.max_age, "diff": _diff(version, policy)}
    return {**told, **facts, "objection": _objection(domain, policy)}


def _objection(domain: HostedDomain, policy: Policy) -> dict[str, Any] | None:
    try:
        require_narrow(standing_of(domain), policy)
        judged(domain, policy, override=False)
    except TrincoError as error:
        return problem_of(error).document
    return None


def _diff(version: PolicyVersion | None, policy: Policy) -> list[dict[str, str]]:
    lines = diff(version.body if version else b"", policies.render(policy))
    return [{"kind": line.kind, "text": line.text} for line in lines]


def _facts(version: PolicyVersion) -> dict[str, Any]:
    names = ("number", "mode", "mx", "max_age", "created_at", "created_by")
    return {"id": version.policy_id, **{name: getattr(version, name) for name in names}}
