"""Writes the same reports into an empty database in one way: python -m bench.digest_child ours|django COUNT

The database is the one of TRINCO_DATABASE. Reports are decoded and raw rows are there before the clock starts. Prints
reports per second.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "trinco.panel.settings"
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import transaction  # noqa: E402

from bench import reports_read  # noqa: E402
from trinco.core.tlsrpt import parse  # noqa: E402
from trinco.core.tlsrpt.report import Totals  # noqa: E402
from trinco.panel.accounts.models import Organisation  # noqa: E402
from trinco.panel.domains.models import HostedDomain, State  # noqa: E402
from trinco.panel.reports import models  # noqa: E402
from trinco.panel.reports import totals as totals_of  # noqa: E402
from trinco.panel.reports.parts import Holder, Part, part  # noqa: E402
from trinco.panel.reports.trust import Voucher  # noqa: E402
from trinco.panel.reports.writing import Arrived, write  # noqa: E402

BATCH, DOMAINS = 100, 500
NOW = datetime(2026, 4, 2, 3, tzinfo=UTC)


def prepared(count: int) -> list[Arrived]:
    organisation = Organisation.objects.create(name="bench")
    since = datetime(2026, 1, 1, tzinfo=UTC)
    rows = [
        HostedDomain(organisation=organisation, name=f"d{n:06}.example", label=f"l{n:025}", state=State.LIVE)
        for n in range(DOMAINS)
    ]
    for row in rows:
        row.verified_at = since
    domains = HostedDomain.objects.everywhere().bulk_create(rows)
    raws = models.RawReport.objects.everywhere().bulk_create(
        models.RawReport(
            organisation=organisation, domain=domains[n % DOMAINS], arrival_id=f"a{n}", channel="mail",
            received_at=NOW, body=b"x", size=1,
        )
        for n in range(count)
    )  # fmt: skip
    kept = Voucher(models.Trust.DKIM, "sender.example")
    return [(raw, parse.reports(_document(number)), kept) for number, raw in enumerate(raws)]


def _document(number: int) -> bytes:
    """Report `number` is about domain `number % DOMAINS`."""
    text = json.dumps(reports_read.document(number))
    return text.replace(f"d{number:06}.example", f"d{number % DOMAINS:06}.example").encode()


def ours(batch: Sequence[Arrived]) -> None:
    with transaction.atomic():
        write(batch, NOW)


def by_django(batch: Sequence[Arrived]) -> None:
    """The same rows, as Django writes many at once. Nobody asks what was there before: a total that is there already is
    set, and not added to, which Django cannot do here.
    """
    with transaction.atomic():
        domains = [raw.domain for raw, _, _ in batch]
        parts = [
            part(Holder(domain.pk, domain.organisation_id, domain.name), reports[0], reports[0].policies)
            for domain, (_, reports, _) in zip(domains, batch, strict=True)
        ]
        made = models.Report.objects.everywhere().bulk_create(
            models.Report(
                organisation_id=one.holder.organisation, domain_id=one.holder.domain, raw=raw, received_at=NOW,
                channel="mail", trust="dkim", signer=kept.signer, organization_name=one.report.organization_name,
                contact_info=one.report.contact_info, report_id=one.report.report_id, submitter=one.submitter,
                start=one.report.start, end=one.report.end, day=one.day, content=one.content, identity=one.content,
                successful_session_count=one.told.everything.successful_session_count,
                failed_session_count=one.told.everything.failed_session_count,
            )
            for one, (raw, _, kept) in zip(parts, batch, strict=True)
        )  # fmt: skip
        policies = models.PolicyRow.objects.everywhere().bulk_create(
            models.PolicyRow(
                report=row, position=position, policy_type=result.policy_type, policy_domain=result.policy_domain,
                policy_string=list(result.policy_string), mx_host=list(result.mx_host),
                successful_session_count=result.successful_session_count,
                failed_session_count=result.failed_session_count,
                detailed_session_count=result.detailed_session_count,
            )
            for row, one in zip(made, parts, strict=True)
            for position, result in enumerate(one.report.policies)
        )  # fmt: skip
        results = ((row, one, result) for row, one in zip(made, parts, strict=True) for result in one.report.policies)
        models.FailureRow.objects.everywhere().bulk_create(
            models.FailureRow(
                report=row, policy=policy, domain_id=one.holder.domain, day=one.day, submitter=one.submitter,
                policy_type=result.policy_type, result_type=detail.result_type, sending_mta_ip=detail.sending_mta_ip,
                receiving_mx_hostname=detail.receiving_mx_hostname, receiving_mx_helo=detail.receiving_mx_helo,
                receiving_ip=detail.receiving_ip, failed_session_count=detail.failed_session_count,
                additional_information=detail.additional_information, failure_reason_code=detail.failure_reason_code,
            )
            for policy, (row, one, result) in zip(policies, results, strict=True)
            for detail in result.failure_details
        )  # fmt: skip
        models.DailyTotal.objects.everywhere().bulk_create(
            totals(parts).values(), update_conflicts=True, unique_fields=totals_of.KEY, update_fields=totals_of.COUNTS
        )


def totals(parts: Sequence[Part]) -> dict[tuple[object, ...], models.DailyTotal]:
    """The rows of a batch, added up in memory."""
    sums: dict[tuple[object, ...], models.DailyTotal] = {}
    for one in parts:
        said = one.told
        counted = [(("", "", ""), said.everything), *(((kind, "", ""), each) for kind, each in said.summaries.items())]
        for key, counts in [*counted, *((key, Totals(0, failed)) for key, failed in said.failures.items())]:
            row = sums.setdefault(
                (one.holder.domain, *key),
                models.DailyTotal(
                    organisation_id=one.holder.organisation, domain_id=one.holder.domain, day=one.day, trust="dkim",
                    submitter=one.submitter, policy_type=key[0], result_type=key[1], mx=key[2],
                ),
            )  # fmt: skip
            row.successful_session_count += counts.successful_session_count
            row.failed_session_count += counts.failed_session_count
            row.reports += 1
    return sums


WAYS: dict[str, Callable[[Sequence[Arrived]], None]] = {"ours": ours, "django": by_django}


def main(way: str, count: int) -> None:
    call_command("migrate", verbosity=0)
    arrived = prepared(count)
    began = time.perf_counter()
    for start in range(0, count, BATCH):
        WAYS[way](arrived[start : start + BATCH])
    print(count / (time.perf_counter() - began))
    assert models.FailureRow.objects.everywhere().count() == count * reports_read.DETAILS


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
