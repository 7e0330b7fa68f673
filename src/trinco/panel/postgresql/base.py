"""The database backend: Django finds it by this module's name."""

from __future__ import annotations

from typing import Any, Self

from django.db import NotSupportedError
from django.db.backends.postgresql import base
from psycopg import ClientCursor
from psycopg.pq import TransactionStatus
from psycopg.sql import Composable

from trinco.panel import wall

_WITHIN = "trinco_within"
"""On a connection: a statement of the transaction that is open was within the wall."""


class Cursor(ClientCursor[Any]):
    """Statement and prefix go as one message, which PostgreSQL runs as one transaction where none is open."""

    def execute(self, query: Any, params: Any = None, **options: Any) -> Self:
        before = self._before()
        if not before:
            super().execute(query, params, **options)
            return self
        super().execute(before + self._text(query), params, **options)
        for _ in range(before.count(";")):
            self.nextset()
        return self

    def executemany(self, query: Any, params_seq: Any, **options: Any) -> None:
        if not self._before():
            super().executemany(query, params_seq, **options)
            return
        for params in params_seq:
            self.execute(query, params)

    def copy(self, statement: Any, params: Any = None, **options: Any) -> Any:
        """COPY takes no other statement in its message, and writes no table with policies: no request has it.

        Outside the wall, what ends it in this transaction goes ahead in a message of its own.
        """
        before = self._before()
        if before not in ("", wall.OWNER):
            raise NotSupportedError("no COPY within the wall")
        if before and self.connection.info.transaction_status is TransactionStatus.INTRANS:
            super().execute(before)
        return super().copy(statement, params, **options)

    def stream(self, query: Any, params: Any = None, **options: Any) -> Any:
        """Rows one by one are of one statement alone."""
        if self._before():
            raise NotSupportedError("no stream of rows within the wall")
        return super().stream(query, params, **options)

    def _text(self, query: Any) -> str:
        if isinstance(query, Composable):
            return query.as_string(self)
        return query.decode(self.connection.info.encoding) if isinstance(query, bytes) else str(query)

    def _before(self) -> str:
        """The prefix; where it is over in the middle of a transaction, what ends it there."""
        status = self.connection.info.transaction_status
        if status is TransactionStatus.INERROR:
            return ""  # nothing but the way back is taken there
        before = wall.prefix()
        if not before and getattr(self.connection, _WITHIN, False) and status is not TransactionStatus.IDLE:
            return wall.OWNER
        setattr(self.connection, _WITHIN, bool(before))
        return before


class DatabaseWrapper(base.DatabaseWrapper):
    """As Django's own."""

    def get_connection_params(self) -> dict[str, Any]:
        return {**super().get_connection_params(), "cursor_factory": Cursor}

    def create_cursor(self, name: str | None = None) -> Any:
        # A cursor of the server would be declared without the prefix: within the wall its rows come at once.
        return super().create_cursor(None if wall.prefix() else name)
