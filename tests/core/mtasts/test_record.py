"""The `_mta-sts` TXT record: RFC 8461 section 3.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.errors import MultipleRecords, NoRecord, RecordSyntaxError, TrincoError
from trinco.core.mtasts.record import Record, lint, parse, render, select

ids = st.from_regex(r"[A-Za-z0-9]{1,32}", fullmatch=True)


def refused(text: str) -> RecordSyntaxError:
    with pytest.raises(RecordSyntaxError) as caught:
        parse(text)
    return caught.value


def said(*texts: str) -> list[tuple[str, int, int, str]]:
    return [(remark.severity, remark.line, remark.column, remark.key) for remark in lint(texts)]


class TestParse:
    """3.1: the record MUST begin with the version; fields of any order follow, between semicolons with white space."""

    @pytest.mark.parametrize(
        "text",
        [
            "v=STSv1; id=20160831085700Z;",
            "v=STSv1;id=20160831085700Z",
            "v=STSv1;id=20160831085700Z;",
            "v=STSv1; \t id=20160831085700Z \t ; \t",
            "v=STSv1; id=20160831085700Z ; ",
            "v=STSv1; other=1; id=20160831085700Z; more.fields_x-1=~!<>:,",
        ],
    )
    def test_one(self, text):
        assert parse(text) == Record("20160831085700Z")

    @pytest.mark.parametrize("value", ["1", "a", "Z" * 32, "0aA9"])
    def test_ids(self, value):
        assert parse(f"v=STSv1; id={value};") == Record(value)

    def test_unknown_fields_are_passed_over(self):
        """3.2: parsers MUST accept records with further fields and ignore those."""
        assert parse(f"v=STSv1; {'n' * 32}={'v' * 500}; ID=x; v=STSv2; id=1") == Record("1")

    @pytest.mark.parametrize("later", ["id=2", "id=a-b"])
    def test_of_two_ids_the_first_counts(self, later):
        """3.2: of a field that stands twice, all but the first SHALL be ignored."""
        assert parse(f"v=STSv1; id=1; {later}") == Record("1")

    def test_white_space_at_the_end_is_tolerated(self):
        assert parse("v=STSv1; id=1 \t") == Record("1")


class TestNotOurs:
    """3.1: records that do not begin with `v=STSv1;` are no MTA-STS records."""

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "v=spf1 -all",
            "v=STSv1",
            "v=STSv1 ; id=1;",
            "v=STSv1\t; id=1;",
            " v=STSv1; id=1;",
            "v=stsv1; id=1;",
            "V=STSv1; id=1;",
            "v=STSv2; id=1;",
            "v=STSv10; id=1;",
            "v = STSv1; id=1;",
            "id=1; v=STSv1;",
            '"v=STSv1; id=1;"',
            "\ufeffv=STSv1; id=1;",
            "v=TLSRPTv1; rua=mailto:a@b.example",
        ],
    )
    def test_none(self, text):
        assert parse(text) is None


class TestBroken:
    """3.1: id is required, 1 to 32 letters or digits; names and values of fields have a grammar."""

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("v=STSv1;", ""),
            ("v=STSv1; ", ""),
            ("v=STSv1; ID=1", ""),
            ("v=STSv1; other=1;", ""),
            ("v=STSv1; id=;", ""),
            (f"v=STSv1; id={'1' * 33}", "1" * 33),
            ("v=STSv1; id=a-b", "a-b"),
            ("v=STSv1; id=a_b", "a_b"),
            ("v=STSv1; id=a b", "a b"),
            ("v=STSv1; id= 1", " 1"),
            ("v=STSv1; id=1=2", "1=2"),
            ("v=STSv1; id=١", "١"),
            ("v=STSv1; id=é", "é"),
            ("v=STSv1; id=1\n", "1\n"),
            ("v=STSv1; id=1\0", "1\0"),
            ("v=STSv1; id=\ud800", "\ud800"),
            ("v=STSv1; id=1, x=2", "1, x=2"),
            ("v=STSv1; id=a-b; id=1", "a-b"),
            ("v=STSv1; id =1", "id =1"),
            ("v=STSv1; id", "id"),
            ("v=STSv1; id=1; x", "x"),
            ("v=STSv1; id=1; =x", "=x"),
            ("v=STSv1; id=1; x=", "x="),
            ("v=STSv1; id=1; _x=1", "_x=1"),
            ("v=STSv1; id=1; é=1", "é=1"),
            ("v=STSv1; id=1; x=é", "x=é"),
            ("v=STSv1; id=1; x=a b", "x=a b"),
            ("v=STSv1; id=1; x=a=b", "x=a=b"),
            ("v=STSv1; id=1; x=\x7f", "x=\x7f"),
            (f"v=STSv1; id=1; {'n' * 33}=1", "n" * 33 + "=1"),
            ("v=STSv1; id=1; id=a b", "id=a b"),
            ("v=STSv1;; id=1", ""),
            ("v=STSv1; ; id=1", ""),
            ("v=STSv1; id=1;;", ""),
            ("v=STSv1; id=1; ;", ""),
            ("v=STSv1;\u00a0id=1", "\u00a0id=1"),
            ("v=STSv1;\u2003id=1", "\u2003id=1"),
            ("v=STSv1;\vid=1", "\vid=1"),
        ],
    )
    def test_refused_with_its_place(self, text, fault):
        error = refused(text)
        assert (error.source, text[slice(*error.span)]) == (text, fault)
        assert error.reason.isascii()

    def test_other_types(self):
        for value in (None, b"v=STSv1; id=1;", 5):
            assert refused(value).reason == "a TXT record is text"


class TestSelect:
    """3.1: records that do not begin with `v=STSv1;` are discarded; if one is left, and valid, it counts."""

    def test_one_among_others(self):
        assert select(["v=spf1 -all", "v=STSv1; id=1;", "v=STSv1 ; id=2;", "v=stsv1; id=3;", ""]) == Record("1")

    @pytest.mark.parametrize("texts", [[], ["v=spf1 -all"], ["v=STSv1", "v=STSv1 ; id=1;"], [b"v=STSv1; id=1;", None]])
    def test_none_is_left(self, texts):
        with pytest.raises(NoRecord):
            select(texts)

    @pytest.mark.parametrize("second", ["v=STSv1; id=1;", "v=STSv1; id=2;", "v=STSv1;"])
    def test_more_than_one_is_left(self, second):
        """Also when the other one is the same, or broken: they are counted before they are read."""
        with pytest.raises(MultipleRecords):
            select(["v=STSv1; id=1;", second])

    def test_the_one_that_is_left_is_broken(self):
        with pytest.raises(RecordSyntaxError):
            select(["v=STSv1; id=a-b;", "v=spf1 -all"])


class TestRender:
    """What we publish is the standard's example form."""

    def test_the_text(self):
        assert render(Record("20160831085700Z")) == "v=STSv1; id=20160831085700Z;"

    @given(ids)
    def test_parse_is_its_inverse(self, value):
        assert parse(render(Record(value))) == Record(value)
        assert lint([render(Record(value))]) == ()

    @pytest.mark.parametrize("value", ["", "1" * 33, "a-b", "a;b", "é", "١", "1\n", "1 ", None, 1])
    def test_no_other_id_can_be_made(self, value):
        with pytest.raises(RecordSyntaxError):
            Record(value)


