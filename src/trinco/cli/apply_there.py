"""`trinco apply FILE --server URL`: the part of the file that is about the token's organisation and its clients, in
portions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any
from urllib.parse import urlencode

from trinco.cli.remote import Server, ServerError
from trinco.panel.declared.values import Declaration, DeclaredOrganisation
from trinco.panel.declared.writing import written

_MOUNT = re.compile(r"/o/[0-9]+$")
AT_ONCE = 50
"""Domains of one request: their mail servers may all be silent, and somebody watches."""


@dataclass(frozen=True, slots=True)
class Portion:
    """What became of some domains: steps as `declared.telling.facts` has them, and how many are as declared."""

    steps: list[dict[str, Any]]
    same: int


def whose(server: Server) -> str:
    """The name of the token's organisation. Raises ServerError."""
    answer = server.ask("/state")
    with _understood():
        name, _file = str(answer["organisation"]), str(answer["file"])
        return name


def held(server: Server) -> tuple[str, list[str]]:
    """What the token's organisation and its clients host as a file, and whom it leaves out. Raises ServerError."""
    answer = server.ask("/state?clients=true")
    with _understood():
        return str(answer["file"]), [str(each) for each in answer["left_out"]]


def part_of(declaration: Declaration, name: str) -> tuple[DeclaredOrganisation, list[str]]:
    """What the file says of this organisation and its clients, and the others that it names. Raises ServerError."""
    everybody = list(chain.from_iterable((each, *each.clients) for each in declaration.organisations))
    mine = [each for each in everybody if each.name == name]
    if len(mine) != 1:
        told = "more than once" if mine else "nowhere"
        raise ServerError(f"the token is about “{name}”, which the file names {told}", usage=True)
    ours = (mine[0], *mine[0].clients)
    return mine[0], [each.name for each in everybody if not any(each is one for one in ours)]


def portions(server: Server, declared: DeclaredOrganisation, *, dry: bool, prune: bool) -> Iterator[Portion]:
    """Apply it in portions, each told when it is done. Raises ServerError: what was told before stays done."""
    yield from _domains(server, declared, dry=dry, prune=prune)
    if declared.clients:
        yield from _of_clients(server, declared, dry=dry, prune=prune)
    yield from _terms(server, declared, dry=dry)  # at the end: whoever lacks a second factor is not let in then


def _domains(server: Server, declared: DeclaredOrganisation, *, dry: bool, prune: bool) -> Iterator[Portion]:
    domains, bare = declared.domains or (), replace(_unspoken(declared), domains=(), clients=())
    for start in range(0, len(domains), AT_ONCE):
        yield _sent(server, replace(bare, domains=domains[start : start + AT_ONCE]), dry=dry)
    if prune and declared.domains is not None:
        yield _sent(server, bare, [each.name for each in domains], dry=dry)


def _terms(server: Server, declared: DeclaredOrganisation, *, dry: bool) -> Iterator[Portion]:
    bare = replace(declared, domains=None, clients=())
    if bare != _unspoken(bare):
        yield _sent(server, bare, dry=dry)


def _unspoken(declared: DeclaredOrganisation) -> DeclaredOrganisation:
    """It, without a word about what it demands of its people."""
    return replace(declared, second_factor=None, single_sign_on=None)


def _of_clients(server: Server, declared: DeclaredOrganisation, *, dry: bool, prune: bool) -> Iterator[Portion]:
    """First those that are not there are made, and then each is brought in line. One that is refused stops no other."""
    there = _clients(server)
    missing = [_heir(each, declared) for each in declared.clients if each.name not in there]
    refused: set[str] = set()
    for start in range(0, len(missing), AT_ONCE):
        portion = _sent(server, _over(declared, missing[start : start + AT_ONCE]), dry=dry)
        refused |= {step["organisation"][-1] for step in portion.steps if step["refused"] is not None}
        yield Portion([step for step in portion.steps if step["refused"] or step["step"] == "add"], portion.same)
    numbers = _clients(server) if missing and not dry else there
    for client in (each for each in declared.clients if each.name not in refused):
        if dry and client.name not in there:
            yield from _imagined(server, declared, client)
            continue
        for portion in _of_client(server, client, numbers.get(client.name, []), dry=dry, prune=prune):
            yield Portion([_below(declared.name, step) for step in portion.steps], portion.same)


