"""What a page of reports asks about, and the daily totals that answer it.

Only what somebody vouches for is counted: reports verified by DKIM or imported by the operator, and those by HTTPS of
the domains whose owner trusts that door (RFC 8460 section 3). `everything` shows the rest as well.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

from django.db.models import Q, QuerySet, Sum
from django.db.models.sql.compiler import SQLCompiler

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports.day_models import OrganisationDay
from trinco.panel.reports.models import DailyTotal, Report, Trust

Rows = TypeVar("Rows", bound="QuerySet[Any]")

VOUCHED = (Trust.DKIM, Trust.OPERATOR)
"""What is counted for every domain."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose reports, of which UTC days (both ends included), about which domain, from whom."""

    organisation: Organisation
    first: date
    last: date
    domain: HostedDomain | None = None
    """None: every domain of the organisation."""
    submitter: str | None = None
    """None: every sender; "" is a sender without a contact address."""
    everything: bool = False
    """False: only what is counted; True: the unverified too."""

    @property
    def days(self) -> list[date]:
        """Every day, oldest first."""
        return [self.first + timedelta(days=number) for number in range((self.last - self.first).days + 1)]


class Sessions(Sum):
    """A sum of sessions that may pass 2^63-1, as two reports of a liar do: SQLite's SUM would raise an error there."""

    def as_sqlite(self, compiler: SQLCompiler, connection: Any, **options: Any) -> tuple[str, Any]:
        """TOTAL is exact up to 2^53, and the nearest number above."""
        template = "CAST(TOTAL(%(distinct)s%(expressions)s) AS INTEGER)"
        return super().as_sql(compiler, connection, template=template, **options)


def totals(scope: Scope) -> QuerySet[DailyTotal]:
    """Rows of all three kinds: `sessions` or `failures` of them are what can be added up."""
    return narrowed(DailyTotal.objects.everywhere().filter(day__range=(scope.first, scope.last)), scope)


def session_totals(scope: Scope) -> QuerySet[Any]:
    """The rows that hold all sessions; of all domains those of the organisation's days, which may be negative."""
    if scope.domain is not None:
        return sessions(totals(scope))
    rows = OrganisationDay.objects.of(scope.organisation).filter(day__range=(scope.first, scope.last))
    return _asked(rows, scope)


def failure_totals(scope: Scope) -> QuerySet[DailyTotal]:
    """The rows of the failure details. An organisation's are found by itself: they stand together in an index."""
    if scope.domain is not None:
        return failures(totals(scope))
    rows = DailyTotal.objects.of(scope.organisation).filter(day__range=(scope.first, scope.last))
    return failures(_asked(rows, scope))


def sessions(rows: Rows) -> Rows:
    """The rows that hold all sessions, `sts` and `tlsa` of one report taken as the same."""
    return rows.filter(policy_type="", result_type="")


def failures(rows: Rows) -> Rows:
    """The rows of the failure details."""
    return rows.exclude(result_type="")


def vouched(domains: Iterable[HostedDomain]) -> Q:
    """Of the sums of these domains, those that somebody vouches for."""
    trusting = [domain.pk for domain in domains if domain.trust_https]
    return Q(trust__in=VOUCHED) | Q(trust=Trust.HTTPS, domain__in=trusting)


def counted_reports() -> Q:
    """The reports whose sessions are in the sums, of whatever domain: of equal ones the one that counts (`counted`)."""
    return Q(counted=True) & (Q(trust__in=VOUCHED) | Q(trust=Trust.HTTPS, domain__trust_https=True))


def is_counted(report: Report) -> bool:
    """`counted_reports` of one that is at hand, with its domain."""
    believed = report.trust in VOUCHED or (report.trust == Trust.HTTPS and report.domain.trust_https)
    return report.counted and believed


def counted(scope: Scope, prefix: str = "", domain: str = "domain") -> Q:
    """The rows that somebody vouches for. `prefix` leads to the trust, `domain` to the domain."""
    signed = Q(**{f"{prefix}trust__in": VOUCHED})
    by_https = Q(**{f"{prefix}trust": Trust.HTTPS})
    if scope.domain is not None:
        return signed | by_https if scope.domain.trust_https else signed
    trusting = HostedDomain.objects.of(scope.organisation).filter(trust_https=True).order_by()
    return signed | (by_https & Q(**{f"{domain}__in": trusting.values("pk")}))


def narrowed(rows: Rows, scope: Scope) -> Rows:
    """Of rows of any day, those that a scope is about.

    They are found by their domains, as the indexes of months are: the tenant stands in the domains.
    """
    if scope.domain is not None:
        rows = rows.filter(domain=scope.domain)
    else:
        rows = rows.filter(domain__in=HostedDomain.objects.of(scope.organisation).order_by().values("pk"))
    return _asked(rows, scope)


def _asked(rows: Rows, scope: Scope) -> Rows:
    """Of whom, and whether somebody vouches for it."""
    if scope.submitter is not None:
        rows = rows.filter(submitter=scope.submitter)
    return rows if scope.everything else rows.filter(counted(scope))
