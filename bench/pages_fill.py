"""Five years of TLS reports in an empty database: rows and totals that agree, by the database's own INSERT … SELECT.

Fifty domains of one organisation, ten senders that report on each every day, 11 failure details in each report, about
three pairs of result and MX. Months are added up as the worker does it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from trinco.panel.accounts.services import create_account, membership_of
from trinco.panel.domains.models import HostedDomain, Level, State
from trinco.panel.reports import gathering, months, summing
from trinco.panel.reports.days import fold_due
from trinco.panel.reports.models import DailyTotal, FailureRow, PolicyRow, Report
from trinco.panel.reports.month_models import SummedMonth

DOMAINS, SENDERS, DETAILS, PLACES = 50, 10, 11, 3
RESULTS = (
    "certificate-expired",
    "validation-failure",
    "starttls-not-supported",
    "certificate-host-mismatch",
    "sts-policy-fetch-error",
)
RESULT = f"CASE (p + ago / 30) % 5 {' '.join(f'WHEN {at} THEN ' + repr(word) for at, word in enumerate(RESULTS))} END"
"""What fails changes from month to month."""
MX = "'mx' || (p % 2) || '.' || name"
SOURCE = "bench_days CROSS JOIN bench_domains CROSS JOIN bench_senders"


_CARELESS = {"sqlite": "PRAGMA synchronous=OFF", "postgresql": "SET session_replication_role = replica"}


def fill(days: int) -> date:
    """Rows of so many days until yesterday, which is returned."""
    last = timezone.now().date() - timedelta(days=1)
    _tables([last - timedelta(days=ago) for ago in range(days)])
    with connection.cursor() as cursor, _without_indexes(cursor):
        for table, columns, rows in _inserts():
            cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {rows}")
    settle()
    _sum_months(last - timedelta(days=days - 1), last)
    summed()
    settle()
    return last


def _tables(days: Sequence[date]) -> None:
    """What the rows are made of, newest day first."""
    organisation = membership_of(create_account(email="ana@example.com", password="correct horse battery")).organisation
    names = [(f"d{n:06}.example", f"l{n:025}") for n in range(DOMAINS)]
    HostedDomain.objects.everywhere().bulk_create(
        HostedDomain(organisation=organisation, name=name, label=label, state=State.LIVE, level=Level.OK)
        for name, label in names
    )
    made: dict[str, list[tuple[Any, ...]]] = {
        "bench_days (day date, ago integer)": [(day, ago) for ago, day in enumerate(days)],
        "bench_senders (s integer, sender text)": [(n, f"sender{n}.example") for n in range(SENDERS)],
        "bench_numbers (m integer)": [(n,) for n in range(DETAILS)],
    }
    careless()
    with connection.cursor() as cursor:
        for table, rows in made.items():
            cursor.execute(f"CREATE TABLE {table}")
            marks = ", ".join(["%s"] * len(rows[0]))
            cursor.executemany(f"INSERT INTO {table.partition(' ')[0]} VALUES ({marks})", rows)
        cursor.execute(
            "CREATE TABLE bench_domains AS "
            "SELECT id AS domain, organisation_id AS organisation, name FROM domains_hosteddomain"
        )


def _inserts() -> Iterator[tuple[str, str, str]]:
    """Table, columns, rows: oldest first, as they would have come."""
    postgresql = connection.vendor == "postgresql"
    start, end = ("day", "day") if postgresql else ("day || ' 00:00:00'", "day || ' 23:59:59'")
    yes, no = ("true", "false") if postgresql else ("1", "0")
    columns = """organisation_id, domain_id, received_at, channel, trust, signer, organization_name, contact_info,
        report_id, submitter, start, "end", day, content, identity, counted, copies, successful_session_count,
        failed_session_count"""
    values = f"""organisation, domain, {start}, 'mail', 'dkim', sender, 'Sender ' || s, 'tls@' || sender,
        CAST(ago AS text), sender, {start}, {end}, day, ago || '-' || s, ago || '-' || s, {yes}, 1, 1000, {DETAILS}"""
    yield "reports_report", columns, f"{values} FROM {SOURCE} ORDER BY ago DESC"
    columns = """report_id, position, policy_type, policy_domain, policy_domain_inferred, policy_string, mx_host,
        successful_session_count, failed_session_count, detailed_session_count, applied"""
    values = f"id, 0, 'sts', '', {no}, '[]', '[]', 1000, {DETAILS}, {DETAILS}, 'untold'"
    yield "reports_policyrow", columns, f"{values} FROM reports_report ORDER BY id"
    columns = """report_id, policy_id, domain_id, day, submitter, policy_type, result_type, sending_mta_ip,
        receiving_mx_hostname, receiving_mx_helo, receiving_ip, failed_session_count, additional_information,
        failure_reason_code"""
    values = f"""r.id, q.id, domain, r.day, r.submitter, 'sts', {RESULT}, '192.0.2.' || m, {MX}, '',
        '198.51.100.' || p, 1, '', ''"""
    joined = f"""reports_report r JOIN reports_policyrow q ON q.report_id = r.id JOIN bench_days d ON d.day = r.day
        JOIN bench_domains ON domain = r.domain_id CROSS JOIN (SELECT m, m % {PLACES} AS p FROM bench_numbers) n"""
    yield "reports_failurerow", columns, f"{values} FROM {joined} ORDER BY r.id"
    yield from _totals()


def _totals() -> Iterator[tuple[str, str, str]]:
    yield "reports_unsummeddomain", "domain_id", "domain FROM bench_domains"
    columns = (
        "domain_id, day, trust, submitter, organisation_id, policy_type, result_type, mx, successful_session_count,"
        " failed_session_count, reports"
    )
    whose = "domain, day, 'dkim', sender, organisation"
    for policy_type in ("", "sts"):
        sums = f"'{policy_type}', '', '', 1000, {DETAILS}, 1"
        yield "reports_dailytotal", columns, f"{whose}, {sums} FROM {SOURCE} ORDER BY ago DESC"
    places = f"SELECT m % {PLACES} AS p, COUNT(*) AS failed FROM bench_numbers GROUP BY m % {PLACES}"
    sums = f"'sts', {RESULT}, {MX}, 0, failed, 1"
    yield "reports_dailytotal", columns, f"{whose}, {sums} FROM {SOURCE} CROSS JOIN ({places}) n ORDER BY ago DESC"


@contextmanager
def _without_indexes(cursor: Any) -> Iterator[None]:
    """The rows come first and their indexes after, which is quicker. What is unique stays, and what the rows are joined
    by."""
    tables = ", ".join(f"'{model._meta.db_table}'" for model in (Report, PolicyRow, FailureRow, DailyTotal))  # noqa: SLF001
    known = {
        "postgresql": f"SELECT indexname, indexdef FROM pg_indexes WHERE tablename IN ({tables})",
        "sqlite": f"SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name IN ({tables})",
    }
    cursor.execute(known[connection.vendor])
    found = [
        (name, statement)
        for name, statement in cursor.fetchall()
        if (statement or "").startswith("CREATE INDEX") and "reports_policyrow_report_id" not in name
    ]
    for name, _ in found:
        cursor.execute(f'DROP INDEX "{name}"')
    yield
    for _, statement in found:
        cursor.execute(statement)


def careless() -> None:
    """From now on no waiting for the disk, and no look for the parent of every row."""
    with connection.cursor() as cursor:
        cursor.execute(_CARELESS[connection.vendor])


def summed() -> None:
    """The days of the organisations, from the totals of domains that were noted as unsummed before these came."""
    gathering.gather()
    while fold_due(datetime.now(UTC)):
        pass


def settle() -> None:
    """As a database that has been at rest: measured, and nothing left to be moved."""
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "PRAGMA wal_checkpoint(TRUNCATE)")


def _sum_months(first: date, last: date) -> None:
    keys = list(HostedDomain.objects.everywhere().values_list("pk", flat=True))
    month = months.month_of(first)
    while month <= last:
        months.stale((key, month) for key in keys)
        month = months.after(month)
    now = datetime.now(UTC)
    SummedMonth.objects.everywhere().filter(month__lt=months.month_of(last)).update(due_at=now)
    while summing.sum_due(now):
        pass
