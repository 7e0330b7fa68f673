"""A table that is only ever added to: the manager and the rows refuse everything else.

`loose` is the one exception, made for lines that no chain has yet: to take them in, and to date the playground back.
"""

from __future__ import annotations

from typing import Any, NoReturn, TypeVar

from django.db import models

from trinco.panel.accounts.tenancy import TenantManager

M = TypeVar("M", bound=models.Model)


class AppendOnly(RuntimeError):
    """A line of the log was to be changed or removed: a fault in our code, never in the request."""


class AppendOnlyQuerySet(models.QuerySet[M]):
    """Reads, and adds."""

    def update(self, **_changes: Any) -> NoReturn:
        raise AppendOnly(self.model.__name__)

    def bulk_update(self, *_args: Any, **_options: Any) -> NoReturn:
        raise AppendOnly(self.model.__name__)

    def delete(self) -> NoReturn:
        raise AppendOnly(self.model.__name__)


class AppendOnlyManager(TenantManager[M]):
    """The tenant's doors, to rows that stay as they are."""

    _queryset_class = AppendOnlyQuerySet

    def loose(self) -> models.QuerySet[M]:
        """The lines that no chain has yet, which may still be changed."""
        return models.QuerySet(self.model, using=self._db).filter(number=None)
