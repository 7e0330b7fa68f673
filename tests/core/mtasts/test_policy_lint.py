"""What lint says of a policy file: severity, line, column, reason."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.errors import PolicySyntaxError
from trinco.core.mtasts.faults import KINDS
from trinco.core.mtasts.policy import lint, parse

GOOD = b"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmax_age: 604800\r\n"


def said(body: bytes) -> list[tuple[str, int, int, str]]:
    return [(remark.severity, remark.line, remark.column, remark.key) for remark in lint(body)]


class TestClean:
    """A file that follows the standard and is wise gets no remark."""

    @pytest.mark.parametrize(
        "body",
        [
            GOOD,
            GOOD.replace(b"\r\n", b"\n"),
            GOOD.removesuffix(b"\r\n"),
            GOOD + b"future: field\r\n",
            b"version: STSv1\nmode: none\nmax_age: 86400\n",
            GOOD.replace(b"604800", b"31557600"),
        ],
    )
    def test_nothing(self, body):
        assert lint(body) == ()


class TestWarnings:
    """What is valid and yet doubtful is a warning: the policy still parses."""

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"mode: testing\nversion: STSv1\nmx: a.b\nmax_age: 86400", [("warning", 2, 10, "version-later")]),
            (GOOD + b"max_age: 5\r\n", [("warning", 5, 1, "duplicate")]),
            (GOOD + b"version: STSv2\r\n", [("warning", 5, 1, "duplicate")]),
            (GOOD + b"mx: MAIL.example.com\r\n", [("warning", 5, 5, "mx-twice")]),
            (GOOD + b"MX: other.example.com\r\n", [("warning", 5, 1, "misspelt")]),
            (GOOD + b"Max-Age: 1\r\n", [("warning", 5, 1, "misspelt")]),
            (GOOD.replace(b"604800", b"0"), [("warning", 4, 10, "max-age-zero")]),
            (GOOD.replace(b"604800", b"86399"), [("warning", 4, 10, "max-age-short")]),
            (GOOD + b"\r\n", [("warning", 5, 1, "blank-end")]),
            (GOOD + b"\n \n\t", [("warning", 5, 1, "blank-end")]),
        ],
    )
    def test_warning(self, body, expected):
        assert said(body) == expected
        parse(body)


class TestErrorsThatSendersSurvive:
    """Errors that do not make the policy invalid for every sender."""

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (GOOD.replace(b"604800", b"31557601"), [("error", 4, 10, "max-age-capped")]),
            (GOOD + b"mx: mail\r\n", [("error", 5, 5, "mx-single-label")]),
            (GOOD + b"mx: *.com\r\n", [("error", 5, 5, "mx-top-level")]),
        ],
    )
    def test_error(self, body, expected):
        assert said(body) == expected
        parse(body)


class TestErrors:
    """Errors that make the policy invalid are all told, not the first alone."""

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            (b"", [("error", 1, 1, "missing")] * 3),
            (b"x" * 65_537, [("error", 1, 1, "too-large")]),
            (
                b"version: STSv2\nmode: Enforce\nmx: a_b.example\nmx: *\nmx: \xc3\xa9.example\nmx: 192.0.2.1\nmx: a..b\nmax_age: 1y\n",
                [
                    ("error", 1, 10, "version"),
                    ("error", 2, 7, "mode"),
                    ("error", 3, 5, "mx-underscore"),
                    ("error", 4, 5, "mx-wildcard"),
                    ("error", 5, 5, "mx-unicode"),
                    ("error", 6, 5, "mx-address"),
                    ("error", 7, 5, "mx-syntax"),
                    ("error", 8, 10, "max-age"),
                ],
            ),
            (
                b"\nversion: STSv1\nmode: testing\nbroken\nmax_age: 86400\nx: \xff\n",
                [
                    ("error", 1, 1, "blank-line"),
                    ("warning", 2, 10, "version-later"),
                    ("error", 4, 1, "not-a-field"),
                    ("error", 6, 4, "not-utf8"),
                    ("error", 7, 1, "mx-missing"),
                ],
            ),
            (b"\n\n", [("warning", 1, 1, "blank-end"), *[("error", 3, 1, "missing")] * 3]),
        ],
    )
    def test_all_of_them(self, body, expected):
        assert said(body) == expected
        with pytest.raises(PolicySyntaxError):
            parse(body)

    def test_columns_count_characters(self):
        assert said(GOOD + "note: é\ufffd \nmx: é.x".encode()) == [("error", 6, 5, "mx-unicode")]

    def test_other_types(self):
        assert said("text") == [("error", 1, 1, "not-bytes")]


class TestReasons:
    """Each remark says in words what it found."""

    def test_the_facts_are_in_the_reason(self):
        remark = lint(GOOD + b"mx: *.*.example\x1b[0m\r\n")[0]
        assert (remark.key, remark.facts) == ("not-a-field", ("mx: *.*.example\\x1b[0m",))
        assert remark.reason == r"not a field of the form `name: value`: mx: *.*.example\x1b[0m"

    def test_each_kind_is_a_sentence_with_its_facts(self):
        for kind in KINDS.values():
            text = kind.template.format("one", "two")
            assert "{" not in text
            assert text.isprintable()


class TestAgreement:
    """lint and parse read the same: parse refuses exactly what lint calls fatal, at the first place."""

    @given(
        st.lists(
            st.sampled_from(
                ["version: STSv1", "mode: testing", "mode: none", "mode: x", "mx: a.b", "mx: *.c", "mx: _d.e", "max_age: 99999",
                 "max_age: 99999999", "max_age: x", "", " ", "X: y", "x", "Version: STSv1", "x: \u2028", "\r"]
            ),
            max_size=8,
        ),
        st.sampled_from(["\n", "\r\n"]),
    )  # fmt: skip
    def test_any_lines(self, lines, end):
        body = end.join(lines).encode()
        fatal = [remark for remark in lint(body) if KINDS[remark.key].fatal]
        if not fatal:
            parse(body)
            return
        with pytest.raises(PolicySyntaxError) as caught:
            parse(body)
        assert (caught.value.reason, caught.value.line, caught.value.column) == (
            fatal[0].reason,
            fatal[0].line,
            fatal[0].column,
        )

    @given(st.binary(max_size=100))
    def test_any_octets(self, body):
        remarks = lint(body)
        assert remarks == tuple(sorted(remarks, key=lambda remark: (remark.line, remark.column)))
        assert all(remark.line >= 1 and remark.column >= 1 and remark.reason.isprintable() for remark in remarks)
