"""`trinco policy lint FILE|-` and `trinco policy make`: MTA-STS policy files (RFC 8461 section 3.2)."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Annotated

import typer

from trinco.cli.remarks import FailOn, exit_code, show, show_json, untested, warn
from trinco.core.errors import PolicySyntaxError
from trinco.core.mtasts import mx
from trinco.core.mtasts.policy import DEFAULT_MAX_AGE, MAX_OCTETS, Mode, Policy, lint, parse, render
from trinco.core.tables import printable

policies = typer.Typer(no_args_is_help=True, help="Check a policy file, or write one.")

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def register(app: typer.Typer) -> None:
    """Add `policy` to the command line."""
    app.add_typer(policies, name="policy")


@policies.command("lint")
def lint_file(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="The policy file; - for standard input.")],
    as_json: AsJson = False,
    fail_on: Annotated[FailOn, typer.Option(help="The least severity that makes the exit code 1.")] = FailOn.WARNING,
) -> None:
    """Check a policy file line by line. Exit 0: clean; 1: a finding; 3: the file cannot be read."""
    body = _read(file)
    remarks = lint(body)
    if as_json:
        show_json({"source": file, "policy": _parsed(body)}, remarks)
    elif remarks:
        show(file, remarks)
    else:
        typer.echo(f"{printable(file)}: a valid policy, nothing to remark")
    raise typer.Exit(exit_code(remarks, fail_on))


@policies.command("make")
def make(
    mode: Annotated[Mode, typer.Option(help="What senders do when a message does not meet the policy.")],
    mx_patterns: Annotated[
        list[str] | None, typer.Option("--mx", help="An MX host, or *.domain for any one label; repeat it for more.")
    ] = None,
    max_age: Annotated[
        str | None, typer.Option(help="Seconds that senders keep the policy. [default: a day; enforce: a week]")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write a policy file to standard output, with the line ends of the standard. Exit 2: no such policy can be."""
    policy = _made(mode, mx_patterns or [], max_age)
    body = render(policy)
    if as_json:
        typer.echo(json.dumps({**_facts(policy), "body": body.decode("ascii")}, indent=2))
    else:
        sys.stdout.buffer.write(body)
        sys.stdout.buffer.flush()
    remarks = lint(body)
    warn("policy", remarks)
    raise typer.Exit(exit_code(remarks, FailOn.WARNING))


def _read(file: str) -> bytes:
    """The octets of the file, one more than any policy has at most."""
    try:
        if file == "-":
            return sys.stdin.buffer.read(MAX_OCTETS + 1)
        with Path(file).open("rb") as opened:
            return opened.read(MAX_OCTETS + 1)
    except (OSError, ValueError) as error:
        raise untested(f"cannot read {file}: {getattr(error, 'strerror', None) or error}") from error


def _parsed(body: bytes) -> dict[str, object] | None:
    """What a sender would read in it; None: the policy is invalid."""
    try:
        return _facts(parse(body))
    except PolicySyntaxError:
        return None


def _facts(policy: Policy) -> dict[str, object]:
    return {"mode": policy.mode.value, "mx": list(policy.mx), "max_age": policy.max_age}


def _made(mode: Mode, patterns: list[str], max_age: str | None) -> Policy:
    if max_age is not None and not re.fullmatch(r"[0-9]{1,10}", max_age):
        raise typer.BadParameter("a whole number of seconds, in the digits 0-9", param_hint="--max-age")
    seconds = DEFAULT_MAX_AGE[mode] if max_age is None else int(max_age)
    try:
        return Policy(mode, tuple(mx.pattern(pattern) for pattern in patterns), seconds)
    except PolicySyntaxError as error:
        raise typer.BadParameter(error.reason) from error
