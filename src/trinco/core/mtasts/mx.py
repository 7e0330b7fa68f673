"""MX patterns of a policy, and whether an MX host matches one (RFC 8461 sections 3.2 and 4.1)."""

from __future__ import annotations

import re

import idna

from trinco.core.errors import PolicySyntaxError
from trinco.core.remarks import shown

MAX_OCTETS = 253
"""The longest host name (RFC 1035 section 2.3.4, without the final dot)."""

_LABEL = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_DIGITS = re.compile(r"[0-9]+")
_HOST = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")


def matches(pattern: str, host: str) -> bool:
    """Whether the MX record name `host` matches `pattern`.

    RFC 8461 section 4.1: `*` stands for the whole leftmost label, exactly one. Case does not count, nor does the final
    dot of `host`. What cannot be a name in an MX record, and what is not a pattern, matches nothing.
    """
    host = host.removesuffix(".")
    if len(host) > MAX_OCTETS or not _HOST.fullmatch(host) or fault(pattern):
        return False
    name, wanted = host.lower(), pattern.lower()  # both are ASCII by now: U+212A would become a k
    return name.partition(".")[2] == wanted[2:] if wanted.startswith("*.") else name == wanted


def fault(pattern: str) -> str | None:
    """Why this is no `mx` value by the ABNF of section 3.2 (`["*."] Domain`), a key of `faults.KINDS`; None: it is."""
    name = pattern.removeprefix("*.")
    if not name.isascii():
        return "mx-unicode"
    if "*" in name:
        return "mx-wildcard"
    labels = name.split(".")
    if len(name) > MAX_OCTETS or not all(_LABEL.fullmatch(label) for label in labels):
        return "mx-underscore" if "_" in name else "mx-syntax"
    return "mx-address" if _DIGITS.fullmatch(labels[-1]) else None


def pattern(text: str) -> str:
    """The pattern to publish for what a person typed or DNS said: A-labels, lower case, no final dot.

    Raises PolicySyntaxError when there is none.
    """
    star, name = ("*.", text[2:]) if text.startswith("*.") else ("", text)
    name = name.removesuffix(".")
    try:
        published = star + (name.lower() if name.isascii() else _a_labels(name))
    except idna.IDNAError as error:
        raise PolicySyntaxError(f"{shown(text)} is no host name: {error}", source=text, span=(0, len(text))) from error
    if fault(published):
        raise PolicySyntaxError(f"{shown(text)} is no host name", source=text, span=(0, len(text)))
    return published


def _a_labels(name: str) -> str:
    """A-labels label by label, so that only the full stop separates them."""
    return ".".join(idna.alabel(idna.uts46_remap(label, std3_rules=True)).decode("ascii") for label in name.split("."))
