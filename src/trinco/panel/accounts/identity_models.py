"""As whom a person is known at an OpenID provider."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone


class Identity(models.Model):
    """What a provider calls a person (OpenID Connect Core 1.0 section 2): issuer and subject together never change, the
    e-mail address may. Nobody's tenant: it is the person's, as a password is."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="identities")
    issuer = models.CharField(max_length=255)
    subject = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="one_person_each"),
            models.UniqueConstraint(fields=["issuer", "user"], name="one_identity_each"),
        ]
