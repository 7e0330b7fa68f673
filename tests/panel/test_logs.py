"""Lines of the log."""

from __future__ import annotations

import io
import logging
import sys

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from trinco.panel import logs


def line(**event):
    fixed = {"timestamp": "T", "level": "info", "logger": "trinco.panel"}
    return logs.line(None, "info", {**fixed, **event})


class TestLine:
    """One printable line for each event, whatever a stranger sent."""

    def test_event_and_facts(self):
        assert (
            line(event="policy announced", domain="a.example", n=3)
            == "T info trinco.panel policy announced domain=a.example n=3"
        )

    @pytest.mark.parametrize(
        ("value", "shown"),
        [
            ("two words", '"two words"'),
            ('a "b"', '"a \\"b\\""'),
            ("a\nb", '"a\\nb"'),
            ("\x1b[31m", '"\\x1b[31m"'),
            ("\u202eevil", '"\\u202eevil"'),
            ("", '""'),
        ],
    )
    def test_values_that_break_lines_or_terminals_are_escaped(self, value, shown):
        assert line(event="e", value=value).endswith(f" value={shown}")

    @given(text=st.text(), value=st.text())
    def test_never_more_than_one_line(self, text, value):
        assert line(event=text, value=value).isprintable()


class TestConfigure:
    @pytest.fixture
    def written(self, monkeypatch):
        """What is written to standard error."""
        stream, root = io.StringIO(), logging.getLogger()
        before, level = root.handlers[:], root.level
        monkeypatch.setattr(sys, "stderr", stream)
        logs.configure({"level": "info"})
        yield lambda: stream.getvalue().splitlines()
        logs.configure({"level": "warning"})
        root.handlers[:] = before
        root.setLevel(level)

    def test_ours_and_those_of_libraries_look_alike(self, written):
        structlog.get_logger("trinco.tests").info("something done", count=2)
        logging.getLogger("library").warning("careful %s", "now")
        assert [text.split(" ", 1)[1] for text in written()] == [
            "info trinco.tests something done count=2",
            "warning library careful now",
        ]

    def test_an_exception_is_one_line(self, written):
        try:
            int("two\nlines")
        except ValueError:
            logging.getLogger("library").exception("broke")
        [text] = written()
        assert "error library broke error=" in text
        assert "test_logs.py:" in text

    def test_what_is_below_the_level_is_not_written(self, written):
        structlog.get_logger("trinco.tests").debug("noise")
        assert written() == []
