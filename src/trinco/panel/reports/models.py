"""TLS reports: what arrived, what it says about each hosted domain, and the sums (RFC 8460 section 4).

An *arrival* is kept raw, compressed. What it says about one hosted domain is one `Report` with its policy rows and
failure rows; a document about several domains gives several, each for its own tenant. `DailyTotal` sums those reports
that are counted: pages and API read it alone, however many rows lie below.
"""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.tenancy import TenantManager
from trinco.panel.domains.models import HostedDomain
from trinco.panel.policies.models import PolicyVersion

CHANNELS = [(channel.value, channel.value) for channel in Channel]
DOMAIN_LENGTH = 253
WORD_LENGTH = 64
TEXT_LENGTH = 500
"""Characters of a text of a report that stand in a row; what is longer is cut here and whole in the raw report."""


class Trust(models.TextChoices):
    """Who vouches for a report, the best first."""

    DKIM = "dkim", _("Verified by DKIM")
    """Signed by the domain of its contact address, by our rules (RFC 8460 section 3)."""
    OPERATOR = "operator", _("Imported by the operator")
    """Whoever runs this installation imported it and said that it can be believed."""
    HTTPS = "https", _("By HTTPS, not signed")
    """It came through the HTTPS door with the domain's token, which stands in DNS for everybody to read."""
    NONE = "none", _("Not verified")
    """By mail without a signature that holds."""

    @property
    def rank(self) -> int:
        """0 is the best."""
        return list(Trust).index(self)


class RawState(models.TextChoices):
    """What became of an arrival."""

    PENDING = "pending", _("Waiting")
    DIGESTED = "digested", _("Read")
    REPEATED = "repeated", _("Repeated")
    """Everything in it was there already."""
    LATE = "late", _("Too late")
    """All that is new in it is about days whose reports retention has removed: it is not counted again."""
    FOREIGN = "foreign", _("About other domains")
    """A report, but about no domain that is hosted here."""
    PARKED = "parked", _("Could not be read")
    """Kept with the reason: shown to the owner, tried again on demand."""


class RawReport(models.Model):
    """One arrival, as it came. Belongs to the organisation whose token it was sent to."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    domain = models.ForeignKey(HostedDomain, null=True, on_delete=models.CASCADE, related_name="+")
    """Whose token it came with; None: imported."""
    arrival_id = models.CharField(max_length=64, unique=True)
    """`Arrival.id`: an arrival that is taken twice is there once."""
    channel = models.CharField(max_length=6, choices=CHANNELS)
    received_at = models.DateTimeField()
    peer = models.CharField(max_length=64, blank=True)
    sender = models.CharField(max_length=TEXT_LENGTH, blank=True)
    media_type = models.CharField(max_length=WORD_LENGTH, blank=True)
    body = models.BinaryField()
    """zlib (RFC 1950) of the octets that came."""
    size = models.PositiveIntegerField()
    """Octets that came."""
    state = models.CharField(max_length=8, choices=RawState.choices, default=RawState.PENDING)
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(null=True, default=timezone.now)
    """When it is to be digested; None: nothing to do."""
    unanswered_since = models.DateTimeField(null=True)
    """Since when DNS gives no answer for the key of its signature; None: it did, or was not asked."""
    reason = models.CharField(max_length=TEXT_LENGTH, blank=True)
    """Why it is parked or foreign, or why its signature does not hold, for people."""
    trust = models.CharField(max_length=8, choices=Trust.choices, blank=True)
    """The verdict of the day of its arrival ("" before): keys change, so it is not asked for again."""
    signer = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    """The `d=` of the signature that holds."""
    mixed = models.BooleanField(default=False)
    """It speaks of domains that are not all this organisation's: nobody is shown the whole of it."""

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["-received_at", "-id"]
        indexes: ClassVar = [
            models.Index(fields=["due_at", "id"], condition=models.Q(due_at__isnull=False), name="raw_reports_due"),
            models.Index(fields=["organisation", "state", "-received_at"], name="raw_reports_by_state"),
            models.Index(fields=["organisation", "received_at"], name="raw_reports_by_age"),
        ]


