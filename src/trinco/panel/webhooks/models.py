"""Who wants to be told of what, and what waits to be told.

A deed is told of by its line in the audit log, which is numbered in the deed's own transaction: `Webhook.line` says how
far each webhook has read it. What is no deed is an `Occurrence`, written in the transaction of what has happened. The
worker makes a `Delivery` of each for every webhook that wants it.
"""

from __future__ import annotations

import base64
import secrets
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.tenancy import TenantManager


class Kind(models.TextChoices):
    """What may happen."""

    DOMAIN_ADDED = "domain.added", _("A domain was added")
    DOMAIN_VERIFIED = "domain.verified", _("A domain went live")
    DOMAIN_LEFT = "domain.left", _("A domain began to leave")
    DOMAIN_GONE = "domain.gone", _("A domain is no longer served")
    POLICY_PUBLISHED = "policy.published", _("A policy was published, with its mode")
    POLICY_UNDONE = "policy.undone", _("A change of a policy was undone")
    POLICY_PROPOSED = "policy.proposed", _("Enforce is proposed: every check passes")
    RECORDS_PROBLEM = "records.problem", _("DNS records: a problem began")
    RECORDS_SOLVED = "records.solved", _("DNS records: a problem is over")
    MAIL_PROBLEM = "mail.problem", _("MX, STARTTLS or a mail server’s certificate: a problem began")
    MAIL_SOLVED = "mail.solved", _("MX, STARTTLS or a mail server’s certificate: a problem is over")
    CERTIFICATE_PROBLEM = "certificate.problem", _("Certificate of the policy host: a problem began")
    CERTIFICATE_SOLVED = "certificate.solved", _("Certificate of the policy host: a problem is over")
    POLICY_PROBLEM = "policy.problem", _("Serving of the policy: a problem began")
    POLICY_SOLVED = "policy.solved", _("Serving of the policy: a problem is over")
    REPORTS_PROBLEM = "reports.problem", _("TLS reports: failures have risen")
    REPORTS_SOLVED = "reports.solved", _("TLS reports: failures are down again")
    PING = "ping", _("A test")


CHOICES = tuple((kind.value, kind.label) for kind in Kind if kind is not Kind.PING)
"""What a webhook may ask for: a test is sent whatever it asks for."""


def new_name() -> str:
    """128 random bits in lower-case base 32."""
    return base64.b32encode(secrets.token_bytes(16)).decode("ascii").lower().rstrip("=")


class Webhook(models.Model):
    """An address of the customer's that is told of what happens."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    """What it is for, in its people's words."""
    uid = models.CharField(max_length=26, unique=True, default=new_name)
    """Under which its secrets are sealed."""
    url = models.CharField(max_length=500)
    """May hold a secret of its own in its path: shown to those who look after webhooks alone, and never logged."""
    kinds = models.JSONField(default=list)
    on = models.BooleanField(default=True)
    language = models.CharField(max_length=10, default="en")
    """Of the person who made it: in which its people are told that it was switched off."""
    created_at = models.DateTimeField(default=timezone.now)
    line = models.BigIntegerField(default=0)
    """The last line of the organisation's log that was looked at."""

    failures = models.PositiveIntegerField(default=0)
    """Attempts in a row that failed."""
    failing_since = models.DateTimeField(null=True)
    rest_until = models.DateTimeField(null=True)
    """After failures it is left alone for a while, whatever waits."""
    lease_until = models.DateTimeField(null=True)
    """Until when a worker has it in hand: one delivery at a time."""
    fence = models.PositiveIntegerField(default=0)
    """Goes up with each lease: whoever had an older one writes nothing any more."""
    turn_at = models.DateTimeField(default=timezone.now)
    """When it was last its turn."""
    stopped_at = models.DateTimeField(null=True)
    """When it was switched off by itself; None: it was not."""
    stopped_why = models.CharField(max_length=8, default="")
    mail_due_at = models.DateTimeField(null=True)
    """When its people are told that it was switched off; None: there is nothing to tell."""

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["name", "pk"]

    @property
    def host(self) -> str:
        """What may be logged of its address."""
        return self.url.partition("://")[2].partition("/")[0].partition("?")[0]

    @property
    def seal_name(self) -> str:
        """The name under which its secrets are sealed."""
        return f"webhook {self.uid}"


class Secret(models.Model):
    """What deliveries are signed with. During a change there are several, and a signature by each."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="secrets")
    sealed_key = models.BinaryField()
    created_at = models.DateTimeField(default=timezone.now)
    ends_at = models.DateTimeField(null=True)
    """Until when it still signs beside the new one; None: it is the new one."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("webhook__organisation")


class DeliveryState(models.TextChoices):
    """How far a delivery is."""

    WAITING = "waiting", _("Waiting")
    DONE = "done", _("Delivered")
    FAILED = "failed", _("Given up")


class Delivery(models.Model):
    """One message for one webhook: the same octets and the same id at each attempt."""

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    uid = models.CharField(max_length=30, unique=True)
    """`webhook-id`."""
    kind = models.CharField(max_length=24, choices=Kind.choices)
    subject = models.CharField(max_length=254, default="")
    """The domain that it is about."""
    body = models.TextField()
    state = models.CharField(max_length=8, choices=DeliveryState.choices, default=DeliveryState.WAITING)
    created_at = models.DateTimeField()
    due_at = models.DateTimeField()
    until = models.DateTimeField()
    """It is given up when no attempt has succeeded by then."""
    tries = models.PositiveIntegerField(default=0)
    tried_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)
    status = models.PositiveSmallIntegerField(null=True)
    """What was answered last; None: nothing was."""
    milliseconds = models.PositiveIntegerField(null=True)
    """How long the last attempt took."""
    problem = models.CharField(max_length=255, default="")

    objects: ClassVar[TenantManager[Self]] = TenantManager("webhook__organisation")

    class Meta:
        ordering: ClassVar = ["-created_at", "-pk"]
        indexes: ClassVar = [
            models.Index(fields=["webhook", "due_at"], condition=Q(state="waiting"), name="deliveries_that_wait"),
            models.Index(fields=["webhook", "-created_at"], name="deliveries_of_a_webhook"),
            models.Index(fields=["ended_at"], name="deliveries_that_ended"),
        ]


class Occurrence(models.Model):
    """Something that happened and is no deed, until the worker has made deliveries of it."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=24, choices=Kind.choices)
    subject = models.CharField(max_length=254, default="")
    data = models.JSONField(default=dict)
    at = models.DateTimeField()

    objects: ClassVar[TenantManager[Self]] = TenantManager()


class Trouble(models.Model):
    """A problem of a domain that lasts: so that its beginning and its end are told once each (`troubles`)."""

    domain = models.ForeignKey("domains.HostedDomain", on_delete=models.CASCADE, related_name="+")
    problem = models.CharField(max_length=40)
    """A word of `checks.status`, or of the certificates' events."""
    since = models.DateTimeField()

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["domain", "problem"], name="one_trouble_of_a_kind")]
