"""`trinco audit verify`: whether the log of deeds is as it was written."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from trinco.cli import orm
from trinco.cli.domain_show import say
from trinco.panel.accounts.audit import Verdict
from trinco.panel.accounts.audit import verify as verified
from trinco.panel.accounts.models import Organisation

group = typer.Typer(no_args_is_help=True, help="Check that the log of deeds is as it was written.")


def register(app: typer.Typer) -> None:
    """Add `audit` to the command line."""
    app.add_typer(group, name="audit")


@group.command("verify")
def verify(as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")] = False) -> None:
    """Follow each organisation's chain of lines to its end, and name the first line that was changed or taken out.

    Ends with 1 when there is one. Lines that wait to be taken into the chain are counted, and are no fault. Keep the
    digest of the last line elsewhere: whoever can rewrite the whole table can make another chain, with another end.
    """
    with orm.tables():
        verdicts = [verified(each) for each in Organisation.objects.order_by("pk")]
    if verdicts or as_json:
        say([_told(each) for each in verdicts], as_json=as_json)
    else:
        typer.echo("No organisation yet.")
    if any(each.broken for each in verdicts):
        raise typer.Exit(orm.EXIT_FINDING)


def _told(verdict: Verdict) -> dict[str, Any]:
    broken = verdict.broken
    return {
        "organisation": verdict.organisation.pk,
        "name": verdict.organisation.name,
        "lines": verdict.lines,
        "waiting": verdict.loose,
        "digest": verdict.digest,
        "verdict": f"line {broken.number}: {broken.why}" if broken else "whole",
    }
