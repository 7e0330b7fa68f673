"""A declaration → the file: the same state gives the same octets."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator

from trinco.core.mtasts.policy import Mode
from trinco.core.tables import printable
from trinco.panel.declared.reading import RECORDS, REPORTING, VERSION
from trinco.panel.declared.values import Declaration, DeclaredDomain, DeclaredOrganisation, DeclaredPolicy

_HEAD = (
    "# What Trinco hosts, for whom and how: written by `trinco export state`, taken by `trinco apply`.",
    f"version: {VERSION}",
)
_STEP = "  "


def written(declaration: Declaration, left_out: Iterable[str] = ()) -> bytes:
    """UTF-8, in the order that is given. What is not said is left out, so that it reads as it was. `left_out`: the
    names of those that it leaves out, which a remark says."""
    remarks = [f"# Left out: {printable(name)}: others are called so, or it cannot be written." for name in left_out]
    lines = [*_HEAD, *remarks, *_organisations("", "organisations", declaration.organisations)]
    return ("\n".join(lines) + "\n").encode()


def _organisations(indent: str, key: str, organisations: tuple[DeclaredOrganisation, ...]) -> Iterator[str]:
    yield f"{indent}{key}:" if organisations else f"{indent}{key}: {{}}"
    for each in organisations:
        yield f"{indent}{_STEP}{_quoted(each.name)}:"
        yield from _organisation(indent + 2 * _STEP, each)


def _organisation(indent: str, organisation: DeclaredOrganisation) -> Iterator[str]:
    if organisation.second_factor is not None:
        yield f"{indent}second_factor: {_word(organisation.second_factor)}"
    if organisation.single_sign_on is not None:
        yield f"{indent}single_sign_on: {_word(organisation.single_sign_on)}"
    if organisation.domains is not None:
        yield f"{indent}domains:" if organisation.domains else f"{indent}domains: {{}}"
        for each in organisation.domains:
            yield f"{indent}{_STEP}{each.name}:"
            yield from _domain(indent + 2 * _STEP, each)
    if organisation.clients:
        yield from _organisations(indent, "clients", organisation.clients)


def _domain(indent: str, domain: DeclaredDomain) -> Iterator[str]:
    if domain.policy:
        yield f"{indent}policy:"
        yield from _policy(indent + _STEP, domain.policy)
    if domain.reporting:
        yield f"{indent}tls_reporting:"
        for word, name in REPORTING.items():
            if name in domain.reporting:
                yield f"{indent}{_STEP}{word}: {_word(domain.reporting[name])}"
    if domain.ways:
        yield f"{indent}records:"
        named = [(word, domain.ways[name]) for word, name in RECORDS.items() if name in domain.ways]
        yield from (f"{indent}{_STEP}{word}: {way}" for word, way in named)
    if domain.tags is not None:
        yield f"{indent}tags:" if domain.tags else f"{indent}tags: []"
        yield from (f"{indent}{_STEP}- {_quoted(tag)}" for tag in domain.tags)


def _policy(indent: str, policy: DeclaredPolicy) -> Iterator[str]:
    if policy.mode is not None:
        yield f"{indent}mode: {policy.mode}"
    if policy.max_age is not None:
        yield f"{indent}max_age: {policy.max_age}"
    if policy.mx is not None:
        yield f"{indent}mx:" if policy.mx else f"{indent}mx: []"
    for pattern in policy.mx or ():
        yield f"{indent}{_STEP}- {_quoted(pattern) if '*' in pattern else pattern}"
    if policy.force and policy.mode is not Mode.TESTING and policy.mode is not Mode.NONE:
        yield f"{indent}force: true"


def _quoted(text: str) -> str:
    """In double quotes, as JSON has it, which YAML reads alike."""
    return json.dumps(text, ensure_ascii=False)


def _word(value: object) -> str:
    return "true" if value else "false"
