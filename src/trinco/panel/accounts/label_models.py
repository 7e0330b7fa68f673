"""The label of a provider: under what name, colours and host its people and its clients' people see the pages."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from trinco.panel.accounts.tenancy import TenantManager


class Label(models.Model):
    """What a provider shows in place of Trinco's name.

    Nobody's secret: whoever comes to its host sees it, and so do the clients' people, who may not see the provider's
    rows. So it has no tenant's manager.
    """

    organisation = models.OneToOneField("accounts.Organisation", on_delete=models.CASCADE, related_name="label")
    """The provider: an organisation that is nobody's client."""
    product = models.CharField(max_length=60)
    accent = models.CharField(max_length=7, blank=True, default="")
    """`#2f5bd7`, one that `accents.require` lets through; "": the house's own."""
    logo = models.CharField(max_length=64, blank=True, default="")
    """The digest of a `Logo`."""
    logo_dark = models.CharField(max_length=64, blank=True, default="")
    """Its form for the dark theme; "": the same one."""
    powered = models.BooleanField(default=True)
    """Whether "Powered by Trinco" stands below."""
    host = models.CharField(max_length=253, null=True, unique=True)  # noqa: DJ001 - unique where there is one
    """The host of the pages, as an A-label: proven to be theirs, by a `HostClaim`."""


class Logo(models.Model):
    """A picture of a label, as PNG that `logos` wrote."""

    organisation = models.ForeignKey("accounts.Organisation", on_delete=models.CASCADE, related_name="+")
    digest = models.CharField(max_length=64)
    """SHA-256 of the octets in hex: its address."""
    png = models.BinaryField()

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "digest"], name="one_logo_each")]


class HostClaim(models.Model):
    """A host that a provider says is its own, and the text by which DNS says so. Several may claim one host; it goes to
    whose text stands there."""

    organisation = models.OneToOneField("accounts.Organisation", on_delete=models.CASCADE, related_name="+")
    host = models.CharField(max_length=253, db_index=True)
    token = models.CharField(max_length=64)
    claimed_at = models.DateTimeField(default=timezone.now)
    looked_at = models.DateTimeField(null=True)
    """When DNS last answered."""
    found_at = models.DateTimeField(null=True)
    """When the text was last there."""
    taken = models.BooleanField(default=False)
    """Another label has the host, and its text stands there as well."""
    due_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects: ClassVar[TenantManager[Self]] = TenantManager()
