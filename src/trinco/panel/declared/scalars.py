"""Single words of a file: names, numbers, modes. Each is read strictly, and says what is wanted when it is not that."""

from __future__ import annotations

import re
from collections.abc import Sequence

from trinco.core import tags
from trinco.core.errors import DomainSyntaxError, PolicySyntaxError, TagSyntaxError
from trinco.core.mtasts import mx
from trinco.core.mtasts.policy import MAX_AGE_LIMIT, Mode
from trinco.core.names import MAX_TYPED, Domain
from trinco.core.tables import printable
from trinco.panel.declared.yamltree import Node, Scalar

LONGEST_NAME = 120
"""Characters: what the table of organisations takes."""
SHOWN = 80
_NUMBER = re.compile(r"[0-9]{1,10}")


class Fault(Exception):
    """What stands there is not what is wanted there. `bare`: the reason does not say of what.

    Never leaves the reader.
    """

    def __init__(self, node: Node, reason: str, *, bare: bool = False) -> None:
        super().__init__(reason)
        self.line = node.line
        self.reason = reason
        self.bare = bare


def nameable(name: str) -> bool:
    """Whether a file can name an organisation so."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip()


def organisation(key: Node) -> str:
    """The name of an organisation."""
    name = _text(key)
    if not nameable(name):
        raise Fault(key, f"a name is 1 to {LONGEST_NAME} letters, digits and signs, without blanks at its ends")
    return name


def domain(key: Node) -> str:
    """A mail domain, in A-labels or U-labels."""
    text = _text(key)
    try:
        return str(Domain.parse(text[: MAX_TYPED + 1]))
    except DomainSyntaxError as error:
        raise Fault(key, f"{shown(text)}: {error.reason}") from error


def pattern(node: Node) -> str:
    """An MX pattern (RFC 8461 section 3.2)."""
    try:
        return mx.pattern(_text(node)[:MAX_TYPED])
    except PolicySyntaxError as error:
        raise Fault(node, error.reason) from error


def tag(node: Node) -> str:
    """A tag (`core.tags`)."""
    try:
        return tags.parse(_text(node))
    except TagSyntaxError as error:
        raise Fault(node, f"{shown(_text(node))}: {error.reason}") from error


def mode(node: Node) -> Mode:
    """The policy's mode."""
    try:
        return Mode(_text(node))
    except ValueError:
        raise Fault(node, "mode is none, testing or enforce") from None


def one_of(node: Node, known: Sequence[str]) -> str:
    """One of these words."""
    text = _text(node)
    if text not in known:
        raise Fault(node, f"{shown(text)} is none of {', '.join(known)}", bare=True)
    return text


def max_age(node: Node) -> int:
    """Seconds."""
    if isinstance(node, Scalar) and node.plain and _NUMBER.fullmatch(node.text):
        seconds = int(node.text)
        if seconds <= MAX_AGE_LIMIT:
            return seconds
    raise Fault(node, f"max_age is a number of seconds from 0 to {MAX_AGE_LIMIT}")


def boolean(node: Node) -> bool:
    """`true` or `false`, and none of the other words that some YAML readers take for them."""
    if isinstance(node, Scalar) and node.plain and node.text in {"true", "false"}:
        return node.text == "true"
    raise Fault(node, "true or false is wanted here", bare=True)


def shown(text: str) -> str:
    """A stranger's word in a sentence."""
    return f'"{printable(text[:SHOWN])}"'


def _text(node: Node) -> str:
    if isinstance(node, Scalar):
        return node.text
    raise Fault(node, "one word is wanted here", bare=True)
