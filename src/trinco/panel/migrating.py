"""Migrations that a kill cannot leave half done: what one does, and that it is done, are one transaction.

Nor do they stop what is running. Whoever asks PostgreSQL for a table behind one who waits to change it waits as well,
and a backup reads a table for long: so nobody waits to change one for more than a moment, and tries again (`in_turn`).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

from django.core.management import call_command
from django.core.management.commands import migrate as command
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections
from django.db.migrations.executor import MigrationExecutor

from trinco.panel.databases import LOCKED, NO_LONG_WAIT

T = TypeVar("T")
PAUSE = 5.0
"""Seconds in which those that waited behind us are served."""


class WholeExecutor(MigrationExecutor):
    """Django's notes that a migration is done after the transaction of what it did, wherever indexes come last: a kill
    in between leaves tables that the next run wants to make again."""

    def apply_migration(self, state: Any, migration: Any, fake: bool = False, fake_initial: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's
        if fake or fake_initial:
            return super().apply_migration(state, migration, fake, fake_initial)
        if self.connection.vendor != "postgresql" or not migration.atomic:
            return self._applied(state, migration)
        return in_turn(lambda: self._applied(state.clone(), migration, NO_LONG_WAIT))

    def _applied(self, state: Any, migration: Any, *before: str) -> Any:
        with self.connection.schema_editor(atomic=migration.atomic) as editor:
            for statement in before:
                editor.execute(statement, None)
            state = migration.apply(state, editor)
            for statement in editor.deferred_sql:
                editor.execute(statement, None)
            editor.deferred_sql.clear()
            self.record_migration(migration)  # type: ignore[call-arg]  # the stubs are older
        return state


vars(command)["MigrationExecutor"] = WholeExecutor  # the command has no other place to name it


def in_turn(deed: Callable[[], T]) -> T:
    """What `deed` gives, which is nothing or the whole: again and again while others hold a table that it changes."""
    told = False
    while True:
        try:
            return deed()
        except OperationalError as error:
            if getattr(error.__cause__, "sqlstate", None) != LOCKED:
                raise
        if not told:
            sys.stderr.write("Somebody reads a table that is to change, a backup perhaps: waiting until it is free\n")
        told = True
        time.sleep(PAUSE)


def behind() -> list[str]:
    """The migrations that are not applied, in their order. Raises DatabaseError."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{step.app_label}.{step.name}" for step, _backwards in plan]


def migrate() -> None:
    """Apply what is missing. Raises DatabaseError; each migration is there whole, or not at all."""
    call_command("migrate", interactive=False, verbosity=0)
