"""`trinco doctor`: hold the settings against this machine and against the world."""

from __future__ import annotations

import asyncio
import importlib
import os
from typing import Annotated

import msgspec
import typer

from trinco import config
from trinco.cli import examine_reports, examine_world, place
from trinco.cli.findings import Finding, exit_code

_MARKS = {"ok": "ok      ", "warning": "warning ", "error": "error   ", "untested": "untested"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(as_json: Annotated[bool, typer.Option("--json", help="The findings as JSON.")] = False) -> None:
    """Check this installation: data directory, database, clock, listeners, delegation, name servers, policy hosts, and
    the doors for reports.

    Takes the settings from the environment; those that a running `trinco serve` has chosen by itself (its ports) are
    read from the data directory. Exit code 0: all is well; 1: something is wrong; 2: a setting is; 3: something could
    not be looked at.
    """
    try:
        os.environ.update(place.remembered(os.environ))
        settings = config.load(os.environ)
    except config.ConfigError as problem:
        typer.echo(f"trinco doctor: {problem}", err=True)
        raise typer.Exit(2) from problem
    here, token = _here(settings)
    findings = [*here, *asyncio.run(_world(settings, token))]
    typer.echo(_json(findings) if as_json else _text(findings))
    raise typer.Exit(exit_code(findings))


def _here(settings: config.Config) -> tuple[list[Finding], str]:
    """What is on this machine, and a token that reports are taken under; "": none.

    Imported here, since Django reads the environment while it is imported.
    """
    here = importlib.import_module("trinco.cli.examine_here")
    return list(here.examine(settings)), here.token()


async def _world(settings: config.Config, token: str) -> list[Finding]:
    seen = [finding async for finding in examine_world.examine(settings)]
    return seen + [finding async for finding in examine_reports.examine(settings, token)]


def _text(findings: list[Finding]) -> str:
    lines = []
    for finding in findings:
        lines.append(f"{_MARKS[finding.verdict]}  {finding.part}: {finding.seen}")
        if finding.advice:
            lines.append(f"{'':10}{finding.advice}")
    return "\n".join(lines)


def _json(findings: list[Finding]) -> str:
    return msgspec.json.format(msgspec.json.encode({"findings": findings}), indent=2).decode()
