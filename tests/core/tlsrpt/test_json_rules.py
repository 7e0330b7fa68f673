"""JSON of strangers: RFC 8259 by the rules of I-JSON (RFC 7493), which RFC 8460 section 4 asks for."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.core.tlsrpt.made import complaint

from trinco.core.errors import ReportSyntaxError, TooLarge
from trinco.core.tlsrpt.json_rules import MAX_DEPTH, MAX_SOURCE, MAX_VALUES, load

texts = st.text(st.characters(codec="utf-8"), max_size=20)
scalars = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | texts
values = st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=10)


def refused(data: bytes) -> ReportSyntaxError:
    with pytest.raises(ReportSyntaxError) as caught:
        load(data)
    return caught.value


class TestValues:
    @given(values, st.sampled_from([None, 0, 3]), st.booleans())
    def test_what_was_written_is_read(self, value, indent, ascii_only):
        assert load(json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode()) == value

    def test_half_of_a_character_is_read_where_an_escape_writes_it(self):
        """Whether a text may hold one is the business of who keeps it."""
        assert load(b'["\\ud800"]') == ["\ud800"]

    def test_white_space_around(self):
        assert load(b"\t\r\n {} \t\r\n") == {}

    def test_numbers_that_are_no_counts_cost_nothing(self):
        """A fraction is no count, and nor is what has more than 19 digits: neither is computed."""
        assert load(b"[1e999999999, " + b"9" * 100_000 + b", -" + b"9" * 100_000 + b"]") == [0.5, 2**64, 2**64]


class TestEncoding:
    """RFC 7493 section 2.1: UTF-8. RFC 8259 section 8.1: a reader may pass over a BOM."""

    def test_utf_8(self):
        assert load('["é\U0001f600"]'.encode()) == ["é\U0001f600"]

    def test_a_bom(self):
        assert load(b"\xef\xbb\xbf[]") == []

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b'["\xff"]', "not UTF-8: octet 3 is 0xff"),
            (b'["\xed\xa0\x80"]', "not UTF-8: octet 3 is 0xed"),
            (b'["\xc0\x80"]', "not UTF-8: octet 3 is 0xc0"),
            ('["é"]'.encode("latin-1"), "not UTF-8: octet 3 is 0xe9"),
            ("{}".encode("utf-16"), "not UTF-8: octet 1 is 0xff"),
        ],
    )
    def test_anything_else(self, data, reason):
        assert refused(data).reason == reason

    def test_two_boms(self):
        assert refused(b"\xef\xbb\xbf\xef\xbb\xbf[]").reason.startswith("not JSON")


class TestGrammar:
    @pytest.mark.parametrize(
        ("data", "reason", "fault"),
        [
            (b'{"a": 1} {}', "not JSON: Extra data (line 1, column 10)", "{"),
            (b'{"a": 1}\0', "not JSON: Extra data (line 1, column 9)", "\0"),
            (b'{"a":\n 1,}', "not JSON: Expecting property name enclosed in double quotes (line 2, column 4)", "}"),
            (b'["a\nb"]', "not JSON: Invalid control character at (line 1, column 4)", "\n"),
            (b'["\\x"]', "not JSON: Invalid \\escape (line 1, column 3)", "\\"),
            (b"", "not JSON: Expecting value (line 1, column 1)", ""),
            (b'["a', "not JSON: Unterminated string starting at (line 1, column 2)", '"'),
            (b"{'a': 1}", "not JSON: Expecting property name enclosed in double quotes (line 1, column 2)", "'"),
            (b"[01]", "not JSON: Expecting ',' delimiter (line 1, column 3)", "1"),
        ],
    )
    def test_the_place_of_a_fault(self, data, reason, fault):
        error = refused(data)
        assert (error.reason, error.source[slice(*error.span)]) == (reason, fault)

    def test_a_long_source_is_not_kept(self):
        error = refused(b" " * MAX_SOURCE + b"?")
        assert (error.source, error.span) == (None, (MAX_SOURCE, MAX_SOURCE + 1))

    @pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
    def test_numbers_that_json_does_not_have(self, word):
        assert refused(f'{{"x": [{word}]}}'.encode()).reason == f"not JSON: {word}"

    @pytest.mark.parametrize(
        "data", [b'{"a":1,"b":2,"a":1}', b'[{"x":{"a":1,"\\u0061":2}}]', b'{"a":{},"a":{}}', b'{"a":1 , "a" : 1}']
    )
    def test_a_name_twice(self, data):
        """RFC 7493 section 2.3: MUST NOT."""
        assert refused(data).reason == "the name a stands twice in one object"

    def test_the_same_name_in_two_objects(self):
        assert load(b'[{"a":1},{"a":1}]') == [{"a": 1}, {"a": 1}]


class TestBounds:
    """Measured before anything is built: brackets and commas outside of strings."""

    def test_depth(self):
        assert load(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
        with pytest.raises(TooLarge) as caught:
            load(b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1))
        assert caught.value.reason == "more than 20 levels of objects and arrays"

    @pytest.mark.parametrize("text", ["[" * 30, '"' * 30, "\\" * 30, '\\"[[[[[' * 30, '\\\\"[' * 30, "]" * 30])
    def test_what_stands_in_strings_does_not_count(self, text):
        assert load(json.dumps([text, text]).encode()) == [text, text]

    def test_a_string_ends_after_two_backslashes(self):
        with pytest.raises(TooLarge):
            load(b'["\\\\",' + b"[" * 30 + b"]" * 30 + b"]")

    @pytest.mark.parametrize(
        "data", [b"[" + b"0," * MAX_VALUES + b"0]", b"]" * (2 * MAX_VALUES + 1), b'"' * (4 * MAX_VALUES + 2)]
    )
    def test_values(self, data):
        with pytest.raises(TooLarge) as caught:
            load(data)
        assert caught.value.reason == "more than 500000 values"

    def test_as_many_as_allowed(self):
        assert len(load(b"[" + b"0," * (MAX_VALUES - 2) + b"0]")) == MAX_VALUES - 1

    @given(st.binary() | st.text('[]{},:"\\u0d81 ').map(str.encode))
    def test_no_input_raises_anything_else(self, data):
        assert complaint(load, data).isprintable()
