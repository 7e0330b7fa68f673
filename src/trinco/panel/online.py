"""Indexes that a migration makes while the table is written: on PostgreSQL beside what goes on (CONCURRENTLY).

That is no transaction, so its migration says `atomic = False`, and a kill may come between an index and the note that
it is there, or leave one that PostgreSQL began and does not use. What is there whole stays; what is not is made anew.
"""

from __future__ import annotations

from typing import Any

from django.db import migrations

_UNFINISHED = "SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(%s) AND NOT indisvalid"


class AddIndexOnline(migrations.AddIndex):
    """As AddIndex. On PostgreSQL it waits for whoever was at work before it, and nobody waits for it."""

    def database_forwards(self, app_label: str, schema_editor: Any, from_state: Any, to_state: Any) -> None:
        """Make the index, unless it is there."""
        del from_state
        model = to_state.apps.get_model(app_label, self.model_name)
        if not self.allow_migrate_model(schema_editor.connection.alias, model):
            return
        if schema_editor.connection.vendor == "postgresql":
            self._take_back(schema_editor)
        if not self._there(schema_editor, model):
            schema_editor.execute(self._statement(schema_editor, model))

    def _statement(self, editor: Any, model: Any) -> Any:
        beside: dict[str, Any] = {"concurrently": True} if editor.connection.vendor == "postgresql" else {}
        return self.index.create_sql(model, editor, **beside)

    def _take_back(self, editor: Any) -> None:
        """What a kill left of it."""
        name = editor.quote_name(self.index.name)
        with editor.connection.cursor() as cursor:
            cursor.execute(_UNFINISHED, [name])
            if cursor.fetchone():
                cursor.execute(f"DROP INDEX CONCURRENTLY {name}")

    def _there(self, editor: Any, model: Any) -> bool:
        with editor.connection.cursor() as cursor:
            found = editor.connection.introspection.get_constraints(cursor, model._meta.db_table)  # noqa: SLF001 - Django's own name for it
        return self.index.name in found
