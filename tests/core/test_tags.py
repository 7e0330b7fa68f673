"""Tags as people write them: one spelling for what looks alike, and nothing that a reader cannot see."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.core import tags
from trinco.core.errors import TagSyntaxError


class TestParse:
    """Short names; bounded in length; no control or direction character."""

    @pytest.mark.parametrize(
        ("written", "kept"),
        [
            ("north", "north"),
            ("  Clínica  de  Évora ", "Clínica de Évora"),
            ("\uff27\uff2f\uff36", "GOV"),
            ("tier\u00a01", "tier 1"),
            ("x" * 40, "x" * 40),
            ("=1+1", "=1+1"),
        ],
    )
    def test_what_is_kept(self, written: str, kept: str) -> None:
        assert tags.parse(written) == kept

    @pytest.mark.parametrize("text", ["", "   ", "\u00a0"])
    def test_nothing_is_no_tag(self, text: str) -> None:
        with pytest.raises(TagSyntaxError, match=r"^a tag has no name$"):
            tags.parse(text)

    @pytest.mark.parametrize("text", ["x" * 41, "x" * 10**6, "\ufdfa" * 3, "ß" * 21])
    def test_too_long(self, text: str) -> None:
        """By what it becomes, too: U+FDFA is eighteen characters, and ß is ss where case makes no difference."""
        with pytest.raises(TagSyntaxError, match=r"^longer than 40 characters$"):
            tags.parse(text)

    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("a\0b", "0000"),
            ("a\tb", "0009"),
            ("a\nb", "000A"),
            ("a\u202eb", "202E"),
            ("a\u200bb", "200B"),
            ("a\u2028b", "2028"),
            ("\u3164", "1160"),
            ("a\ufe0f", "FE0F"),
            ("a\U000e0100", "E0100"),
            ("a\ud800", "D800"),
        ],
    )
    def test_what_cannot_be_seen(self, text: str, code: str) -> None:
        with pytest.raises(TagSyntaxError, match=rf"cannot be seen \(U\+{code}\)$"):
            tags.parse(text)

    @pytest.mark.parametrize("sign", [",", ";", "|"])
    def test_what_parts_a_list(self, sign: str) -> None:
        with pytest.raises(TagSyntaxError, match="which parts the tags of a list"):
            tags.parse(f"a{sign}b")

    @given(st.text(max_size=30))
    def test_what_was_kept_is_kept_again(self, text: str) -> None:
        try:
            once = tags.parse(text)
        except TagSyntaxError:
            return
        assert tags.parse(once) == once
        assert tags.key(once.upper()) == tags.key(once) or once.upper().casefold() != once.casefold()


class TestMany:
    def test_case_makes_no_difference(self) -> None:
        assert tags.once(["North", "gov", "NORTH", "Gov"]) == ("gov", "North")

    def test_a_list_is_parted_by_commas_semicolons_and_bars(self) -> None:
        assert tags.parse_list(" north, gov;Tier 1 | north ,, ") == ("gov", "north", "Tier 1")
        assert tags.parse_list("") == ()

    def test_the_first_that_is_none_is_said(self) -> None:
        with pytest.raises(TagSyntaxError):
            tags.parse_list("north, a\u202eb")
