"""What is read although RFC 8460 section 4.4 wants it otherwise, each for a sender that is known to write it so."""

from datetime import UTC, datetime

import pytest
from tests.core.tlsrpt.made import DETAIL, POLICY, detail, document, octets, policy_result, report, result

from trinco.core.tlsrpt.parse import reports

COUNTS = {"total-successful-session-count": 1, "total-failure-session-count": 2}


def policies(*results):
    return octets(document(policies=list(results)))


def one(data: bytes):
    """The only policy of the only report."""
    [found] = reports(data)
    [policy] = found.policies
    return policy


class TestTolerances:
    """Each is for a sender that is known to need it."""

    def test_google_2019_leaves_out_counts_that_are_zero(self):
        found = one(policies(result(summary={"total-successful-session-count": 1})))
        assert (found.successful_session_count, found.failed_session_count) == (1, 0)
        assert one(policies(result(summary={}))).successful_session_count == 0

    def test_google_2020_ends_lines_with_a_blank_and_2022_with_the_cr_of_the_file(self):
        lines = {"policy-type": "sts", "policy-string": [POLICY[0] + "\r", POLICY[1] + " \t", *POLICY[2:]]}
        assert one(policies(result(lines))).policy_string == POLICY

    def test_google_2024_writes_an_empty_address(self):
        found = one(policies(result(details=[{**DETAIL, "sending-mta-ip": ""}])))
        assert found.failure_details == (detail(sending_mta_ip=""),)

    def test_microsoft_2023_writes_times_without_a_zone(self):
        day = {"start-datetime": "2026-04-01T00:00:00", "end-datetime": "2026-04-01T23:59:59"}
        assert reports(octets(document(date_range=day))) == [report()]

    def test_microsoft_puts_all_tlsa_records_into_one_string(self):
        tlsa = {"policy-type": "tlsa", "policy-string": ['["3 1 1 AB","2 1 1 CD"]']}
        assert one(policies(result(tlsa))).policy_string == ("3 1 1 AB", "2 1 1 CD")

    @pytest.mark.parametrize("text", ["[", "[1]", '["a"', '["a"]x', "[" * 16_000])
    def test_a_string_that_only_begins_like_that_stays(self, text):
        assert one(policies(result({"policy-type": "tlsa", "policy-string": [text]}))).policy_string == (text,)

    def test_microsoft_and_mail_ru_leave_out_addresses_and_mx(self):
        short = {"result-type": "sts-policy-fetch-error", "failure-reason-code": "404", "failed-session-count": 2}
        [found] = one(policies(result(details=[short]))).failure_details
        assert (found.receiving_mx_hostname, found.failure_reason_code) == ("", "404")

    def test_mail_ru_gives_details_that_exceed_the_summary(self):
        """Both are kept: 4.4 lets details overlap."""
        short = {"result-type": "sts-policy-fetch-error", "failed-session-count": 1}
        found = one(policies(result(summary=COUNTS | {"total-failure-session-count": 1}, details=[short, short])))
        assert (found.failed_session_count, found.detailed_session_count, found.difference) == (1, 2, 1)

    def test_mail_ru_and_stalwart_end_at_midnight(self):
        day = {"start-datetime": "2026-04-01T00:00:00Z", "end-datetime": "2026-04-02T00:00:00Z"}
        assert reports(octets(document(date_range=day))) == [report(end=datetime(2026, 4, 2, tzinfo=UTC))]

    def test_stalwart_has_null_for_a_contact_that_is_not_set(self):
        assert reports(octets(document(contact_info=None))) == [report(contact_info="")]

    def test_null_is_absent_wherever_a_text_may_be(self):
        nulls = {"policy-type": "sts", "policy-string": None, "policy-domain": None, "mx-host": None}
        summary = {"total-successful-session-count": None, "total-failure-session-count": 1}
        found = one(policies(result(nulls, summary, [{**DETAIL, "receiving-mx-helo": None}])))
        assert found == policy_result(
            policy_string=(), policy_domain="", mx_host=(), successful_session_count=0, failed_session_count=1,
            failure_details=(detail(receiving_mx_helo=""),),
        )  # fmt: skip
        assert one(policies(result() | {"failure-details": None})).failure_details == ()

    def test_stalwart_writes_mx_in_front_of_a_pattern(self):
        mx = {"policy-type": "sts", "mx-host": ["mx: a.example", "mx:b.example", "mx"]}
        assert one(policies(result(mx))).mx_host == ("a.example", "b.example", "mx")

    def test_stalwart_and_google_write_empty_arrays(self):
        found = one(policies(result({"policy-type": "sts", "policy-string": [], "mx-host": []}, details=[])))
        assert (found.policy_string, found.mx_host, found.failure_details) == ((), (), ())

    def test_the_standards_example_has_one_string_for_mx_host(self):
        """Erratum 6241; the same is done for policy-string."""
        policy = {"policy-type": "sts", "policy-string": "version: STSv1 ", "mx-host": "*.mail.receiver.example"}
        found = one(policies(result(policy)))
        assert (found.policy_string, found.mx_host) == (("version: STSv1",), ("*.mail.receiver.example",))

    def test_readers_samples_have_one_policy_without_an_array(self):
        assert reports(octets(document(policies=result()))) == [report()]

    def test_readers_tests_have_counts_in_strings(self):
        found = one(policies(result(summary=COUNTS | {"total-failure-session-count": "7"},
                                    details=[{**DETAIL, "failed-session-count": "300"}])))  # fmt: skip
        assert (found.failed_session_count, found.failure_details) == (7, (detail(),))

    def test_postfix_names_no_domain_where_no_policy_was_found(self):
        """Outside of a mail nothing stands in for it."""
        found = one(policies(result({"policy-type": "no-policy-found"})))
        assert (found.policy_domain, found.policy_domain_inferred) == ("", False)

    def test_a_range_of_a_week(self):
        day = {"start-datetime": "2026-04-01T00:00:00Z", "end-datetime": "2026-04-07T23:59:59Z"}
        assert reports(octets(document(date_range=day)))[0].end == datetime(2026, 4, 7, 23, 59, 59, tzinfo=UTC)
