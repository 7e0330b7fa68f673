"""Writing a report: RFC 8460 sections 4.4, 5.1 and 5.3."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.tlsrpt.made import DETAIL, detail, document, policy_result, report, result

from trinco.core.errors import ReportSyntaxError
from trinco.core.names import Domain
from trinco.core.tlsrpt.message import FileName, Subject
from trinco.core.tlsrpt.message import file_name as read_file_name
from trinco.core.tlsrpt.message import subject as read_subject
from trinco.core.tlsrpt.parse import reports
from trinco.core.tlsrpt.render import file_name, subject, to_json
from trinco.core.tlsrpt.report import FailureDetail, PolicyResult, Report

RECEIVER = Domain.parse("receiver.example")

texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
lines = texts.map(str.strip).filter(lambda line: line[:1] != "[" and line[:3] != "mx:")
counts = st.integers(0, 2**63 - 1)
details = st.builds(
    FailureDetail,
    result_type=texts,
    sending_mta_ip=texts,
    receiving_mx_hostname=texts,
    receiving_mx_helo=texts,
    receiving_ip=texts,
    failed_session_count=counts,
    additional_information=texts,
    failure_reason_code=texts,
)
results = st.builds(
    PolicyResult,
    policy_type=texts,
    policy_string=st.lists(lines, max_size=3).map(tuple),
    policy_domain=texts,
    mx_host=st.lists(lines, max_size=3).map(tuple),
    successful_session_count=counts,
    failed_session_count=counts,
    failure_details=st.lists(details, max_size=3).map(tuple),
    policy_domain_inferred=st.just(False),
)
days = st.datetimes(timezones=st.just(UTC))


@st.composite
def made(draw):
    start, end = sorted([draw(days), draw(days)])
    return Report(draw(texts), draw(texts), draw(texts), start, end, draw(st.lists(results, max_size=3).map(tuple)))


class TestJson:
    """4.4: the names and kinds of the fields; arrays are arrays even around one."""

    def test_every_field(self):
        whole = report(policies=(policy_result(failure_details=(detail(),)),))
        assert json.loads(to_json(whole)) == document(policies=[result(details=[DETAIL])])

    def test_what_is_not_known_is_left_out(self):
        """4.5: there is no policy-string where no policy was found."""
        bare = PolicyResult(
            "no-policy-found", failure_details=(FailureDetail(result_type="x", failed_session_count=1),)
        )
        assert json.loads(to_json(report(policies=(bare,))))["policies"] == [
            {
                "policy": {"policy-type": "no-policy-found"},
                "summary": {"total-successful-session-count": 0, "total-failure-session-count": 0},
                "failure-details": [{"result-type": "x", "failed-session-count": 1}],
            }
        ]

    def test_fractions_of_a_second(self):
        later = report(end=datetime(2026, 4, 1, 23, 59, 59, 999_000, tzinfo=UTC))
        assert b'"end-datetime":"2026-04-01T23:59:59.999000Z"' in to_json(later)

    @given(made())
    def test_parse_is_its_inverse(self, whole):
        assert reports(to_json(whole)) == [whole]

    def test_an_inferred_domain_is_written_as_a_stated_one(self):
        inferred = report(policies=(policy_result(policy_domain_inferred=True),))
        assert reports(to_json(inferred)) == [report()]

    @pytest.mark.parametrize(
        "changes",
        [
            {"organization_name": "\ud800"},
            {"organization_name": "a\0"},
            {"contact_info": None},
            {"report_id": "x" * 16_385},
            {"policies": (policy_result(failed_session_count=-1),)},
            {"policies": (policy_result(failed_session_count=2**63),)},
            {"policies": (policy_result(failed_session_count=2**70),)},
            {"policies": (policy_result(failed_session_count=True),)},
            {"policies": (policy_result(policy_string=("mode: none\r",)),)},
            {"policies": (policy_result(mx_host=("mx: a.example",)),)},
        ],
    )
    def test_what_would_not_be_read_as_it_is_cannot_be_written(self, changes):
        with pytest.raises(ReportSyntaxError):
            to_json(report(**changes))


class TestFileName:
    """5.1: sender, policy domain, begin, end and perhaps a unique id, between exclamation marks."""

    def test_as_the_standard_shows_it(self):
        assert (
            file_name(report(), RECEIVER, "001") == "sender.example!receiver.example!1775001600!1775087999!001.json.gz"
        )

    def test_not_packed_and_without_an_id(self):
        assert file_name(report(), RECEIVER, extension="json") == (
            "sender.example!receiver.example!1775001600!1775087999.json"
        )

    def test_it_can_be_read(self):
        assert read_file_name(file_name(report(), RECEIVER, "a1")) == FileName(
            "sender.example", "receiver.example", 1775001600, 1775087999, "a1"
        )

    @pytest.mark.parametrize("unique_id", ["a b", "a!b", "../x", "é", "a\n"])
    def test_unique_id(self, unique_id):
        with pytest.raises(ReportSyntaxError):
            file_name(report(), RECEIVER, unique_id)

    def test_before_1970(self):
        with pytest.raises(ReportSyntaxError):
            file_name(report(start=datetime(1969, 12, 31, tzinfo=UTC)), RECEIVER)

    @pytest.mark.parametrize("contact", ["", "sender.example", "a@", "a@b c", "a@sender.example\r\nBcc: y"])
    def test_a_contact_without_a_domain(self, contact):
        for write in (file_name, subject):
            with pytest.raises(ReportSyntaxError) as caught:
                write(report(contact_info=contact), RECEIVER)
            assert caught.value.reason.startswith("the contact's address has no domain: ")


class TestSubject:
    """5.3: Report Domain, Submitter and Report-ID, an id of RFC 5322 between angle brackets."""

    @pytest.mark.parametrize(
        ("report_id", "left"),
        [
            ("5065427c-23d3", "5065427c-23d3"),
            ("2026-04-01T00:00:00Z_receiver.example", "2026-04-01T00.00.00Z_receiver.example"),
            ("b28254de@sender.example", "b28254de"),
            ("a@b <c>\r\n..é..d", "a.b.c.d"),
            (".x.", "x"),
        ],
    )
    def test_of_a_report(self, report_id, left):
        assert subject(report(report_id=report_id), RECEIVER) == (
            f"Report Domain: receiver.example Submitter: sender.example Report-ID: <{left}@sender.example>"
        )

    def test_it_can_be_read(self):
        assert read_subject(subject(report(), RECEIVER)) == Subject(
            "receiver.example", "sender.example", "5065427c-23d3@sender.example"
        )

    @pytest.mark.parametrize("report_id", ["", "...", "é", "@sender.example"])
    def test_without_an_id(self, report_id):
        with pytest.raises(ReportSyntaxError):
            subject(report(report_id=report_id), RECEIVER)
