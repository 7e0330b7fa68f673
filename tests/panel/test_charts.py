"""The questions behind the charts, against a naive answer over the same rows; and how many queries they ask."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import support_panel

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import charts
from trinco.panel.reports.charts import Day, MxRow, ResultRow, Scope, SourceRow, Sums
from trinco.panel.reports.models import DailyTotal, Trust

LAST = date(2026, 11, 20)
FIRST = LAST - timedelta(days=6)
BOTH = ("successful_session_count", "failed_session_count")
Queries = Callable[[int], AbstractContextManager[Any]]


def row(domain: HostedDomain, day: date = LAST, **told: Any) -> DailyTotal:
    """A total that is not saved yet: of google.com, verified, of all sessions unless told otherwise."""
    facts = {"trust": Trust.DKIM, "submitter": "google.com", **told}
    return DailyTotal(organisation=domain.organisation, domain=domain, day=day, **facts)


def totals(*rows: DailyTotal) -> None:
    DailyTotal.objects.everywhere().bulk_create(rows)


def scope(organisation: Organisation, **more: Any) -> Scope:
    return Scope(**{"organisation": organisation, "first": FIRST, "last": LAST, **more})


@pytest.fixture
def other(ours: Organisation) -> HostedDomain:
    """Another domain of ours, whose owner trusts reports by HTTPS."""
    found = support_panel.hosted(ours, "loja.example")
    found.trust_https = True
    found.save(update_fields=["trust_https"])
    return found


class TestDays:
    """UX: a day without a report is "no report", never zero."""

    def test_every_day_of_the_range(self, domain: HostedDomain) -> None:
        totals(
            row(domain, successful_session_count=5, failed_session_count=1, reports=2), row(domain, FIRST, reports=1)
        )
        days = charts.by_day(scope(domain.organisation))
        assert days == [Day(FIRST, 0, 0, 1), *(Day(FIRST + timedelta(days=n)) for n in range(1, 6)), Day(LAST, 5, 1, 2)]
        assert [(each.sessions, round(each.failure_rate, 3)) for each in (days[1], days[-1])] == [(0, 0.0), (6, 0.167)]

    def test_days_outside_do_not_count(self, domain: HostedDomain) -> None:
        totals(row(domain, FIRST - timedelta(days=1), reports=1), row(domain, LAST + timedelta(days=1), reports=1))
        assert {day.reports for day in charts.by_day(scope(domain.organisation))} == {0}


class TestBounds:
    """What strangers write decides how many rows there seem to be: each list has an end, and each sum too."""

    def test_sums_beyond_what_a_column_holds(self, domain: HostedDomain) -> None:
        most = 2**63 - 1
        totals(*(row(domain, submitter=name, failed_session_count=most, reports=1) for name in ("a.test", "b.test")))
        assert charts.sums(scope(domain.organisation)).failed_session_count >= most
        assert charts.by_day(scope(domain.organisation))[-1].failed_session_count >= most
        assert [each.failed_session_count for each in charts.by_source(scope(domain.organisation))] == [most, most]

    def test_more_senders_than_a_list_holds(self, domain: HostedDomain) -> None:
        totals(
            *(
                row(domain, submitter=f"{n}.test", successful_session_count=n, reports=1)
                for n in range(charts.MAX_ROWS + 9)
            )
        )
        found = charts.by_source(scope(domain.organisation))
        assert (len(found), found[0].submitter) == (charts.MAX_ROWS, f"{charts.MAX_ROWS + 8}.test")

    def test_a_long_range_has_the_end_of_its_days_beside_a_sender(self, domain: HostedDomain) -> None:
        totals(row(domain, reports=1))
        [found] = charts.by_source(scope(domain.organisation, first=date(2021, 1, 1)))
        assert (len(found.days), found.days[-1]) == (charts.MAX_DAYS, Day(LAST, 0, 0, 1))

    @pytest.mark.parametrize("many", [1, 40])
    def test_the_number_of_queries_stays(
        self, domain: HostedDomain, many: int, django_assert_num_queries: Queries
    ) -> None:
        words = [f"{n:02}" for n in range(many)]
        totals(*(row(domain, submitter=n, successful_session_count=9, reports=1) for n in words))
        totals(*(row(domain, policy_type="sts", result_type=n, mx=n, failed_session_count=1) for n in words))
        wanted = scope(domain.organisation)
        asked = {
            charts.by_day: 1,
            charts.by_result: 2,
            charts.by_mx: 1,
            charts.sums: 1,
            charts.details: 2,
            charts.by_source: 4,
        }
        for question, queries in asked.items():
            with django_assert_num_queries(queries):
                question(wanted)  # type: ignore[operator]
        with django_assert_num_queries(1):
            charts.sparks([domain], LAST)


class TestSenders:
    def test_a_sender_whose_reports_are_gone_keeps_its_sums(self, domain: HostedDomain) -> None:
        totals(row(domain, successful_session_count=3, reports=1))
        [found] = charts.by_source(scope(domain.organisation))
        assert (found.organization_name, found.applied, found.successful_session_count) == ("", None, 3)


class TestSparks:
    def test_by_domain(self, domain: HostedDomain, other: HostedDomain) -> None:
        by_https = {"trust": Trust.HTTPS, "reports": 1}
        totals(row(domain, successful_session_count=4, reports=1), row(domain, **by_https), row(other, **by_https))
        before = Day(LAST - timedelta(days=1))
        assert charts.sparks([domain, other], LAST, 2) == {
            domain.pk: [before, Day(LAST, 4, 0, 1)],
            other.pk: [before, Day(LAST, 0, 0, 1)],
        }

    def test_of_no_domain(self, db: None) -> None:
        assert charts.sparks([], LAST) == {}


# --- the oracle -----------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(["", "sts", "tlsa"])
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "at": st.integers(0, 2),
            "ago": st.integers(-1, 7),
            "trust": st.sampled_from(Trust.values),
            "submitter": st.sampled_from(["", "google.com", "mail.test"]),
            "policy_type": WORDS,
            "result_type": st.sampled_from(["", "certificate-expired", "validation-failure"]),
            "mx": st.sampled_from(["", "mx1.test", "mx2.test"]),
            "successful_session_count": st.integers(0, 50),
            "failed_session_count": st.integers(0, 50),
            "reports": st.integers(1, 3),
        }
    ),
    max_size=25,
    unique_by=lambda each: tuple(str(each[name]) for name in sorted(each) if name not in (*BOTH, "reports")),
)
KINDS = {(False, False), (True, False), (True, True)}
"""Whether policy type and result type are set: the three kinds of rows."""


class Oracle:
    """The same answers by plain loops over the rows that are in scope."""

    def __init__(self, rows: Iterable[DailyTotal], wanted: Scope) -> None:
        in_range = [each for each in rows if self.in_range(each, wanted)]
        self.wanted = wanted
        self.left_out = [each for each in in_range if not self.vouched(each)]
        self.rows = in_range if wanted.everything else [each for each in in_range if self.vouched(each)]
        self.all = [each for each in self.rows if not each.policy_type]
        self.failures = [each for each in self.rows if each.result_type]

    @staticmethod
    def in_range(each: DailyTotal, wanted: Scope) -> bool:
        return (
            each.organisation == wanted.organisation
            and wanted.first <= each.day <= wanted.last
            and wanted.domain in (None, each.domain)
            and wanted.submitter in (None, each.submitter)
        )

    @staticmethod
    def vouched(each: DailyTotal) -> bool:
        return each.trust in ("dkim", "operator") or (each.trust == "https" and each.domain.trust_https)

    @staticmethod
    def added(rows: Iterable[DailyTotal]) -> tuple[int, int, int]:
        counts = [(each.successful_session_count, each.failed_session_count, each.reports) for each in rows]
        return tuple(map(sum, zip(*counts, strict=True))) if counts else (0, 0, 0)  # type: ignore[return-value]

    def sums(self) -> Sums:
        left = [] if self.wanted.everything else [each for each in self.left_out if not each.policy_type]
        senders = {each.submitter for each in self.all}
        last = max((each.day for each in self.all), default=None)
        return Sums(*self.added(self.all), len(senders), last, self.added(left)[2])

    def by_day(self, submitter: str | None = None) -> list[Day]:
        rows = [each for each in self.all if submitter in (None, each.submitter)]
        return [Day(day, *self.added(each for each in rows if each.day == day)) for day in self.wanted.days]

    def by_result(self) -> list[ResultRow]:
        groups: dict[tuple[str, str], list[DailyTotal]] = defaultdict(list)
        for each in self.failures:
            groups[each.policy_type, each.result_type].append(each)
        found = [self._result(*key, rows) for key, rows in groups.items()]
        return sorted(found, key=lambda each: (-each.failed_session_count, each.result_type, each.policy_type))

    def _result(self, policy_type: str, result_type: str, rows: list[DailyTotal]) -> ResultRow:
        hosts: Counter[str] = Counter()
        for each in rows:
            hosts[each.mx] += each.failed_session_count
        return ResultRow(
            policy_type,
            result_type,
            hosts.total(),
            tuple(sorted(hosts.items(), key=lambda pair: (-pair[1], pair[0]))),
            len(hosts),
            len({each.domain for each in rows}),
            len({each.submitter for each in rows}),
            min(each.day for each in rows),
            max(each.day for each in rows),
        )

    def by_mx(self) -> list[MxRow]:
        groups: dict[str, list[DailyTotal]] = defaultdict(list)
        for each in self.failures:
            groups[each.mx].append(each)
        found = [self._mx(mx, rows) for mx, rows in groups.items()]
        return sorted(found, key=lambda each: (-each.failed_session_count, each.mx))

    def _mx(self, mx: str, rows: list[DailyTotal]) -> MxRow:
        results: Counter[str] = Counter()
        for each in rows:
            results[each.result_type] += each.failed_session_count
        ordered = tuple(sorted(results.items(), key=lambda pair: (-pair[1], pair[0])))
        return MxRow(mx, results.total(), ordered, min(each.day for each in rows), max(each.day for each in rows))

    def by_source(self) -> list[SourceRow]:
        found = [self._source(name) for name in {each.submitter for each in self.all}]
        return sorted(found, key=lambda each: (-each.sessions, each.submitter))

    def _source(self, name: str) -> SourceRow:
        rows = [each for each in self.all if each.submitter == name]
        return SourceRow(name, "", *self.added(rows), max(each.day for each in rows), tuple(self.by_day(name)), None)


class TestAgainstTheOracle:
    """Whole answers, whatever the rows: of several tenants, domains, senders and levels of trust."""

    @settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        rows=ROWS, one_domain=st.booleans(), sender=st.sampled_from([None, "", "google.com"]), everything=st.booleans()
    )
    def test_every_question(
        self,
        domain: HostedDomain,
        other: HostedDomain,
        theirs: Organisation,
        rows: list[dict[str, Any]],
        one_domain: bool,
        sender: str | None,
        everything: bool,
    ) -> None:
        foreign = HostedDomain.objects.of(theirs).first() or support_panel.hosted(theirs, "alheio.example")
        DailyTotal.objects.everywhere().delete()
        made = [self.made((domain, other, foreign), each) for each in rows]
        totals(*(each for each in made if (bool(each.policy_type), bool(each.result_type)) in KINDS))
        chosen = domain if one_domain else None
        wanted = scope(domain.organisation, domain=chosen, submitter=sender, everything=everything)
        oracle = Oracle(DailyTotal.objects.everywhere().select_related("domain", "organisation"), wanted)
        assert charts.sums(wanted) == oracle.sums()
        assert charts.by_day(wanted) == oracle.by_day()
        assert charts.by_result(wanted) == oracle.by_result()
        assert charts.by_mx(wanted) == oracle.by_mx()
        assert charts.by_source(wanted) == oracle.by_source()

    @staticmethod
    def made(domains: tuple[HostedDomain, ...], told: dict[str, Any]) -> DailyTotal:
        facts = {name: value for name, value in told.items() if name not in ("at", "ago")}
        return row(domains[told["at"]], LAST - timedelta(days=told["ago"]), **facts)
