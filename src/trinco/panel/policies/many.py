"""One mode for many domains at once: the panic button, and its preview."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from trinco.core.mtasts.policy import DEFAULT_MAX_AGE, Mode, Policy
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, MxSighting, State
from trinco.panel.policies.errors import NothingChanged, NotHosted, NotStarted, PolicyRefused
from trinco.panel.policies.models import PolicyVersion, Standing
from trinco.panel.policies.proposals import last_mx, proposed_after, require_covered
from trinco.panel.policies.versions import Deed, Draft, policy_of, write_all

_AT_ONCE = 200
"""Domains per transaction: others publish in between, and a crash loses nothing that was reported."""


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a change of the mode would do to one domain: either a policy, or the problem that keeps it as it is."""

    domain: HostedDomain
    before: Mode | None
    policy: Policy | None
    problem: PolicyRefused | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a change of the mode did to one domain: either a version, or the problem that kept it as it was."""

    domain: HostedDomain
    version: PolicyVersion | None
    problem: PolicyRefused | None


def preview_many(*, domains: Sequence[HostedDomain], mode: Mode) -> list[Consequence]:
    """What `publish_many` would do now, domain by domain, in the order given."""
    return list(_consequences(domains, _standings(domains), mode, timezone.now()))


def publish_many(
    *, organisation: Organisation, domains: Sequence[HostedDomain], mode: Mode, actor: Actor
) -> list[Outcome]:
    """Set the mode of those domains of the organisation to which nothing speaks against it; the others are reported.

    In the order in which the domains were added. There is no override here: an enforcing policy that would cut off mail
    is published one by one.
    """
    keys = sorted(domain.pk for domain in domains)
    outcomes: list[Outcome] = []
    for start in range(0, len(keys), _AT_ONCE):
        outcomes += _publish_some(organisation, keys[start : start + _AT_ONCE], mode, actor)
    return outcomes


@transaction.atomic
def _publish_some(organisation: Organisation, keys: Sequence[int], mode: Mode, actor: Actor) -> list[Outcome]:
    # By key, so that two who change many domains lock them in the same order.
    locked = HostedDomain.objects.of(organisation).select_for_update(of=("self",)).select_related("organisation")
    rows = list(locked.filter(pk__in=keys).order_by("pk"))
    now = timezone.now()
    standings = _standings(rows)
    consequences = list(_consequences(rows, standings, mode, now))
    drafts = [Draft(each.domain, standings[each.domain.pk], each.policy) for each in consequences if each.policy]
    versions = iter(write_all(drafts, Deed(actor, "policy.published"), now) if drafts else ())
    return [Outcome(each.domain, next(versions) if each.policy else None, each.problem) for each in consequences]


@transaction.atomic
def start_many(*, pairs: Sequence[tuple[HostedDomain, Sequence[str]]], actor: Actor) -> None:
    """The first policy of domains that were added this moment, with their mail servers: testing, for a day."""
    mode, age = Mode.TESTING, DEFAULT_MAX_AGE[Mode.TESTING]
    drafts = [Draft(domain, None, Policy(mode, tuple(mx), age)) for domain, mx in pairs]
    if drafts:
        write_all(drafts, Deed(actor, "policy.started"), timezone.now())


def _consequences(
    domains: Sequence[HostedDomain], standings: Mapping[int, Standing], mode: Mode, now: datetime
) -> Iterator[Consequence]:
    hosts = _hosts(domains) if mode is Mode.ENFORCE else {}
    mx = last_mx(standings.values())
    for domain in domains:
        standing = standings.get(domain.pk)
        before = Mode(standing.current.mode) if standing else None
        try:
            policy = _policy(domain, standing, mode, mx)
            if mode is Mode.ENFORCE:
                require_covered(domain, policy, hosts.get(domain.pk, []), now)
        except PolicyRefused as problem:
            yield Consequence(domain, before, None, problem)
        else:
            yield Consequence(domain, before, policy, None)


def _policy(domain: HostedDomain, standing: Standing | None, mode: Mode, mx: Mapping[int, Sequence[str]]) -> Policy:
    if domain.state not in (State.SETUP, State.LIVE):
        raise NotHosted(domain.state)
    if standing is None:
        raise NotStarted
    policy = proposed_after(standing, mode, mx)
    if policy == policy_of(standing.current):
        raise NothingChanged
    return policy


def _standings(domains: Sequence[HostedDomain]) -> Mapping[int, Standing]:
    standings = Standing.objects.everywhere().filter(domain__in=domains).select_related("current")
    return {standing.domain_id: standing for standing in standings}


def _hosts(domains: Sequence[HostedDomain]) -> Mapping[int, list[str]]:
    hosts: defaultdict[int, list[str]] = defaultdict(list)
    for sighting in MxSighting.objects.everywhere().filter(domain__in=domains):
        hosts[sighting.domain_id].append(sighting.host)
    for domain in domains:
        if domain.state == State.SETUP:
            hosts[domain.pk] += [host for host in domain.mx_suggested if host not in hosts[domain.pk]]
    return hosts
