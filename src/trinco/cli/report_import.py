"""`trinco report import PATH...`: TLS reports from files and mailboxes into the database, counted once each.

The work is done by `report_importing`, imported when the command runs: `trinco report show` needs no Django.
"""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import Annotated, Any

import typer

from trinco.cli.main import EXIT_CLEAN, EXIT_UNTESTED, NEEDS_SERVER
from trinco.cli.report_inputs import Order


def import_reports(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Reports as JSON, .gz, .zip or mail; mbox files, Maildirs, folders; - for standard input; "
            "imaps://USER@HOST[:PORT]/FOLDER for a mailbox.",
        ),
    ],
    organisation: Annotated[
        str, typer.Option("--organisation", metavar="NAME|ID", help="Whose: needed where several organisations are.")
    ] = "",
    trusted: Annotated[
        bool, typer.Option("--trusted", help="You know where they come from: count them without a signature too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    unread: Annotated[bool, typer.Option("--unread", help="Of a mailbox only the unread mails.")] = False,
    move_to: Annotated[
        str,
        typer.Option("--move-to", metavar="FOLDER", help="Move mails there once they are kept; default: leave all."),
    ] = "",
    password_file: Annotated[
        Path | None, typer.Option("--password-file", help="The mailbox's password, in a file; default: ask.")
    ] = None,
    roots: Annotated[
        Path | None,
        typer.Option(
            "--ca", exists=True, dir_okay=False, help="Trust these authorities (PEM) for the mailbox, not the system's."
        ),
    ] = None,
) -> None:
    """Take TLS reports into the database: each is kept, read and counted once, however often it is imported.

    Reports about domains that are not yours are kept and counted nowhere. Ctrl-C stops after the portion at hand;
    a second run goes on from there. Exit 0: all was read; 3: something could not be.
    """
    order = Order(tuple(paths), organisation, trusted, as_json, unread, move_to, password_file, roots)
    well: bool = _importing().run(order)
    raise typer.Exit(EXIT_CLEAN if well else EXIT_UNTESTED)


def _importing() -> Any:
    if importlib.util.find_spec("django") is None:
        raise typer.BadParameter(NEEDS_SERVER.format(name="report import"))
    return importlib.import_module("trinco.cli.report_importing")
