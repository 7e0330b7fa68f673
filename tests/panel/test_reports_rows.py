"""Many rows at once, as they are written on both databases: here on SQLite, on PostgreSQL by test_postgresql_reports.py."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support_reports import reported

from trinco.panel.reports import rows
from trinco.panel.reports.models import DailyTotal, FailureRow, PolicyRow, RawReport, Report
from trinco.panel.reports.rows import MAX
from trinco.panel.reports.totals import COUNTS, KEY

texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
WRITTEN = ("report_id", "position", "policy_type", "policy_domain_inferred", "policy_string", "mx_host", "applied")
COUNTED = ("successful_session_count", "failed_session_count", "detailed_session_count")


@pytest.fixture
def report(domain):
    return reported(domain)


def total(report, mx, *counts, submitter="google.com"):
    return (report.domain_id, date(2026, 11, 3), "dkim", submitter, "sts", "x", mx, report.organisation_id, *counts)


def add(*values):
    rows.add(DailyTotal, KEY, COUNTS, values, beside=("organisation_id",))


def there():
    found = DailyTotal.objects.everywhere().filter(result_type="x").order_by("mx", "submitter")
    return list(found.values_list("mx", *COUNTS))


class TestInsert:
    """What is written is what Django reads."""

    @given(told=st.lists(texts, max_size=3), policy_type=texts, number=st.integers(0, MAX), inferred=st.booleans())
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_every_kind_of_column(self, report, told, policy_type, number, inferred):
        (key,) = rows.reserve(PolicyRow, 1)
        counts = (number, MAX - number, number)
        values = (report.pk, 7, policy_type, inferred, told, told[::-1], "untold")
        columns = ("id", "policy_domain", *WRITTEN, *COUNTED)
        rows.insert(PolicyRow, columns, [(key, "", *values, *counts)])
        assert PolicyRow.objects.everywhere().values_list(*WRITTEN, *COUNTED).get(pk=key) == (*values, *counts)

    def test_dates_times_and_nothing(self, report):
        at = datetime(2026, 11, 3, 23, 59, 59, 999_999, UTC)
        for moment in (at, at.replace(microsecond=0), at.replace(year=1), at.replace(year=9999)):
            rows.change(Report, ("start", "day", "raw_id"), [(moment, moment.date(), None, report.pk)])
            report.refresh_from_db()
            assert (report.start, report.day, report.raw_id) == (moment, moment.date(), None)

    def test_tabs_and_backslashes_are_letters(self, report):
        wild = "a\tb\\n\n\r\\N\\.'\"%s{}\u2028"
        rows.change(Report, ("organization_name",), [(wild, report.pk)])
        values = (report.pk, PolicyRow.objects.everywhere().get().pk, report.domain_id, report.day, wild, wild, wild)
        columns = ("report_id", "policy_id", "domain_id", "day", "submitter", "policy_type", "result_type")
        texts = (
            "sending_mta_ip",
            "receiving_mx_hostname",
            "receiving_mx_helo",
            "receiving_ip",
            "additional_information",
        )
        more = (*texts, "failure_reason_code", "failed_session_count")
        rows.insert(FailureRow, (*columns, *more), [(*values, *[wild] * 6, 1)] * 2)
        assert set(FailureRow.objects.everywhere().values_list("result_type", "failure_reason_code")) == {(wild, wild)}
        assert Report.objects.everywhere().get().organization_name == wild

    def test_keys_are_nobody_elses(self, report):
        keys = [*rows.reserve(RawReport, 3)]
        facts = {
            "organisation": report.organisation,
            "channel": "mail",
            "received_at": timezone.now(),
            "size": 0,
            "body": b"",
        }
        if connection.vendor == "postgresql":
            RawReport.objects.everywhere().create(**facts, arrival_id="other")
        columns = ("id", "organisation_id", "channel", "received_at", "size", "body", "arrival_id", "peer", "sender")
        more = ("media_type", "state", "tries", "reason", "trust", "signer", "mixed")
        rows.insert(
            RawReport,
            (*columns, *more),
            [(key, report.organisation_id, "mail", timezone.now(), 0, b"", f"a{key}", *[""] * 3, "pending", 0, *[""] * 3, False) for key in keys],
        )  # fmt: skip
        last = RawReport.objects.everywhere().create(**facts, arrival_id="last")
        assert last.pk > max(keys)
        assert len({*keys, last.pk, report.raw_id}) == 5

    def test_none_is_none(self, report):
        rows.insert(PolicyRow, ("id",), [])
        rows.change(PolicyRow, ("applied",), [])
        add()
        assert there() == []

    def test_all_or_none(self, report):
        columns = ("id", "policy_domain", *WRITTEN, *COUNTED)
        good, bad = (7, "sts", False, [], [], "untold", 0, 0, 0), (7, None, False, [], [], "untold", 0, 0, 0)
        with pytest.raises(IntegrityError), transaction.atomic():
            rows.insert(PolicyRow, columns, [(9_001, "", report.pk, *good), (9_002, "", report.pk, *bad)])
        assert PolicyRow.objects.everywhere().filter(pk__gt=9_000).count() == 0


class TestAdd:
    """Counts are added to what is there, and stop at the largest that the column holds."""

    def test_new_and_there(self, report):
        add(total(report, "b", 1, 2, 1), total(report, "a", 5, 0, 1))
        add(total(report, "b", 10, 20, 1), total(report, "b", 1, 1, 1, submitter="outlook.example"))
        assert there() == [("a", 5, 0, 1), ("b", 11, 22, 2), ("b", 1, 1, 1)]

    @given(counts=st.lists(st.sampled_from([0, 1, 2, MAX // 2, MAX - 1, MAX]), min_size=1, max_size=5))
    @settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_it_stops_at_the_largest(self, report, counts):
        DailyTotal.objects.everywhere().filter(result_type="x").delete()
        for count in counts:
            add(total(report, "a", count, count, 1))
        assert there() == [("a", min(sum(counts), MAX), min(sum(counts), MAX), len(counts))]

    def test_also_the_smaller_columns(self, report):
        add(total(report, "a", 0, 0, 2**31 - 2))
        add(total(report, "a", 0, 0, 2))
        assert there() == [("a", 0, 0, 2**31 - 1)]

    def test_thousands_at_once(self, report):
        add(*[total(report, f"mx{number:04}", number, 0, 1) for number in range(1_200)])
        assert there() == [(f"mx{number:04}", number, 0, 1) for number in range(1_200)]
