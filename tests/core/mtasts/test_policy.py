"""Reading a policy file: RFC 8461 section 3.2."""

import pytest

from trinco.core.errors import PolicySyntaxError
from trinco.core.mtasts.policy import Mode, Policy, parse

GOOD = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"
POLICY = Policy(Mode.ENFORCE, ("mail.example.com", "*.example.net"), 604800)


def refused(body: bytes) -> PolicySyntaxError:
    with pytest.raises(PolicySyntaxError) as caught:
        parse(body)
    return caught.value


def policy(*lines: str, end: str = "\n") -> bytes:
    return "".join(line + end for line in lines).encode()


class TestParse:
    """3.2: a policy is version, mode, max_age once each and mx lines, as `key: value` lines between LF or CRLF."""

    def test_as_the_standard_shows_it(self):
        assert parse(GOOD) == POLICY

    def test_lf_alone_ends_a_line_as_well(self):
        assert parse(GOOD.replace(b"\r\n", b"\n")) == POLICY

    def test_both_line_ends_in_one_file(self):
        assert parse(GOOD.replace(b"\r\n", b"\n", 2)) == POLICY

    def test_the_last_line_needs_no_end(self):
        assert parse(GOOD.removesuffix(b"\r\n")) == POLICY

    def test_any_order(self):
        assert parse(policy("max_age: 1", "mx: a.example", "mode: testing", "version: STSv1")) == Policy(
            Mode.TESTING, ("a.example",), 1
        )

    def test_white_space_around_a_value(self):
        """A value may have spaces and tabs before it and after it; none is needed."""
        body = b"version:STSv1\nmode:\t testing \t\nmx:a.example \nmax_age:    7\t"
        assert parse(body) == Policy(Mode.TESTING, ("a.example",), 7)

    def test_other_octet_types(self):
        assert parse(bytearray(GOOD)) == parse(memoryview(GOOD)) == POLICY

    def test_a_policy_of_mode_none_needs_no_mx(self):
        assert parse(policy("version: STSv1", "mode: none", "max_age: 86400")) == Policy(Mode.NONE, (), 86400)

    def test_host_names_are_kept_in_lower_case(self):
        assert parse(policy("version: STSv1", "mode: testing", "mx: MX.Example.COM", "max_age: 1")).mx == (
            "mx.example.com",
        )


class TestMustAccept:
    """3.2: parsers MUST accept files that are valid lines with fields they do not know, and pass over those fields."""

    @pytest.mark.parametrize(
        "line",
        [
            "x: y",
            "future_field-1.2: a b  c",
            "9: =;:,",
            "note: é \u2028 \U0001f600",
            f"{'k' * 32}: v",
            "x: y: z",
            "x: \u0085",
        ],
    )
    def test_unknown_fields(self, line):
        assert parse(GOOD + line.encode() + b"\r\n") == POLICY
        assert parse(line.encode() + b"\n" + GOOD) == POLICY

    def test_names_are_case_sensitive(self):
        """A field named Mode is an unknown one."""
        assert parse(b"Mode: nonsense\n" + GOOD) == POLICY
        assert "mode is missing" in refused(GOOD.replace(b"mode", b"Mode")).reason


class TestDuplicates:
    """3.2: of a field that stands twice, all but the first SHALL be ignored; mx alone repeats."""

    @pytest.mark.parametrize("line", ["version: STSv2", "mode: none", "mode: nonsense", "max_age: 5", "max_age: x"])
    def test_the_first_counts(self, line):
        assert parse(GOOD + line.encode()) == POLICY

    def test_also_when_the_first_is_the_wrong_one(self):
        assert refused(b"mode: nonsense\n" + GOOD).line == 1

    def test_mx_repeats(self):
        assert parse(GOOD + b"mx: third.example\n").mx == ("mail.example.com", "*.example.net", "third.example")

    def test_a_later_one_must_still_be_a_field(self):
        assert refused(GOOD + b"mode: a\x00b").line == 6


