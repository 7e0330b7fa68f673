"""Certificates of the policy hosts. Private keys are stored sealed and leave this table sealed."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from trinco.panel.accounts.tenancy import TenantManager
from trinco.panel.domains.models import HostedDomain


class Chain(models.Model):
    """Issuer certificates shared by many leaves."""

    digest = models.CharField(max_length=64, unique=True)
    """SHA-256 in hex over the concatenated DER: the key into `Publication.chains`."""
    certificates = models.JSONField()
    """DER in base 64, nearest issuer first, the root left out."""


class Certificate(models.Model):
    """A certificate of `mta-sts.<domain>`; the newest `not_after` of a domain is the one served."""

    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="certificates")
    leaf = models.BinaryField()
    """DER."""
    chain = models.ForeignKey(Chain, on_delete=models.PROTECT, related_name="+")
    sealed_key = models.BinaryField()
    issuer = models.CharField(max_length=120)
    not_before = models.DateTimeField()
    not_after = models.DateTimeField()
    issued_at = models.DateTimeField(default=timezone.now)
    renew_due_at = models.DateTimeField(db_index=True)

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        ordering: ClassVar = ["-not_after"]
        indexes: ClassVar = [models.Index(fields=["domain", "renew_due_at"], name="certificates_that_are_due")]


class Attempt(models.Model):
    """A domain whose certificate could not be had: until when we wait, and why. Gone with the next success."""

    domain = models.OneToOneField(HostedDomain, on_delete=models.CASCADE, related_name="issuance_attempt")
    failures = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField(db_index=True)
    """When it is tried again."""
    problem = models.CharField(max_length=255)
    """What went wrong, for the domain's owner."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")
