"""Reading the JSON of a report: RFC 8460 section 4.4."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.tlsrpt.made import DETAIL, complaint, detail, document, octets, policy_result, report, result

from trinco.core.errors import ReportSyntaxError, TooLarge
from trinco.core.tlsrpt import parse
from trinco.core.tlsrpt.parse import reports

MISSING = "policies[0].failure-details[0]: Object missing required field `{}`"
COUNTS = {"total-successful-session-count": 1, "total-failure-session-count": 2}


def refused(data: bytes) -> ReportSyntaxError:
    with pytest.raises(ReportSyntaxError) as caught:
        reports(data)
    return caught.value


def policies(*results):
    return octets(document(policies=list(results)))


def one(data: bytes):
    """The only policy of the only report."""
    [found] = reports(data)
    [policy] = found.policies
    return policy


class TestFields:
    """4.4: the names of the fields, which are required, and which are optional."""

    def test_every_field(self):
        body = octets(document(policies=[result(details=[DETAIL])]))
        assert reports(body) == [report(policies=(policy_result(failure_details=(detail(),)),))]

    def test_no_more_than_the_required(self):
        body = policies(result({"policy-type": "no-policy-found"}, COUNTS))
        assert one(body) == policy_result(
            policy_type="no-policy-found",
            policy_string=(),
            policy_domain="",
            mx_host=(),
            successful_session_count=1,
            failed_session_count=2,
        )

    def test_a_detail_with_its_two_required_fields(self):
        body = policies(result(details=[{"result-type": "certificate-expired", "failed-session-count": 4}]))
        [found] = one(body).failure_details
        assert (found.result_type, found.failed_session_count) == ("certificate-expired", 4)
        assert (found.sending_mta_ip, found.receiving_ip, found.failure_reason_code) == ("", "", "")

    def test_policies_in_their_order(self):
        types = [result({"policy-type": name}) for name in ("tlsa", "sts", "no-policy-found")]
        [found] = reports(policies(*types))
        assert [policy.policy_type for policy in found.policies] == ["tlsa", "sts", "no-policy-found"]

    def test_an_offset_is_turned_into_utc(self):
        day = {"start-datetime": "2026-04-01T02:00:00.5+02:00", "end-datetime": "2026-04-01T19:00:00-05:00"}
        [found] = reports(octets(document(date_range=day)))
        assert (found.start, found.end) == (
            datetime(2026, 4, 1, 0, 0, 0, 500_000, tzinfo=UTC),
            datetime(2026, 4, 2, tzinfo=UTC),
        )

    @pytest.mark.parametrize("data", [bytearray, memoryview])
    def test_other_octet_types(self, data):
        assert reports(data(octets(document()))) == [report()]

    @pytest.mark.parametrize("absent", ["organization-name", "date-range", "report-id", "policies"])
    def test_a_required_field_is_named_when_it_is_absent(self, absent):
        whole = document()
        del whole[absent]
        assert refused(octets(whole)).reason == f"Object missing required field `{absent}`"

    @pytest.mark.parametrize(
        ("changed", "reason"),
        [
            (result(policy={}), "policies[0].policy: Object missing required field `policy-type`"),
            ({"policy": {"policy-type": "sts"}}, "policies[0]: Object missing required field `summary`"),
            (result(details=[{"result-type": "x"}]), MISSING.format("failed-session-count")),
            (result(details=[{"failed-session-count": 1}]), MISSING.format("result-type")),
            (result(policy={"policy-type": 7}), "policies[0].policy.policy-type: Expected `str`, got `int`"),
            (result(policy={"policy-type": "x", "mx-host": [1]}), "policies[0].policy.mx-host[0]: Expected `str`, got `int`"),
            (7, "policies[0]: Expected `object`, got `int`"),
        ],
    )  # fmt: skip
    def test_the_place_of_a_fault_is_told(self, changed, reason):
        assert refused(policies(changed)).reason == reason

    @pytest.mark.parametrize("whole", ['{"policies": 1}', "{}", '{"policies": [null]}', '{"policies": {}}'])
    def test_what_is_no_report(self, whole):
        refused(whole.encode())

    @pytest.mark.parametrize(
        ("start", "end"),
        [
            ("2026-04-01", "2026-04-02T00:00:00Z"),
            ("", ""),
            ("yesterday\x1b", "today"),
            ("2026-04-01T00:00:60Z", "2026-04-02T00:00:00Z"),
            ("2026-04-02T00:00:00Z", "2026-04-01T00:00:00Z"),
            ("0001-01-01T00:00:00+23:59", "2026-04-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59-23:59"),
            ("2026-04-01T00:00:00Z", "\ud800"),
        ],
    )
    def test_no_range_of_time(self, start, end):
        error = refused(json.dumps(document(date_range={"start-datetime": start, "end-datetime": end})).encode())
        assert error.reason.startswith(("date-range: ", "the date range ends before it starts"))
        assert error.reason.isascii()
        assert error.reason.isprintable()


class TestUnknown:
    """4.3: further result types are expected; what is not known is kept as text, and unknown names are passed over."""

    def test_types(self):
        body = policies(result({"policy-type": "new\tkind"}, details=[{**DETAIL, "result-type": "Über-new"}]))
        found = one(body)
        assert (found.policy_type, found.failure_details[0].result_type) == ("new\tkind", "Über-new")

    @pytest.mark.parametrize("value", [1, "x", None, {"deep": [{"er": 1.5e300}]}, [], 10**30])
    def test_names(self, value):
        """They may hold what no field of the standard could."""
        whole = document(new_in_2030=value, policies=[{**result(details=[{**DETAIL, "new": value}]), "new": value}])
        assert reports(json.dumps(whole).encode()) == [report(policies=(policy_result(failure_details=(detail(),)),))]


class TestNumbers:
    """One rule for each kind of number in the place of a count: whole, from 0 to 2**63-1."""

    @pytest.mark.parametrize("text", ["0", "-0", "1", "9223372036854775807", '"0"', '"12"', '"0000000000000000007"'])
    def test_counts(self, text):
        found = one(octets(document()).replace(b":300", f":{text}".encode()))
        assert found.failed_session_count == int(text.strip('"'))

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("-1", "Expected `int` >= 0"),
            ("9223372036854775808", "Expected `int` <= 9223372036854775807"),
            ('"9999999999999999999"', "Expected `int` <= 9223372036854775807"),
            ("1" + "0" * 30, "Expected `int` <= 9223372036854775807"),
            ("9" * 5000, "Expected `int` <= 9223372036854775807"),
            ("true", "Expected `int`, got `bool`"),
            ("false", "Expected `int`, got `bool`"),
            ("1.0", "Expected `int`, got `float`"),
            ("1e3", "Expected `int`, got `float`"),
            ("1e400", "Expected `int`, got `float`"),
            ('""', "Expected `int`, got `str`"),
            ('"-1"', "Expected `int`, got `str`"),
            ('" 1"', "Expected `int`, got `str`"),
            ('"1_0"', "Expected `int`, got `str`"),
            ('"٣"', "Expected `int`, got `str`"),
            ("[1]", "Expected `int`, got `array`"),
        ],
    )
    def test_no_counts(self, text, reason):
        error = refused(octets(document()).replace(b":300", f":{text}".encode()))
        assert error.reason == f"policies[0].summary.total-failure-session-count: {reason}"

    @pytest.mark.parametrize("text", ["NaN", "Infinity", "-Infinity"])
    def test_what_is_no_json(self, text):
        assert refused(octets(document()).replace(b":300", f":{text}".encode())).reason == f"not JSON: {text}"


class TestTexts:
    """A text holds what a database and a file can: no NUL, no half of a character, a bounded length."""

    @pytest.mark.parametrize("text", ["\u202e<b>'\"", "\x7f\x1b", "\U0001f600", "=cmd|' /C calc'!A0", "\\u0000", "a:b"])
    def test_anything_else_is_kept(self, text):
        [found] = reports(json.dumps(document(organization_name=text)).encode())
        assert found.organization_name == text
        assert reports(octets(document(organization_name=text))) == [found]

    @pytest.mark.parametrize(
        ("text", "reason"), [("a\\u0000", "a NUL in a\\x00"), ("\\udc80b", "half of a character in \\udc80b")]
    )
    def test_refused_in_every_text(self, text, reason):
        body = octets(document(policies=[result(details=[DETAIL])])).decode()
        for old in ("Sender Inc.", "5065427c-23d3", "mode: testing", "mx1.mail.receiver.example", "sts"):
            assert refused(body.replace(f'"{old}"', f'"{text}"').encode()).reason == reason

    def test_in_a_name(self):
        for body in (octets(document()), octets(document(policies=[result(details=[DETAIL])]))):
            for place in (b"{", b'"failure-details":[{', b'"summary":{'):
                damaged = body.replace(place, place + b'"\\ud800":1,', 1)
                assert damaged == body or refused(damaged).reason == "half of a character in a name"

    def test_in_the_records_that_stand_in_one_string(self):
        tlsa = {"policy-type": "tlsa", "policy-string": ['["3 1 1 \\u0000"]']}
        assert refused(policies(result(tlsa))).reason == "a NUL in 3 1 1 \\x00"

    def test_length(self):
        assert reports(octets(document(report_id="x" * 16_384)))[0].report_id == "x" * 16_384
        assert (
            refused(octets(document(report_id="x" * 16_385))).reason == "report-id: Expected `str` of length <= 16384"
        )


texts = st.text(st.characters(codec="utf-8"), max_size=12)
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-3, 2**63)
    | st.floats()
    | texts
    | st.sampled_from(["7", "[]", "mx:a", "\ud800", "\0"])
)
names = texts | st.just("\ud800")
values = st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3))
paths = st.sampled_from(
    [
        (),
        ("date-range",),
        ("policies", 0),
        ("policies", 0, "policy"),
        ("policies", 0, "summary"),
        ("policies", 0, "failure-details", 0),
    ]
)


@st.composite
def nearly(draw):
    """A report with one value replaced, removed, or put beside the others, in any spelling of JSON."""
    whole = document(policies=[result(details=[dict(DETAIL)])])
    place = whole
    for step in draw(paths):
        place = place[step]
    place[draw(st.sampled_from([*place, "new", "\ud800"]))] = draw(values | st.sampled_from([[dict(DETAIL)], result()]))
    if draw(st.booleans()):
        place.pop(draw(st.sampled_from(list(place))))
    return json.dumps(whole, ensure_ascii=draw(st.booleans()), indent=draw(st.sampled_from([None, 1]))).encode(
        "utf-8", "surrogatepass"
    )


class TestTwoPaths:
    """What the fast path takes, the tolerant one reads as the same; and what that refuses, the fast one never takes."""

    @given(nearly())
    def test_equal(self, data):
        fast = parse._fast(data)
        assert fast is None or fast == parse._tolerant(data)

    @given(
        nearly(), st.integers(0, 700), st.binary(max_size=3) | st.sampled_from([b'"', b":", b"\\u003a", b"}", b"\\"])
    )
    def test_equal_after_damage(self, data, at, octets_put):
        self.test_equal.hypothesis.inner_test(self, data[:at] + octets_put + data[at + len(octets_put) :])

    @pytest.mark.parametrize("indent", [None, 2])
    def test_ordinary_reports_go_fast(self, indent):
        full = document(policies=[result(details=[DETAIL]), result(details=[])])
        assert parse._fast(json.dumps(full, indent=indent).encode()) is not None

    @pytest.mark.parametrize(
        "twin",
        [
            b'"report-id":"x","report-id":"5065427c-23d3"',
            b'"report-id" : "x" ,"report-id":"5065427c-23d3"',
            b'"report-id":"5065427c-23d3","report\\u002did":"x"',
            b'"report-id":"5065427c-23d3","x":1,"x":1',
            b'"report-id":"5065427c-23d3","x":{"y":1,"\\u0079":1}',
        ],
    )
    def test_a_name_twice_is_never_missed(self, twin):
        """A writer that cannot be told from one that hides something is refused (RFC 7493 section 2.3)."""
        data = octets(document()).replace(b'"report-id":"5065427c-23d3"', twin)
        assert refused(data).reason in {
            "the name report-id stands twice in one object",
            "the name x stands twice in one object",
            "the name y stands twice in one object",
        }

    def test_a_name_twice_cannot_hide_behind_fewer_colons(self):
        """Each way to lose a colon when the document is written again was tried here."""
        data = octets(document(report_id=":")).replace(b'"report-id":":"', b'"report-id":"x","report-id":"\\u003a"')
        assert "twice" in refused(data).reason

    def test_a_large_report_goes_the_path_that_counts(self):
        data = octets(document()) + b" " * 2**20
        assert (parse._fast(data), reports(data)) == (None, [report()])


class TestHostileInput:
    """No input raises anything but the error tree."""

    @given(nearly() | values.map(json.dumps).map(str.encode) | st.binary() | st.binary().map(b"{".__add__))
    def test_anything(self, data):
        assert complaint(reports, data).isprintable()

    @pytest.mark.parametrize("data", [None, "{}", 7, ["{}"], {}])
    def test_other_types(self, data):
        assert refused(data).reason == "a report is read from octets"

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b"", "empty"),
            (b" \r\n", "neither JSON nor gzip, zip or mail"),
            (b"%PDF-1.7", "neither JSON nor gzip, zip or mail"),
            (b"[]", "neither JSON nor gzip, zip or mail"),
            (b"<?xml version='1.0'?><feedback/>", "XML, as reports of DMARC are; a TLS report is JSON"),
        ],
    )
    def test_what_it_is_instead(self, data, reason):
        assert refused(data).reason == reason

    def test_size(self):
        with pytest.raises(TooLarge):
            reports(octets(document()) + b" " * parse.MAX_REPORT)
