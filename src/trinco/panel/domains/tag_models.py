"""Tags of an organisation's domains, and the filters of their list that it keeps by name."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from trinco.core.tags import MOST_CHARACTERS
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.tenancy import TenantManager


class Tag(models.Model):
    """A short name that an organisation gives to some of its domains (`core.tags`)."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=MOST_CHARACTERS)
    """As it is shown."""
    key = models.CharField(max_length=MOST_CHARACTERS)
    """By which it is known again, whatever its case."""

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["key"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "key"], name="one_tag_per_key")]

    def __str__(self) -> str:
        return self.name


class Tagging(models.Model):
    """A tag that is on a domain."""

    domain = models.ForeignKey("domains.HostedDomain", on_delete=models.CASCADE, related_name="+", db_index=False)
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, related_name="+", db_index=False)

    objects: ClassVar[TenantManager[Self]] = TenantManager("tag__organisation")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["tag", "domain"], name="domains_by_tag")]
        constraints: ClassVar = [models.UniqueConstraint(fields=["domain", "tag"], name="a_tag_once_per_domain")]


class SavedFilter(models.Model):
    """A filter of the list of domains under a name, for all people of the organisation."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+", db_index=False)
    name = models.CharField(max_length=60)
    key = models.CharField(max_length=200)
    """By which it is known again, whatever its case."""
    asked = models.JSONField(default=dict)
    """The parameters of the list's address by their names; the tag stands beside them, so that it may be renamed."""
    tag = models.ForeignKey(Tag, on_delete=models.CASCADE, null=True, related_name="+")
    """A filter without its tag would show, and change, more than was meant: it goes with it."""
    created_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["key"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "key"], name="one_filter_per_name")]

    def __str__(self) -> str:
        return self.name
