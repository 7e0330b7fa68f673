"""Who: people, organisations, memberships, and the log of what was done by whom."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from trinco.panel.accounts.append_only import AppendOnly, AppendOnlyManager
from trinco.panel.accounts.idempotency_models import IdempotencyKey
from trinco.panel.accounts.identity_models import Identity
from trinco.panel.accounts.label_models import HostClaim, Label, Logo
from trinco.panel.accounts.roles import Role
from trinco.panel.accounts.tenancy import TenantManager

__all__ = [
    "ApiToken",
    "AuditEntry",
    "AuditHead",
    "HostClaim",
    "IdempotencyKey",
    "Identity",
    "Invitation",
    "Label",
    "Logo",
    "Membership",
    "Organisation",
    "Role",
    "SharedValue",
    "TokenScope",
    "User",
]


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
    """A tenant. To begin with each account has one of its own; a provider has clients besides, which have none."""

    name = models.CharField(max_length=120)
    parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="clients")
    """The provider whose client this is."""
    mfa_required = models.BooleanField(default=False, db_default=False)
    """Its people need a second factor before they see anything."""
    sso_required = models.BooleanField(default=False, db_default=False)
    """Its people, other than its owners, have to come by single sign-on."""
    created_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True)
    """When it was closed (`panel.closing`): it has no people and no provider from then on, and its log has ended."""
    former_parent = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="+")
    """The provider whose client it was when it was closed, which reads its log."""

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person's role in an organisation."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=8, choices=Role.choices, default=Role.VIEWER)

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "user"], name="one_role_each")]


class TokenScope(models.TextChoices):
    """What a token opens."""

    READ = "read", pgettext_lazy("what a token may do", "Read")
    POLICY_WRITE = "policy:write", _("Read, and change domains and policies")
    ADMIN = "admin", _("All that its person may do")


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
    scope = models.CharField(
        max_length=16, choices=TokenScope.choices, default=TokenScope.READ, db_default=TokenScope.READ.value
    )
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

    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(default=timezone.now, db_index=True)
    actor = models.CharField(max_length=254)
    """The person's e-mail address, or `cli`, or `apply` for a file, or `trinco` for what the worker does by itself."""
    source = models.CharField(max_length=64, blank=True)
    """Address the request came from."""
    provider = models.CharField(max_length=120, blank=True, default="", db_default="")
    """The name of the provider as whose staff the person acted."""
    token = models.CharField(max_length=20, blank=True, default="", db_default="")
    """The prefix of the token by which it was done."""
    action = models.CharField(max_length=40)
    """A dotted word, e.g. `policy.published`, `policy.undone`, `domain.added`, `domain.left`, `domain.verified`."""
    subject = models.CharField(max_length=254)
    """The domain's name as an A-label, or the user's address."""
    before = models.JSONField(default=dict)
    after = models.JSONField(default=dict)
    override = models.BooleanField(default=False)
    """The person went on although a check had refused the deed."""
    number = models.BigIntegerField(null=True)
    """Its place in the organisation's chain, from 1; None: not taken in yet (the version of before wrote it)."""
    previous = models.CharField(max_length=64, blank=True, default="", db_default="")
    """The digest of the line before."""
    digest = models.CharField(max_length=64, blank=True, default="", db_default="")
    """`chain.digest` of this line."""

    objects: ClassVar[AppendOnlyManager[Self]] = AppendOnlyManager()

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["organisation", "-at", "-id"], name="log_newest_first"),
            models.Index(fields=["organisation", "subject", "-at", "-id"], name="log_by_subject"),
            models.Index(fields=["organisation", "actor", "-at", "-id"], name="log_by_actor"),
            models.Index(fields=["organisation", "action", "-at", "-id"], name="log_by_action"),
        ]
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "number"], name="one_line_each")]

    def save(self, *args: Any, **options: Any) -> None:
        if not self._state.adding:
            raise AppendOnly(str(self.pk))
        super().save(*args, **options)

    def delete(self, *_args: Any, **_options: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnly(str(self.pk))


class AuditHead(models.Model):
    """The end of an organisation's chain: whoever appends holds this row."""

    organisation = models.OneToOneField(Organisation, on_delete=models.PROTECT, related_name="+")
    number = models.BigIntegerField(default=0)
    digest = models.CharField(max_length=64, blank=True, default="")
    ended = models.BooleanField(default=False, db_default=False)
    """Nothing comes after the last line: the organisation is closed."""


class Invitation(models.Model):
    """An address that is asked to join an organisation. The link's token is mailed once and never kept."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    email = models.EmailField(_("e-mail address"))
    role = models.CharField(max_length=8, choices=Role.choices)
    digest = models.CharField(max_length=64, unique=True)
    """SHA-256 of the token in hex."""
    invited_by = models.CharField(max_length=254)
    language = models.CharField(max_length=10, default="en")
    created_at = models.DateTimeField(default=timezone.now)
    sent_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField()

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["email"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["organisation", "email"], name="one_invitation_each")]


class SharedValue(models.Model):
    """What the processes of the panel remember together for a while (`panel.shared`). No tenant's."""

    key = models.CharField(max_length=255, primary_key=True)
    value = models.JSONField()
    expires_at = models.DateTimeField(db_index=True)
