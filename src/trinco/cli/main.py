"""The `trinco` command: one table of commands, each imported when it is called.

Nothing of Django is imported here, so that `trinco --help`, the checks and the sending side work without it. The module
of a command offers `register(app: typer.Typer) -> None`, which adds its command or group under the name in the table.

Exit codes of every command: 0 clean, 1 a finding or a negative verdict, 2 wrong use, 3 could not test.
"""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Annotated, Any

import typer
import typer.core
import typer.main

from trinco import __version__
from trinco.config import ConfigError
from trinco.core.errors import TrincoError

EXIT_CLEAN, EXIT_FINDING, EXIT_USAGE, EXIT_UNTESTED = 0, 1, 2, 3

NEEDS_SERVER = "`trinco {name}` needs the server's packages, which are not installed: pip install 'trinco[server]'"


@dataclass(frozen=True, slots=True)
class Command:
    """A command: its name, the module that registers it, what it does, its help section, whether it needs Django."""

    name: str
    module: str
    summary: str
    intent: str
    server: bool


_LOOK, _RUN, _MANAGE = "Check and write", "Run the server", "Manage what it serves"

COMMANDS: tuple[Command, ...] = (
    Command("policy", "trinco.cli.policy", "Check a policy file, or write one.", _LOOK, server=False),
    Command("record", "trinco.cli.record", "Check the TXT records of MTA-STS and TLSRPT.", _LOOK, server=False),
    Command("report", "trinco.cli.report", "Read TLS reports: what failed, why, what to do.", _LOOK, server=False),
    Command("serve", "trinco.cli.serve", "Run all of it, to try or for one machine.", _RUN, server=True),
    Command("panel", "trinco.cli.panel", "Run the panel: the web pages.", _RUN, server=True),
    Command("edge", "trinco.cli.edge", "Run an edge: DNS and the policy host.", _RUN, server=True),
    Command("worker", "trinco.cli.worker", "Run the worker: checks, certificates, announcements.", _RUN, server=True),
    Command("doctor", "trinco.cli.doctor", "Examine this installation and say what is wrong.", _RUN, server=True),
    Command("migrate", "trinco.cli.migrate", "Bring the tables up to date, and end.", _RUN, server=True),
    Command("backup", "trinco.cli.backup", "Write the tables to one file, the keys to another.", _RUN, server=True),
    Command("keys", "trinco.cli.keys", "Change the key that seals private keys.", _RUN, server=True),
    Command("restore", "trinco.cli.restore", "Put a backup in place.", _RUN, server=True),
    Command("domain", "trinco.cli.domain", "List, add, show, change and remove domains.", _MANAGE, server=True),
    Command("records", "trinco.cli.records", "Print the DNS records of a domain's owner.", _MANAGE, server=True),
    Command("export", "trinco.cli.export", "Write what is served, or declared, as files.", _MANAGE, server=True),
    Command("apply", "trinco.cli.apply", "Bring what is hosted in line with a file.", _MANAGE, server=True),
    Command("edges", "trinco.cli.edges", "List the edges; go on without one that lags.", _MANAGE, server=True),
    Command("audit", "trinco.cli.audit", "Check that the log of deeds is as it was written.", _MANAGE, server=True),
    Command("user", "trinco.cli.user", "Manage the people who may sign in.", _MANAGE, server=True),
)
_TABLE = {command.name: command for command in COMMANDS}


class LazyGroup(typer.core.TyperGroup):
    """Names and summaries come from the table; a command's module is imported to run it or to show its own help."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the interface of click
        return list(_TABLE)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, imported now; None while completing in a shell what cannot be imported here."""
        try:
            return _imported(_TABLE[cmd_name]) if cmd_name in _TABLE else _refuse(cmd_name)
        except typer.BadParameter as error:
            return None if ctx.resilient_parsing else ctx.fail(error.message)

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the interface of click
        """The table, by intent: `trinco --help` imports no command."""
        for intent in dict.fromkeys(command.intent for command in COMMANDS):
            with formatter.section(intent):
                formatter.write_dl(
                    [(command.name, command.summary) for command in COMMANDS if command.intent == intent]
                )

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what it did not catch of our own errors ends in one line and an exit code."""
        try:
            return super().invoke(ctx)
        except ConfigError as error:
            raise _ended(str(error), EXIT_USAGE) from error
        except TrincoError as error:
            raise _ended(str(error), EXIT_UNTESTED) from error


app = typer.Typer(
    cls=LazyGroup,
    name="trinco",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text everywhere, in pipes too
    pretty_exceptions_enable=False,  # tracebacks with local variables would show keys
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"trinco {__version__}")
        raise typer.Exit


@app.callback(help="Hosted MTA-STS and SMTP TLS reporting that you run yourself.")
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Hold the options that stand before the command's name."""


def main() -> None:
    """Run the command line of this process."""
    app(prog_name="trinco")


def _imported(command: Command) -> Any:
    """The click command that the module registers. Raises BadParameter when this installation cannot have it."""
    if command.server and importlib.util.find_spec("django") is None:
        raise typer.BadParameter(NEEDS_SERVER.format(name=command.name))
    part = typer.Typer(rich_markup_mode=None)
    part.callback()(_options)  # with a callback it stays a group, even around one command
    try:
        importlib.import_module(command.module).register(part)
    except ModuleNotFoundError as error:
        raise typer.BadParameter(_missing(command, error)) from error
    group: Any = typer.main.get_command(part)
    return group.commands[command.name]


def _missing(command: Command, error: ModuleNotFoundError) -> str:
    """What to do about a module that is not there. Raises the error again when it is a fault of ours."""
    if error.name == command.module:
        return f"`trinco {command.name}` is not part of this installation"
    if command.server and not str(error.name).startswith("trinco"):
        return NEEDS_SERVER.format(name=command.name)
    raise error


def _refuse(name: str) -> None:
    near = get_close_matches(name, _TABLE, n=1)
    hint = f"did you mean `trinco {near[0]}`?" if near else "`trinco --help` lists the commands"
    raise typer.BadParameter(f"there is no command {name!a}; {hint}")


def _ended(message: str, code: int) -> typer.Exit:
    typer.echo(f"trinco: {message}", err=True)
    return typer.Exit(code)
