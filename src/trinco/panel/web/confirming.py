"""What a person sees before a policy changes: the difference, what speaks against it, what it is based on."""

from __future__ import annotations

from typing import Any

from django.http import Http404
from django.utils import timezone

from trinco.core import mailhosts
from trinco.core.mtasts import policy as policies
from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.checks.readiness import readiness
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies import diffs
from trinco.panel.policies.enforced import enforced_until
from trinco.panel.policies.errors import MxUnknown, UncoveredMx, WildcardTooWide
from trinco.panel.policies.models import PolicyVersion
from trinco.panel.policies.proposals import mx_hosts, require_narrow, require_safe
from trinco.panel.policies.services import policy_of
from trinco.panel.policies.versions import standing_of
from trinco.panel.web.forms import PolicyForm
from trinco.panel.web.refusals import refusal


def current(domain: HostedDomain) -> PolicyVersion | None:
    """The version that is served or about to be, or None before the first."""
    standing = getattr(domain, "standing", None)
    return standing.current if standing else None


def offered(domain: HostedDomain) -> str:
    """What the `mx` form begins with: the list of the policy, before that what suits the MX hosts read from DNS."""
    version = current(domain)
    return "\n".join(version.mx if version and version.mx else mailhosts.patterns(mx_hosts(domain)))


def confirmation(domain: HostedDomain, form: PolicyForm) -> dict[str, Any]:
    """For `_confirm.html`: a valid form becomes a policy with its difference, another one shows its errors."""
    version = current(domain)
    if version is None:
        raise Http404
    context = {"domain": domain, "current": version, "form": form}
    if not form.is_valid():
        return context
    return {**context, **_change(domain, version, form.policy), "ages": _ages(form)}


def undoing(domain: HostedDomain) -> dict[str, Any]:
    """For `undo.html`. Raises Http404 when there is nothing to undo."""
    version = current(domain)
    before = domain.versions.filter(number=version.number - 1).first() if version else None
    if version is None or before is None:
        raise Http404
    return {"domain": domain, "current": version, "before": before, **_change(domain, version, policy_of(before))}


def _change(domain: HostedDomain, version: PolicyVersion, policy: Policy) -> dict[str, Any]:
    lines = diffs.diff(version.body, policies.render(policy))
    now = timezone.now()
    return {
        "policy": policy,
        "mx_text": "\n".join(policy.mx),
        "diff": lines,
        "changes": diffs.changes(lines),
        "horizon": None if policy.mode is Mode.ENFORCE else enforced_until(domain.versions.all(), now),
        "open_gates": [gate for gate in readiness(domain, now) if not gate.passed],
        **_objection(domain, policy),
    }


def refused(domain: HostedDomain, form: PolicyForm) -> str | None:
    """Why what a form asks for is refused whatever the person confirms; None: it is not, or is no policy at all."""
    if not form.is_valid():
        return None
    try:
        require_narrow(standing_of(domain), form.policy)
    except WildcardTooWide as error:
        return refusal(error)
    return None


def _objection(domain: HostedDomain, policy: Policy) -> dict[str, Any]:
    """What makes `publish` refuse without an override."""
    try:
        require_safe(domain, policy, timezone.now())
    except UncoveredMx as error:
        return {"objection": error, "uncovered": error.hosts}
    except MxUnknown as error:
        return {"objection": error, "uncovered": ()}
    return {"objection": None, "uncovered": ()}


def _ages(form: PolicyForm) -> list[tuple[int, Any]]:
    """The choices of max_age; one that somebody set by another way stays among them."""
    chosen = form.cleaned_data["max_age"]
    offered_ages = dict(PolicyForm.MAX_AGES)
    return PolicyForm.MAX_AGES if chosen in offered_ages else [*PolicyForm.MAX_AGES, (chosen, chosen)]
