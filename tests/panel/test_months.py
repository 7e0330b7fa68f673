"""Months of daily totals added up: always the sum of their days, or not used."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests import support_panel, support_reports
from tests.support_reports import detail, policy, reported

from trinco.panel import clock
from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import charts, months, summing, totals
from trinco.panel.reports.charts import Scope
from trinco.panel.reports.models import DailyTotal, Trust
from trinco.panel.reports.month_models import DaySum, MonthFailure, MonthTotal, SummedMonth
from trinco.panel.reports.reading import Stretch, stretches

BEGIN, END = date(2026, 1, 1), date(2026, 4, 30)
LATER = datetime(2027, 6, 1, tzinfo=UTC)


def row(domain: HostedDomain, day: date, **told: Any) -> DailyTotal:
    facts = {"trust": Trust.DKIM, "submitter": "google.com", "reports": 1, **told}
    return DailyTotal(organisation=domain.organisation, domain=domain, day=day, **facts)


def written(*rows: DailyTotal) -> None:
    """As the digest writes them: it says what it is about to change."""
    months.stale((each.domain.pk, each.day) for each in rows)
    DailyTotal.objects.everywhere().bulk_create(rows)


def summed(now: datetime = LATER) -> int:
    done = 0
    while some := summing.sum_due(now):
        done += some
    return done


def scope(whose: HostedDomain, first: date = BEGIN, last: date = END, **more: Any) -> Scope:
    return Scope(organisation=whose.organisation, first=first, last=last, **more)


def answers(wanted: Scope) -> list[Any]:
    questions = (charts.sums, charts.by_day, charts.by_result, charts.by_mx, charts.by_source)
    return [question(wanted) for question in questions]  # type: ignore[operator]


class TestStretches:
    """A range is read in as few pieces as it takes: whole months from their sums, the days around them one by one."""

    @pytest.fixture(autouse=True)
    def _sums(self, domain: HostedDomain) -> None:
        written(*(row(domain, date(2026, month, 9)) for month in (1, 2, 3, 4)))
        summed()

    def test_whole_months(self, domain: HostedDomain) -> None:
        assert stretches(scope(domain)) == [Stretch(BEGIN, END, whole=True)]

    def test_with_days_around_them(self, domain: HostedDomain) -> None:
        assert stretches(scope(domain, date(2025, 12, 30), date(2026, 4, 29))) == [
            Stretch(date(2025, 12, 30), date(2025, 12, 31)),
            Stretch(BEGIN, date(2026, 3, 31), whole=True),
            Stretch(date(2026, 4, 1), date(2026, 4, 29)),
        ]

    def test_without_a_whole_month_nothing_is_asked(self, domain: HostedDomain, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            wanted = scope(domain, date(2026, 1, 2), date(2026, 2, 27))
            assert stretches(wanted) == [Stretch(wanted.first, wanted.last)]

    def test_a_month_that_changed(self, domain: HostedDomain) -> None:
        written(row(domain, date(2026, 2, 27)))
        assert [each.whole for each in stretches(scope(domain))] == [True, False, True]

    def test_another_domain_that_changed(self, domain: HostedDomain) -> None:
        other = support_panel.hosted(domain.organisation, "loja.example")
        written(row(other, date(2026, 2, 27)))
        assert [each.whole for each in stretches(scope(domain))] == [True, False, True]
        assert [each.whole for each in stretches(scope(domain, domain=domain))] == [True]

    def test_a_stranger_that_changed(self, domain: HostedDomain, theirs: Organisation) -> None:
        written(row(support_panel.hosted(theirs, "alheio.example"), date(2026, 2, 27)))
        assert [each.whole for each in stretches(scope(domain))] == [True]


class TestWhenTheyAreDue:
    """Two days after the month's end, ten minutes after its last change."""

    @pytest.mark.parametrize(
        ("now", "month", "due"),
        [
            (datetime(2026, 2, 10, tzinfo=UTC), date(2026, 2, 1), datetime(2026, 3, 3, tzinfo=UTC)),
            (datetime(2026, 3, 2, 23, 55, tzinfo=UTC), date(2026, 2, 1), datetime(2026, 3, 3, 0, 5, tzinfo=UTC)),
            (datetime(2026, 12, 31, tzinfo=UTC), date(2026, 12, 1), datetime(2027, 1, 3, tzinfo=UTC)),
            (datetime(2026, 6, 1, tzinfo=UTC), date(2026, 2, 1), datetime(2026, 6, 1, 0, 10, tzinfo=UTC)),
        ],
    )
    def test_due(
        self, domain: HostedDomain, monkeypatch: pytest.MonkeyPatch, now: datetime, month: date, due: datetime
    ) -> None:
        monkeypatch.setattr(clock, "now", lambda: now)
        months.stale([(domain.pk, month + timedelta(days=3)), (domain.pk, month + timedelta(days=20))])
        told = SummedMonth.objects.everywhere().values_list("domain", "organisation", "month", "due_at")
        assert list(told) == [(domain.pk, domain.organisation.pk, month, due)]
        assert (summing.sum_due(due - timedelta(seconds=1)), summing.sum_due(due), summing.sum_due(due)) == (0, 1, 0)

    def test_a_portion_at_a_time(self, domain: HostedDomain, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(summing, "AT_ONCE", 2)
        written(*(row(domain, date(2026, month, 9)) for month in (1, 2, 3)))
        assert [summing.sum_due(LATER) for _ in range(3)] == [2, 1, 0]


class TestSums:
    def test_what_is_kept(self, domain: HostedDomain) -> None:
        failed = {"policy_type": "sts", "result_type": "certificate-expired", "mx": "mx1"}
        for day, count in ((3, 1), (28, 5)):
            written(
                row(domain, date(2026, 2, day), successful_session_count=9, failed_session_count=count),
                row(domain, date(2026, 2, day), policy_type="sts", successful_session_count=9),
                row(domain, date(2026, 2, day), failed_session_count=count, **failed),
            )
        assert summed() == 1
        columns = ("month", "policy_type", "result_type", "mx", "failed_session_count", "reports", "first", "last")
        span = (date(2026, 2, 3), date(2026, 2, 28))
        assert sorted(MonthTotal.objects.everywhere().values_list(*columns)) == [
            (date(2026, 2, 1), "", "", "", 6, 2, *span),
            (date(2026, 2, 1), "sts", "certificate-expired", "mx1", 6, 2, *span),
        ]
        assert sorted(DaySum.objects.everywhere().values_list("day", "successful_session_count", "reports")) == [
            (day, 9, 1) for day in span
        ]

    def test_again_is_the_same(self, domain: HostedDomain) -> None:
        written(row(domain, date(2026, 2, 3), successful_session_count=9))
        summed()
        months.stale([(domain.pk, date(2026, 2, 3))])
        assert summed() == 1
        assert (MonthTotal.objects.everywhere().count(), DaySum.objects.everywhere().count()) == (1, 1)

    def test_more_than_a_column_holds(self, domain: HostedDomain) -> None:
        most = 2**63 - 1
        written(*(row(domain, date(2026, 2, day), failed_session_count=most) for day in (3, 4)))
        summed()
        assert charts.sums(scope(domain)).failed_session_count == most


class TestWhatTheDigestWrites:
    """A report that comes late, or is worked out anew, is in the answer at once."""

    def test_a_late_report(self, domain: HostedDomain) -> None:
        day = support_reports.yesterday().replace(day=1) - timedelta(days=40)
        wanted = scope(domain, day.replace(day=1), day.replace(day=28) + timedelta(days=10))
        reported(domain, policy(details=[detail(failed=2)]), day=day)
        before = answers(wanted)
        assert summed() == 1
        assert (answers(wanted), stretches(wanted)[0].whole) == (before, True)
        reported(domain, policy(details=[detail(failed=3)]), day=day + timedelta(days=1))
        assert charts.sums(wanted).failed_session_count == 5
        after = answers(wanted)
        summed()
        assert answers(wanted) == after

    def test_totals_worked_out_anew(self, domain: HostedDomain) -> None:
        day = support_reports.yesterday().replace(day=1) - timedelta(days=40)
        report = reported(domain, day=day)
        summed()
        report.delete()
        totals.recompute(domain.pk, [day])
        assert charts.sums(scope(domain, day.replace(day=1), day + timedelta(days=31))).reports == 0


def place(told: Any) -> Any:
    """All of a row but its count."""
    return told[:-1]


ROWS = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 125),
        st.sampled_from(Trust.values),
        st.sampled_from(["", "google.com"]),
        st.sampled_from([("", "", ""), ("sts", "", ""), ("sts", "a", "mx1"), ("sts", "b", ""), ("tlsa", "a", "mx1")]),
        st.integers(0, 9),
    ),
    max_size=30,
    unique_by=place,
)


