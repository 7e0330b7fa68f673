"""The one door for domain names: case, dots, IDNA, length and label rules, and which names can be hosted at all.

What people type is mapped by UTS #46 (non-transitional, STD3) and checked by IDNA 2008 through the `idna` package,
label by label, so that a fault has a place. The rules on top are our own:

- the final dot is optional; no other dot than U+002E, no space, no control, no invisible or direction character;
- labels of 1 to 63 letters, digits and hyphens (RFC 1123 section 2.1), at least two of them, no hyphen at either end;
- at most 242 octets, since `_smtp._tls.` goes in front and 253 is what DNS can carry (RFC 1035 section 2.3.4);
- no address literal, no numeric last label, no special-use name, no public suffix: mail is not hosted there.

Python's own `idna` codec is never used: it lets spaces and brackets pass and turns one owner's name into another's.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from functools import cache
from typing import Self

import idna
from publicsuffixlist import PublicSuffixList

from trinco.core.errors import DomainSyntaxError

MAX_OCTETS = 242
"""The longest name that can be hosted: 253 less the octets of `_smtp._tls.`."""

MAX_TYPED = 1024
"""More characters than any name has before its mapping; what is longer is not looked at."""

SPECIAL_USE = frozenset({"alt", "arpa", "internal", "invalid", "local", "localhost", "onion", "test"})
"""Last labels that never lead to a public mail domain (RFC 6761, 6762, 7686, 8375, 9476; `internal`: ICANN, 2024).

`example` and `example.com` are let through: documentation and the playground live there.
"""

_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_CANONICAL = re.compile(rf"(?:{_LABEL}\.)+(?![0-9]+\Z){_LABEL}")
_NUMERIC = re.compile(r"[0-9]+|0x[0-9a-f]*")
_JOINERS = (
    "\u200c\u200d"  # zero width, yet part of words in Persian and Indic scripts: IDNA 2008 knows where (RFC 5892 A)
)
_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_UNSEEN = {
    "Cc": "a control character",
    "Cf": "an invisible character",
    "Cs": "half of a character",
    "Zs": "a space",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}
_TYPED_WRONGLY = {
    "@": "an @: write the part after it alone, without the mailbox",
    "/": "a slash: write the name alone, without http:// or a path",
    ":": "a colon: an address or a port is not part of a mail domain",
    "[": "a bracket: an address literal has no DNS name to publish records at",
    "_": "an underscore: no mail domain has one",
    "*": "an asterisk: each domain is added by its own name",
}


@dataclass(frozen=True, slots=True, order=True)
class Domain:
    """A mail domain (a policy domain of RFC 8461) by its A-labels: lower case, no final dot.

    Made by `parse` from what people or strangers write, by `trusted` from what was parsed before. The constructor takes
    the canonical form alone (DomainSyntaxError else) and does not ask whether such a name can be hosted.
    """

    ascii: str

    def __post_init__(self) -> None:
        if not isinstance(self.ascii, str) or len(self.ascii) > MAX_OCTETS or not _CANONICAL.fullmatch(self.ascii):
            raise DomainSyntaxError("not the canonical form of a domain name")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The domain that `text` names, in U-labels or A-labels. Raises DomainSyntaxError with reason and span."""
        name = a_labels(text)
        _refuse_place(name, text)
        return cls.trusted(name)

    @classmethod
    def trusted(cls, ascii: str) -> Self:  # noqa: A002 - the field's name
        """The domain of these A-labels, unchecked: for values that `parse` made before (snapshots, our own tables)."""
        domain = object.__new__(cls)
        object.__setattr__(domain, "ascii", ascii)
        return domain

    @property
    def unicode(self) -> str:
        """The name as people read it; a label that is no valid A-label stays as it is."""
        return ".".join(_readable(label) for label in self.ascii.split("."))

    def __str__(self) -> str:
        return self.ascii


def a_labels(text: str) -> str:
    """The name that `text` spells, in A-labels, whether or not mail can be hosted there. Raises DomainSyntaxError."""
    if not isinstance(text, str):
        raise DomainSyntaxError("a domain name is text")
    if len(text) > MAX_TYPED:
        raise DomainSyntaxError(f"longer than any domain name ({len(text)} characters)")
    _refuse_characters(text)
    return ".".join(_labels(text))


def _refuse_characters(text: str) -> None:
    """Raise for the first character that no name has, whatever stands around it."""
    for at, character in enumerate(text):
        if not (character.isascii() and (character.isalnum() or character in "-.")) and (fault := _wrong(character)):
            raise DomainSyntaxError(f"contains {fault}", source=text, span=(at, at + 1))


