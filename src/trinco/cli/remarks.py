"""How lint's remarks are printed and turned into an exit code, the same for every command that lints."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from enum import StrEnum
from typing import Any

import typer

from trinco.cli.main import EXIT_CLEAN, EXIT_FINDING, EXIT_UNTESTED
from trinco.core.remarks import Remark
from trinco.core.tables import printable


class FailOn(StrEnum):
    """The least severity that counts as a finding in the exit code."""

    ERROR = "error"
    WARNING = "warning"


def exit_code(remarks: Iterable[Remark], fail_on: FailOn) -> int:
    """1 when a remark is at or above the threshold."""
    counted = {"error"} if fail_on is FailOn.ERROR else {"error", "warning"}
    return EXIT_FINDING if any(remark.severity in counted for remark in remarks) else EXIT_CLEAN


def show(source: str, remarks: Iterable[Remark]) -> None:
    """One line each on standard output, as editors and grep understand it: source:line:column: severity: reason."""
    for line in _lines(source, remarks, sys.stdout):
        typer.echo(line)


def warn(source: str, remarks: Iterable[Remark]) -> None:
    """The same on standard error, beside a result that goes to standard output."""
    for line in _lines(source, remarks, sys.stderr):
        typer.echo(line, err=True)


def show_json(facts: Mapping[str, Any], remarks: Iterable[Remark]) -> None:
    """One JSON object: the facts, then `remarks`."""
    typer.echo(json.dumps({**facts, "remarks": [asdict(remark) for remark in remarks]}, indent=2))


def untested(message: str) -> typer.Exit:
    """Say on standard error why nothing could be tested; to be raised: exit 3."""
    typer.echo(f"trinco: {printable(message)}", err=True)
    return typer.Exit(EXIT_UNTESTED)


def _lines(source: str, remarks: Iterable[Remark], stream: Any) -> Iterable[str]:
    for remark in remarks:
        place = f"{printable(source)}:{remark.line}:{remark.column}"
        yield f"{place}: {_coloured(remark.severity, stream)}: {remark.reason} [{remark.key}]"


def _coloured(severity: str, stream: Any) -> str:
    """The word in colour on a terminal, plain in a pipe and where NO_COLOR or a dumb terminal ask for it."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb" or not stream.isatty():
        return severity
    return typer.style(severity, fg="red" if severity == "error" else "yellow", bold=True)
