"""Tenant in every query: the manager that raises without one.

`Model.objects.of(organisation)` is the door for everything that a person asks for. `Model.objects.everywhere()` is for
work that serves all organisations alike (feeds, the worker) and is spelled out so that a reviewer finds each use.
A related manager (`domain.versions`) is bound to a row that was itself found through one of the two doors.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from django.db import models

if TYPE_CHECKING:
    from trinco.panel.accounts.models import Organisation

M = TypeVar("M", bound=models.Model)


class TenantRequired(RuntimeError):
    """A query on a tenant's table that names no tenant: a fault in our code, never in the request."""


class TenantManager(models.Manager[M]):
    """Default manager of every table that belongs to an organisation.

    `tenant_path` is the look-up from the row to its organisation, e.g. `domain__organisation`.
    """

    def __init__(self, tenant_path: str = "organisation") -> None:
        super().__init__()
        self.tenant_path = tenant_path

    def get_queryset(self) -> models.QuerySet[M]:
        if not hasattr(self, "instance"):
            raise TenantRequired(f"{self.model.__name__}: say of(organisation) or everywhere()")
        return super().get_queryset()

    def of(self, organisation: Organisation) -> models.QuerySet[M]:
        """The rows of one organisation."""
        return super().get_queryset().filter(**{self.tenant_path: organisation})

    def of_any(self, organisations: models.QuerySet[Organisation]) -> models.QuerySet[M]:
        """The rows of organisations all of which the person may see (`access.visible`)."""
        return super().get_queryset().filter(**{f"{self.tenant_path}__in": organisations.order_by().values("pk")})

    def everywhere(self) -> models.QuerySet[M]:
        """The rows of all organisations: never on behalf of a person."""
        return super().get_queryset()
