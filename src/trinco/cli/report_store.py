"""`trinco report rebuild [DOMAIN]` and `trinco report prune`: what the database holds of TLS reports.

The work is done by `report_storing`, imported when a command runs: `trinco report show` needs no Django.
"""

from __future__ import annotations

import importlib
import importlib.util
from typing import Annotated, Any

import typer

from trinco.cli.main import EXIT_CLEAN, EXIT_FINDING, NEEDS_SERVER

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def rebuild(
    domain: Annotated[str, typer.Argument(metavar="[DOMAIN]", help="This mail domain alone; default: all.")] = "",
    as_json: Json = False,
) -> None:
    """Work out rows and daily totals anew from the raw reports that are kept.

    The server may run meanwhile. Ctrl-C stops it after the portion at hand; it may be begun again at any time. Reports
    whose raw text retention has removed stay as they are, and so do the totals of days whose reports it has removed.
    Exit 0: all was read again; 1: a raw report can no longer be read.
    """
    well: bool = _storing("rebuild").rebuild(domain, as_json=as_json)
    raise typer.Exit(EXIT_CLEAN if well else EXIT_FINDING)


def prune(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would be removed.")] = False,
    as_json: Json = False,
) -> None:
    """Remove what is older than each organisation keeps it. The worker does so by itself; totals stay for ever."""
    _storing("prune").prune(dry_run=dry_run, as_json=as_json)


def _storing(name: str) -> Any:
    if importlib.util.find_spec("django") is None:
        raise typer.BadParameter(NEEDS_SERVER.format(name=f"report {name}"))
    return importlib.import_module("trinco.cli.report_storing")
