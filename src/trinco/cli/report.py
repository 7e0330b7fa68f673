"""`trinco report`: TLS reports from the command line (RFC 8460).

`show` explains them, adds them up, or turns them into JSON and CSV; `import` takes them into the database;
`rebuild` and `prune` look after what is there.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from typing import Annotated, Any

import typer

from trinco.cli import report_store
from trinco.cli.main import EXIT_CLEAN, EXIT_FINDING, EXIT_UNTESTED
from trinco.cli.report_import import import_reports
from trinco.cli.report_sources import Collection, Found, collect
from trinco.cli.report_tables import COLUMNS, By, as_text, columns_of, rows_of, table
from trinco.cli.report_words import SAME_SESSIONS, lines_of
from trinco.core.tables import as_csv, printable
from trinco.core.tlsrpt.render import document

report_commands = typer.Typer(no_args_is_help=True, help="Read TLS reports, and keep them.")


def register(app: typer.Typer) -> None:
    """Add `report` to the command line."""
    app.add_typer(report_commands, name="report")


@report_commands.command("show")
def show(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Reports as JSON, .gz, .zip or mail; mbox files, Maildirs, folders; - for standard input.",
        ),
    ],
    by: Annotated[By | None, typer.Option("--by", help="Add up: a table by result, by source or by day.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV that is safe to open in a spreadsheet.")] = False,
) -> None:
    """Explain TLS reports: what failed, where, the likely cause, and what to do.

    What a file holds is told by its content, not by its name. A report that comes again is counted once. Sessions of
    `sts` and of `tlsa` are never added together. Exit 0: no failures; 1: a report tells of failures; 3: something could
    not be read.
    """
    if as_json and csv:
        raise typer.BadParameter("it goes with one of them", param_hint="--json, --csv")
    _survive_narrow_encodings()
    collection = collect(paths)
    if as_json:
        typer.echo(json.dumps(_whole(collection, by), indent=2))
    else:
        for line in _csv(collection, by) if csv else _text(collection, by):
            typer.echo(line, nl=not csv)
        _tell(collection)
    raise typer.Exit(_exit_code(collection))


report_commands.command("import")(import_reports)
report_commands.command("rebuild")(report_store.rebuild)
report_commands.command("prune")(report_store.prune)


def _exit_code(collection: Collection) -> int:
    if collection.failed:
        return EXIT_FINDING
    return EXIT_UNTESTED if collection.unreadable or not collection.found else EXIT_CLEAN


def _tell(collection: Collection) -> None:
    """What could not be read and the counts, on standard error: the reports have standard output."""
    for each in collection.unreadable:
        typer.echo(f"trinco: {printable(each.source)}: {printable(each.reason)}", err=True)
    typer.echo(", ".join(f"{count} {what}" for what, count in collection.counts.items()), err=True)


def _text(collection: Collection, by: By | None) -> Iterator[str]:
    if by is None:
        for number, each in enumerate(collection.found):
            yield from ([""] if number else [])
            yield from lines_of(each)
        return
    yield from as_text(table(collection.found, by), columns_of(by))
    if {"sts", "tlsa"} <= {one.policy_type for each in collection.found for one in each.report.policies}:
        yield SAME_SESSIONS


def _csv(collection: Collection, by: By | None) -> Iterable[str]:
    if by is None:
        return as_csv(rows_of(collection.found), COLUMNS)
    return as_csv(table(collection.found, by), columns_of(by))


def _whole(collection: Collection, by: By | None) -> dict[str, Any]:
    unreadable = [asdict(each) for each in collection.unreadable]
    end = {**collection.counts, "unreadable_sources": unreadable}
    if by is None:
        return {"reports": [_facts(each) for each in collection.found], **end}
    return {"by": by.value, "rows": table(collection.found, by), **end}


def _facts(each: Found) -> dict[str, Any]:
    """The report under the standard's names, and what it does not say itself."""
    policies = [
        {"difference": one.difference, "policy_domain_inferred": one.policy_domain_inferred}
        for one in each.report.policies
    ]
    return {"source": each.source, "report": document(each.report), "notes": policies}


def _survive_narrow_encodings() -> None:
    """A name that the terminal's encoding lacks is escaped, not fatal."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
