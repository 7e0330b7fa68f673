"""`trinco migrate`: bring the tables up to date, and end, before the new version starts."""

from __future__ import annotations

from typing import Annotated

import typer

from trinco.cli import orm

from django.db import DatabaseError, connection, connections  # isort: skip - after the set-up
from django.db.migrations.loader import MigrationLoader

from trinco.panel import migrating, wall_tables
from trinco.panel.alone import alone
from trinco.panel.backups.errors import BackupFailed
from trinco.panel.databases import database

CHECK_HELP = "Change nothing; exit 1 when the tables are behind."


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("migrate")(migrate)


def migrate(check: Annotated[bool, typer.Option("--check", help=CHECK_HELP)] = False) -> None:
    """Bring the tables up to date, and end. The version of before goes on meanwhile and afterwards.

    What is new in the tables has defaults, and nothing is taken away that the last version reads: so first this
    command, then the new panels and workers, then the edges, one after the other. Where another process does it
    already, it waits for that one; an end of that one, however it comes, lets it go on.
    """
    with orm.tables():
        behind = migrating.behind() if check else upgrade()
    what = f"{len(behind)} migrations" if behind else "nothing to do"
    typer.echo(f"The tables are behind by {what}" if behind and check else f"The tables are up to date: {what}")
    raise typer.Exit(orm.EXIT_FINDING if behind and check else 0)


def upgrade() -> list[str]:
    """Bring them up to date, and the wall between tenants with them where its role is there (`panel.wall_tables`). One
    process at a time, the others wait. Gives the migrations that were missing."""
    with alone():
        behind = migrating.behind()
        migrating.migrate()
        migrating.in_turn(wall_tables.raise_up)
    return behind


def known() -> frozenset[str]:
    """All migrations that this version has, as a manifest names them."""
    return frozenset(f"{app}.{name}" for app, name in MigrationLoader(None).disk_migrations)


def bring_up(url: str) -> None:
    """Bring the tables at this URL up to date, of the kind that the settings name. Raises BackupFailed."""
    connections.close_all()
    connection.settings_dict["NAME"] = database(url)["NAME"]
    try:
        upgrade()
    except DatabaseError as error:
        raise BackupFailed(f"the tables are there, and could not be brought up to date: {error}") from error
    finally:
        connections.close_all()