class Report(models.Model):
    """What one report says about one hosted domain. Two that are equal in every word are one (`copies` counts them)."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+")
    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="reports")
    raw = models.ForeignKey(RawReport, null=True, on_delete=models.SET_NULL, related_name="reports")
    """The first arrival that brought it with the trust it has; None: retention has removed that."""
    received_at = models.DateTimeField()
    channel = models.CharField(max_length=6, choices=CHANNELS)
    trust = models.CharField(max_length=8, choices=Trust.choices)
    """The best of all copies."""
    signer = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    organization_name = models.CharField(max_length=TEXT_LENGTH, blank=True)
    contact_info = models.CharField(max_length=TEXT_LENGTH, blank=True)
    report_id = models.CharField(max_length=TEXT_LENGTH, blank=True)
    submitter = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    """The domain of the contact address: verified with DKIM, claimed otherwise."""
    start = models.DateTimeField()
    end = models.DateTimeField()
    day = models.DateField()
    """The UTC day of `start`, on which all of it is counted."""
    content = models.CharField(max_length=64)
    """SHA-256 in hex of this domain's part, rendered: equal for copies in any wrapping."""
    identity = models.CharField(max_length=64)
    """SHA-256 in hex of trust's source, date range and report-id: of several with one identity, one is counted."""
    counted = models.BooleanField(default=True)
    """False: another report of the same identity is counted in its place."""
    copies = models.PositiveIntegerField(default=1)
    successful_session_count = models.PositiveBigIntegerField(default=0)
    failed_session_count = models.PositiveBigIntegerField(default=0)
    """Both over all policy types, `sts` and `tlsa` not added together (`totals.combined`)."""

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        ordering: ClassVar = ["-day", "-id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["domain", "content"], name="equal_reports_are_one")]
        indexes: ClassVar = [
            models.Index(fields=["domain", "identity"], name="reports_by_identity"),
            models.Index(fields=["domain", "-day", "-id"], name="reports_by_day"),
            models.Index(fields=["organisation", "-day", "-id"], name="reports_of_organisation"),
        ]


class Applied(models.TextChoices):
    """What the ledger says of the policy that a sender says it applied."""

    CURRENT = "current", _("The current policy")
    OLDER = "older", _("An older policy")
    NEVER = "never", _("Never a policy of ours")
    UNTOLD = "untold", _("Not told")
    """Another policy type, or no policy-string."""


class PolicyRow(models.Model):
    """One entry of `policies` (RFC 8460 section 4.4)."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="policies")
    position = models.PositiveSmallIntegerField()
    policy_type = models.CharField(max_length=WORD_LENGTH)
    policy_domain = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    policy_domain_inferred = models.BooleanField(default=False)
    policy_string = models.JSONField(default=list)
    mx_host = models.JSONField(default=list)
    successful_session_count = models.PositiveBigIntegerField(default=0)
    failed_session_count = models.PositiveBigIntegerField(default=0)
    detailed_session_count = models.PositiveBigIntegerField(default=0)
    """The sum over the failure details: it may differ from `failed_session_count`, and both are shown."""
    applied = models.CharField(max_length=7, choices=Applied.choices, default=Applied.UNTOLD)
    version = models.ForeignKey(PolicyVersion, null=True, on_delete=models.SET_NULL, related_name="+")
    """The version of ours that the sender applied, where it was one."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("report__organisation")

    class Meta:
        ordering: ClassVar = ["position"]


class FailureRow(models.Model):
    """One entry of `failure-details`. `domain`, `day`, `submitter`, `policy_type` repeat what stands above it."""

    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="failures")
    policy = models.ForeignKey(PolicyRow, on_delete=models.CASCADE, related_name="failures")
    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    submitter = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    policy_type = models.CharField(max_length=WORD_LENGTH)
    result_type = models.CharField(max_length=WORD_LENGTH)
    sending_mta_ip = models.CharField(max_length=WORD_LENGTH, blank=True)
    receiving_mx_hostname = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    receiving_mx_helo = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    receiving_ip = models.CharField(max_length=WORD_LENGTH, blank=True)
    failed_session_count = models.PositiveBigIntegerField()
    additional_information = models.CharField(max_length=TEXT_LENGTH, blank=True)
    failure_reason_code = models.CharField(max_length=TEXT_LENGTH, blank=True)

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["domain", "day", "result_type"], name="failures_by_day_and_result")]


SUMMED = ("successful_session_count", "failed_session_count", "reports")
FAILURE = ("policy_type", "result_type", "mx")


