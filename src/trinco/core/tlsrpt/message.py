"""The mail around a report (RFC 8460 section 5.3): its parts, and what its headers and file names say.

All of it is metadata: where it disagrees with the report, the report counts (section 5.6). Nothing here vouches for
anybody; signatures are looked at elsewhere.

A stranger wrote the mail, and `email` has loops that cost the square of a header's length and one recursion for each
level. So the mail is measured before it is parsed: its size, lines, header sizes and mentions of a boundary.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import MessageError
from email.feedparser import BytesFeedParser
from email.header import decode_header, make_header
from email.message import Message
from functools import lru_cache
from typing import Any

from trinco.core.errors import DomainSyntaxError, ReportSyntaxError, TooLarge
from trinco.core.names import Domain

MAX_OCTETS = 15 * 1024 * 1024
"""Octets of a mail."""

MAX_HEADERS = 100 * 1024
"""Octets of the mail's own headers."""

MAX_CONTENT_HEADER = 8 * 1024
"""Octets of one `Content-…` header: the cost of its parameters grows with the square."""

MAX_PARTS = 100
MAX_DEPTH = 20
MAX_EFFORT = 5_000_000
"""Lines times boundaries: `email` holds every line against every boundary that is open."""

DOMAIN, SUBMITTER = "TLS-Report-Domain", "TLS-Report-Submitter"

_SMALL = 32 * 1024
_FEW = 500
"""Octets, semicolons: a mail with no more of both, as nearly all are, costs little whatever stands in it."""

_END_OF_HEADERS = re.compile(rb"\r\n\r\n|\n\n|\r\r")
_CONTENT_HEADER = re.compile(
    rb"^content-[a-z-]+:[^\r\n]*(?:(?:\r\n|\n|\r)[ \t][^\r\n]*)*", re.IGNORECASE | re.MULTILINE
)
_SUBJECT = re.compile(
    r"Report Domain: ?(?P<domain>[^ ]+) Submitter: ?(?P<submitter>[^ ]+) Report-ID: ?<?(?P<report_id>[^<> ]+)",
    re.IGNORECASE,
)
_FILE_NAME = re.compile(
    r"(?P<sender>[^!/\\]+)!(?P<policy_domain>[^!/\\]+)!(?P<begin>[0-9]{1,12})!(?P<end>[0-9]{1,12})"
    r"(?:!(?P<unique_id>[A-Za-z0-9]+))?\.json(?:\.gz)?",
    re.IGNORECASE,
)
_PLAIN_NAME = re.compile(r'attachment;\s+filename="([^"\\%]*)"')
"""How nearly all of them are written."""
_FOREIGN = (ValueError, LookupError, TypeError, AttributeError, AssertionError, MessageError)
"""What `email` is seen to raise for mail that somebody made up."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What the subject says (section 5.3): in lower case, the id without its angle brackets."""

    domain: str
    submitter: str
    report_id: str


