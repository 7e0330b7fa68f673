"""What policy each domain has, had and announces; the ledger of what was served; the edges that serve it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import ClassVar, Self

from django.db import models
from django.utils import timezone

from trinco.core.mtasts.policy import Mode
from trinco.panel.accounts.tenancy import TenantManager
from trinco.panel.domains.models import HostedDomain


class PolicyVersion(models.Model):
    """One policy as it was published: immutable. The ledger's `served_until` is the one thing written later."""

    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    """1, 2, 3, … within the domain."""
    policy_id = models.CharField(max_length=32)
    """The id of RFC 8461 section 3.1: UTC time and part of the body's hash; later ones sort after earlier ones."""
    mode = models.CharField(max_length=8, choices=[(mode.value, mode.value) for mode in Mode])
    mx = models.JSONField(default=list)
    max_age = models.PositiveIntegerField()
    """Seconds."""
    body = models.BinaryField()
    revision = models.PositiveBigIntegerField()
    """The Publication's revision that carried the body to the edges."""
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=254)
    undoes = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="+")
    """The version that this one set aside when the person pressed undo."""
    override = models.BooleanField(default=False)
    released_at = models.DateTimeField(null=True)
    """When every live edge served it, so that its id may be said: by our zone, or by the owner's hand. None: not yet,
    or skipped since a newer one came."""
    announced_at = models.DateTimeField(null=True)
    """When DNS first said its id; None: not yet, or skipped. An owner's own TXT has been seen by then."""
    served_from = models.DateTimeField(null=True)
    """First moment at which an edge may have served the body."""
    served_until = models.DateTimeField(null=True)
    """Last moment at which an edge may have served it; None: served still, or never."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["domain", "number"], name="one_version_per_number"),
            models.UniqueConstraint(fields=["domain", "policy_id"], name="an_id_is_never_reused"),
        ]


class Standing(models.Model):
    """Which version is served and which is announced: the served one is never the older (RFC 8461 8.1)."""

    domain = models.OneToOneField(HostedDomain, on_delete=models.CASCADE, related_name="standing")
    current = models.ForeignKey(PolicyVersion, on_delete=models.PROTECT, related_name="+")
    announced = models.ForeignKey(PolicyVersion, null=True, on_delete=models.PROTECT, related_name="+")
    """What our zone says, and what an owner publishes who cannot point there."""
    id_floor = models.CharField(max_length=32, blank=True)
    """The highest id that the world has ever seen for this name: new ones sort after it, also after a restore."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")


class EdgeNode(models.Model):
    """An edge process. Its lease tells whether an announcement must wait for it. No tenant's data."""

    name = models.CharField(max_length=64, unique=True)
    session = models.CharField(max_length=32)
    """Random per process start: an older process of the same name cannot acknowledge in place of the newer one."""
    registered_at = models.DateTimeField(default=timezone.now)
    lease_until = models.DateTimeField()
    acknowledged = models.PositiveBigIntegerField(null=True)
    """The newest revision that this process has seen itself serve; None: none yet."""
    settled = models.PositiveBigIntegerField(null=True)
    """The newest one of which an edge without a lease has had time to learn (`panel.quiet`); None: none yet."""
    failing = models.JSONField(default=list)
    """Labels whose policy it could not fetch from itself."""
    addresses = models.JSONField(default=list, db_default=[])
    """Those of the policy hosts' addresses that are this edge's own; none: it is never withdrawn."""
    awaited = models.PositiveBigIntegerField(null=True)
    """A revision that it has not acknowledged yet; None: it has all."""
    awaited_since = models.DateTimeField(null=True)
    withdrawn_at = models.DateTimeField(null=True)
    """Since when its addresses are out of the zone (`policies.rotation`); None: they are not."""
    withdrawn_revision = models.PositiveBigIntegerField(null=True)
    """The revision of the zone without them."""
    waived_at = models.DateTimeField(null=True)
    """From when on no announcement waits for it; None: each does, as long as its lease runs."""

    def live(self, now: datetime) -> bool:
        """Whether its lease runs."""
        return self.lease_until > now

    def has(self, revision: int) -> bool:
        """Whether it has acknowledged this revision."""
        return self.acknowledged is not None and self.acknowledged >= revision

    def lags(self, now: datetime, patience: timedelta) -> bool:
        """Whether it has owed a revision for longer than this."""
        return self.awaited_since is not None and now - self.awaited_since > patience

    def waived(self, now: datetime) -> bool:
        """Whether an announcement goes on without it although its lease runs."""
        return self.waived_at is not None and self.waived_at <= now


# Django looks for an app's tables here.
from trinco.panel.policies import import_models  # noqa: E402, F401
