"""`trinco apply FILE`: brings what is hosted in line with a file (docs/declarative.md), or says what it would do."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from django.conf import settings

from trinco.cli import apply_there, orm, remote
from trinco.cli.apply_there import Portion
from trinco.cli.remote import ServerError
from trinco.core.tables import printable
from trinco.panel.accounts.actors import APPLY
from trinco.panel.declared import telling
from trinco.panel.declared.errors import DeclarationSyntaxError
from trinco.panel.declared.reading import read
from trinco.panel.declared.services import steps
from trinco.panel.declared.steps import Terms
from trinco.panel.declared.values import Declaration
from trinco.panel.declared.yamltree import MAX_OCTETS

_SIGNS = {"add": "+", "change": "~", "leave": "-", "give up": "-"}
_ENDS = {
    "leave": "leaves: `mode: none` until no sender holds an older policy",
    "give up": "is given up: it was never served",
}
Facts = dict[str, Any]
"""A step, as `declared.telling` has it."""


def register(app: typer.Typer) -> None:
    """Add `apply` to the command line."""
    app.command("apply")(apply)


def apply(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="YAML, as `trinco export state` writes it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Domains that the file does not name leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
    server: Annotated[str, typer.Option("--server", metavar="URL", help="Another installation, by its API.")] = "",
) -> None:
    """Bring organisations, domains, policies and TLS reporting in line with a file.

    What the file does not name stays, unless --prune: then the other domains of the organisations that it names leave,
    as with `trinco domain remove`. Each domain is done by itself; what is refused is told, and the rest goes on. Run it
    again after it was interrupted.

    With --server it is done there, for the organisation and the clients of the token in TRINCO_TOKEN, or in the file
    that TRINCO_TOKEN_FILE names.

    Exit 1: with --dry-run, something would change. Exit 2: the file is not taken, or something is refused. Exit 3: the
    server does not answer; what was told until then is done.
    """
    with orm.tables():
        declaration = _declaration(file)
        if server:
            some = _there(declaration, server, dry=dry_run, prune=prune)
        else:
            some = _here(declaration, Terms(APPLY, prune=prune, dry=dry_run))
        taken, problem = _taken(some, tell=not as_json)
    if as_json:
        typer.echo(json.dumps([step for portion in taken for step in portion.steps], indent=2))
    else:
        typer.echo(_sum(taken, dry=dry_run))
    if problem:
        raise orm.ended(str(problem), orm.EXIT_USAGE if problem.usage else orm.EXIT_UNTESTED)
    code = _code(taken, dry=dry_run)
    if code:
        raise typer.Exit(code)


def _here(declaration: Declaration, terms: Terms) -> Iterator[Portion]:
    for step in steps(declaration, terms):
        yield Portion([telling.facts(step)], 0) if telling.matters(step) else Portion([], 1)


def _there(declaration: Declaration, url: str, *, dry: bool, prune: bool) -> Iterator[Portion]:
    """What others are in the file is told, and left to their own tokens."""
    there = remote.server(url, settings.CONFIG.token)
    name = apply_there.whose(there)
    declared, others = apply_there.part_of(declaration, name)
    for each in others:
        typer.echo(f"trinco: left alone: {printable(each)}: the token is about {printable(name)}", err=True)
    yield from apply_there.portions(there, declared, dry=dry, prune=prune)


def _taken(some: Iterator[Portion], *, tell: bool) -> tuple[list[Portion], ServerError | None]:
    """What was done, and what put an end to it."""
    taken: list[Portion] = []
    try:
        for portion in some:
            taken.append(portion)
            for step in portion.steps if tell else ():
                _say(step)
    except ServerError as problem:
        return taken, problem
    return taken, None


def _declaration(file: str) -> Declaration:
    try:
        return read(_octets(file))
    except DeclarationSyntaxError as error:
        for problem in error.problems:
            typer.echo(f"trinco: {file}: {problem}", err=True)
        raise typer.Exit(orm.EXIT_USAGE) from error


def _octets(file: str) -> bytes:
    try:
        with sys.stdin.buffer if file == "-" else Path(file).open("rb") as source:
            return source.read(MAX_OCTETS + 1)
    except OSError as error:
        raise orm.ended(f"{file} cannot be read: {error.strerror}", orm.EXIT_USAGE) from error


def _say(step: Facts) -> None:
    """A refusal goes to standard error."""
    name = printable(" / ".join([*step["organisation"], *([step["domain"]] if step["domain"] else [])]))
    if step["refused"] is not None:
        typer.echo(f"! {name}: {printable(step['refused'])}", err=True)
        return
    end = _ENDS.get(step["step"])
    typer.echo("\n".join([f"{_SIGNS.get(step['step'], '?')} {name}{f' {end}' if end else ''}", *_lines(step)]))


def _lines(step: Facts) -> Iterator[str]:
    for name, each in step["differences"].items():
        before = f"{printable(each['before']) or '-'} -> " if each["before"] is not None else ""
        yield f"    {printable(name)}: {before}{printable(each['after'] or '') or '-'}"
    if "unjudged" in step:
        yield "    enforce is decided by its MX, which are read when this is applied"


def _sum(taken: Sequence[Portion], *, dry: bool) -> str:
    mattering = [step for portion in taken for step in portion.steps]
    refused = sum(step["refused"] is not None for step in mattering)
    word, same = "would change" if dry else "changed", sum(portion.same for portion in taken)
    return f"{len(mattering) - refused} {word}, {refused} refused, {same} as declared already."


def _code(taken: Iterable[Portion], *, dry: bool) -> int:
    mattering = [step for portion in taken for step in portion.steps]
    if any(step["refused"] is not None for step in mattering):
        return orm.EXIT_USAGE
    return orm.EXIT_FINDING if mattering and dry else 0