class TestLint:
    """A remark has severity, record number, column and reason."""

    @pytest.mark.parametrize(
        ("texts", "expected"),
        [
            (["v=STSv1; id=1;"], []),
            (["v=STSv1; id=1; x=y"], []),
            (["v=STSv1; id=1 "], [("warning", 1, 14, "trailing-space")]),
            (["v=STSv1; ID=1; id=2"], [("warning", 1, 10, "field-case")]),
            (["v=STSv1; id=1; id=2"], [("error", 1, 16, "id-twice")]),
            (["v=STSv1; id=1;;"], [("error", 1, 15, "empty-field")]),
            (["v=STSv1; id=1; x y"], [("error", 1, 16, "field-syntax")]),
            (["v=STSv1; id=a-b"], [("error", 1, 13, "id-syntax")]),
            (["v=STSv1;"], [("error", 1, 9, "id-missing")]),
            (
                ["v=STSv1; id=1;", "v=STSv1; id=2; id=3;"],
                [("error", 2, 1, "multiple-records"), ("error", 2, 16, "id-twice")],
            ),
            (["v=spf1 -all", "v=STSv1; id=1;"], [("warning", 1, 1, "foreign")]),
            ([], [("error", 1, 1, "no-record")]),
            (["v=spf1 -all"], [("warning", 1, 1, "foreign"), ("error", 1, 1, "no-record")]),
        ],
    )
    def test_remarks(self, texts, expected):
        assert said(*texts) == expected

    @pytest.mark.parametrize(
        "text",
        ["v=STSv1 ; id=1;", " v=STSv1; id=1;", "v=stsv1; id=1", "V=STSV1", '"v=STSv1; id=1;"', "v = STSv1; id=1"],
    )
    def test_what_was_meant_to_be_one(self, text):
        """Senders pass over it without a word: that is the error to be told."""
        assert said(text) == [("error", 1, 1, "near-miss"), ("error", 1, 1, "no-record")]

    def test_other_types(self):
        assert said(b"v=STSv1; id=1;") == [("error", 1, 1, "not-text"), ("error", 1, 1, "no-record")]


class TestHostileInput:
    """No input raises anything but the error tree."""

    @given(st.text() | st.text("v=STSv1;id \t1\n\u2028").map("v=STSv1;{}".format))
    def test_any_text(self, text):
        try:
            record = parse(text)
        except TrincoError:
            assert any(remark.severity == "error" for remark in lint([text]))
            return
        assert record is None or parse(render(record)) == record

    @given(st.lists(st.text() | st.sampled_from(["v=STSv1; id=1;", "v=STSv1;", "v=STSv1; x"])))
    def test_any_set(self, texts):
        remarks = lint(texts)
        assert all(1 <= remark.line <= max(len(texts), 1) and remark.column >= 1 for remark in remarks)
        try:
            select(texts)
        except TrincoError:
            assert remarks

    @pytest.mark.parametrize(
        "text", ["v=STSv1;" + ";" * 100_000, "v=STSv1;" + " " * 1_000_000, "v=STSv1; id=" + "1" * 1_000_000]
    )
    def test_huge(self, text):
        refused(text)
