"""The tables' side of `trinco report rebuild` and `trinco report prune`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from trinco.cli import orm
from trinco.core.names import Domain
from trinco.panel import clock
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.reports import rebuild as rebuilding
from trinco.panel.reports import services


def rebuild(name: str, *, as_json: bool) -> bool:
    """Work out anew what is there of a domain, or of all; whether all of it could be read."""
    with orm.tables(), _bar() as progress:
        counts = [services.rebuild(domain, progress) for domain in _domains(name)]
    told = {key: sum(asdict(each)[key] for each in counts) for key in asdict(rebuilding.Rebuilt())}
    _say(told, as_json=as_json)
    return not told["unreadable"]


def prune(*, dry_run: bool, as_json: bool) -> None:
    """Remove what is too old, or only tell."""
    with orm.tables():
        now = clock.now()
        told = dict.fromkeys(("raw_reports", "octets", "reports", "failure_rows"), 0)
        for organisation in Organisation.objects.order_by("pk"):
            old = asdict(services.preview(organisation, services.retention_of(organisation), now))
            told = {key: count + old[key] for key, count in told.items()}
            if not dry_run:
                services.prune(organisation, now)
    _say({"removed": not dry_run, **told}, as_json=as_json)


def _domains(name: str) -> list[HostedDomain | None]:
    """Everybody who has or had the name; None alone: all domains."""
    if not name:
        return [None]
    wanted = str(Domain.parse(name))
    found = HostedDomain.objects.everywhere().filter(name=wanted).exclude(state=State.SETUP).order_by("pk")
    if not found:
        raise orm.ended(f"{wanted} is not hosted here, nor was it; `trinco domain list` lists them", orm.EXIT_USAGE)
    return list(found)


@contextmanager
def _bar() -> Iterator[rebuilding.Progress]:
    """A bar on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task("raw reports and days")
        yield lambda done, of: bar.update(task, completed=done, total=of)


def _say(told: dict[str, int], *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(told))
        return
    for key, value in told.items():
        shown = ("yes" if value else "no, this was a dry run") if key == "removed" else f"{value:,}"
        typer.echo(f"{key.replace('_', ' ')}: {shown}")