class TestRequired:
    """3.2: version, mode and max_age are required, and mx unless the mode is none."""

    @pytest.mark.parametrize("field", ["version", "mode", "max_age"])
    def test_missing(self, field):
        body = b"".join(line for line in GOOD.splitlines(keepends=True) if not line.startswith(field.encode()))
        assert f"{field} is missing" in refused(body).reason

    @pytest.mark.parametrize("mode", ["testing", "enforce"])
    def test_no_mx(self, mode):
        body = policy("version: STSv1", f"mode: {mode}", "max_age: 1")
        error = refused(body)
        assert (error.reason, error.span) == (f"no mx line: mode {mode} needs at least one", (len(body), len(body)))

    @pytest.mark.parametrize("body", [b"", b"\n", b"\r\n", b" ", b"\xef\xbb\xbf"])
    def test_nothing(self, body):
        refused(body)


class TestValues:
    """3.2: STSv1 and the modes are spelt exactly so; max_age is 1 to 10 of the digits 0 to 9."""

    @pytest.mark.parametrize("value", ["STSv2", "stsv1", "STSV1", "STSv1;", "STS v1", '"STSv1"'])
    def test_version(self, value):
        error = refused(GOOD.replace(b"STSv1", value.encode()))
        assert (error.line, error.column) == (1, 10)

    @pytest.mark.parametrize(
        "value", ["Enforce", "ENFORCE", "enforced", "report", "test", "enforce testing", "enforce,none"]
    )
    def test_mode(self, value):
        error = refused(GOOD.replace(b"enforce", value.encode()))
        assert (error.line, error.column) == (2, 7)

    @pytest.mark.parametrize(
        "value",
        [
            "-1",
            "+1",
            "1.0",
            "1e3",
            "0x10",
            "604_800",
            "604 800",
            "1,000",
            "12345678901",
            "1d",
            "٦٠٤٨٠٠",
            "６０４８００",
            "۱",
            "²",
        ],
    )
    def test_max_age(self, value):
        error = refused(GOOD.replace(b"604800", value.encode()))
        assert (error.line, error.column, error.source[slice(*error.span)]) == (5, 10, value)

    @pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("00", 0), ("0000000007", 7), ("31557600", 31_557_600)])
    def test_max_age_that_counts(self, value, seconds):
        assert parse(GOOD.replace(b"604800", value.encode())).max_age == seconds

    @pytest.mark.parametrize("value", ["31557601", "99999999", "9999999999"])
    def test_max_age_over_the_limit_is_capped_by_a_sender(self, value):
        """3.2 names 31557600 as the most; our decision for what others publish is to cap."""
        assert parse(GOOD.replace(b"604800", value.encode())).max_age == 31_557_600


class TestMx:
    """3.2: an mx value is a host name of RFC 5321 in A-labels, or `*.` in front of one."""

    @pytest.mark.parametrize(
        "value",
        [
            "a",
            "mail.example.com",
            "*.example.com",
            "*.com",
            "xn--mx-gka.example",
            "1.example",
            "a--b.example",
            "a" * 63 + ".b",
            "a." * 126 + "b",
        ],
    )
    def test_valid(self, value):
        assert parse(GOOD + f"mx: {value}\n".encode()).mx[-1] == value

    @pytest.mark.parametrize(
        "value",
        [
            "*",
            "*.",
            "**.example.com",
            "*.*.example.com",
            "a.*.example.com",
            "*a.example.com",
            "a*.example.com",
            "mail.*",
            ".example.com",
            "mail.example.com.",
            "mail..example.com",
            "-a.example.com",
            "a-.example.com",
            "a_b.example.com",
            "_mx.example.com",
            "192.0.2.1",
            "*.0.2.1",
            "[192.0.2.1]",
            "[IPv6:2001:db8::1]",
            "2001:db8::1",
            "mx.straße.example",
            "mail.example.com, mail.example.net",
            "mail.example.com mail.example.net",
            "10 mail.example.com",
            "mail.example.com;",
            "a" * 64 + ".example",
            "a." * 126 + "ab",
            ".".join(["a" * 62] * 4) + ".example",
            "123",
            "mail。example.com",
        ],
    )
    def test_invalid(self, value):
        error = refused(GOOD + f"mx: {value}\n".encode())
        assert (error.line, error.column, error.source[slice(*error.span)]) == (6, 5, value)


