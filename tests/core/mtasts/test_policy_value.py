"""The policy value and writing it: RFC 8461 sections 3.2 and 4.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.errors import PolicySyntaxError
from trinco.core.mtasts.policy import DEFAULT_MAX_AGE, Mode, Policy, parse, render, uncovered

GOOD = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n"
POLICY = Policy(Mode.ENFORCE, ("mail.example.com", "*.example.net"), 604800)

labels = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
names = st.builds(
    lambda rest, last: ".".join([*rest, last]), st.lists(labels, max_size=3), st.sampled_from(["com", "x1"])
)
patterns = st.builds(str.__add__, st.sampled_from(["", "*."]), names)
ages = st.integers(0, 31_557_600)
policies = st.one_of(
    st.builds(Policy, st.sampled_from([Mode.TESTING, Mode.ENFORCE]), st.lists(patterns, min_size=1, max_size=5), ages),
    st.builds(Policy, st.just(Mode.NONE), st.lists(patterns, max_size=2), ages),
)


class TestPolicy:
    """A policy is valid from birth, as a publisher may write it."""

    def test_words_for_the_mode(self):
        assert Policy("testing", ["MX.example.com"], 1) == Policy(Mode.TESTING, ("mx.example.com",), 1)

    @pytest.mark.parametrize("mode", ["Testing", "", None, 1, "testing\r\nmode: none"])
    def test_other_modes(self, mode):
        with pytest.raises(PolicySyntaxError):
            Policy(mode, ("a.example",), 1)

    @pytest.mark.parametrize("max_age", [-1, 31_557_601, 10**30, 1.0, "1", True, None])
    def test_max_age_out_of_range_is_refused_here(self, max_age):
        with pytest.raises(PolicySyntaxError):
            Policy(Mode.TESTING, ("a.example",), max_age)

    @pytest.mark.parametrize(
        "mx",
        [
            (),
            "a.example",
            ("a.example\r\nmode: none",),
            ("a.example\n",),
            ("a b",),
            ("ä.example",),
            ("\u212a.example",),
            ("192.0.2.1",),
            ("*",),
            ("",),
            (None,),
            (b"a.example",),
        ],
    )
    def test_mx_that_cannot_be_published(self, mx):
        with pytest.raises(PolicySyntaxError):
            Policy(Mode.TESTING, mx, 1)

    def test_the_pattern_at_fault_is_named(self):
        with pytest.raises(PolicySyntaxError) as caught:
            Policy(Mode.TESTING, ("a.example", "b_c.example"), 1)
        assert (caught.value.source, caught.value.span) == ("b_c.example", (0, 11))
        assert caught.value.reason == "mx b_c.example: a host name has no underscore"

    @pytest.mark.parametrize("mx", [None, 5])
    def test_mx_that_is_no_sequence(self, mx):
        with pytest.raises(PolicySyntaxError):
            Policy(Mode.TESTING, mx, 1)

    def test_frozen(self):
        with pytest.raises(AttributeError):
            POLICY.mode = Mode.NONE

    def test_default_ages(self):
        assert dict(DEFAULT_MAX_AGE) == {Mode.NONE: 86_400, Mode.TESTING: 86_400, Mode.ENFORCE: 604_800}


class TestMatches:
    """4.1: an MX host is valid when its name matches one pattern or more."""

    def test_one_of_several(self):
        assert POLICY.matches("MAIL.example.com.")
        assert POLICY.matches("a.example.net")
        assert not POLICY.matches("a.example.com")

    def test_no_pattern_matches_nothing(self):
        assert not Policy(Mode.NONE, (), 1).matches("mail.example.com")

    def test_what_is_left_uncovered(self):
        assert uncovered(POLICY, ["b.example", "a.example.net", "c.example"]) == ("b.example", "c.example")


class TestRender:
    """What we publish is strict: version first, CRLF, A-labels, each mx on its own line."""

    def test_the_octets(self):
        assert render(POLICY) == GOOD

    def test_mode_none_without_mx(self):
        assert render(Policy(Mode.NONE, (), 86400)) == b"version: STSv1\r\nmode: none\r\nmax_age: 86400\r\n"

    @given(policies)
    def test_parse_is_its_inverse(self, policy):
        assert parse(render(policy)) == policy

    @given(policies)
    def test_nothing_but_the_grammar(self, policy):
        """Each line ends in CRLF, has one colon and space, and no other control."""
        *lines, rest = render(policy).split(b"\r\n")
        assert rest == b""
        assert lines[0] == b"version: STSv1"
        assert all(0x20 <= octet < 0x7F for line in lines for octet in line)
        assert [line.partition(b": ")[0] for line in lines] == [
            b"version",
            b"mode",
            *[b"mx"] * len(policy.mx),
            b"max_age",
        ]

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("mx", ("a.example\r\nmode: none",)),
            ("mx", ("a.example\r\nmx: evil.example",)),
            ("mx", ("a.example\u2028",)),
            ("mx", ("\ud800",)),
            ("mx", ()),
            ("mode", "enforce\r\nmax_age: 1"),
            ("max_age", 31_557_601),
            ("max_age", "1\r\nmx: b.example"),
        ],
    )
    def test_a_value_that_was_tampered_with_is_not_written(self, field, value):
        """The file is read back and compared before anybody can serve it."""
        tampered = Policy(Mode.ENFORCE, ("a.example",), 1)
        object.__setattr__(tampered, field, value)
        with pytest.raises(PolicySyntaxError):
            render(tampered)


class TestHostileInput:
    """No input raises anything but the error tree."""

    @given(st.binary(max_size=200))
    def test_octets(self, body):
        self.read(body)

    @given(st.lists(st.sampled_from(["version", "mode", "mx", "max_age", ":", ": ", "STSv1", "none", "enforce", "*.", "a.b", "7",
                                     "\r", "\n", "\r\n", " ", "\t", "\u2028", "\x85", "\0", "٣", "é"])))  # fmt: skip
    def test_nearly_a_policy(self, pieces):
        self.read("".join(pieces).encode())

    @pytest.mark.parametrize("body", [None, 5, "version: STSv1", ["x"], object()])
    def test_other_types(self, body):
        with pytest.raises(PolicySyntaxError, match="a policy file is a sequence of octets"):
            parse(body)

    def test_huge(self):
        with pytest.raises(PolicySyntaxError, match="larger than 64 KiB"):
            parse(b"a" * 50_000_000)

    @pytest.mark.parametrize(
        "line", [b"x: " + b" " * 65_000 + b"\x01", b"x: " + b"a " * 32_000 + b"\x01", b"mx: " + b"a." * 32_000]
    )
    def test_lines_that_make_a_careless_pattern_slow(self, line):
        with pytest.raises(PolicySyntaxError, match="not a"):
            parse(line)

    @staticmethod
    def read(body):
        try:
            policy = parse(body)
        except PolicySyntaxError as caught:
            error = caught
        else:
            assert parse(render(policy)) == policy
            return
        assert error.reason.isprintable()
        assert 0 <= error.span[0] <= error.span[1] <= len(error.source)
