"""One line of a client's: an SMTP command, or what it is instead. Pure (RFC 5321 sections 2.3.8, 2.4, 4.1).

Stricter than the standard asks where leniency helps nobody but smugglers: a line ends in CRLF and has no control
characters, and an address is between angle brackets, without a route and without quotation marks.
"""

from __future__ import annotations

import re

from trinco.core.errors import Refused

MAX_LINE = 1024
"""Octets of a command: 512, and what SIZE, BODY and SMTPUTF8 add, doubled for longer addresses."""
VERBS = frozenset({"DATA", "EHLO", "EXPN", "HELO", "MAIL", "NOOP", "QUIT", "RCPT", "RSET", "STARTTLS", "VRFY"})

_METHODS = frozenset({b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PRI", b"PUT", b"TRACE"})
_REQUEST = re.compile(rb"\S+ \S+ HTTP/[0-9]", re.IGNORECASE)
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_PATH = re.compile(r"<([^<>\x00-\x20\x7f]{0,320})>(?: +(.*))?")
_TOKEN = re.compile(r"[a-z0-9]+")


class OtherProtocol(Exception):
    """Whoever wrote this line takes us for another kind of server: a browser that was lured here, a scanner."""


def command(line: bytes) -> tuple[str, str | None]:
    """The verb in upper case, and what stands behind it or None. Raises OtherProtocol; Refused with the reply."""
    text = line.removesuffix(b"\r\n")
    word, _, rest = text.partition(b" ")
    if not text[:1].isalpha() or word.upper() in _METHODS or _REQUEST.match(text):
        raise OtherProtocol
    if text == line or _CONTROL.search(text):
        raise _refused("500 5.5.2 A line ends in CRLF and has no control characters")
    if len(line) > MAX_LINE:
        raise _refused("500 5.5.6 The line is too long")
    verb = word.upper().decode("ascii", "replace")
    if verb not in VERBS:
        raise _refused("502 5.5.1 No such command")
    try:
        return verb, rest.strip().decode("utf-8") or None
    except UnicodeDecodeError as error:
        raise _refused("501 5.5.2 Not UTF-8") from error


def path(text: str) -> tuple[str, str] | None:
    """The address between angle brackets (maybe none), and the parameters behind; None: that is no path."""
    found = _PATH.fullmatch(text)
    return (found[1], found[2] or "") if found else None


def token(address: str, host: str) -> str | None:
    """The token in lower case of `<token>@<host>`; None: no such address. `host` in lower case."""
    local, at, domain = address.lower().partition("@")
    ours = address.isascii() and at and domain == host  # some letters beyond ASCII have one in it as their lower case
    return local if ours and _TOKEN.fullmatch(local) else None


def declared(options: list[str]) -> int:
    """The octets that the SIZE parameter of MAIL announces (RFC 1870 section 4); 0: none."""
    sizes = [option.removeprefix("SIZE=") for option in options if option.startswith("SIZE=")]
    return int(sizes[0]) if sizes and sizes[0].isascii() and sizes[0].isdecimal() and len(sizes[0]) <= 20 else 0


def content(stuffed: bytearray) -> bytes:
    """The mail out of what came between DATA's CRLF and the final dot, both included: dots unstuffed (section 4.5.2).

    Raises Refused for what no mail has: NUL, or a CR without its LF, which one reader takes for a line's end and
    another does not.
    """
    if b"\x00" in stuffed or stuffed.count(b"\r") != stuffed.count(b"\r\n"):
        raise _refused("550 5.6.0 The mail has a NUL or a carriage return without a line feed", "not a mail")
    del stuffed[-3:]
    return bytes(memoryview(stuffed.replace(b"\r\n.", b"\r\n"))[2:])


def _refused(reply: str, reason: str = "not a command") -> Refused:
    return Refused(reason, smtp_reply=reply)
