"""How `trinco report import` goes on: source by source, portion by portion, and what it says meanwhile."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from trinco.cli import orm, report_mailbox, report_taking
from trinco.cli.report_inputs import Files, Order, Portion, Source, Tally, Whole, portions
from trinco.cli.report_mailbox import Address, MailboxFailed
from trinco.core.tables import printable

Take = Callable[[Sequence[Whole]], Tally]


@dataclass(slots=True)
class Run:
    """How far an import has come. `stop`: somebody wants it to end. `failures`: why a mailbox could not be read."""

    tally: Tally
    stop: bool = False
    failures: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether all was read, and there was something to read."""
        return bool(self.tally.total) and not (self.stop or self.failures or self.tally.unreadable)


@dataclass(frozen=True, slots=True)
class Mailboxes:
    """Those to look into, and the password of them all."""

    addresses: Sequence[Address]
    password: str = field(repr=False)


def run(order: Order) -> bool:
    """Import all of it, and tell; whether all was read."""
    made = Run(Tally())
    with orm.tables():
        mailboxes = [Address.parse(path) for path in order.paths if path.startswith(report_mailbox.SCHEMES)]
        take = report_taking.taker(order.organisation, trusted=order.trusted).take
        password = _password(order.password_file) if mailboxes else ""
        try:
            with _stoppable(made):
                _through_all(order, Mailboxes(mailboxes, password), take, made)
        finally:  # whatever happens: what is kept is said
            _tell(made, as_json=order.as_json)
    return made.well


def _through_all(order: Order, mailboxes: Mailboxes, take: Take, made: Run) -> None:
    files = [path for path in order.paths if not path.startswith(report_mailbox.SCHEMES)]
    if files:
        _through(Files(files), take, made)
    for address in mailboxes.addresses:
        _through_mailbox(address, mailboxes.password, order, take, made)


def _password(file: Path | None) -> str:
    if file is not None:
        try:
            return file.read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            raise typer.BadParameter(str(error), param_hint="--password-file") from error
    if not sys.stdin.isatty():
        raise typer.BadParameter("there is no terminal to ask for the password", param_hint="--password-file")
    return str(typer.prompt("Password of the mailbox", hide_input=True, err=True))


@contextmanager
def _stoppable(made: Run) -> Iterator[None]:
    """The first Ctrl-C lets the portion at hand be finished, the second one ends at once."""
    before = signal.getsignal(signal.SIGINT)

    def stop(_number: int, _frame: FrameType | None) -> None:
        made.stop = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _through_mailbox(address: Address, password: str, order: Order, take: Take, made: Run) -> None:
    if made.stop:
        return
    try:
        with report_mailbox.opened(address, password, order) as folder:
            _through(folder, take, made)
    except MailboxFailed as error:
        made.failures.append(str(error))


def _through(source: Source, take: Take, made: Run) -> None:
    """All that the source has, portion by portion; each is durable before the next one is begun."""
    with _progress(source) as advance:
        for portion in portions(source, lambda: made.stop):
            if portion.whole:
                made.tally.add(take(portion.whole))
                source.saved([each.mark for each in portion.whole if each.mark])
            made.tally.unreadable += portion.unreadable
            advance(portion, made.tally)


def on_a_terminal() -> bool:
    """Whether somebody watches."""
    return sys.stderr.isatty()


@contextmanager
def _progress(source: Source) -> Iterator[Callable[[Portion, Tally], None]]:
    """A bar on a terminal; elsewhere a line after each portion that is not the only one."""
    if not on_a_terminal():
        yield _line
        return
    columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("reading", total=source.octets())

        def advance(portion: Portion, tally: Tally) -> None:
            bar.update(task, advance=portion.octets, description=tally.words)

        yield advance


def _line(portion: Portion, tally: Tally) -> None:
    if portion.full:
        typer.echo(f"{tally.total} so far: {tally.words}", err=True)


def _tell(made: Run, *, as_json: bool) -> None:
    """The counts on standard output, what went wrong on standard error."""
    if as_json:
        typer.echo(json.dumps({**made.tally.facts(), "failures": made.failures, "interrupted": made.stop}, indent=2))
        return
    for each in made.tally.unreadable:
        typer.echo(f"trinco: {printable(each.source)}: {printable(each.reason)}", err=True)
    for failure in made.failures:
        typer.echo(f"trinco: {printable(failure)}", err=True)
    if made.stop:
        typer.echo("trinco: stopped; what is counted here is kept, and the same command goes on from there", err=True)
    typer.echo(made.tally.words)
