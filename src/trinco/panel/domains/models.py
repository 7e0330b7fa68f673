"""Which domains are hosted, for whom, in which state, and what was last seen of them in DNS."""

from __future__ import annotations

from typing import Any, ClassVar, Self

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trinco.core.names import Domain
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.tenancy import TenantManager


class Revision(models.Model):
    """The Publication's revision: one row, a counter that only goes forward. Also the SOA serial."""

    number = models.PositiveBigIntegerField(default=0)


class State(models.TextChoices):
    """Where a domain stands with us."""

    SETUP = "setup", _("Waiting for DNS")
    """Added; its CNAMEs have not been seen to point to our label."""
    LIVE = "live", _("Live")
    """The CNAMEs were seen: the name is this organisation's, and is served."""
    LEAVING = "leaving", _("Leaving")
    """`mode: none` is served until the horizon has passed (RFC 8461 section 8.3)."""
    GONE = "gone", _("Gone")
    """No longer served. The row stays, since its label is never reissued."""


class Level(models.IntegerChoices):
    """How urgently a domain wants its owner, worst first (the Overview's order)."""

    CRITICAL = 0, _("Critical")
    ATTENTION = 1, _("Attention")
    READY = 2, _("Ready")
    SETUP = 3, _("Setup")
    OK = 4, _("OK")
    LEAVING = 5, _("Leaving")


class Way(models.TextChoices):
    """How the owner publishes one of the three records."""

    CNAME = "cname", _("A CNAME to us, once")
    """Published once: what stands behind it is ours to change."""
    TXT = "txt", _("A TXT record of your own: you change its text when we say so")
    """The text itself, published anew by the owner after each change."""
    PROVIDER = "provider", _("A TXT record of your own: we change its text at your DNS provider")
    """The text itself, written anew by the worker with credentials that are kept (`KeptAccess`)."""
    ADDRESSES = "addresses", _("A and AAAA records with the addresses of our policy hosts")
    """For the policy host, where no CNAME can be."""


class HostedDomain(models.Model):
    """One mail domain of one organisation, under one unguessable label for ever.

    Several organisations may have the same name in SETUP; only one can have it LIVE or LEAVING (proof by CNAME).
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=242)
    """A-labels, lower case, no final dot."""
    label = models.CharField(max_length=26, unique=True)
    """128 random bits in lower-case base 32: never reissued, no `-`, `+` or `_` (also a report token)."""
    state = models.CharField(max_length=8, choices=State.choices, default=State.SETUP)
    tlsrpt = models.BooleanField(default=True)
    """Whether `_smtp._tls` answers."""
    tlsrpt_https = models.BooleanField(default=False, db_default=False)
    """Whether its record names the HTTPS door beside the mailbox."""
    trust_https = models.BooleanField(default=False, db_default=False)
    """Whether reports that came by HTTPS, which nobody signs, are counted."""
    host_way = models.CharField(max_length=9, default=Way.CNAME, db_default="cname")
    """How `mta-sts` is published: a CNAME, or addresses. A CNAME to our label is right in every way."""
    sts_way = models.CharField(max_length=9, default=Way.CNAME, db_default="cname")
    """How `_mta-sts` is published."""
    tlsrpt_way = models.CharField(max_length=9, default=Way.CNAME, db_default="cname")
    """How `_smtp._tls` is published."""
    revision = models.PositiveBigIntegerField(default=0, db_index=True)
    """The Publication's revision that last changed what the edges know of this domain."""
    created_at = models.DateTimeField(default=timezone.now)
    verified_at = models.DateTimeField(null=True)
    leaving_at = models.DateTimeField(null=True)
    gone_at = models.DateTimeField(null=True)
    checked_at = models.DateTimeField(null=True)
    """When DNS was last looked at; None: never."""
    check_due_at = models.DateTimeField(default=timezone.now, db_index=True)
    mx_checked_at = models.DateTimeField(null=True)
    """When the MX were last read; None: never. Older than an hour counts as unknown for enforce."""
    mx_suggested = models.JSONField(default=list)
    """MX hosts read while in SETUP, offered to the person as the `mx` list: never taken over by itself."""
    zone = models.CharField(max_length=253, blank=True, default="", db_default="")
    """The DNS zone that holds the domain, as last seen; "": not known yet."""
    nameservers = models.JSONField(default=list, db_default=[])
    """Hosts of that zone's name servers: they tell whose pages the owner edits it on."""

    tags: ClassVar[Any] = models.ManyToManyField("domains.Tag", through="domains.Tagging", related_name="hosted_with")

    level = models.PositiveSmallIntegerField(choices=Level.choices, default=Level.SETUP)
    """What `checks.status` made of this domain last: for sorting, filtering and counting alone."""
    level_revision = models.PositiveBigIntegerField(default=0)
    """The `revision` at which `level` was worked out; another one means that it is to be worked out again."""

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["name"]
        indexes: ClassVar = [
            models.Index(fields=["organisation", "level", "name"], name="overview_worst_first"),
            models.Index(fields=["name"], name="domains_by_name"),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(state__in=["live", "leaving"]), name="one_owner_per_name"
            ),
            models.UniqueConstraint(
                fields=["organisation", "name"], condition=~Q(state="gone"), name="once_per_organisation"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def domain(self) -> Domain:
        """The name as a value of core."""
        return Domain.parse(self.name)

    @property
    def unicode(self) -> str:
        """The name as people read it."""
        return self.domain.unicode

    @property
    def policy_host(self) -> str:
        return f"mta-sts.{self.name}"


class RecordName(models.TextChoices):
    """The three names at which the owner publishes a record."""

    MTA_STS = "mta-sts"
    STS_TXT = "_mta-sts"
    TLSRPT_TXT = "_smtp._tls"


class Finding(models.TextChoices):
    """What is there in place of one of the three records."""

    FOUND = "found", _("Found")
    ELSEWHERE = "elsewhere", _("Points elsewhere")
    MISSING = "missing", _("Not found yet")
    TXT_IN_THE_WAY = "txt", _("A TXT record is in the way")
    WILDCARD = "wildcard", _("A wildcard is in the way")
    PROXIED = "proxied", _("Proxied")
    CAA_FORBIDS = "caa", _("CAA forbids the certificate")
    UNKNOWN = "unknown", _("DNS did not answer")
    STALE = "stale", _("Another text")
    """A TXT of this kind is there, and says something else than is wanted."""
    TWICE = "twice", _("Two records of one kind")
    PARTLY = "partly", _("Not on all name servers yet")
    LATER = "later", _("Not to be published yet")
    """Nothing is wanted there before every edge serves the policy (RFC 8461 section 8.1)."""


SEEN_CHARACTERS = 255
"""That are kept of what stands at a name."""


class RecordSighting(models.Model):
    """What the authoritative servers last said about one of the three names."""

    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="records")
    record = models.CharField(max_length=10, choices=RecordName.choices)
    finding = models.CharField(max_length=9, choices=Finding.choices)
    seen = models.CharField(max_length=SEEN_CHARACTERS, blank=True)
    """What is there instead: the foreign target, the TXT, the addresses, the CAA record with its owner name. For a
    record that was found: the TXT or the addresses, "" for the CNAME."""
    seen_at = models.DateTimeField(default=timezone.now)

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["domain", "record"], name="one_sighting_per_record")]


