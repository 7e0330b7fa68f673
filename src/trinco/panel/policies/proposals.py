"""What a change of the mode means, and whether it would cut off mail: the questions before a policy is written."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from django.utils import timezone

from trinco.core import mailhosts
from trinco.core.mtasts.policy import DEFAULT_MAX_AGE, Mode, Policy, uncovered
from trinco.panel.domains.models import HostedDomain, MxSighting, State
from trinco.panel.policies.errors import MxUnknown, NoMxYet, NotStarted, UncoveredMx, WildcardTooWide
from trinco.panel.policies.models import PolicyVersion, Standing
from trinco.panel.policies.versions import policy_of, standing_of

MX_AGE = timedelta(hours=1)
"""How old a look at the MX may be for `enforce`."""


def proposed(domain: HostedDomain, mode: Mode) -> Policy:
    """The policy that a change of the mode alone means: the last `mx` list that the domain had, the mode's own max_age.

    The policy as it is where the mode is the same. Raises NotStarted, NoMxYet.
    """
    standing = standing_of(domain)
    if standing is None:
        raise NotStarted
    return proposed_after(standing, mode, last_mx([standing]))


def proposed_after(standing: Standing, mode: Mode, known: Mapping[int, Sequence[str]]) -> Policy:
    """As `proposed`, for a standing that was read with its current version, and its `last_mx`."""
    return filled(policy_of(standing.current), known.get(standing.domain_id, ()), mode=mode)


def filled(
    before: Policy | None,
    last: Sequence[str],
    *,
    mode: Mode | None = None,
    mx: tuple[str, ...] | None = None,
    max_age: int | None = None,
) -> Policy:
    """The policy that a part of one means. What is not said stays; with another mode `max_age` begins as the mode does,
    and the list is the last one there was. Raises NoMxYet, PolicySyntaxError."""
    mode = mode or (before.mode if before else Mode.TESTING)
    same = before is not None and before.mode is mode
    if mx is None:
        mx = before.mx if before and same else () if mode is Mode.NONE else tuple(last)
        if not mx and mode is not Mode.NONE:
            raise NoMxYet
    if max_age is None:
        max_age = before.max_age if before and same else DEFAULT_MAX_AGE[mode]
    return Policy(mode, mx, max_age)


def last_mx(standings: Iterable[Standing]) -> dict[int, Sequence[str]]:
    """By key of the domain, the newest `mx` list that is not empty. One query, for those whose current one is."""
    known: dict[int, Sequence[str]] = {}
    empty = []
    for standing in standings:
        if standing.current.mx:
            known[standing.domain_id] = standing.current.mx
        else:
            empty.append(standing.domain_id)
    older = PolicyVersion.objects.everywhere().filter(domain__in=empty).exclude(mx=[]).order_by("number")
    known.update(older.values_list("domain", "mx") if empty else ())
    return known


def require_narrow(standing: Standing | None, policy: Policy) -> None:
    """Raises WildcardTooWide for the first wildcard of the policy that is wider than needed, unless the domain's last
    `mx` list has it: what is served already can be served again."""
    wide = {pattern: width for pattern in policy.mx if (width := mailhosts.too_wide(pattern)) is not None}
    held = last_mx([standing]).get(standing.domain_id, ()) if wide and standing else ()
    for pattern, width in wide.items():
        if pattern not in held:
            raise WildcardTooWide(pattern, width)


def judged(domain: HostedDomain, policy: Policy, *, override: bool) -> tuple[str, ...] | None:
    """None when nothing speaks against the policy; else the uncovered hosts, which the person overrides.

    Raises UncoveredMx, MxUnknown unless `override`.
    """
    try:
        require_safe(domain, policy, timezone.now())
    except (UncoveredMx, MxUnknown):
        if not override:
            raise
        return uncovered_hosts(domain, policy)
    return None


def require_safe(domain: HostedDomain, policy: Policy, now: datetime) -> None:
    """Raises UncoveredMx or MxUnknown where senders would stop delivering (RFC 8461 section 5), or may."""
    if policy.mode is Mode.ENFORCE:
        require_covered(domain, policy, mx_hosts(domain), now)


def require_covered(domain: HostedDomain, policy: Policy, hosts: Sequence[str], now: datetime) -> None:
    """As `require_safe` for an enforcing policy, with the MX hosts given."""
    if missed := uncovered(policy, hosts):
        raise UncoveredMx(missed)
    if not hosts or domain.mx_checked_at is None or now - domain.mx_checked_at > MX_AGE:
        raise MxUnknown


def uncovered_hosts(domain: HostedDomain, policy: Policy) -> tuple[str, ...]:
    """The MX hosts last seen in DNS that match no pattern of the policy, in order of preference."""
    return uncovered(policy, mx_hosts(domain))


def mx_hosts(domain: HostedDomain) -> tuple[str, ...]:
    """The MX hosts last seen in DNS, in order of preference; while in SETUP the suggested ones as well."""
    seen = MxSighting.objects.everywhere().filter(domain=domain).values_list("host", flat=True)
    suggested = domain.mx_suggested if domain.state == State.SETUP else []
    return tuple(dict.fromkeys([*seen, *suggested]))