@dataclass(frozen=True, slots=True)
class FileName:
    """What a file name says (section 5.1); `begin` and `end` are seconds since 1970. An absent unique id is empty."""

    sender: str
    policy_domain: str
    begin: int
    end: int
    unique_id: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail taken apart. `domain` and `submitter` are A-labels from the TLS-Report-* headers.

    They are empty where the header is absent, is no domain name, or stands there again with another value.
    """

    domain: str
    submitter: str
    repeated: tuple[str, ...]
    """Those of the two headers that stand there more than once: the mark of a signature that was borrowed."""
    subject: Subject | None
    file_names: tuple[FileName, ...]
    parts: tuple[bytes, ...]
    """The content of each part that has no parts of its own, whatever its label, transfer encoding undone."""
    enclosed: tuple[bytes, ...] = ()
    """The same of mails within the mail: forwarded ones, and what a bounce returns. Whoever signed the mail does not
    vouch for what it encloses: a bounce carries whatever a stranger sent."""


def read(data: bytes) -> Mail:
    """The mail, also one with empty lines in front. Raises ReportSyntaxError, TooLarge."""
    _refuse_size(data)
    try:
        root = _parsed(data.lstrip(b"\r\n"))
        return _taken_apart(root, list(_leaves(root)))
    except RecursionError as error:
        raise TooLarge(f"parts in more than {MAX_DEPTH} levels") from error
    except _FOREIGN as error:
        raise ReportSyntaxError("a mail that cannot be taken apart") from error


def _parsed(data: bytes) -> Message:
    parser = BytesFeedParser()
    parser.feed(data)
    return parser.close()


def subject(text: str) -> Subject | None:
    """What a subject says; None: it is not the subject of a report.

    Folding is undone (mail.ru: one token a line), the brackets of the id may be missing (Microsoft), and something may
    stand in front, encoded words too (gateways that mark mail from outside).
    """
    found = _SUBJECT.search(" ".join(_decoded(text).split()))
    return Subject(found["domain"].lower(), found["submitter"].lower(), found["report_id"]) if found else None


def file_name(text: str) -> FileName | None:
    """What the name of an attachment or a file says; None: it is not named as section 5.1 recommends.

    White space is what folding left in it: the standard's own example is folded.
    """
    found = _FILE_NAME.fullmatch("".join(text.split()))
    if not found:
        return None
    sender, domain, unique_id = found["sender"].lower(), found["policy_domain"].lower(), found["unique_id"] or ""
    return FileName(sender, domain, int(found["begin"]), int(found["end"]), unique_id)


def _refuse_size(data: bytes) -> None:
    if len(data) <= _SMALL and data.count(b";") <= _FEW:
        return
    if len(data) > MAX_OCTETS:
        raise TooLarge(f"a mail larger than {MAX_OCTETS} octets")
    end = _END_OF_HEADERS.search(data)
    if (end.start() if end else len(data)) > MAX_HEADERS:
        raise TooLarge(f"headers larger than {MAX_HEADERS} octets")
    lines = data.count(b"\n") + data.count(b"\r") - data.count(b"\r\n")
    if lines * (1 + data.lower().count(b"boundary")) > MAX_EFFORT:
        raise TooLarge("too many lines and parts")
    if any(len(header[0]) > MAX_CONTENT_HEADER for header in _CONTENT_HEADER.finditer(data)):
        raise TooLarge(f"a header larger than {MAX_CONTENT_HEADER} octets")


def _leaves(root: Any) -> Iterator[tuple[Any, bool]]:
    """(part, whether it is enclosed), in the mail's order."""
    waiting = [(root, 0, False)]
    for _ in range(MAX_PARTS):
        part, depth, enclosed = waiting.pop()
        if depth > MAX_DEPTH:
            raise TooLarge(f"parts in more than {MAX_DEPTH} levels")
        if part.is_multipart():
            within = enclosed or part.get_content_maintype() == "message"
            waiting += [(below, depth + 1, within) for below in reversed(part.get_payload())]
        else:
            yield part, enclosed
        if not waiting:
            return
    raise TooLarge(f"more than {MAX_PARTS} parts")


def _taken_apart(root: Message, leaves: list[tuple[Any, bool]]) -> Mail:
    names = (file_name(_name(leaf)) for leaf, _ in leaves)
    contents: dict[bool, list[bytes]] = {False: [], True: []}
    for leaf, enclosed in leaves:
        contents[enclosed].append(leaf.get_payload(decode=True) or b"")
    return Mail(
        domain=_domain(root, DOMAIN),
        submitter=_domain(root, SUBMITTER),
        repeated=tuple(name for name in (DOMAIN, SUBMITTER) if len(root.get_all(name, [])) > 1),
        subject=subject(str(root.get("Subject", ""))),
        file_names=tuple(name for name in names if name),
        parts=tuple(contents[False]),
        enclosed=tuple(contents[True]),
    )


def _name(leaf: Any) -> str:
    """The part's file name, by either of the two headers that may have one; empty where it cannot be read."""
    if plain := _PLAIN_NAME.fullmatch(str(leaf.get("Content-Disposition", ""))):
        return plain[1]
    try:
        return str(leaf.get_filename(""))
    except _FOREIGN:
        return ""


def _domain(root: Message, name: str) -> str:
    values = {str(value).strip().lower() for value in root.get_all(name, [])}
    return _a_labels(values.pop()) if len(values) == 1 else ""


@lru_cache(1024)  # a day's reports are about few domains, from few submitters
def _a_labels(text: str) -> str:
    try:
        return str(Domain.parse(text))
    except DomainSyntaxError:
        return ""


def _decoded(text: str) -> str:
    """The text with its encoded words decoded; as it is where they cannot be, or none stands there."""
    if "=?" not in text:
        return text
    try:
        return str(make_header(decode_header(text)))
    except _FOREIGN:
        return text