class KeptAccess(models.Model):
    """Credentials at the DNS provider of one domain, kept under seal to write its texts after each change."""

    domain = models.OneToOneField(HostedDomain, on_delete=models.CASCADE, related_name="kept_access")
    provider = models.CharField(max_length=32)
    sealed_key = models.BinaryField()
    """JSON of the credentials, sealed under `seal_name`."""
    kept_at = models.DateTimeField(default=timezone.now)
    kept_by = models.CharField(max_length=254)
    due_at = models.DateTimeField(default=timezone.now, db_index=True)
    """When the worker compares next what stands there with what is wanted."""
    failures = models.PositiveIntegerField(default=0)
    """How often in a row it went wrong."""
    trouble = models.CharField(max_length=12, blank=True)
    """Of the last attempt: a `Trouble` of `net.dnswriting`, or `taken`; "": none."""
    said = models.CharField(max_length=255, blank=True)
    """What the provider said then, without any of the credentials, or what is in the way."""
    tried_at = models.DateTimeField(null=True)
    written_at = models.DateTimeField(null=True)
    """When everything was right there last, by the provider's own word."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        ordering: ClassVar = ["id"]

    @property
    def seal_name(self) -> str:
        """What the credentials are sealed under."""
        return f"dns access of {self.domain.label}"


class Starttls(models.TextChoices):
    """What an MX answered to our probe."""

    UNTESTED = "untested", _("Not tested yet")
    OK = "ok", _("Works")
    NOT_OFFERED = "not-offered", _("Not offered")
    BAD_CERTIFICATE = "bad-certificate", _("Certificate not valid")
    UNREACHABLE = "unreachable", _("No answer")


class MxSighting(models.Model):
    """One MX host of a domain as last seen in DNS and over SMTP. A suggestion to a person, never a policy by itself."""

    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="mx_hosts")
    host = models.CharField(max_length=253)
    preference = models.PositiveIntegerField()
    seen_at = models.DateTimeField(default=timezone.now)
    starttls = models.CharField(max_length=16, choices=Starttls.choices, default=Starttls.UNTESTED)
    tls_version = models.CharField(max_length=10, blank=True)
    problem = models.CharField(max_length=255, blank=True)
    """What went wrong, in the words of the library or the server."""
    not_after = models.DateTimeField(null=True)
    probed_at = models.DateTimeField(null=True)
    probe_due_at = models.DateTimeField(default=timezone.now, db_index=True)
    """When the worker talks to it next, while the domain is LIVE."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        ordering: ClassVar = ["preference", "host"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["domain", "host"], name="one_sighting_per_mx")]


class TurnedAway(models.Model):
    """How many reports about a domain were turned away on a day, since more came than are taken. One that is tried
    again counts each time."""

    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    """The UTC day on which an edge said so."""
    reports = models.PositiveIntegerField(default=0)

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        ordering: ClassVar = ["day", "id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["domain", "day"], name="turned_away_once_a_day")]


# Django looks for an app's tables here.
from trinco.panel.domains import tag_models  # noqa: E402, F401
