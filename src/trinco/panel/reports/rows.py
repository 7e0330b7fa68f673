"""Many rows at once, several times faster than `bulk_create`: what a digest writes most of.

SQLite gets `executemany`, PostgreSQL COPY and arrays; both get keys that were reserved before, so that rows that
point to each other are written without a question in between. Values are those of the columns, in the order given. Call
it in a transaction that has taken its turn to write (on SQLite each has: `databases`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from django.db import connection, models

MAX = 2**63 - 1
"""The largest count that a column holds."""

_TOGETHER = 50
"""Rows that SQLite adds in one statement: it can undo each by itself, which a table with triggers has to pay for."""

Row = tuple[Any, ...]


def reserve(model: type[models.Model], count: int) -> range | list[int]:
    """`count` primary keys that nobody else gets."""
    table = model._meta.db_table  # noqa: SLF001 - Django's documented Model._meta
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sequence = "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)"
            cursor.execute(sequence, [table, count])
            return [key for (key,) in cursor.fetchall()]
        cursor.execute("SELECT seq FROM sqlite_sequence WHERE name = %s", [table])
        last = (cursor.fetchone() or (0,))[0]
    return range(last + 1, last + 1 + count)


def insert(model: type[models.Model], columns: Sequence[str], rows: Iterable[Row]) -> None:
    """New rows. `columns` are the columns' names, `id` among them where the key was reserved."""
    written = _written(model, tuple(columns))
    values = [written(row) for row in rows] if written else list(rows)
    if not values:
        return
    table, names = _quoted(model._meta.db_table), _names(columns)  # noqa: SLF001
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            with connection.wrap_database_errors, cursor.copy(f"COPY {table} ({names}) FROM STDIN") as copy:
                for row in values:
                    copy.write_row(row)
            return
        marks = ", ".join(["%s"] * len(columns))
        cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({marks})", values)  # noqa: S608 - our own names


def add(
    model: type[models.Model],
    key: Sequence[str],
    counts: Sequence[str],
    rows: Iterable[Row],
    beside: Sequence[str] = (),
) -> None:
    """Add to the counts of the rows with this unique key, or make them. What would not fit stays at the largest.

    A row's values are the key's columns, those `beside` (for new rows alone), then the counts; no key stands there
    twice.
    """
    columns = (*key, *beside, *counts)
    written = _written(model, columns)
    values = sorted(written(row) for row in rows) if written else sorted(rows)
    if not values:
        return
    least = "LEAST" if connection.vendor == "postgresql" else "MIN"
    table = _quoted(model._meta.db_table)  # noqa: SLF001
    sums = ", ".join(
        f"{_quoted(one)} = {least}({table}.{_quoted(one)}, {_largest(model, one)} - excluded.{_quoted(one)})"
        f" + excluded.{_quoted(one)}"
        for one in counts
    )
    otherwise = f"ON CONFLICT ({_names(key)}) DO UPDATE SET {sums}"
    into = f"INSERT INTO {table} ({_names(columns)})"
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute(f"{into} SELECT * FROM {_arrays(model, columns)} {otherwise}", _turned(values))  # noqa: S608
            return
        marks = f"({', '.join(['%s'] * len(columns))})"
        for some in (values[start : start + _TOGETHER] for start in range(0, len(values), _TOGETHER)):
            told = [value for row in some for value in row]
            cursor.execute(f"{into} VALUES {', '.join([marks] * len(some))} {otherwise}", told)


def change(model: type[models.Model], columns: Sequence[str], rows: Iterable[Row]) -> None:
    """Set these columns of the rows whose primary key stands last in each row of values."""
    written = _written(model, (*columns, "id"))
    values = [written(row) for row in rows] if written else list(rows)
    if not values:
        return
    table = _quoted(model._meta.db_table)  # noqa: SLF001
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            sets = ", ".join(f"{_quoted(one)} = new.{_quoted(one)}" for one in columns)
            new = f"{_arrays(model, (*columns, 'id'))} AS new ({_names((*columns, 'id'))})"
            cursor.execute(f"UPDATE {table} SET {sets} FROM {new} WHERE {table}.id = new.id", _turned(values))  # noqa: S608
            return
        sets = ", ".join(f"{_quoted(one)} = %s" for one in columns)
        cursor.executemany(f'UPDATE {table} SET {sets} WHERE "id" = %s', values)  # noqa: S608


def _arrays(model: type[models.Model], columns: Sequence[str]) -> str:
    """A table of parameters, an array for each column: one statement, and short, for any number of rows."""
    return f"unnest({', '.join(f'%s::{_field(model, one).db_type(connection)}[]' for one in columns)})"


def _turned(rows: Sequence[Row]) -> list[list[Any]]:
    """The columns of these rows."""
    return [list(column) for column in zip(*rows, strict=True)]


def _names(columns: Sequence[str]) -> str:
    return ", ".join(map(_quoted, columns))


def _quoted(name: str) -> str:
    return connection.ops.quote_name(name)


def _largest(model: type[models.Model], column: str) -> int:
    return MAX if isinstance(_field(model, column), models.BigIntegerField) else 2**31 - 1


@cache
def _field(model: type[models.Model], column: str) -> models.Field[Any, Any]:
    return next(field for field in model._meta.concrete_fields if field.column == column)  # noqa: SLF001


def _written(model: type[models.Model], columns: tuple[str, ...]) -> Callable[[Row], Row] | None:
    """What turns values into those that the database's driver takes; None: they are so already."""
    changes = [(at, how) for at, column in enumerate(columns) if (how := _adapter(_field(model, column)))]
    if not changes:
        return None

    def written(row: Row) -> Row:
        values = list(row)
        for at, how in changes:
            values[at] = how(values[at])
        return tuple(values)

    return written


def _adapter(field: models.Field[Any, Any]) -> Callable[[Any], Any] | None:
    if isinstance(field, models.JSONField):
        return json.dumps
    if connection.vendor != "postgresql" and isinstance(field, models.DateTimeField):
        return connection.ops.adapt_datetimefield_value
    return None
