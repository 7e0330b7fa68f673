"""Many domains in an empty database: one organisation with 10,000 of them, and a provider whose 200 clients have as
many.

Five years of totals (each day of the last 60, one a week before), five years of the log, tags and saved filters. Four
in five domains are live. Rows that hang on a domain are made by the database's own INSERT … SELECT.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from bench.pages_fill import careless, settle, summed
from trinco.panel.accounts.actors import CLI
from trinco.panel.accounts.models import Organisation
from trinco.panel.accounts.services import create_account, membership_of
from trinco.panel.certificates.models import Chain
from trinco.panel.domains import filters, tags
from trinco.panel.domains.models import HostedDomain, Level, State

DAILY, WEEKS = 60, 250
"""Days with a total of their own until yesterday, and weeks before them."""
MODES = "CASE d.id % 10 WHEN 0 THEN 'none' WHEN 1 THEN 'testing' WHEN 2 THEN 'testing' ELSE 'enforce' END"
LIVE = "d.state = 'live'"
FAILED = "CASE d.id % 10 WHEN 3 THEN 10 ELSE 0 END"
"""Sessions of a day of a domain."""


def fill(domains: int, clients: int, lines: int) -> tuple[Organisation, Organisation]:
    """The large organisation, and the provider. `lines`: of the log of each."""
    large = membership_of(create_account(email="ana@example.com", password="correct horse battery")).organisation
    provider = membership_of(create_account(email="msp@example.com", password="correct horse battery")).organisation
    made = Organisation.objects.bulk_create(
        Organisation(name=f"Client {number:03}", parent=provider) for number in range(clients)
    )
    careless()
    _domains([large], domains, "a")
    _domains(made, domains, "b")
    _run(_rows())
    _tags(large)
    _run(_log(lines, large, provider))
    summed()
    settle()
    return large, provider


def _domains(owners: list[Organisation], count: int, letter: str) -> None:
    levels = [Level.OK] * 16 + [Level.CRITICAL, Level.ATTENTION, Level.READY, Level.READY]
    HostedDomain.objects.everywhere().bulk_create(
        HostedDomain(
            organisation=owners[number % len(owners)],
            name=f"{letter}{number:05}.example",
            label=f"{letter}{number:025}",
            state=State.LIVE if number % 5 else State.SETUP,
            level=levels[number % len(levels)] if number % 5 else Level.SETUP,
            revision=1,
            level_revision=1,
        )
        for number in range(count)
    )


def _tags(large: Organisation) -> None:
    """Twenty, two on each domain."""
    rows = list(HostedDomain.objects.of(large).order_by("pk"))
    for number in range(20):
        some = [row for at, row in enumerate(rows) if number in (at % 20, at % 7)]
        tags.put_on(organisation=large, domains=some, names=[f"tag {number:02}"], actor=CLI)
    for number in range(5):
        asked = {"tag": f"tag {number:02}", "mode": "enforce"}
        filters.save(organisation=large, name=f"Filter {number}", asked=asked, actor=CLI)


def _run(inserts: Iterator[tuple[str, str, str]]) -> None:
    with connection.cursor() as cursor:
        for table, columns, rows in inserts:
            cursor.execute(f"INSERT INTO {table} ({columns}) SELECT {rows}")


def _rows() -> Iterator[tuple[str, str, str]]:
    """What hangs on domains."""
    now, no = f"'{timezone.now():%Y-%m-%d %H:%M:%S}'", "false" if connection.vendor == "postgresql" else "0"
    soon = f"'{timezone.now() + timedelta(days=60):%Y-%m-%d %H:%M:%S}'"
    mx = f"""CAST('["mx.' || d.name || '"]' AS {"jsonb" if connection.vendor == "postgresql" else "text"})"""
    octets = "'x'::bytea" if connection.vendor == "postgresql" else "x'78'"
    chain = Chain.objects.create(digest="0" * 64, certificates=[]).pk
    live = f"domains_hosteddomain d WHERE {LIVE}"
    yield (
        "policies_policyversion",
        "domain_id, number, policy_id, mode, mx, max_age, body, revision, created_at, created_by, override",
        f"""d.id, 1, '20260101T000000', {MODES}, {mx}, 86400, {octets}, 1, {now}, 'ana', {no}
        FROM {live}""",
    )
    yield (
        "policies_standing",
        "domain_id, current_id, announced_id, id_floor",
        "domain_id, id, id, '' FROM policies_policyversion",
    )
    for record in ("mta-sts", "_mta-sts", "_smtp._tls"):
        values = f"d.id, '{record}', 'found', '', {now} FROM {live}"
        yield "domains_recordsighting", "domain_id, record, finding, seen, seen_at", values
    yield (
        "domains_mxsighting",
        "domain_id, host, preference, seen_at, starttls, tls_version, problem, probe_due_at",
        f"""d.id, p.host || d.name, 10, {now}, 'ok', 'TLSv1.3', '', {soon}
        FROM domains_hosteddomain d, (SELECT 'mx.' AS host UNION ALL SELECT 'backup.') p WHERE {LIVE}""",
    )
    yield (
        "certificates_certificate",
        "domain_id, leaf, chain_id, sealed_key, issuer, not_before, not_after, issued_at, renew_due_at, directory",
        f"d.id, {octets}, {chain}, {octets}, 'CA', {now}, {soon}, {now}, {soon}, '' FROM {live}",
    )
    yield from _totals()


def _totals() -> Iterator[tuple[str, str, str]]:
    """One sender, whose sessions all succeed, but for each tenth domain's. Added up by `gathering` afterwards."""
    today = timezone.now().date()
    days = [today - timedelta(days=back) for back in range(1, DAILY + 1)]
    days += [days[-1] - timedelta(days=7 * back) for back in range(1, WEEKS + 1)]
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE bench_days (day date)")
        cursor.executemany("INSERT INTO bench_days VALUES (%s)", [(day,) for day in reversed(days)])
    columns = """domain_id, day, trust, submitter, organisation_id, policy_type, result_type, mx,
        successful_session_count, failed_session_count, reports"""
    yield "reports_unsummeddomain", "domain_id", "id FROM domains_hosteddomain"
    whose = "d.id, t.day, 'dkim', 'sender.example', d.organisation_id"
    source = f"FROM bench_days t CROSS JOIN domains_hosteddomain d WHERE {LIVE}"
    sums = f"1000 - {FAILED}, {FAILED}, 1"
    yield "reports_dailytotal", columns, f"{whose}, '', '', '', {sums} {source} ORDER BY t.day"
    failure = f"'sts', 'certificate-host-mismatch', 'mx.' || d.name, 0, {FAILED}, 1"
    yield "reports_dailytotal", columns, f"{whose}, {failure} {source} AND {FAILED} > 0 ORDER BY t.day"


