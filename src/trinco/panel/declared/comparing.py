"""What differs between what is declared of a domain and what it has: a pure question on rows that were read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from trinco.core.mtasts.policy import Policy
from trinco.core.tags import key
from trinco.panel.declared.present import Held, seen_way
from trinco.panel.declared.reading import RECORDS, REPORTING
from trinco.panel.declared.values import DeclaredDomain
from trinco.panel.domains.models import Way
from trinco.panel.domains.services import reporting_of
from trinco.panel.policies.proposals import filled
from trinco.panel.policies.versions import policy_of
from trinco.panel.policies.ways import ways_of

_WORDS = {name: f"tls_reporting.{word}" for word, name in REPORTING.items()}
_RECORDS = {name: f"records.{word}" for word, name in RECORDS.items()}
_BEGINS = {"on": True, "https": False, "trust_https": False}
"""How a new domain's reporting stands."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One value. `before` is None where there was none."""

    name: str
    before: str | None
    after: str


@dataclass(frozen=True, slots=True)
class Wanted:
    """What there is to do for a domain: a policy to publish (None: none), reporting to set (empty: none), tags to have
    (None: those that it has), ways of publishing to choose (empty: none)."""

    policy: Policy | None = None
    reporting: Mapping[str, bool] = field(default_factory=dict)
    differences: tuple[Difference, ...] = ()
    tags: tuple[str, ...] | None = None
    ways: Mapping[str, str] = field(default_factory=dict)


def compare(declared: DeclaredDomain, held: Held | None, last_mx: Sequence[str] = ()) -> Wanted:
    """What to do. `last_mx`: the newest list that the domain had. Raises NoMxYet, PolicySyntaxError."""
    before = policy_of(held.standing.current) if held and held.standing else None
    said = declared.policy
    policy = filled(before, last_mx, mode=said.mode, mx=said.mx, max_age=said.max_age) if said else None
    if before and policy and _same(before, policy):
        policy = None
    now = reporting_of(held.domain) if held else _BEGINS
    reporting = {name: value for name, value in declared.reporting.items() if now[name] != value}
    had = held.tags if held else ()
    tags = None if declared.tags is None or _keys(declared.tags) == _keys(had) else declared.tags
    differences = [*_policies(before, policy), *_reporting(now, reporting), *_tags(had, tags)]
    published = {name: seen_way(way) for name, way in ways_of(held.domain).items()} if held else {}
    ways = {name: way for name, way in declared.ways.items() if published.get(name, Way.CNAME) != way}
    differences += [Difference(_RECORDS[name], published.get(name), way) for name, way in ways.items()]
    return Wanted(policy, reporting, tuple(differences), tags, ways)


def _keys(names: Sequence[str]) -> set[str]:
    return {key(name) for name in names}


def _tags(before: Sequence[str], after: Sequence[str] | None) -> Iterator[Difference]:
    if after is not None:
        yield Difference("tags", ", ".join(before) or None, ", ".join(after))


def _same(before: Policy, policy: Policy) -> bool:
    """The order of the patterns means nothing to senders (RFC 8461 section 4.1)."""
    return (before.mode, before.max_age, set(before.mx)) == (policy.mode, policy.max_age, set(policy.mx))


def _policies(before: Policy | None, after: Policy | None) -> Iterator[Difference]:
    if after is None:
        return
    facts, held = _facts(after), _facts(before) if before else {}
    for name, value in facts.items():
        if name not in held or set(held[name].split()) != set(value.split()):
            yield Difference(name, held.get(name), value)


def _facts(policy: Policy) -> dict[str, str]:
    said = {"mode": str(policy.mode), "max_age": str(policy.max_age), "mx": " ".join(policy.mx)}
    return {f"policy.{name}": value for name, value in said.items()}


def _reporting(now: Mapping[str, bool], wanted: Mapping[str, bool]) -> Iterator[Difference]:
    for name, value in wanted.items():
        yield Difference(_WORDS[name], str(now[name]).lower(), str(value).lower())
