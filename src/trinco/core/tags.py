"""Tags: short names that people give to their domains, to find and change many of them at once.

Two that look alike are one: compatibility forms become the plain ones (NFKC), white space is folded, and case makes no
difference. What a reader cannot see is refused, and so are the signs that part the tags of a list.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

from trinco.core.errors import TagSyntaxError

MOST_CHARACTERS = 40
_TYPED = 200
"""Characters that are looked at: what is longer is refused unseen."""
_PARTING = ",;|"
_UNSEEN = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
"""Letters and marks that show nothing (Default_Ignorable_Code_Point); the others of that kind are not printable."""


def parse(text: str) -> str:
    """The tag that somebody wrote, as it is kept and shown. Raises TagSyntaxError."""
    if len(text) > _TYPED:
        raise TagSyntaxError(f"longer than {MOST_CHARACTERS} characters")
    name = re.sub(" +", " ", unicodedata.normalize("NFKC", text)).strip(" ")
    if not name:
        raise TagSyntaxError("a tag has no name")
    _refuse_characters(name)
    if max(len(name), len(key(name))) > MOST_CHARACTERS:
        raise TagSyntaxError(f"longer than {MOST_CHARACTERS} characters")
    return name


def _refuse_characters(name: str) -> None:
    for character in name:
        if not character.isprintable() or _UNSEEN.match(character):
            raise TagSyntaxError(f"contains a character that cannot be seen (U+{ord(character):04X})")
        if character in _PARTING:
            raise TagSyntaxError(f"contains {character}, which parts the tags of a list")


def key(name: str) -> str:
    """By which a tag is known again, whatever its case."""
    return unicodedata.normalize("NFKC", name.casefold())


def once(names: Iterable[str]) -> tuple[str, ...]:
    """Each tag once, as it was written first, in the order of their keys."""
    found: dict[str, str] = {}
    for name in names:
        found.setdefault(key(name), name)
    return tuple(found[each] for each in sorted(found))


def parse_list(text: str) -> tuple[str, ...]:
    """The tags of a cell or a field, parted by commas, semicolons or bars. Raises TagSyntaxError for the first that is
    none."""
    return once(parse(part) for part in re.split("[,;|]", text) if part.strip())
