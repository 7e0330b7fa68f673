"""JSON of strangers: RFC 8259 by the rules of I-JSON (RFC 7493), which RFC 8460 section 4 asks for.

One rule each, for the whole document:

- UTF-8 alone; a BOM in front is passed over (RFC 8259 section 8.1 lets a reader do so); UTF-16 and UTF-32 are refused;
- nothing but white space after the value;
- no name twice in one object, known or not;
- NaN and Infinity, which are no JSON, are refused;
- up to 20 levels and 500,000 values;
- a number with a fraction or an exponent, and one of more than 19 digits, is read as something that is no count.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import accumulate
from typing import Any, NoReturn

from trinco.core.errors import ReportSyntaxError, TooLarge
from trinco.core.remarks import shown

MAX_DEPTH = 20
"""Objects and arrays in each other; a report has five levels."""

MAX_VALUES = 500_000
"""Values of a document; 60,000 failure details have as many."""

MAX_SOURCE = 65_536
"""Characters: a longer text is not kept with an error."""

BOM = b"\xef\xbb\xbf"

_STRING = re.compile(rb'"[^"]*"?')
_OUTSIDE = bytes(octet for octet in range(256) if octet not in b"[]{},")
_STEPS = [(octet in b"[{") - (octet in b"]}") for octet in range(256)]
_NO_COUNT = 2**64
_FRACTION = 0.5


def load(data: bytes) -> Any:
    """The document's value. Raises ReportSyntaxError with the place, TooLarge."""
    data = data.removeprefix(BOM)
    _refuse_shape(data)
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        raise ReportSyntaxError(f"not UTF-8: octet {error.start + 1} is 0x{data[error.start]:02x}") from error
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        source = text if len(text) <= MAX_SOURCE else None
        place = f"line {error.lineno}, column {error.colno}"
        raise ReportSyntaxError(
            f"not JSON: {error.msg} ({place})", source=source, span=(error.pos, min(error.pos + 1, len(text)))
        ) from error


def _refuse_shape(data: bytes) -> None:
    """Look at the brackets and commas outside of strings before anything is built from them: memory stays bounded."""
    bare = data.replace(b"\\\\", b"").replace(b'\\"', b"")
    if bare.count(b'"') > 4 * MAX_VALUES:  # those of a value and of its name
        raise TooLarge(f"more than {MAX_VALUES} values")
    brackets = _STRING.sub(b"", bare).translate(None, _OUTSIDE)
    if len(brackets) - brackets.count(b"]") - brackets.count(b"}") > MAX_VALUES or len(brackets) > 2 * MAX_VALUES:
        raise TooLarge(f"more than {MAX_VALUES} values")
    if max(accumulate(map(_STEPS.__getitem__, brackets)), default=0) > MAX_DEPTH:
        raise TooLarge(f"more than {MAX_DEPTH} levels of objects and arrays")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        [(name, _)] = Counter(name for name, _ in pairs).most_common(1)
        raise ReportSyntaxError(f"the name {shown(name)} stands twice in one object")
    return found


def _refuse_constant(word: str) -> NoReturn:
    raise ReportSyntaxError(f"not JSON: {word}")


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= 20 else _NO_COUNT


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique,
    parse_constant=_refuse_constant,
    parse_int=_integer,
    parse_float=lambda _: _FRACTION,
)
