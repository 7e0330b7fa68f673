"""Requests of programs that carry an `Idempotency-Key`: what became of each (`idempotency`)."""

from __future__ import annotations

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.utils import timezone

from trinco.panel.accounts.tenancy import TenantManager


class IdempotencyKey(models.Model):
    """One request that is done once, however often it is sent. `status` is null while it runs."""

    organisation = models.ForeignKey("accounts.Organisation", on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    token = models.CharField(max_length=20, blank=True, default="")
    """The prefix of the token; "": a session of the person."""
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    """SHA-256 of method, address and body in hex."""
    created_at = models.DateTimeField(default=timezone.now, db_index=True)
    status = models.PositiveSmallIntegerField(null=True)
    headers = models.JSONField(default=dict)
    body = models.BinaryField(default=b"")
    secret = models.BooleanField(default=False)
    """The answer held what is told once: it is not kept."""

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["organisation", "user", "token", "key"], name="one_request_per_key")
        ]
