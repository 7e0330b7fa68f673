"""`trinco record lint TEXT...`: the TXT records of one name, for MTA-STS or TLSRPT (RFC 8461 3.1, RFC 8460 3)."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from trinco.cli.policy import AsJson
from trinco.cli.remarks import FailOn, exit_code, show, show_json, untested
from trinco.core import records
from trinco.core.mtasts import record as mtasts
from trinco.core.tables import printable
from trinco.core.tlsrpt import record as tlsrpt
from trinco.core.txt import joined

MAX_OCTETS = 1 << 20
"""Octets read from standard input at most: some sixteen of the largest records that DNS can carry."""

STANDARDS: dict[str, records.Standard[Any]] = {"mta-sts": mtasts.STANDARD, "tlsrpt": tlsrpt.STANDARD}

record_commands = typer.Typer(no_args_is_help=True, help="Check the TXT records of MTA-STS and TLSRPT.")


def register(app: typer.Typer) -> None:
    """Add `record` to the command line."""
    app.add_typer(record_commands, name="record")


@record_commands.command("lint")
def lint(
    texts: Annotated[
        list[str],
        typer.Argument(metavar="TEXT...", help="All TXT records of one name, each as one word; - reads one a line."),
    ],
    as_json: AsJson = False,
    fail_on: Annotated[FailOn, typer.Option(help="The least severity that makes the exit code 1.")] = FailOn.WARNING,
) -> None:
    """Check the TXT records at _mta-sts or _smtp._tls, told apart by how they begin (v=STSv1, v=TLSRPTv1).

    A record may stand in the quotes of a zone file or of `dig +short`: "v=STSv1; " "id=1;" is one record in two
    strings. Exit 0: clean; 1: a finding.
    """
    read = [joined(text) for text in _each(texts)]
    remarks = records.lint(list(STANDARDS.values()), read)
    if as_json:
        show_json({"records": [{"text": text, "kind": _kind(text)} for text in read]}, remarks)
    elif remarks:
        show("record", remarks)
    else:
        for text in read:
            typer.echo(f"{_kind(text)}: valid, nothing to remark: {printable(text)}")
    raise typer.Exit(exit_code(remarks, fail_on))


def _each(texts: list[str]) -> Iterator[str]:
    """The records: an argument may hold several lines, as a shell gives the output of `dig +short`."""
    for text in texts:
        lines = (_standard_input() if text == "-" else text).split("\n")
        yield from (line.removesuffix("\r") for line in lines if line.strip(" \t\r"))


def _standard_input() -> str:
    try:
        return sys.stdin.buffer.read(MAX_OCTETS).decode("utf-8", "replace")
    except (OSError, ValueError) as error:
        raise untested(f"cannot read standard input: {error}") from error


def _kind(text: str) -> str | None:
    standard = records.resembled(STANDARDS.values(), text)
    return next((name for name, known in STANDARDS.items() if known is standard), None)
