"""What the TXT records of MTA-STS and TLSRPT have in common (RFC 8461 section 3.1, RFC 8460 section 3).

Both are a version and then `name=value` fields between semicolons. A record is its strings put together without spaces;
`joined` reads them from the form that zone files and `dig` use.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trinco.core.remarks import Fault, Kind, shown

WSP = " \t"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,31}")
_VALUE = re.compile(r"[\x21-\x3a\x3c\x3e-\x7e]+")
_QUOTED = re.compile(r'[ \t]*"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPE = re.compile(r"\\([0-9]{3}|.)", re.DOTALL)

KINDS: dict[str, Kind] = {
    "not-text": Kind("error", "a TXT record is text", fatal=True),
    "empty-field": Kind("error", "an empty field: two semicolons in a row", fatal=True),
    "field-syntax": Kind("error", "not a field of the form name=value: {0}", fatal=True),
    "trailing-space": Kind("warning", "white space at the end: tolerated here, not part of the grammar"),
    "field-case": Kind("warning", "{0} is a field that senders do not know and pass over: is {1} meant?"),
    "no-record": Kind("error", "no record begins with {0}", fatal=True),
    "multiple-records": Kind(
        "error", "more than one record begins with {0}: senders act as if there were none", fatal=True
    ),
    "near-miss": Kind("error", "not a record of this standard: it must begin with exactly {0}"),
    "foreign": Kind("warning", "not a record of this standard: senders pass over it"),
}


@dataclass(frozen=True, slots=True)
class Field:
    """One `name=value` and the offsets of it in the record."""

    name: str
    value: str
    start: int
    end: int

    @property
    def value_start(self) -> int:
        return self.end - len(self.value)


@dataclass(frozen=True, slots=True)
class Fields:
    """The fields after the version, and what was wrong between them."""

    fields: tuple[Field, ...]
    faults: tuple[Fault, ...]


def split(text: str, version: str) -> Fields:
    """The fields of a record that begins with `version` and a semicolon."""
    fields: list[Field] = []
    faults: list[Fault] = []
    pieces = list(_pieces(text, len(version) + 1))
    if not pieces[-1][1]:
        pieces.pop()  # the grammar allows one delimiter at the end
    elif text != text.rstrip(WSP):
        faults.append(Fault(len(text.rstrip(WSP)), len(text), "trailing-space"))
    for start, piece in pieces:
        name, equals, value = piece.partition("=")
        end = start + len(piece)
        if not piece:
            faults.append(Fault(start, end, "empty-field"))
        elif not equals or not _NAME.fullmatch(name):
            faults.append(Fault(start, end, "field-syntax", (shown(piece),)))
        else:
            fields.append(Field(name, value, start, end))
    return Fields(tuple(fields), tuple(faults))


def _pieces(text: str, start: int) -> Iterator[tuple[int, str]]:
    """(offset, piece) between the semicolons, without the white space around them."""
    for piece in text[start:].split(";"):
        stripped = piece.lstrip(WSP)
        yield start + len(piece) - len(stripped), stripped.rstrip(WSP)
        start += len(piece) + 1


def is_extension(field: Field) -> bool:
    """Whether the value is one that the grammar allows in a field it does not know."""
    return _VALUE.fullmatch(field.value) is not None


def joined(text: str) -> str:
    """The record that a line of a zone file or of `dig +short` means: quoted strings put together, escapes undone.

    Text that is not wholly made of quoted strings is the record itself.
    """
    strings, at = [], 0
    while found := _QUOTED.match(text, at):
        strings.append(_ESCAPE.sub(_unescaped, found[1]))
        at = found.end()
    return "".join(strings) if strings and not text[at:].strip(WSP) else text


def _unescaped(found: re.Match[str]) -> str:
    """RFC 1035 section 5.1: a backslash and three digits are an octet, a backslash and anything else is that."""
    code = found[1]
    return chr(int(code)) if len(code) == 3 and int(code) < 256 else code