class TestSumsAndDaysAgree:
    """The answer to a question never depends on whether months were added up."""

    @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(rows=ROWS, late=ROWS, first=st.integers(-3, 40), last=st.integers(60, 124), one=st.booleans(), sender=st.sampled_from([None, "google.com"]), everything=st.booleans())  # fmt: skip
    def test_every_question(
        self,
        domain: HostedDomain,
        rows: list[Any],
        late: list[Any],
        first: int,
        last: int,
        one: bool,
        sender: str | None,
        everything: bool,
    ) -> None:
        for model in (DailyTotal, MonthTotal, MonthFailure, DaySum, SummedMonth):
            model.objects.everywhere().all().delete()
        other = self.other(domain)
        wanted = scope(
            domain,
            BEGIN + timedelta(days=first),
            BEGIN + timedelta(days=last),
            domain=domain if one else None,
            submitter=sender,
            everything=everything,
        )
        written(*self.made((domain, other), rows))
        summed()
        written(*self.made((domain, other), [each for each in late if place(each) not in set(map(place, rows))]))
        found = answers(wanted)
        SummedMonth.objects.everywhere().all().delete()
        assert found == answers(wanted)

    @staticmethod
    def other(domain: HostedDomain) -> HostedDomain:
        mine = HostedDomain.objects.of(domain.organisation).exclude(pk=domain.pk).first()
        other = mine or support_panel.hosted(domain.organisation, "loja.example")
        other.trust_https = True
        other.save(update_fields=["trust_https"])
        return other

    @staticmethod
    def made(domains: tuple[HostedDomain, HostedDomain], rows: list[Any]) -> list[DailyTotal]:
        return [
            row(
                domains[at],
                BEGIN + timedelta(days=ago),
                trust=trust,
                submitter=submitter,
                policy_type=words[0],
                result_type=words[1],
                mx=words[2],
                successful_session_count=count,
                failed_session_count=count + 1,
            )
            for at, ago, trust, submitter, words, count in rows
        ]