def _wrong(character: str) -> str | None:
    if character in _TYPED_WRONGLY:
        return _TYPED_WRONGLY[character]
    if (kind := unicodedata.category(character)) in _UNSEEN and character not in _JOINERS:
        return f"{_UNSEEN[kind]} (U+{ord(character):04X})"
    if set(unicodedata.normalize("NFKC", character)) & {".", "\u3002"}:
        return f"a dot that is not the full stop of names (U+{ord(character):04X})"
    try:
        mapped = idna.uts46_remap(character, std3_rules=True)
    except idna.IDNAError:
        return f"a character that no domain name has ({character!a})"
    return None if mapped else f"an invisible character (U+{ord(character):04X})"


def _labels(text: str) -> list[str]:
    """The A-labels of `text`, each held against IDNA 2008 and the host name rules."""
    typed = (text.removesuffix(".")).split(".")
    if typed == [""]:
        raise DomainSyntaxError("a domain name is missing", source=text, span=(0, len(text)))
    labels, at = [], 0
    for label in typed:
        labels.append(_ascii_label(label, text, at))
        at += len(label) + 1
    _refuse_mixed_direction(labels, text)
    return labels


def _ascii_label(label: str, text: str, at: int) -> str:
    span = (at, max(at + len(label), at + 1))
    if not label:
        raise DomainSyntaxError("has two dots in a row or begins with a dot", source=text, span=span)
    if label.isascii() and (fault := _hyphens(label)):
        raise DomainSyntaxError(fault, source=text, span=span)
    if label.isascii() and label[:4].lower() != "xn--":
        return label.lower()  # letters, digits and inner hyphens by now: nothing for IDNA to say
    try:
        encoded = idna.alabel(idna.uts46_remap(label, std3_rules=True)).decode("ascii")
    except idna.IDNAError as error:
        raise DomainSyntaxError(f"has a label that IDNA does not allow: {error}", source=text, span=span) from error
    return encoded


def _hyphens(label: str) -> str | None:
    """Faults of an ASCII label that deserve plainer words than IDNA has for them."""
    if len(label) > 63:
        return f"has a label of {len(label)} characters; 63 are allowed"
    if label.startswith("-") or label.endswith("-"):
        return "has a label that begins or ends with a hyphen"
    if label[2:4] == "--" and label[:2].lower() != "xn":
        return "has hyphens in the third and fourth place of a label, which IDNA reserves"
    return None


def _refuse_mixed_direction(labels: list[str], text: str) -> None:
    """RFC 5893 section 2: one right-to-left label puts every label of the name under the Bidi rule."""
    readable = [_readable(label) for label in labels]
    if not any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in "".join(readable)):
        return
    for label in readable:
        try:
            idna.check_bidi(label, check_ltr=True)
        except idna.IDNAError as error:
            reason = "mixes writing directions in a way that makes it read differently than it is stored"
            raise DomainSyntaxError(reason, source=text, span=(0, len(text))) from error


def _refuse_place(name: str, text: str) -> None:
    """Raise when no mail domain can be hosted at this well-formed name."""
    if fault := _unfit(name, name.rpartition(".")[2]):
        raise DomainSyntaxError(fault, source=text, span=(0, len(text)))


def _unfit(name: str, last: str) -> str | None:
    if len(name) > MAX_OCTETS:
        return f"has {len(name)} octets; {MAX_OCTETS} leave room for `_smtp._tls.` in front"
    if last in SPECIAL_USE:
        return f"ends in .{last}, which is reserved and never reached by mail from outside"
    if _NUMERIC.fullmatch(last):
        return "ends in a number: an address is not a mail domain"
    if "." not in name:
        return "has one label only; a mail domain has at least two, as in example.com"
    if is_public_suffix(name):
        return "is a public suffix, under which others register their domains; add a domain below it"
    return None


def is_public_suffix(name: str) -> bool:
    """Whether others register their domains below this name. A TLD that the list does not know counts as one."""
    return bool(_suffixes().is_public(name))


def registrable(name: str) -> str:
    """The name, at or above this one, that somebody has paid for: who has it makes any below for nothing. A public
    suffix is its own. What companies let others have below names of theirs (`only_icann`) counts as theirs."""
    return _suffixes(only_icann=True).privatesuffix(name) or name


@cache
def _suffixes(*, only_icann: bool = False) -> PublicSuffixList:
    """The list that comes with its package, read at the first question."""
    return PublicSuffixList(only_icann=only_icann)


def _readable(label: str) -> str:
    if not label.startswith("xn--"):
        return label
    try:
        return idna.ulabel(label)
    except idna.IDNAError:
        return label
