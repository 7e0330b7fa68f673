"""The domains of one organisation, each in a transaction of its own: see `services`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import cast

from django.db import transaction
from django.utils import timezone

from trinco.core.errors import TrincoError
from trinco.core.mtasts.policy import Mode
from trinco.core.names import Domain
from trinco.panel.accounts.actors import Actor
from trinco.panel.accounts.models import Organisation
from trinco.panel.checks.services import note_mx
from trinco.panel.declared import present
from trinco.panel.declared.comparing import Wanted, compare
from trinco.panel.declared.looking import Servers, looked
from trinco.panel.declared.present import Held
from trinco.panel.declared.steps import Kind, Step, Terms
from trinco.panel.declared.values import DeclaredDomain
from trinco.panel.domains import services as domains
from trinco.panel.domains import tags
from trinco.panel.domains.errors import OurOwnName
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies import services as policies
from trinco.panel.policies.errors import NothingChanged, NotHosted
from trinco.panel.policies.proposals import MX_AGE, judged, last_mx, require_narrow
from trinco.panel.policies.ways import Ways, set_ways

_AT_ONCE = 32
"""Domains whose mail servers are looked at at the same time."""
_FEW = 500
"""Names that are asked for one by one; the rows of more are all read."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the file we are, and whose domains are there.

    `organisation` is None where there is none yet, as in a dry run that would add it. `inherited`: what the provider
    demands of its people, which a new client begins with.
    """

    path: tuple[str, ...]
    terms: Terms
    organisation: Organisation | None = None
    inherited: bool = False

    def step(self, domain: str, kind: Kind) -> Step:
        return Step(self.path, domain, kind)


def settled(place: Place, declared: Sequence[DeclaredDomain]) -> Iterator[Step]:
    """Take each domain's step, in the file's order, and then those of the domains that leave."""
    few = None if place.terms.prune or len(declared) > _FEW else [each.name for each in declared]
    held = present.held(place.organisation, few) if place.organisation else {}
    known = last_mx(each.standing for each in held.values() if each.standing)
    for start in range(0, len(declared), _AT_ONCE):
        some = [_compared(each, held.get(each.name), known) for each in declared[start : start + _AT_ONCE]]
        servers = {} if place.terms.dry else looked(each.declared.name for each in some if each.needs_look)
        for todo in some:
            yield _one(place, todo, servers.get(todo.declared.name))
    if place.terms.prune:
        named = place.terms.keep | {each.name for each in declared}
        yield from _pruned(place, [held[name].domain for name in sorted(held.keys() - named)])


@dataclass(frozen=True, slots=True)
class _Todo:
    """A domain with what there is to do for it."""

    declared: DeclaredDomain
    held: Held | None
    wanted: Wanted
    problem: TrincoError | None = None

    @property
    def kind(self) -> Kind:
        if self.held is None:
            return Kind.ADD
        return Kind.CHANGE if self.wanted.differences else Kind.NONE

    @property
    def force(self) -> bool:
        return bool(self.declared.policy and self.declared.policy.force)

    @property
    def needs_look(self) -> bool:
        """Whether `enforce` is judged by mail servers that were not read lately."""
        if self.wanted.policy is None or self.wanted.policy.mode is not Mode.ENFORCE:
            return False
        read_at = self.held.domain.mx_checked_at if self.held else None
        return read_at is None or timezone.now() - read_at > MX_AGE


def _compared(declared: DeclaredDomain, held: Held | None, known: Mapping[int, Sequence[str]]) -> _Todo:
    try:
        return _Todo(declared, held, compare(declared, held, known.get(held.domain.pk, ()) if held else ()))
    except TrincoError as problem:
        return _Todo(declared, held, Wanted(), problem)


def _one(place: Place, todo: _Todo, servers: Servers | None) -> Step:
    dry = place.terms.dry
    step = replace(
        place.step(todo.declared.name, todo.kind),
        differences=todo.wanted.differences,
        unjudged=dry and todo.needs_look and not todo.force,
    )
    try:
        _require_possible(todo)
        if place.organisation and todo.kind is not Kind.NONE and not dry:
            _settle(place.organisation, todo, servers, place.terms.actor)
    except TrincoError as problem:
        return replace(step, problem=problem)
    return step


def _require_possible(todo: _Todo) -> None:
    """What is refused without a look at DNS, so that a dry run says it too. Raises what the deeds would."""
    held, policy = todo.held, todo.wanted.policy
    if todo.problem:
        raise todo.problem
    if held is None and domains.is_ours(todo.declared.name):
        raise OurOwnName(todo.declared.name)
    if held and held.domain.state == State.LEAVING:
        raise NotHosted(held.domain.state)
    if policy:
        require_narrow(held.standing if held else None, policy)
    if policy and held and not todo.needs_look:
        judged(held.domain, policy, override=todo.force)


@transaction.atomic
def _settle(organisation: Organisation, todo: _Todo, servers: Servers | None, actor: Actor) -> None:
    name = Domain.parse(todo.declared.name)
    domain = todo.held.domain if todo.held else domains.add(organisation=organisation, name=name, actor=actor)
    if servers is not None:
        note_mx(domain, servers, timezone.now())
        domain.refresh_from_db()
    if todo.wanted.reporting:
        domains.set_tlsrpt(domain=domain, actor=actor, **cast(domains.Reporting, todo.wanted.reporting))
    if todo.wanted.ways:
        set_ways(domain=domain, actor=actor, **cast(Ways, todo.wanted.ways))
    if todo.wanted.tags is not None:
        tags.set_tags(domain=domain, names=todo.wanted.tags, actor=actor)
    if todo.wanted.policy:
        with suppress(NothingChanged):  # somebody else did it meanwhile
            number = todo.held.standing.current.number if todo.held and todo.held.standing else 0
            policies.settle(
                domain=domain, policy=todo.wanted.policy, actor=actor, override=todo.force, expected_number=number
            )


def _pruned(place: Place, rows: Iterable[HostedDomain]) -> Iterator[Step]:
    for domain in rows:
        if domain.state != State.LEAVING:
            yield _left(place, domain)


def _left(place: Place, domain: HostedDomain) -> Step:
    step = place.step(domain.name, Kind.LEAVE if domain.state == State.LIVE else Kind.GIVE_UP)
    try:
        if place.terms.dry:
            return step
        if step.kind is Kind.LEAVE:
            policies.leave(domain=domain, actor=place.terms.actor)
        else:
            domains.remove_unverified(domain=domain, actor=place.terms.actor)
    except TrincoError as problem:
        return replace(step, problem=problem)
    return step
