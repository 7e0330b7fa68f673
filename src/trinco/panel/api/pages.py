"""Pages of any list: so many rows, and a cursor that says behind which row the next page begins.

What comes in meanwhile moves nothing: no row comes twice, and none that was there is left out.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest

from trinco.panel.api.parameters import bad, limit_of
from trinco.panel.reports.asked import BadParameter

LONGEST = 320
"""Characters of a text in a cursor."""
LARGEST = (1 << 63) - 1

Value = str | int | datetime
M = TypeVar("M", bound=Model)


@dataclass(frozen=True, slots=True)
class Order:
    """By which columns a list is ordered, each with what it holds: `str`, `int` or `datetime`. Together they name one
    row. `down`: the greatest first, of all of them."""

    columns: tuple[tuple[str, type[Value]], ...]
    down: bool = False

    @property
    def names(self) -> list[str]:
        """As a query wants them."""
        return [("-" if self.down else "") + name for name, _ in self.columns]


BY_NAME = Order((("name", str), ("pk", int)))
NEWEST = Order((("pk", int),), down=True)


@dataclass(frozen=True, slots=True)
class Page(Generic[M]):
    """The rows of a page, and the cursor of the next; None: it is the last."""

    rows: list[M]
    next: str | None


def page_of(request: HttpRequest, rows: QuerySet[M], order: Order = BY_NAME) -> Page[M]:
    """The page that the request asks for, of rows that can be narrowed further. One query. Raises Problem 400."""
    limit, ordered = limit_of(request), rows.order_by(*order.names)
    place = place_of(request, order)
    found = list((ordered.filter(_behind(order, place)) if place else ordered)[: limit + 1])
    more = len(found) > limit
    return Page(found[:limit], cursor_of(order, found[limit - 1]) if more else None)


def cursor_of(order: Order, row: Model) -> str:
    """The cursor of what comes behind this row."""
    values = [getattr(row, name) for name, _ in order.columns]
    told = json.dumps([value.isoformat() if isinstance(value, datetime) else value for value in values])
    return base64.urlsafe_b64encode(told.encode()).decode().rstrip("=")


def _behind(order: Order, place: Sequence[Value]) -> Q:
    """Of several columns: beyond in the first, or level in it and beyond in the next, and so on. That the first is not
    on this side is said once more: an index begins there, and with alternatives at its beginning."""
    beyond, level, way = Q(), Q(), "lt" if order.down else "gt"
    for (name, _), value in zip(order.columns, place, strict=True):
        beyond |= level & Q(**{f"{name}__{way}": value})
        level &= Q(**{name: value})
    return Q(**{f"{order.columns[0][0]}__{way}e": place[0]}) & beyond


def place_of(request: HttpRequest, order: Order) -> list[Value] | None:
    """The values of the columns in the request's cursor; None: from the beginning. Raises Problem 400."""
    text = request.GET.get("cursor", "")
    if not text:
        return None
    try:
        values = json.loads(base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True))
        return [_value(kind, value) for (_, kind), value in zip(order.columns, values, strict=True)]
    except (ValueError, TypeError, RecursionError, binascii.Error):
        raise bad(BadParameter("is not a cursor that was given out", source="cursor")) from None


def _value(kind: type[Value], value: Any) -> Value:
    """Raises ValueError for what was never in a cursor of ours."""
    if kind is datetime and isinstance(value, str):
        moment = datetime.fromisoformat(value)
        if moment.tzinfo is not None and moment.utcoffset() == timedelta(0):
            return moment
    if kind is int and type(value) is int and 0 <= value <= LARGEST:
        return value
    if kind is str and isinstance(value, str) and len(value) <= LONGEST and value.isprintable():
        return value
    raise ValueError(value)
