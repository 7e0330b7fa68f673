"""The values of a report, and sums that say what they count: RFC 8460 section 4.4."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.core.tlsrpt.made import detail, policy_result, report

from trinco.core.errors import ReportSyntaxError
from trinco.core.mtasts.policy import Mode, Policy
from trinco.core.tlsrpt.report import PolicyResult, Totals

STS = policy_result(successful_session_count=2, failed_session_count=1)
TLSA = policy_result(
    policy_type="tlsa", policy_string=("3 1 1 AB",), successful_session_count=2, failed_session_count=1
)


class TestTotals:
    """`sts` and `tlsa` of one report count the same sessions: there is a sum for each type and none over them."""

    def test_each_type_by_itself(self):
        both = report(policies=(STS, TLSA, policy_result(policy_type="sts", successful_session_count=10)))
        assert both.totals == {"sts": Totals(12, 301), "tlsa": Totals(2, 1)}
        assert list(both.totals) == ["sts", "tlsa"]

    @pytest.mark.parametrize(
        ("types", "twice"), [(["sts", "tlsa"], True), (["sts", "sts"], False), (["tlsa"], False), (["sts", "x"], False)]
    )
    def test_whether_sessions_are_counted_twice(self, types, twice):
        assert report(policies=tuple(PolicyResult(name) for name in types)).counted_twice is twice

    def test_nothing(self):
        assert (report(policies=()).totals, report(policies=()).failed) == ({}, False)

    @pytest.mark.parametrize(
        ("one", "failed"),
        [
            (PolicyResult("sts", successful_session_count=1), False),
            (PolicyResult("sts", failed_session_count=1), True),
            (PolicyResult("sts", failure_details=(detail(failed_session_count=1),)), True),
            (PolicyResult("sts", failure_details=(detail(failed_session_count=0),)), False),
        ],
    )
    def test_whether_a_session_failed(self, one, failed):
        assert report(policies=(PolicyResult("tlsa"), one)).failed is failed


class TestDifference:
    """Details may overlap, so their sum may exceed the summary: both are kept and the difference is told."""

    @pytest.mark.parametrize(("counts", "difference"), [([200, 100], 0), ([200, 200], 100), ([1], -299), ([], None)])
    def test_details_less_summary(self, counts, difference):
        details = tuple(detail(failed_session_count=count) for count in counts)
        one = policy_result(failure_details=details)
        assert (one.detailed_session_count, one.difference) == (sum(counts), difference)


class TestAppliedPolicy:
    """4.5: the lines of the policy as the sender holds it, errors included."""

    def test_valid(self):
        assert policy_result().applied_policy == Policy(Mode.TESTING, ("*.mail.receiver.example",), 86400)

    @pytest.mark.parametrize("lines", [(), ("version: STSv1",), ("version: STSv1", "mode: \ud800")])
    def test_not_valid_or_not_told(self, lines):
        assert policy_result(policy_string=lines).applied_policy is None

    def test_of_another_type(self):
        assert policy_result(policy_type="no-policy-found").applied_policy is None


class TestSubmitter:
    """5.1, 5.3: the sender is the domain of the contact's address."""

    @pytest.mark.parametrize(
        ("contact", "submitter"),
        [
            ("tls-reports@Sender.Example.", "sender.example"),
            ("TLS <tls@sender.example>", "sender.example"),
            ('"a@b"@sender.example ', "sender.example"),
            ("sender.example", ""),
            ("", ""),
            ("@", ""),
        ],
    )
    def test_of_a_contact(self, contact, submitter):
        assert report(contact_info=contact).submitter == submitter


class TestValidFromBirth:
    @pytest.mark.parametrize(
        ("start", "end", "reason"),
        [
            (datetime(2026, 4, 1), datetime(2026, 4, 2), "the date range is in UTC"),  # noqa: DTZ001
            (datetime(2026, 4, 1, tzinfo=UTC), datetime(2026, 4, 2), "the date range is in UTC"),  # noqa: DTZ001
            (
                datetime(2026, 4, 1, tzinfo=timezone(timedelta(hours=1))),
                datetime(2026, 4, 2, tzinfo=UTC),
                "the date range is in UTC",
            ),
            (
                datetime(2026, 4, 2, tzinfo=UTC),
                datetime(2026, 4, 1, tzinfo=UTC),
                "the date range ends before it starts",
            ),
        ],
    )
    def test_the_range(self, start, end, reason):
        with pytest.raises(ReportSyntaxError) as caught:
            report(start=start, end=end)
        assert caught.value.reason == reason

    def test_an_instant_is_a_range(self):
        day = datetime(2026, 4, 1, tzinfo=UTC)
        assert report(start=day, end=day).end == day

    def test_values(self):
        """They can be compared, kept in a set, and not be changed."""
        assert {report(), report()} == {report()}
        with pytest.raises(AttributeError):
            report().report_id = "x"
