"""CSV out of a stranger's texts."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core.tables import as_csv, cell, printable


class TestCell:
    """ASVS 1.2.10: a cell that would begin a formula is quoted."""

    @pytest.mark.parametrize("start", [*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
    @pytest.mark.parametrize("before", ["", " ", "\u00a0", "\u3000", "\u200b", "\x00", "x;", "x; "])
    def test_a_formula_is_quoted(self, start: str, before: str) -> None:
        whole = cell(f"{before}{start}1+1")
        begin = whole.rpartition(";")[2]
        assert begin.startswith("'") or start in "\t\r\n"
        assert begin.startswith(("'", "?", " ", "\u00a0", "\u3000"))

    @pytest.mark.parametrize("text", ["", "a", "a=b", "mx1.example", "a-b", "2026-11-24", "a; b", ";", "x,=1"])
    def test_other_texts_stay(self, text: str) -> None:
        assert cell(text) == text

    @pytest.mark.parametrize(("value", "shown"), [(-5, "-5"), (0, "0"), (None, ""), (True, "True")])
    def test_what_is_no_text_is_no_strangers(self, value: object, shown: str) -> None:
        assert cell(value) == shown

    def test_controls_and_directions_are_replaced(self) -> None:
        assert cell("a\x1b[31m\u202eb\r\nc\ud800") == "a?[31m?b??c?"


class TestCsv:
    """RFC 4180: CRLF, quotes doubled, as many cells in each row."""

    def test_rows(self) -> None:
        rows = [{"name": 'a"b,c', "count": 1}, {"name": "=1", "count": None}]
        assert list(as_csv(rows, ("name", "count"))) == ["name,count\r\n", '"a""b,c",1\r\n', "'=1,\r\n"]

    def test_a_row_at_a_time(self) -> None:
        taken = []

        def rows() -> Iterator[dict[str, object]]:
            for number in range(3):
                taken.append(number)
                yield {"number": number}

        lines = as_csv(rows(), ("number",))
        assert (next(lines), taken) == ("number\r\n", [])
        assert (next(lines), taken) == ("0\r\n", [0])

    @given(st.lists(st.tuples(st.text(), st.text()), max_size=5))
    def test_reads_back_as_the_same_rows(self, pairs: list[tuple[str, str]]) -> None:
        text = "".join(as_csv([{"a": one, "b": two} for one, two in pairs], ("a", "b")))
        assert list(csv.reader(io.StringIO(text, newline=""))) == [["a", "b"], *([cell(a), cell(b)] for a, b in pairs)]


@given(st.text())
def test_what_is_printable_stays(text: str) -> None:
    assert printable(text).isprintable()
    assert len(printable(text)) == len(text)