class DailyTotal(models.Model):
    """Sessions of the counted reports about one domain and UTC day, by who vouches and who reports.

    Three kinds of rows that are never added to each other:
    `policy_type` and `result_type` empty: all sessions, `sts` and `tlsa` of one report taken as the same sessions;
    `result_type` alone empty: the summaries under that policy type;
    `result_type` set: the failure details of that policy type, result and MX (`successful_session_count` is 0).

    A word that is empty in the report stands here as `-`, and so does what lies beyond the largest that one report may
    add (`totals`).
    """

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+", db_index=False)
    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    trust = models.CharField(max_length=8, choices=Trust.choices)
    submitter = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    policy_type = models.CharField(max_length=WORD_LENGTH, blank=True)
    result_type = models.CharField(max_length=WORD_LENGTH, blank=True)
    mx = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    successful_session_count = models.PositiveBigIntegerField(default=0)
    failed_session_count = models.PositiveBigIntegerField(default=0)
    reports = models.PositiveIntegerField(default=0)

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["domain", "day", "trust", "submitter", "policy_type", "result_type", "mx"],
                name="one_total_each",
            )
        ]
        indexes: ClassVar = [
            # These hold all that a chart adds up, and whose it is, so that no row is looked at. The failures of an
            # organisation stand together, whatever the number of its domains; the version of before reads its sessions
            # so, which are added up by now (`day_models`).
            models.Index(
                fields=["organisation", "day", "trust", "submitter", "domain", *SUMMED, "policy_type", "result_type"],
                condition=models.Q(policy_type="", result_type=""),
                name="totals_by_organisation",
            ),
            models.Index(
                fields=["domain", "day", "trust", "submitter", *SUMMED, "policy_type", "result_type", "organisation"],
                condition=models.Q(policy_type="", result_type=""),
                name="sessions_of_domain",
            ),
            models.Index(
                fields=["domain", "day", *FAILURE, "trust", "submitter", SUMMED[1], "organisation"],
                condition=~models.Q(result_type=""),
                name="failures_of_domain",
            ),
            models.Index(
                fields=["organisation", "day", *FAILURE, "trust", "submitter", "domain", SUMMED[1]],
                condition=~models.Q(result_type=""),
                name="failures_of_organisation",
            ),
            models.Index(  # few: where a report has more kinds of failure than are named
                fields=["organisation", "-day", "domain", "submitter"],
                condition=models.Q(result_type="-", mx=""),
                name="failures_nameless",
            ),
        ]


class Retention(models.Model):
    """How long an organisation keeps what lies below the totals; the totals stay. No row: the defaults."""

    organisation = models.OneToOneField(Organisation, on_delete=models.CASCADE, related_name="+")
    raw_days = models.PositiveIntegerField(default=400)
    """Days after arrival until the raw report goes. At least as long as a rebuild is wanted."""
    row_days = models.PositiveIntegerField(default=760)
    """Days after its own day until a report with its rows goes."""

    objects: ClassVar[TenantManager[Self]] = TenantManager()


class ClosedDay(models.Model):
    """A day of a domain whose reports retention has removed: its totals stay as they are."""

    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["domain", "day"], name="one_closed_day_each")]


class Recipient(models.Model):
    """An address that gets a copy of each report about a domain, once it has said that it wants them."""

    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="recipients")
    address = models.EmailField()
    created_at = models.DateTimeField(default=timezone.now)
    created_by = models.CharField(max_length=254)
    language = models.CharField(max_length=10, default="en")
    """In which the question is asked: that of the person who added the address."""
    asked_at = models.DateTimeField(null=True)
    """When the question was mailed last; None: not yet."""
    due_at = models.DateTimeField(null=True)
    """Before that the question is not mailed, since the last attempt failed; None: at once."""
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    """Attempts to mail the question that failed."""
    unreachable = models.BooleanField(default=False, db_default=False)
    """The question was given up: the mail server refused the address, or took nothing for a day."""
    confirmed_at = models.DateTimeField(null=True)

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        ordering: ClassVar = ["address"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["domain", "address"], name="one_recipient_each")]
        indexes: ClassVar = [
            models.Index(fields=["address", "asked_at"], name="recipients_by_address"),
            models.Index(
                fields=["address", "id"],
                condition=models.Q(asked_at__isnull=True, confirmed_at__isnull=True),
                name="recipients_to_ask",
            ),
        ]


class Copy(models.Model):
    """A copy that is still to be sent: gone once the mail server has taken it."""

    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="copies")
    report = models.ForeignKey(Report, on_delete=models.CASCADE, related_name="+")
    tries = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now, db_index=True)

    objects: ClassVar[TenantManager[Self]] = TenantManager("recipient__domain__organisation")

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["recipient", "report"], name="one_copy_each")]


# Django looks for an app's tables here.
from trinco.panel.reports import day_models, month_models  # noqa: E402, F401
