"""`trinco user add EMAIL`: the people who may sign in."""

from __future__ import annotations

import sys
from typing import Annotated

import typer
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from trinco.cli import orm
from trinco.cli.domain import organisation_of
from trinco.panel.accounts.errors import AccountExists
from trinco.panel.accounts.models import Organisation, User
from trinco.panel.accounts.services import create_account

users = typer.Typer(no_args_is_help=True, help="Manage the people who may sign in.")


def register(app: typer.Typer) -> None:
    """Add `user` to the command line."""
    app.add_typer(users, name="user")


@users.command("add")
def add(
    email: Annotated[str, typer.Argument(help="The e-mail address, which is the login.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input, one line.")
    ] = False,
    join: Annotated[
        str, typer.Option("--join", metavar="EMAIL", help="Make it a member of this person's organisation.")
    ] = "",
    into: Annotated[
        str,
        typer.Option("--organisation", metavar="NAME", help="Make it a member there; its owner if it is the first."),
    ] = "",
) -> None:
    """Make an account, with an organisation of its own unless it joins one."""
    if join and into:
        raise orm.ended("--join and --organisation both say which organisation", orm.EXIT_USAGE)
    with orm.tables():
        organisation = organisation_of(join) if join else _named(into) if into else None
        password = _password(email, from_stdin=password_stdin)
        try:
            user = create_account(email=email, password=password, organisation=organisation)
        except AccountExists as error:
            raise orm.ended(f"there is an account {error.email} already", orm.EXIT_FINDING) from error
    typer.echo(f"{user.email} may sign in.")


def _named(name: str) -> Organisation:
    found = list(Organisation.objects.filter(name=name, closed_at=None)[:2])
    if len(found) != 1:
        how_many = "several organisations are" if found else "no organisation is"
        raise orm.ended(f"{how_many} called {name!a}", orm.EXIT_USAGE)
    return found[0]


def _password(email: str, *, from_stdin: bool) -> str:
    password = sys.stdin.readline().rstrip("\r\n") if from_stdin else _asked()
    try:
        validate_password(password, User(email=email))
    except ValidationError as error:
        raise orm.ended(" ".join(error.messages), orm.EXIT_USAGE) from error
    return password


def _asked() -> str:
    if not sys.stdin.isatty():
        raise orm.ended("there is no terminal to ask for a password; use --password-stdin", orm.EXIT_USAGE)
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=True))
