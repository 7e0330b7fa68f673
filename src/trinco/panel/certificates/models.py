"""Certificates of the policy hosts and of our own. Private keys are stored sealed and leave these tables sealed."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
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

    @classmethod
    def of(cls, issuers: Sequence[bytes]) -> Chain:
        """The chain of these certificates (DER), made where there is none."""
        digest = hashlib.sha256(b"".join(issuers)).hexdigest()
        texts = [base64.b64encode(issuer).decode("ascii") for issuer in issuers]
        return cls.objects.get_or_create(digest=digest, defaults={"certificates": texts})[0]

    @property
    def issuers(self) -> tuple[bytes, ...]:
        """The certificates in DER."""
        return tuple(map(base64.b64decode, self.certificates))


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


class HostCertificate(models.Model):
    """The certificate of hosts of our own, one row for the reports host; the row is there before the certificate is."""

    host = models.CharField(max_length=253, unique=True)
    """The reports host, under which the key is sealed."""
    names = models.JSONField()
    """The names that the certificate has, or that were asked for last, the host first."""
    leaf = models.BinaryField(null=True)
    """DER; None: none was had yet."""
    chain = models.ForeignKey(Chain, on_delete=models.PROTECT, related_name="+", null=True)
    sealed_key = models.BinaryField(default=b"")
    issuer = models.CharField(max_length=120, default="")
    not_before = models.DateTimeField(null=True)
    not_after = models.DateTimeField(null=True)
    issued_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField()
    """When it is renewed, or tried again."""
    failures = models.PositiveIntegerField(default=0)
    problem = models.CharField(max_length=255, default="")
    """What went wrong the last time; empty: nothing did."""
