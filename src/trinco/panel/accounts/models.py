"""Who: people, organisations, memberships, and the log of what was done by whom."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trinco.panel.accounts.tenancy import TenantManager


class UserManager(BaseUserManager["User"]):
    """Makes users by e-mail address, which is their login."""

    def create_user(self, email: str, password: str | None = None, **extra: Any) -> User:
        user = self.model(email=self.normalize_email(email).lower(), **extra)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser, PermissionsMixin):
    """A person, known by an e-mail address."""

    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120, blank=True)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    date_joined = models.DateTimeField(default=timezone.now)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    def __str__(self) -> str:
        return self.email


class Organisation(models.Model):
    """A tenant. To begin with each account has one of its own."""

    name = models.CharField(max_length=120)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.name


class Role(models.TextChoices):
    """A viewer sees, an editor changes domains and policies as well, admin and owner manage people too."""

    OWNER = "owner", _("Owner")
    ADMIN = "admin", _("Admin")
    EDITOR = "editor", _("Editor")
    VIEWER = "viewer", _("Viewer")


class Membership(models.Model):
    """A person's role in an organisation."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "user"], name="one_role_each")]

    @property
    def may_edit(self) -> bool:
        return self.role in (Role.OWNER, Role.ADMIN, Role.EDITOR)

    @property
    def may_manage(self) -> bool:
        """Whether the person looks after the others and what they may do."""
        return self.role in (Role.OWNER, Role.ADMIN)


class TokenScope(models.TextChoices):
    """What a token opens."""

    READ = "read", _("Read")


class ApiToken(models.Model):
    """A key to the API, by which a program acts as its person. The key itself is told once and never kept."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(_("name"), max_length=80)
    """What it is for, in its person's words."""
    prefix = models.CharField(max_length=20, unique=True)
    """The beginning of the key, by which it is found and shown."""
    digest = models.CharField(max_length=64)
    """SHA-256 of the whole key in hex: it is random, so that nothing slower is needed."""
    scope = models.CharField(max_length=8, choices=TokenScope.choices, default=TokenScope.READ)
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    """To the minute; None: never."""
    revoked_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["-created_at", "-id"]


class AuditEntry(models.Model):
    """One deed. Append-only: written by services in the transaction of the deed, never changed, outlives its actor."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.CharField(max_length=254)
    """The person's e-mail address, or `cli`, or `trinco` for what the worker does by itself."""
    source = models.CharField(max_length=64, blank=True)
    """Address the request came from."""
    action = models.CharField(max_length=40)
    """A dotted word, e.g. `policy.published`, `policy.undone`, `domain.added`, `domain.left`, `domain.verified`."""
    subject = models.CharField(max_length=254)
    """The domain's name as an A-label, or the user's address."""
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    override = models.BooleanField(default=False)
    """The person went on although a check had refused the deed."""

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
