"""Months of daily totals added up (`months`): made from `DailyTotal` alone, and made anew at any time."""

from __future__ import annotations

from typing import ClassVar, Self

from django.db import models

from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.tenancy import TenantManager
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import DOMAIN_LENGTH, FAILURE, SUMMED, WORD_LENGTH, Trust

_SPAN = ("first", "last")


class MonthTotal(models.Model):
    """The daily totals of one month added up, for charts of years: valid where `SummedMonth` says so.

    Two of the three kinds of rows are here: all sessions, and the failure details.
    """

    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="+", db_index=False)
    month = models.DateField()
    """Its first day."""
    trust = models.CharField(max_length=8, choices=Trust.choices)
    submitter = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    policy_type = models.CharField(max_length=WORD_LENGTH, blank=True)
    result_type = models.CharField(max_length=WORD_LENGTH, blank=True)
    mx = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    successful_session_count = models.PositiveBigIntegerField(default=0)
    failed_session_count = models.PositiveBigIntegerField(default=0)
    reports = models.PositiveIntegerField(default=0)
    first = models.DateField()
    last = models.DateField()
    """The first and the last day of the month that such a row is about."""

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        indexes: ClassVar = [
            models.Index(
                fields=["domain", "month", "trust", "submitter", *SUMMED, *_SPAN, "policy_type", "result_type"],
                condition=models.Q(policy_type="", result_type=""),
                name="months_of_sessions",
            ),
            models.Index(
                fields=["domain", "month", *FAILURE, "trust", "submitter", SUMMED[1], *_SPAN],
                condition=~models.Q(result_type=""),
                name="months_of_failures",
            ),
        ]


class MonthFailure(models.Model):
    """The failure details of one month, whoever told of them: in months that are valid as `MonthTotal` is."""

    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="+", db_index=False)
    month = models.DateField()
    trust = models.CharField(max_length=8, choices=Trust.choices)
    policy_type = models.CharField(max_length=WORD_LENGTH, blank=True)
    result_type = models.CharField(max_length=WORD_LENGTH)
    mx = models.CharField(max_length=DOMAIN_LENGTH, blank=True)
    failed_session_count = models.PositiveBigIntegerField()
    first = models.DateField()
    last = models.DateField()

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        indexes: ClassVar = [
            models.Index(fields=["domain", "month", *FAILURE, "trust", SUMMED[1], *_SPAN], name="months_by_failure")
        ]


class DaySum(models.Model):
    """All sessions of one day, whoever reported them, in months that are valid as `MonthTotal` is."""

    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="+", db_index=False)
    day = models.DateField()
    trust = models.CharField(max_length=8, choices=Trust.choices)
    successful_session_count = models.PositiveBigIntegerField(default=0)
    failed_session_count = models.PositiveBigIntegerField(default=0)
    reports = models.PositiveIntegerField(default=0)

    objects: ClassVar[TenantManager[Self]] = TenantManager("domain__organisation")

    class Meta:
        indexes: ClassVar = [models.Index(fields=["domain", "day", "trust", *SUMMED], name="days_summed")]


class SummedMonth(models.Model):
    """Whether the totals of a month of a domain are added up. Every write of daily totals makes it due again."""

    organisation = models.ForeignKey(Organisation, on_delete=models.CASCADE, related_name="+", db_index=False)
    domain = models.ForeignKey(HostedDomain, on_delete=models.CASCADE, related_name="+", db_index=False)
    month = models.DateField()
    """Its first day."""
    due_at = models.DateTimeField(null=True)
    """When it is to be added up; None: it is."""

    objects: ClassVar[TenantManager[Self]] = TenantManager()

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["domain", "month"], name="one_summed_month_each")]
        indexes: ClassVar = [
            models.Index(fields=["organisation", "month", "due_at"], name="months_of_organisation"),
            models.Index(fields=["due_at"], condition=models.Q(due_at__isnull=False), name="months_due"),
        ]
