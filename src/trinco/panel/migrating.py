"""Migrations that a kill cannot leave half done: what one does, and that it is done, are one transaction."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.commands import migrate as command
from django.db import DEFAULT_DB_ALIAS, connections
from django.db.migrations.executor import MigrationExecutor


class WholeExecutor(MigrationExecutor):
    """Django's notes that a migration is done after the transaction of what it did, wherever indexes come last: a kill
    in between leaves tables that the next run wants to make again."""

    def apply_migration(self, state: Any, migration: Any, fake: bool = False, fake_initial: bool = False) -> Any:  # noqa: FBT001, FBT002 - Django's
        if fake or fake_initial:
            return super().apply_migration(state, migration, fake, fake_initial)
        with self.connection.schema_editor(atomic=migration.atomic) as editor:
            state = migration.apply(state, editor)
            for statement in editor.deferred_sql:
                editor.execute(statement, None)
            editor.deferred_sql.clear()
            self.record_migration(migration)  # type: ignore[call-arg]  # the stubs are older
        return state


vars(command)["MigrationExecutor"] = WholeExecutor  # the command has no other place to name it


def behind() -> list[str]:
    """The migrations that are not applied, in their order. Raises DatabaseError."""
    executor = MigrationExecutor(connections[DEFAULT_DB_ALIAS])
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    return [f"{step.app_label}.{step.name}" for step, _backwards in plan]


def migrate() -> None:
    """Apply what is missing. Raises DatabaseError; each migration is there whole, or not at all."""
    call_command("migrate", interactive=False, verbosity=0)