def _heir(client: DeclaredOrganisation, provider: DeclaredOrganisation) -> DeclaredOrganisation:
    """As it begins: with what the file demands of its provider's people, which is set there at the end only. What the
    file says of the client itself comes after its domains."""
    begins = provider.second_factor if client.second_factor is None else None
    return DeclaredOrganisation(client.name, begins)


def _imagined(server: Server, declared: DeclaredOrganisation, client: DeclaredOrganisation) -> Iterator[Portion]:
    """What would be done for one that a dry run does not make, beside making it."""
    domains = client.domains or ()
    parts = [replace(_unspoken(client), domains=domains[at : at + AT_ONCE]) for at in range(0, len(domains), AT_ONCE)]
    for part in (*parts, replace(client, domains=None)):
        portion = _sent(server, _over(declared, [part]), dry=True)
        yield Portion([step for step in portion.steps if step["domain"] or step["step"] != "add"], portion.same)


def _over(provider: DeclaredOrganisation, clients: list[DeclaredOrganisation]) -> DeclaredOrganisation:
    return DeclaredOrganisation(provider.name, clients=tuple(clients))


def _of_client(
    server: Server, client: DeclaredOrganisation, numbers: list[int], *, dry: bool, prune: bool
) -> Iterator[Portion]:
    """By the provider's token, at the client's addresses."""
    if len(numbers) != 1:
        how = "several clients are" if numbers else "no client there is"
        yield _refused(client.name, f"{how} called so; the clients that the token sees are in `GET /api/v1/clients`")
        return
    at = replace(server, url=f"{_MOUNT.sub('', server.url)}/o/{numbers[0]}")
    try:
        yield from _domains(at, client, dry=dry, prune=prune)
        yield from _terms(at, client, dry=dry)
    except ServerError as problem:
        if not problem.usage:
            raise
        yield _refused(client.name, str(problem))  # as where it wants a second factor that the person does not have


def _clients(server: Server) -> dict[str, list[int]]:
    """The numbers of the provider's clients, by name. Raises ServerError."""
    found: dict[str, list[int]] = {}
    cursor: dict[str, str] = {}
    while True:
        answer = server.ask(f"/clients?{urlencode({'limit': 500, **cursor})}")
        with _understood():
            for row in answer["rows"]:
                found.setdefault(str(row["name"]), []).append(int(row["id"]))
            if answer["next"] is None:
                return found
            cursor = {"cursor": str(answer["next"])}


def _refused(name: str, why: str) -> Portion:
    return Portion([{"organisation": [name], "domain": None, "step": "none", "differences": {}, "refused": why}], 0)


def _below(provider: str, step: dict[str, Any]) -> dict[str, Any]:
    return {**step, "organisation": [provider, *step["organisation"]]}


def _sent(server: Server, some: DeclaredOrganisation, keep: list[str] | None = None, *, dry: bool) -> Portion:
    body = {"file": written(Declaration((some,))).decode(), **({} if keep is None else {"keep": keep})}
    answer = server.ask("/state?dry_run=true" if dry else "/state", body)
    with _understood():
        return Portion([_checked(step) for step in answer["steps"]], int(answer["same"]))


@contextmanager
def _understood() -> Iterator[None]:
    """What is read within is as our API says it. Raises ServerError."""
    try:
        yield
    except (LookupError, TypeError, ValueError):
        raise ServerError("the server's answer is not that of a Trinco that knows `apply`") from None


def _checked(step: Any) -> dict[str, Any]:
    """A step as it is told. Raises LookupError, TypeError."""
    differences = {
        str(name): {side: _text(value[side]) for side in ("before", "after")}
        for name, value in dict(step["differences"]).items()
    }
    told: dict[str, Any] = {
        "organisation": [str(each) for each in step["organisation"]],
        "domain": _text(step["domain"]),
        "step": str(step["step"]),
        "differences": differences,
        "refused": _text(step["refused"]),
    }
    return {**told, "unjudged": True} if step.get("unjudged") else told


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
