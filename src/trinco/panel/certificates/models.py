"""Certificates of the policy hosts and of our own. Private keys are stored sealed and leave these tables sealed.

Orders at an authority (RFC 8555) are rows too, so that whatever crashes, the next turn of a worker goes on with them.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

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


class Advised(models.Model):
    """A certificate of whose renewal the authority may have a say (RFC 9773)."""

    directory = models.CharField(max_length=255, default="", db_default="")
    """URL of the authority's directory; "": the development CA."""
    ask_due_at = models.DateTimeField(null=True, db_index=True)
    """When the authority is asked next; None: it has no answer, or never had."""
    window_start = models.DateTimeField(null=True)
    window_end = models.DateTimeField(null=True)
    """The window in which the moment of renewal was chosen."""
    hurried_at = models.DateTimeField(null=True, db_index=True)
    """When the authority wanted it renewed long before its time, as it does before it revokes; None: it did not."""

    class Meta:
        abstract = True


class Certificate(Advised):
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
    rehearsed = models.BooleanField(default=False, db_default=False)
    """The staging environment has given one since the last failure."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")


class HostCertificate(Advised):
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
    rehearsed = models.BooleanField(default=False, db_default=False)
    """As of `Attempt`."""


class AccountKey(models.Model):
    """The key of our accounts at all authorities: one row.

    One key, since its thumbprint is what every edge answers challenges with, whoever asks: a second authority can be
    turned to without telling the edges first, and while they have no database. What is signed names the URL that it is
    for (RFC 8555 section 6.4), so that no authority can use it at another.
    """

    sealed_key = models.BinaryField()
    thumbprint = models.CharField(max_length=64)
    revision = models.PositiveBigIntegerField()
    """Of the Publication, from which on the edges have the thumbprint."""
    made_at = models.DateTimeField()


class Account(models.Model):
    """Our account at one authority."""

    directory = models.CharField(max_length=255, unique=True)
    url = models.CharField(max_length=1000, default="")
    """"": not registered yet."""
    paused_until = models.DateTimeField(null=True)
    """The authority is left alone until then."""
    away_since = models.DateTimeField(null=True)
    """Since when it does not answer; None: it does."""
    failures = models.PositiveIntegerField(default=0)
    """How often it has not answered since."""
    problem = models.CharField(max_length=255, default="")
    """What it did in place of an answer."""
    skew_seconds = models.IntegerField(default=0)
    """How far ahead of ours its clock is."""
    refused = models.BooleanField(default=False, db_default=False)
    """It is not away: it gives us no account, and the operator must see to it."""
    limited_until = models.DateTimeField(null=True)
    """It gives no more of something until then."""
    limit_problem = models.CharField(max_length=255, default="", db_default="")
    """What it said of its limit; it may name somebody's domain."""


class Stage(models.TextChoices):
    """How far an order is."""

    WANTED = "wanted"
    """Key and request are made; the authority may or may not have been asked."""
    PLACED = "placed"
    """Its URL is known."""
    TOLD = "told"
    """The challenges were said to be met."""
    FINALIZED = "finalized"
    """The request was handed in, or is about to be."""
    DONE = "done"
    FAILED = "failed"


class Order(models.Model):
    """One certificate that is being obtained. Ended orders stay for a while: the authority's limits count them.

    Only one worker moves an order at a time: it takes a lease and the next fence number, and writes nothing once
    another has taken a later one.
    """

    account = models.ForeignKey(Account, on_delete=models.CASCADE, related_name="orders")
    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="orders", null=True)
    """None: for our own hosts."""
    host = models.CharField(max_length=253)
    """Under which the key is sealed."""
    names = models.JSONField()
    stage = models.CharField(max_length=9, choices=Stage.choices, default=Stage.WANTED)
    sealed_key = models.BinaryField()
    """Of the certificate to come; empty once that is stored."""
    csr = models.BinaryField()
    """DER: the same each time that it is handed in."""
    replaces = models.CharField(max_length=255, default="")
    """Id of the certificate that it comes after (RFC 9773): such orders are not counted by the limits."""
    revision = models.PositiveBigIntegerField(default=0)
    """The edges must have this revision before the challenge is said to be met."""
    url = models.CharField(max_length=1000, default="")
    created_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True, db_index=True)
    """When the authority was asked for it."""
    stage_at = models.DateTimeField()
    """When it came to its stage."""
    step_at = models.DateTimeField()
    """When it is looked at next."""
    lease_until = models.DateTimeField(null=True)
    fence = models.PositiveIntegerField(default=0)
    ended_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=255, default="")

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["host"], condition=Q(ended_at__isnull=True), name="one_pending_order_per_host"
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["step_at"], condition=Q(ended_at__isnull=True), name="orders_to_move"),
            models.Index(fields=["host", "ended_at"], name="orders_by_host"),
        ]


class EventKind(models.TextChoices):
    """What may happen to certificates that people should know of."""

    AWAY = "away", _("The authority does not answer")
    ACCOUNT = "account", _("The authority gives us no account")
    LIMITED = "limited", _("The authority gives no more for now")
    REVOKED = "revoked", _("The authority wants certificates renewed early")
    SECOND = "second", _("The second authority is in use")
    STAGING = "staging", _("Names are tried in the staging environment first")
    MANY = "many", _("Many domains get no certificate")
    OWN = "own", _("The certificate of our own hosts fails")
    FAILING = "failing", _("No certificate could be had")
    CAA = "caa", _("CAA forbids the certificate")
    ENDING = "ending", _("The certificate ends soon")


class Event(models.Model):
    """Something that happens, once, however long it lasts and however many names it touches (`events`)."""

    kind = models.CharField(max_length=8, choices=EventKind.choices)
    directory = models.CharField(max_length=255, default="")
    """Of the authority that it is about; "": of none."""
    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="certificate_events", null=True)
    """Whose it is; None: everybody's."""
    began_at = models.DateTimeField(db_index=True)
    seen_at = models.DateTimeField()
    """When it was last seen to last."""
    ended_at = models.DateTimeField(null=True, db_index=True)
    count = models.PositiveIntegerField(default=1)
    """Failures, refusals, or certificates that it was about, as its kind has it."""
    detail = models.CharField(max_length=255, default="")
    """What was said. Of those that are everybody's it is the operator's alone: it may name somebody's domain."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        ordering: ClassVar = ["-began_at", "-pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "directory"],
                condition=Q(ended_at__isnull=True, domain__isnull=True),
                name="one_open_event_per_authority",
            ),
            models.UniqueConstraint(
                fields=["kind", "domain"],
                condition=Q(ended_at__isnull=True, domain__isnull=False),
                name="one_open_event_per_domain",
            ),
        ]
