"""`trinco apply FILE`: brings what is hosted in line with a file (docs/declarative.md), or says what it would do."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from trinco.cli import orm
from trinco.cli.refusals import words
from trinco.core.errors import TrincoError
from trinco.panel.accounts.actors import APPLY
from trinco.panel.declared.errors import AmbiguousOrganisation, DeclarationSyntaxError
from trinco.panel.declared.reading import read
from trinco.panel.declared.services import steps
from trinco.panel.declared.steps import Kind, Step, Terms
from trinco.panel.declared.values import Declaration
from trinco.panel.declared.yamltree import MAX_OCTETS
from trinco.panel.domains import errors as domains
from trinco.panel.policies import errors as policies

_SIGNS = {Kind.ADD: "+", Kind.CHANGE: "~", Kind.LEAVE: "-", Kind.GIVE_UP: "-"}
_ENDS = {
    Kind.LEAVE: "leaves: `mode: none` until no sender holds an older policy",
    Kind.GIVE_UP: "is given up: it was never served",
}
_WORDS: dict[type[TrincoError], str] = {
    AmbiguousOrganisation: "several organisations have this name; rename all but one",
    domains.TooManyTags: "an organisation has 100 tags at most",
    policies.NoMxYet: "the policy wants an mx list, and the domain never had one",
}
_OVERRIDE = "`force: true` goes on, on the record"


def register(app: typer.Typer) -> None:
    """Add `apply` to the command line."""
    app.command("apply")(apply)


def apply(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="YAML, as `trinco export state` writes it.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Change nothing; say what would be done.")] = False,
    prune: Annotated[bool, typer.Option("--prune", help="Domains that the file does not name leave.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False,
) -> None:
    """Bring organisations, domains, policies and TLS reporting in line with a file.

    What the file does not name stays, unless --prune: then the other domains of the organisations that it names leave,
    as with `trinco domain remove`. Each domain is done by itself; what is refused is told, and the rest goes on. Run it
    again after it was interrupted.

    Exit 1: with --dry-run, something would change. Exit 2: the file is not taken, or something is refused.
    """
    with orm.tables():
        taken: list[Step] = []
        for step in steps(_declaration(file), Terms(APPLY, prune=prune, dry=dry_run)):
            taken.append(step)
            if not as_json:
                _say(step)
    if as_json:
        typer.echo(json.dumps([_facts(step) for step in taken if _matters(step)], indent=2))
    else:
        typer.echo(_sum(taken, dry=dry_run))
    code = _code(taken, dry=dry_run)
    if code:
        raise typer.Exit(code)


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


def _matters(step: Step) -> bool:
    return step.kind is not Kind.NONE or step.problem is not None


def _say(step: Step) -> None:
    """A refusal goes to standard error."""
    name = " / ".join([*step.path, *([step.domain] if step.domain else [])])
    if step.problem:
        typer.echo(f"! {name}: {_why(step.problem)}", err=True)
    elif _matters(step):
        end = _ENDS.get(step.kind)
        typer.echo("\n".join([f"{_SIGNS[step.kind]} {name}{f' {end}' if end else ''}", *_lines(step)]))


def _lines(step: Step) -> Iterator[str]:
    for each in step.differences:
        before = f"{each.before or '-'} -> " if each.before is not None else ""
        yield f"    {each.name}: {before}{each.after or '-'}"
    if step.unjudged:
        yield "    enforce is decided by its MX, which are read when this is applied"


def _why(problem: TrincoError) -> str:
    if isinstance(problem, policies.UncoveredMx):
        return f"enforce would stop mail to {', '.join(problem.hosts)}: no mx of the policy covers it ({_OVERRIDE})"
    if isinstance(problem, policies.MxUnknown):
        return f"enforce wants MX that DNS shows now, and it shows none or is silent ({_OVERRIDE})"
    return _WORDS.get(type(problem)) or words(problem)


def _facts(step: Step) -> dict[str, Any]:
    differences = {each.name: {"before": each.before, "after": each.after} for each in step.differences}
    why = _why(step.problem) if step.problem else None
    where = {"organisation": list(step.path), "domain": step.domain or None}
    return {**where, "step": step.kind, "differences": differences, "refused": why}


def _sum(taken: Iterable[Step], *, dry: bool) -> str:
    count = Counter("refused" if each.problem else "done" if _matters(each) else "same" for each in taken)
    word = "would change" if dry else "changed"
    return f"{count['done']} {word}, {count['refused']} refused, {count['same']} as declared already."


def _code(taken: Iterable[Step], *, dry: bool) -> int:
    mattering = [each for each in taken if _matters(each)]
    if any(each.problem for each in mattering):
        return orm.EXIT_USAGE
    return orm.EXIT_FINDING if mattering and dry else 0
