"""Daily totals that are older than the table of an organisation's days (`days`) are added up into it.

A portion of domains in one transaction each, under the digest's locks: it may be stopped and begun again at any moment,
reports come in meanwhile, and two that do it at once add up nothing twice. Until its turn a domain is noted as
unsummed, and the triggers pass over it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from django.db import connection, transaction

AT_ONCE: Final = 500
"""Domains of one portion."""
_LARGE: Final = 2**40
"""Sessions of one total that somebody made up: such stand alone, so that no sum of others is too large for a column."""

Progress = Callable[[int, int], None]
"""Is told how many domains are done, of how many."""

_DOMAINS: Final = """
    SELECT u.domain_id FROM reports_unsummeddomain u JOIN domains_hosteddomain d ON d.id = u.domain_id
    ORDER BY d.organisation_id, u.domain_id LIMIT %s
"""
_LOCK: Final = "SELECT id FROM domains_hosteddomain WHERE id IN ({}) ORDER BY id FOR NO KEY UPDATE"
_SUMS: Final = """
    INSERT INTO reports_organisationday (organisation_id, domain_id, day, trust, submitter, successful_session_count,
        failed_session_count, reports, totals, folded)
    SELECT organisation_id, CASE WHEN trust = 'https' THEN domain_id END AS whose, day, trust, submitter,
        SUM(successful_session_count), SUM(failed_session_count), SUM(reports), COUNT(*), {no}
    FROM reports_dailytotal WHERE policy_type = '' AND result_type = '' AND domain_id IN ({keys})
    GROUP BY organisation_id, whose, day, trust, submitter,
        CASE WHEN successful_session_count > {large} OR failed_session_count > {large} THEN id END
"""


def gather(progress: Progress = lambda _done, _of: None) -> None:
    """Add up all that is not yet. `progress` may raise, to stop between portions."""
    done, of = 0, _count()
    while some := _portion():
        done += some
        progress(done, max(done, of))


@transaction.atomic
def _portion() -> int:
    """Whoever writes totals of these domains meanwhile waits, and finds them noted no longer."""
    with connection.cursor() as cursor:
        cursor.execute(_DOMAINS, [AT_ONCE])
        some = _keys(cursor)
        if some and (keys := _locked(cursor, some)):
            told = ",".join(map(str, keys))
            no = "false" if connection.vendor == "postgresql" else "0"
            cursor.execute(_SUMS.format(keys=told, large=_LARGE, no=no))
            cursor.execute(f"DELETE FROM reports_unsummeddomain WHERE domain_id IN ({told})")  # noqa: S608 - numbers
        return len(some)


def _locked(cursor: Any, keys: Sequence[int]) -> list[int]:
    """Those of them that are still to be added up, now that nobody else has them in hand."""
    told = ",".join(map(str, keys))
    if connection.vendor == "postgresql":
        cursor.execute(_LOCK.format(told))
    cursor.execute(f"SELECT domain_id FROM reports_unsummeddomain WHERE domain_id IN ({told})")  # noqa: S608 - numbers
    return _keys(cursor)


def _keys(cursor: Any) -> list[int]:
    return [int(key) for (key,) in cursor.fetchall()]


def _count() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT COUNT(*) FROM reports_unsummeddomain")
        return int(cursor.fetchone()[0])
