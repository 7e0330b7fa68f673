"""What zone files and `dig` write is put back together to the record it means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.txt import joined


class TestJoined:
    """RFC 8461 3.1, RFC 8460 3: the strings of a record are put together without adding spaces."""

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            ("v=STSv1; id=1;", "v=STSv1; id=1;"),
            ('"v=STSv1; id=1;"', "v=STSv1; id=1;"),
            ('"v=STSv1; " "id=1;"', "v=STSv1; id=1;"),
            ('"v=STSv1;" " id=1;"', "v=STSv1; id=1;"),
            ('"v=STS""v1; id=1;"', "v=STSv1; id=1;"),
            ('  "v=STSv1;"\t"id=1;" \t', "v=STSv1;id=1;"),
            ('""', ""),
            ("", ""),
        ],
    )
    def test_strings(self, line, text):
        assert joined(line) == text

    @pytest.mark.parametrize("line", ['"v=STSv1; id=1;', '"a" b', 'a "b"', '"a\\"', "'a'", '"', '"a"\n"b'])
    def test_what_is_not_wholly_quoted_is_the_record_itself(self, line):
        assert joined(line) == line

    @pytest.mark.parametrize(
        ("line", "text"),
        [
            (r'"v=STSv1\; id=1\;"', "v=STSv1; id=1;"),
            (r'"a\"b"', 'a"b'),
            (r'"a\\b"', "a\\b"),
            (r'"a\059b"', "a;b"),
            (r'"\255\000"', "\xff\x00"),
            (r'"\256\999"', "256999"),
            (r'"\12x"', "12x"),
            ('"\\\u0661\u0662\u0663"', "\u0661\u0662\u0663"),
        ],
    )
    def test_escapes(self, line, text):
        """RFC 1035 5.1: a backslash and three digits are an octet; a backslash and anything else are that."""
        assert joined(line) == text

    @given(st.lists(st.text(st.characters(max_codepoint=255)), min_size=1))
    def test_any_strings(self, strings):
        quoted = " ".join('"' + "".join(f"\\{ord(c):03}" for c in string) + '"' for string in strings)
        assert joined(quoted) == "".join(strings)

    @given(st.text() | st.text('"\\ 019a\n\t'))
    def test_any_line(self, line):
        assert isinstance(joined(line), str)

    def test_huge(self):
        assert joined('"' + "\\" * 1_000_001) == '"' + "\\" * 1_000_001
