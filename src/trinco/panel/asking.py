"""Questions that the worker asks again and again: whether there is a row. Most of the time there is none.

Making the statement of such a question costs several times what the database needs for its answer, and an idle worker
did nothing else. So each is made once: at two moments, and what differs between them moves with the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.db import connection
from django.db.models import QuerySet
from django.utils.dateparse import parse_datetime

_MOMENTS = datetime(2001, 2, 3, 4, 5, 6, 7, UTC), datetime(2011, 12, 13, 14, 15, 16, 17, UTC)
ALWAYS: Final = _MOMENTS[0]
"""The moment for a question in which there is no time."""
Ask = Callable[[datetime], QuerySet[Any]]


@dataclass(frozen=True, slots=True)
class _Made:
    """`values`: as they are, or how far from now."""

    statement: str
    values: tuple[Any, ...]


class Question:
    """Whether there is a row of `ask`, whose values depend on nothing but the moment that it is given."""

    __slots__ = ("_ask", "_made")

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._made: dict[str, _Made] = {}

    def holds(self, now: datetime) -> bool:
        """Whether there is one. Raises DatabaseError."""
        made = self._made.get(connection.vendor) or self._made.setdefault(connection.vendor, _made(self._ask))
        values = [_stored(now + value) if isinstance(value, timedelta) else value for value in made.values]
        with connection.cursor() as cursor:
            cursor.execute(made.statement, values)
            return cursor.fetchone() is not None


def _made(ask: Ask) -> _Made:
    (statement, first), (_, second) = (_statement(ask(moment)) for moment in _MOMENTS)
    return _Made(statement, tuple(_moving(*pair) for pair in zip(first, second, strict=True)))


def _statement(rows: QuerySet[Any]) -> tuple[str, Iterable[Any]]:
    statement, values = rows.order_by().values("pk")[:1].query.sql_with_params()
    return statement, values


def _moving(first: Any, second: Any) -> Any:
    """How far it is from the moment at which it was made, where that is what differs."""
    if first == second:
        return first
    away = _moment(first) - _MOMENTS[0]
    if away != _moment(second) - _MOMENTS[1]:
        raise ValueError("a value moves in another way than the time")
    return away


def _moment(value: Any) -> datetime:
    """As the database is told it: SQLite as text, without a zone."""
    read = parse_datetime(value) if isinstance(value, str) else value
    if not isinstance(read, datetime):
        raise TypeError("a value that moves is no moment")
    return read if read.tzinfo else read.replace(tzinfo=UTC)


def _stored(moment: datetime) -> Any:
    return connection.ops.adapt_datetimefield_value(moment)
