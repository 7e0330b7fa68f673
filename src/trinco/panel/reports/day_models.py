"""The days of an organisation added up over its domains (`days`): made from `DailyTotal` alone, by the database itself.

Neither table has a constraint that leads to another: what it holds follows from the daily totals, whichever goes first.
"""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models

from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.tenancy import TenantManager
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import DOMAIN_LENGTH, SUMMED, Trust


class OrganisationDay(models.Model):
    """A part of all sessions of one UTC day of an organisation: those of a day are the sum of its rows.

    Triggers on `reports_dailytotal` write a row for each change there, which may be negative; the worker adds rows up.
    """

    organisation = models.ForeignKey(
        Organisation, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    domain = models.ForeignKey(
        HostedDomain, null=True, on_delete=models.DO_NOTHING, related_name="+", db_index=False, db_constraint=False
    )
    """None: whatever the domain. By HTTPS the sessions of each domain stand alone: its owner says if they count."""
    day = models.DateField()
    trust = models.CharField(max_length=8, choices=Trust.choices)
    submitter = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    successful_session_count = models.BigIntegerField()
    failed_session_count = models.BigIntegerField()
    reports = models.BigIntegerField()
    totals = models.BigIntegerField()
    """How many daily totals are in it. Where the rows of a day and sender have none together, nobody reported."""
    folded = models.BooleanField(default=False, db_default=False)
    """Whether it is added up already."""

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["organisation", "day", "trust", "submitter", "domain", *SUMMED, "totals"],
                name="days_of_organisation",
            ),
            models.Index(fields=["id"], condition=models.Q(folded=False), name="days_to_fold"),
        ]


class UnsummedDomain(models.Model):
    """A domain whose totals are older than `OrganisationDay`, and not in it yet: the triggers pass over it."""

    domain = models.OneToOneField(HostedDomain, on_delete=models.CASCADE, related_name="+", db_constraint=False)

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")
