"""Weeks of sessions as the pages of the reports show them: rows made directly, as the digest would have made them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.models import Applied, DailyTotal, FailureRow, PolicyRow, Report, Trust

_numbers = itertools.count(1)

SENDERS = {
    "google.com": ("Google Inc.", 1100),
    "microsoft.com": ("Microsoft Corporation", 640),
    "corp.mail.ru": ("mail.ru", 90),
}
"""Name and sessions of a working day."""
INCIDENT = (10, 9, 8)
"""Days ago on which the certificate of mx2 had expired."""
SILENT = 22
"""Days ago: nobody reported."""


def today() -> date:
    """The UTC day."""
    return timezone.now().date()


@dataclass(frozen=True, slots=True)
class Failure:
    """One kind of failure of a report."""

    result_type: str
    sessions: int
    mx: str = ""
    more: tuple[tuple[str, Any], ...] = ()


def report(
    domain: HostedDomain,
    day: date,
    successful: int,
    *failures: Failure,
    submitter: str = "google.com",
    policy_type: str = "sts",
    trust: Trust = Trust.DKIM,
    organization_name: str = "Google Inc.",
    **policy: Any,
) -> Report:
    """A digested report with its rows and its totals. `policy`: further columns of its policy row."""
    failed = sum(each.sessions for each in failures)
    start = datetime.combine(day, time(), UTC)
    made = Report.objects.everywhere().create(
        organisation=domain.organisation, domain=domain, received_at=start + timedelta(hours=28), channel="mail", trust=trust,
        signer=submitter, organization_name=organization_name, contact_info=f"tlsrpt@{submitter}", submitter=submitter,
        report_id=f"{day}_{next(_numbers)}", start=start, end=start + timedelta(days=1), day=day,
        content=f"{next(_numbers)}", identity=f"{next(_numbers)}",
        successful_session_count=successful, failed_session_count=failed,
    )  # fmt: skip
    row = PolicyRow.objects.everywhere().create(
        report=made, position=0, policy_type=policy_type, policy_domain=domain.name,
        successful_session_count=successful, failed_session_count=failed, detailed_session_count=failed, **policy,
    )  # fmt: skip
    for each in failures:
        FailureRow.objects.everywhere().create(
            report=made, policy=row, domain=domain, day=day, submitter=submitter, policy_type=policy_type,
            result_type=each.result_type, receiving_mx_hostname=each.mx, failed_session_count=each.sessions,
            **dict(each.more),
        )  # fmt: skip
    _total(made, successful, failed)
    _total(made, successful, failed, policy_type)
    for each in failures:
        _total(made, 0, each.sessions, policy_type, each.result_type, each.mx)
    return made


def _total(made: Report, successful: int, failed: int, *kind: str) -> None:
    policy_type, result_type, mx = (*kind, "", "", "")[:3]
    row, _ = DailyTotal.objects.everywhere().get_or_create(
        organisation=made.organisation, domain=made.domain, day=made.day, trust=made.trust, submitter=made.submitter,
        policy_type=policy_type, result_type=result_type, mx=mx,
    )  # fmt: skip
    row.successful_session_count += successful
    row.failed_session_count += failed
    row.reports += 1
    row.save()


@transaction.atomic
def weeks(domain: HostedDomain, days: int = 30) -> None:
    """Three senders, a day without a report, and an incident: mx2 showed an expired certificate on three days."""
    current = domain.standing.current
    policy = {"applied": Applied.CURRENT, "version": current, "policy_string": ["version: STSv1", "mode: testing"]}
    for ago, (submitter, (name, volume)) in itertools.product(range(1, days + 1), SENDERS.items()):
        day = today() - timedelta(days=ago)
        if ago == SILENT or (submitter == "corp.mail.ru" and ago % 3):
            continue
        sessions = volume * (36 if day.weekday() >= 5 else 88 + (ago * 7) % 25) // 100
        failures = _failures(domain, ago, submitter, sessions)
        report(domain, day, sessions, *failures, submitter=submitter, organization_name=name, **policy)


def _failures(domain: HostedDomain, ago: int, submitter: str, sessions: int) -> list[Failure]:
    found = []
    if ago in INCIDENT:
        share = {10: 5, 9: 14, 8: 8}[ago]
        where = (("receiving_ip", "192.0.2.25"), ("sending_mta_ip", "198.51.100.7"))
        found.append(Failure("certificate-expired", sessions * share // 100, f"mx2.{domain.name}", where))
    if submitter == "microsoft.com" and ago % 5 == 0:
        found.append(Failure("validation-failure", 3, "", (("failure_reason_code", "MX_HOSTS_MISMATCH"),)))
    if submitter == "google.com" and ago % 6 == 1:
        found.append(Failure("starttls-not-supported", 2, f"mx1.{domain.name}"))
    if submitter == "corp.mail.ru" and ago % 9 == 0:
        further = (("additional_information", "https://postmaster.example/tls"),)
        found.append(Failure("sts-policy-fetch-error", 1, "", further))
    return found
