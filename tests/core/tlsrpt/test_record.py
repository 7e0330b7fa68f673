"""The `_smtp._tls` TXT record: RFC 8460 section 3."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.errors import MultipleRecords, NoRecord, RecordSyntaxError, TrincoError
from trinco.core.tlsrpt.record import Record, lint, parse, render, select

words = st.text("abcxyz019-._~+&='()*$@/?:%", min_size=1, max_size=12).map(lambda word: word.replace("%", "%2C"))
uris = st.builds("{}:{}".format, st.sampled_from(["mailto", "https", "HTTPS", "x-y"]), words)


def refused(text: str) -> RecordSyntaxError:
    with pytest.raises(RecordSyntaxError) as caught:
        parse(text)
    return caught.value


def said(*texts: str) -> list[tuple[str, int, int, str]]:
    return [(remark.severity, remark.line, remark.column, remark.key) for remark in lint(texts)]


class TestParse:
    """3: after the version comes rua, one or more URIs between commas; unknown fields are ignored."""

    @pytest.mark.parametrize(
        ("text", "rua"),
        [
            ("v=TLSRPTv1;rua=mailto:reports@example.com", ("mailto:reports@example.com",)),
            ("v=TLSRPTv1; rua=https://reporting.example.com/v1/tlsrpt", ("https://reporting.example.com/v1/tlsrpt",)),
            ("v=TLSRPTv1; rua=mailto:a@b.example,https://c.example/d;", ("mailto:a@b.example", "https://c.example/d")),
            (
                "v=TLSRPTv1; rua=mailto:a@b.example \t,\t mailto:c@d.example ; ",
                ("mailto:a@b.example", "mailto:c@d.example"),
            ),
            ("v=TLSRPTv1; x=1; rua=mailto:a@b.example; RUA=2", ("mailto:a@b.example",)),
            ("v=TLSRPTv1; rua=mailto:a%2Cb@c.example%21", ("mailto:a%2Cb@c.example%21",)),
            ("v=TLSRPTv1; rua=https://a.example/?b=c&d=(e)", ("https://a.example/?b=c&d=(e)",)),
            ("v=TLSRPTv1; rua=https://[2001:db8::1]:8443/", ("https://[2001:db8::1]:8443/",)),
            ("v=TLSRPTv1; rua=mailto:a@b.example ", ("mailto:a@b.example",)),
            ("v=TLSRPTv1; rua=gopher://a.example", ("gopher://a.example",)),
        ],
    )
    def test_one(self, text, rua):
        assert parse(text) == Record(rua)

    @pytest.mark.parametrize("later", ["rua=mailto:c@d.example", "rua=,", "rua=!"])
    def test_of_two_ruas_the_first_counts(self, later):
        assert parse(f"v=TLSRPTv1; rua=mailto:a@b.example; {later}") == Record(("mailto:a@b.example",))


class TestNotOurs:
    """3: records that do not begin with `v=TLSRPTv1;` are discarded."""

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "v=TLSRPTv1",
            "v=TLSRPTv1 ;rua=mailto:a@b.c",
            "v=tlsrptv1; rua=mailto:a@b.c",
            "v=STSv1; id=1;",
            " v=TLSRPTv1;",
        ],
    )
    def test_none(self, text):
        assert parse(text) is None


class TestBroken:
    """3: rua is required; inside a URI, commas, exclamation marks and semicolons MUST be percent-encoded."""

    @pytest.mark.parametrize(
        ("text", "fault"),
        [
            ("v=TLSRPTv1;", ""),
            ("v=TLSRPTv1; x=1", ""),
            ("v=TLSRPTv1; RUA=mailto:a@b.example", ""),
            ("v=TLSRPTv1; rua=", ""),
            ("v=TLSRPTv1; rua=mailto:a@b.example,", ""),
            ("v=TLSRPTv1; rua=,mailto:a@b.example", ""),
            ("v=TLSRPTv1; rua=a@b.example", "a@b.example"),
            ("v=TLSRPTv1; rua=mailto:a@b.example,c@d.example", "c@d.example"),
            ("v=TLSRPTv1; rua=mailto:a@b.example!10m", "mailto:a@b.example!10m"),
            ("v=TLSRPTv1; rua=mailto:a@b.example mailto:c@d.example", "mailto:a@b.example mailto:c@d.example"),
            ("v=TLSRPTv1; rua=mailto:", "mailto:"),
            ("v=TLSRPTv1; rua=https://a.example/%2", "https://a.example/%2"),
            ("v=TLSRPTv1; rua=https://a.example/%zz", "https://a.example/%zz"),
            ("v=TLSRPTv1; rua=https://a.example/é", "https://a.example/é"),
            ("v=TLSRPTv1; rua=https://a.example/\n", "https://a.example/\n"),
            ("v=TLSRPTv1; rua=https://a.example/<b>", "https://a.example/<b>"),
            ('v=TLSRPTv1; rua="mailto:a@b.example"', '"mailto:a@b.example"'),
            ("v=TLSRPTv1; rua=mailto:a@b.example;;", ""),
            ("v=TLSRPTv1; rua=mailto:a@b.example; x y", "x y"),
            ("v=TLSRPTv1; rua=mailto:a@b.example; x=a b", "x=a b"),
            ("v=TLSRPTv1; rua=mailto:a;b@c.example", "b@c.example"),
        ],
    )
    def test_refused_with_its_place(self, text, fault):
        error = refused(text)
        assert (error.source, text[slice(*error.span)]) == (text, fault)
        assert error.reason.isascii()

    def test_other_types(self):
        assert refused(b"v=TLSRPTv1; rua=mailto:a@b.example").reason == "a TXT record is text"


class TestSelect:
    """3: if not exactly one record is left, the domain does not implement TLSRPT."""

    def test_one_among_others(self):
        assert select(["v=STSv1; id=1;", "v=TLSRPTv1; rua=mailto:a@b.example"]) == Record(("mailto:a@b.example",))

    def test_none_is_left(self):
        with pytest.raises(NoRecord):
            select(["v=TLSRPTv1", "v=STSv1; id=1;"])

    def test_more_than_one_is_left(self):
        with pytest.raises(MultipleRecords):
            select(["v=TLSRPTv1; rua=mailto:a@b.example", "v=TLSRPTv1;"])

    def test_the_one_that_is_left_is_broken(self):
        with pytest.raises(RecordSyntaxError):
            select(["v=TLSRPTv1; rua=a"])


class TestRender:
    """What we publish is the grammar and no more."""

    def test_the_text(self):
        record = Record(["mailto:a@b.example", "https://c.example/"])
        assert render(record) == "v=TLSRPTv1; rua=mailto:a@b.example,https://c.example/"

    @given(st.lists(uris, min_size=1, max_size=4))
    def test_parse_is_its_inverse(self, rua):
        assert parse(render(Record(tuple(rua)))) == Record(tuple(rua))

    @pytest.mark.parametrize(
        "rua", [(), "mailto:a@b.example", None, ("",), ("a@b.example",), ("mailto:a,b",), ("mailto:a;b",), ("mailto:a!b",),
                ("mailto:a b",), ("mailto:a\n",), ("mailto:é",), (None,), (b"mailto:a@b.example",)]
    )  # fmt: skip
    def test_nothing_else_can_be_made(self, rua):
        with pytest.raises(RecordSyntaxError):
            Record(rua)

    def test_the_address_at_fault_is_named(self):
        with pytest.raises(RecordSyntaxError) as caught:
            Record(("mailto:a@b.example", "c@d.example"))
        assert (caught.value.source, caught.value.span) == ("c@d.example", (0, 11))
        assert caught.value.reason == "c@d.example is no URI of a rua"


class TestLint:
    """A remark has severity, record number, column and reason; two schemes are supported: mailto and https."""

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("v=TLSRPTv1; rua=mailto:reports@example.com", []),
            ("v=TLSRPTv1; rua=MAILTO:reports@example.com?subject=x, HTTPS://a.example", []),
            ("v=TLSRPTv1; rua=http://a.example/", [("error", 1, 17, "rua-scheme")]),
            ("v=TLSRPTv1; rua=mailto:a@b.example, ftp:c", [("error", 1, 37, "rua-scheme")]),
            ("v=TLSRPTv1; rua=mailto:example.com", [("error", 1, 17, "rua-mailto")]),
            ("v=TLSRPTv1; rua=mailto:a@localhost", [("error", 1, 17, "rua-mailto")]),
            ("v=TLSRPTv1; rua=mailto://a@b.example", [("error", 1, 17, "rua-mailto")]),
            ("v=TLSRPTv1; rua=https:a.example", [("error", 1, 17, "rua-https")]),
            ("v=TLSRPTv1; rua=https:///path", [("error", 1, 17, "rua-https")]),
            ("v=TLSRPTv1; rua=mailto:a@b.example,mailto:a@b.example", [("warning", 1, 36, "rua-again")]),
            ("v=TLSRPTv1; rua=mailto:a@b.example; rua=mailto:c@d.example", [("error", 1, 37, "rua-twice")]),
            ("v=TLSRPTv1; Rua=x; rua=mailto:a@b.example", [("warning", 1, 13, "field-case")]),
            ("v=TLSRPTv1; rua=mailto:a@b.example!1m,,c", [("error", 1, 17, "rua-unencoded"), ("error", 1, 39, "rua-empty"),
                                                         ("error", 1, 40, "rua-syntax")]),
            ("v=TLSRPTv1;", [("error", 1, 12, "rua-missing")]),
            ("v=TLSRPTv1 ; rua=mailto:a@b.example", [("error", 1, 1, "near-miss"), ("error", 1, 1, "no-record")]),
        ],
    )  # fmt: skip
    def test_remarks(self, text, expected):
        assert said(text) == expected


class TestHostileInput:
    """No input raises anything but the error tree."""

    @given(st.text() | st.text("v=rua:,;!% \tmailto@.\n").map("v=TLSRPTv1;rua={}".format))
    def test_any_text(self, text):
        try:
            record = parse(text)
        except TrincoError:
            assert any(remark.severity == "error" for remark in lint([text]))
            return
        assert record is None or parse(render(record)) == record

    @pytest.mark.parametrize(
        "text", ["v=TLSRPTv1; rua=" + "," * 100_000, "v=TLSRPTv1; rua=mailto:" + "a." * 100_000 + "\n"]
    )
    def test_huge(self, text):
        refused(text)