class TestLines:
    """3.2: LF and CRLF end lines and nothing else does; a line is a field; blank lines are not in the grammar."""

    @pytest.mark.parametrize("end", ["\r", "\v", "\f", "\x1c", "\x85", "\u2028", "\u2029", "\0"])
    def test_no_other_line_end(self, end):
        """What other software takes for the end of a line must not smuggle a field in."""
        body = policy("version: STSv1", f"mode: testing{end}mode: none", "mx: a.example", "max_age: 1")
        assert refused(body).line == 2

    @pytest.mark.parametrize("end", ["\r", "\v", "\x85", "\u2028"])
    def test_no_other_line_end_in_an_unknown_field(self, end):
        body = policy("version: STSv1", f"x: y{end}mode: none", "mx: a.example", "mode: testing", "max_age: 1")
        if ord(end) < 0x20:
            assert refused(body).line == 2
        else:
            assert parse(body).mode is Mode.TESTING

    @pytest.mark.parametrize(
        "body", [GOOD.replace(b"\r\n", b"\r"), GOOD.replace(b"\r\n", b"\r\r\n"), GOOD[:-1], GOOD + b"\r"]
    )
    def test_a_cr_alone_is_no_line_end(self, body):
        assert "not a field" in refused(body).reason

    @pytest.mark.parametrize(
        "line",
        [
            "mode",
            "mode enforce",
            "mode:",
            "mode: ",
            ": enforce",
            " mode: enforce",
            "\tmode: enforce",
            "mode : enforce",
            "mode= enforce",
            "-x: y",
            "_x: y",
            "x y: z",
            "é: y",
            f"{'k' * 33}: v",
            "x: a\tb",
            "x: a\x7fb",
            "x: a\x00",
            "# comment",
            "<html>",
        ],
    )
    def test_not_a_field(self, line):
        error = refused(GOOD + line.encode() + b"\n")
        assert (error.line, error.column) == (6, 1)
        assert error.source[slice(*error.span)] == line

    @pytest.mark.parametrize("blank", [b"\n", b"\r\n", b" \n", b"\t \r\n"])
    def test_blank_line_between_fields(self, blank):
        error = refused(blank + GOOD)
        assert ("blank line" in error.reason, error.span) == (True, (0, len(blank.rstrip(b"\r\n"))))
        assert refused(GOOD + blank + b"x: y").line == 6

    @pytest.mark.parametrize("blanks", [b"\n", b"\r\n\r\n\r\n", b" ", b"\n\t\n"])
    def test_blank_lines_at_the_end_are_tolerated(self, blanks):
        assert parse(GOOD + blanks) == POLICY

    def test_byte_order_mark(self):
        assert refused(b"\xef\xbb\xbf" + GOOD).line == 1

    @pytest.mark.parametrize(
        ("octets", "at"), [(b"x: \xff", 3), (b"x: \xc3", 3), (b"x: \xed\xa0\x80", 3), (b"x: \xc3\xa9\xc0\x80", 4)]
    )
    def test_octets_that_are_not_utf8(self, octets, at):
        """Values of unknown fields may hold UTF-8, not other octets."""
        error = refused(octets + b"\n" + GOOD)
        assert (error.span, "UTF-8" in error.reason) == ((at, at + 1), True)

    def test_utf16(self):
        refused(GOOD.decode().encode("utf-16"))


class TestSize:
    """3.3: 64 KiB is the suggested most."""

    def test_as_large_as_may_be(self):
        filler = b"x: " + b"y" * (65_536 - len(GOOD) - 3)
        assert parse(GOOD + filler) == POLICY
        error = refused(GOOD + filler + b"y")
        assert (error.reason[:18], error.source) == ("larger than 64 KiB", "")
