"""Pages of a long list, and the address of the next one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

from django.core.paginator import Page, Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest

SIZE = 50

M = TypeVar("M", bound=Model)
T = TypeVar("T")


def page_of(request: HttpRequest, rows: QuerySet[M], total: int | None = None) -> tuple[Page[Any], list[M]]:
    """The page of `rows` that the address asks for, and its rows; the nearest page when there is none.

    `total` is the count of the rows, where the caller knows it: one query less.
    """
    pages: Paginator[Any] = Paginator(rows, SIZE)
    if total is not None:
        pages.count = total  # a cached property, filled in before it is asked
    page = pages.get_page(request.GET.get("page"))
    return page, list(page.object_list)


def page_of_found(
    request: HttpRequest, rows: QuerySet[M], keys: Sequence[int] | None = None
) -> tuple[Page[Any], list[M]]:
    """As `page_of`, for rows that are dear to look for: they are looked for once, and counted by their keys.

    `keys` are theirs, in their order, where the caller knows them.
    """
    pages = Paginator(list(rows.values_list("pk", flat=True)) if keys is None else keys, SIZE)
    page: Page[Any] = pages.get_page(request.GET.get("page"))
    return page, list(rows.filter(pk__in=list(page.object_list)))


def page_of_all(request: HttpRequest, rows: Sequence[T]) -> Page[T]:
    """As `page_of`, of rows that are all at hand."""
    page: Page[T] = Paginator(rows, SIZE).get_page(request.GET.get("page"))
    return page


def query_without_page(request: HttpRequest) -> str:
    """The filter of this address, to put a page behind: `q=x&` or nothing."""
    return query_without(request, "page")


def query_without(request: HttpRequest, *names: str) -> str:
    """What this address asks for but for these, to put something else behind: `q=x&` or nothing."""
    query = request.GET.copy()
    for name in names:
        query.pop(name, None)
    return f"{query.urlencode()}&" if query else ""
