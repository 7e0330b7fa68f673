"""Deeds on policies. Each is one transaction with one audit line, and every domain's row is locked while it lasts."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from trinco.core.mtasts.policy import DEFAULT_MAX_AGE, Mode, Policy
from trinco.panel.accounts.actors import Actor
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.domains.services import locked
from trinco.panel.policies.errors import (
    AlreadyStarted,
    Conflict,
    NothingChanged,
    NothingToUndo,
    NotHosted,
    NotStarted,
)
from trinco.panel.policies.ledger import horizon_of
from trinco.panel.policies.many import Consequence, Outcome, preview_many, publish_many, start_many
from trinco.panel.policies.models import PolicyVersion, Standing
from trinco.panel.policies.proposals import judged, proposed, require_narrow
from trinco.panel.policies.rounds import announce_due, reissue_due, retire_due
from trinco.panel.policies.versions import Deed, Draft, policy_of, standing_of, write

__all__ = [
    "DEFAULT_MAX_AGE",
    "Consequence",
    "Outcome",
    "announce_due",
    "first",
    "horizon_of",
    "leave",
    "policy_of",
    "preview_many",
    "proposed",
    "publish",
    "publish_many",
    "reissue_due",
    "retire_due",
    "settle",
    "start",
    "start_many",
    "undo",
]


@transaction.atomic
def start(*, domain: HostedDomain, mx: tuple[str, ...], actor: Actor) -> PolicyVersion:
    """The first version: testing, for a day. Raises AlreadyStarted, NotHosted, PolicySyntaxError, WildcardTooWide."""
    row = locked(domain)
    if row.state != State.SETUP:
        raise NotHosted(row.state)
    if standing_of(row) is not None:
        raise AlreadyStarted
    policy = Policy(Mode.TESTING, mx, DEFAULT_MAX_AGE[Mode.TESTING])
    require_narrow(None, policy)
    return _written(domain, Draft(row, None, policy), Deed(actor, "policy.started"))


@transaction.atomic
def publish(
    *,
    domain: HostedDomain,
    policy: Policy,
    actor: Actor,
    override: bool = False,
    expected_number: int | None = None,
) -> PolicyVersion:
    """Make `policy` the current one; its id is announced once every live edge serves it.

    `expected_number` is the version that the person looked at: Conflict if it is not the current one any more. Raises
    NothingChanged, NotStarted, NotHosted, WildcardTooWide; for enforce UncoveredMx and MxUnknown, unless `override`,
    which the audit line then shows together with the hosts.
    """
    row, standing = _changeable(domain)
    _require_number(standing, expected_number)
    if policy == policy_of(standing.current):
        raise NothingChanged
    require_narrow(standing, policy)
    overridden = judged(row, policy, override=override)
    return _written(domain, Draft(row, standing, policy), Deed(actor, "policy.published", overridden=overridden))


@transaction.atomic
def first(*, domain: HostedDomain, policy: Policy, actor: Actor, override: bool = False) -> PolicyVersion:
    """Make `policy` the first one, whatever its mode. Raises AlreadyStarted, NotHosted, and what `publish` does."""
    row = locked(domain)
    if row.state != State.SETUP:
        raise NotHosted(row.state)
    if standing_of(row) is not None:
        raise AlreadyStarted
    require_narrow(None, policy)
    overridden = judged(row, policy, override=override)
    return _written(domain, Draft(row, None, policy), Deed(actor, "policy.started", overridden=overridden))


@transaction.atomic
def settle(
    *, domain: HostedDomain, policy: Policy, actor: Actor, override: bool = False, expected_number: int = 0
) -> PolicyVersion:
    """Make `policy` the current one, be it the first one or not: what somebody declared. Raises what `publish` does.

    `expected_number` as for `publish`; 0 where there was none before.
    """
    row = locked(domain)
    standing = standing_of(row)
    if standing is not None and policy == policy_of(standing.current):
        raise NothingChanged
    if standing is not None or row.state != State.SETUP:
        return publish(domain=domain, policy=policy, actor=actor, override=override, expected_number=expected_number)
    return first(domain=domain, policy=policy, actor=actor, override=override)


@transaction.atomic
def undo(
    *, domain: HostedDomain, actor: Actor, override: bool = False, expected_number: int | None = None
) -> PolicyVersion:
    """Publish the content of the version before the current one, under a new id. A leaving domain becomes live again.

    `expected_number` as for `publish`: without it, a second click undoes the first one. Raises NothingToUndo, Conflict,
    NotStarted, NotHosted, and what `publish` raises for enforce.
    """
    row = locked(domain)
    standing = _standing(row)
    if row.state == State.GONE:
        raise NotHosted(row.state)
    _require_number(standing, expected_number)
    before = PolicyVersion.objects.everywhere().filter(domain=row, number=standing.current.number - 1).first()
    if before is None:
        raise NothingToUndo
    overridden = judged(row, policy_of(before), override=override)
    _stay(row)
    deed = Deed(actor, "policy.undone", undoes=standing.current, overridden=overridden)
    return _written(domain, Draft(row, standing, policy_of(before)), deed)


@transaction.atomic
def leave(*, domain: HostedDomain, actor: Actor) -> PolicyVersion:
    """Begin to leave: `mode: none` for a day, a new id, served until the horizon has passed (RFC 8461 section 8.3).

    Raises NotHosted unless the domain is live; one that was never served is given up by `domains.remove_unverified`.
    """
    row = locked(domain)
    if row.state != State.LIVE:
        raise NotHosted(row.state)
    standing = _standing(row)
    row.state, row.leaving_at = State.LEAVING, timezone.now()
    row.save(update_fields=["state", "leaving_at"])
    policy = Policy(Mode.NONE, (), DEFAULT_MAX_AGE[Mode.NONE])
    return _written(domain, Draft(row, standing, policy), Deed(actor, "domain.left"))


def _changeable(domain: HostedDomain) -> tuple[HostedDomain, Standing]:
    row = locked(domain)
    if row.state not in (State.SETUP, State.LIVE):
        raise NotHosted(row.state)
    return row, _standing(row)


def _standing(row: HostedDomain) -> Standing:
    standing = standing_of(row)
    if standing is None:
        raise NotStarted
    return standing


def _require_number(standing: Standing, expected: int | None) -> None:
    if expected not in {None, standing.current.number}:
        raise Conflict(standing.current.number)


def _stay(row: HostedDomain) -> None:
    if row.state == State.LEAVING:
        row.state, row.leaving_at = State.LIVE, None
        row.save(update_fields=["state", "leaving_at"])


def _written(domain: HostedDomain, draft: Draft, deed: Deed) -> PolicyVersion:
    version = write(draft, deed, timezone.now())
    domain.refresh_from_db()
    return version