def _log(lines: int, *owners: Organisation) -> Iterator[tuple[str, str, str]]:
    """Numbered behind what is there; five years, evenly."""
    postgresql = connection.vendor == "postgresql"
    series = (
        f"generate_series(1, {lines}) n"
        if postgresql
        else f"(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < {lines}) SELECT n FROM c)"
    )
    apart = 5 * 365 * 86400 // lines
    at = f"now() - n * interval '{apart} s'" if postgresql else f"datetime('now', '-' || (n * {apart}) || ' seconds')"
    no = "false" if postgresql else "0"
    columns = """organisation_id, at, actor, source, provider, token, action, subject, before, after, override, number,
        previous, digest"""
    for owner in owners:
        values = f"""{owner.pk}, {at}, 'ana' || (n % 9) || '@example.com', '192.0.2.1', '', '', 'policy.published',
            'a' || (10000 + n % 9999) || '.example', '{{}}', '{{"mode": "enforce"}}', {no}, 1000000 + n, '', ''
            FROM {series} ORDER BY n DESC"""
        yield "accounts_auditentry", columns, values


def facts() -> dict[str, Any]:
    """How many rows there are of what the lists read."""
    names = ("domains_hosteddomain", "domains_tagging", "reports_dailytotal", "accounts_auditentry")
    with connection.cursor() as cursor:
        counts = {}
        for name in names:
            cursor.execute(f"SELECT COUNT(*) FROM {name}")
            counts[name] = cursor.fetchone()[0]
    return counts
