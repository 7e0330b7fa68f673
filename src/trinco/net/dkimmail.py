"""A mail as a verifier of DKIM signatures must see it (RFC 6376 sections 3.4 and 3.7): its fields and its body.

The mail is read again, with another reader, when the report is taken out of it (core.tlsrpt.message). Whoever finds a
place where the two readers see different things has a signature over one content and a report in another. So a mail is
refused here unless both must agree: where its fields end, which of two fields of one name counts, what a line is.
A stranger wrote it: everything is measured first, and every step takes time in proportion to the mail's length.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.core.tlsrpt.message import MAX_HEADERS, MAX_OCTETS

MAX_FIELDS = 1_000
"""Fields of a mail; one that came over ten hops has about 100."""
MAX_FROM = 1_000
"""Octets of the From field."""
SINGLE = (b"from", b"tls-report-domain", b"tls-report-submitter", b"content-type", b"content-transfer-encoding")
"""Fields that say what the report is, or how it is found in the mail. A signature covers the last of two, readers take
the first (RFC 6376 section 8.15)."""

_FIELD = re.compile(rb"([!-9;-~]+):([^\n]*(?:\n[ \t][^\n]*)*)(?:\n|\Z)")
_WORDS = rb'(?:[^<>()\[\]:;,@\\"]|"(?:[^"\\]|\\.)*")*'
_ADDRESS = rb'(?:[^<>()\[\]:;,@\\"\s]+|"(?:[^"\\]|\\.)*")@([^<>()\[\]:;,@\\"\s]+)'
_FROM = re.compile(rb"\s*(?:" + _WORDS + rb"<" + _ADDRESS + rb">|" + _ADDRESS + rb")\s*(?:\([^()\\]*\)\s*)?", re.DOTALL)


class Unusable(Exception):
    """Why a mail, a signature or a key vouches for nothing, in words for the page of the report."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Mail:
    """`fields`: name as written, value with its folding and a final CRLF, from the top; `body` with CRLF."""

    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    _hashes: dict[bool, bytes] = field(default_factory=dict, repr=False, compare=False)

    def values(self, name: bytes) -> list[bytes]:
        """The values of all fields of this lower-case name, from the top."""
        return [value for key, value in self.fields if key.lower() == name]

    def body_hash(self, *, relaxed: bool) -> bytes:
        """SHA-256 of the body in the canonical form of section 3.4.4 or, not `relaxed`, 3.4.3."""
        if relaxed not in self._hashes:
            self._hashes[relaxed] = hashlib.sha256(_canonical(self.body, relaxed=relaxed)).digest()
        return self._hashes[relaxed]

    def author(self) -> str:
        """The domain of the From field's one address. Raises Unusable."""
        value = self.values(b"from")[0]
        found = _FROM.fullmatch(value) if len(value) <= MAX_FROM else None
        if found is None:
            raise Unusable("the From field is not one plain address")
        try:
            return str(Domain.parse((found[1] or found[2]).decode("utf-8")))
        except (DomainSyntaxError, UnicodeDecodeError) as error:
            raise Unusable("the From field's address is in no mail domain") from error


def read(data: bytes) -> Mail:
    """The mail, empty lines in front left out. Raises Unusable for one that two readers may read in two ways."""
    if len(data) > MAX_OCTETS:
        raise Unusable("unparsable: the mail is too large")
    if data.count(b"\r") != data.count(b"\r\n"):
        raise Unusable("unparsable: a carriage return without a line feed")
    head, _, body = data.lstrip(b"\r\n").replace(b"\r\n", b"\n").partition(b"\n\n")
    if len(head) > MAX_HEADERS:
        raise Unusable("unparsable: the header fields are too large")
    mail = Mail(tuple(_fields(head)), body.replace(b"\n", b"\r\n"))
    _refuse_repeated(mail)
    return mail


def _fields(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = head.find(b"\n") + 1 if head.startswith(b"From ") else 0  # the envelope line of a mailbox file
    for _ in range(MAX_FIELDS):
        found = _FIELD.match(head, at)
        if found is None:
            raise Unusable("unparsable: a line among the header fields is none")
        yield found[1], found[2].replace(b"\n", b"\r\n") + b"\r\n"
        at = found.end()
        if at == len(head):
            return
    raise Unusable("unparsable: too many header fields")


def _refuse_repeated(mail: Mail) -> None:
    for name in SINGLE:
        if len(mail.values(name)) > 1:
            raise Unusable(f"the mail has more than one field {name.decode().title()}")
    if not mail.values(b"from"):
        raise Unusable("the mail has no From field")


def _canonical(body: bytes, *, relaxed: bool) -> bytes:
    """In linear time, as dkimpy's own is not: white space of 15 MiB would keep that busy for years."""
    if relaxed:
        body = body.replace(b"\t", b" ")
        while b"  " in body:
            body = body.replace(b"  ", b" ")  # halves each gap: a regular expression takes a second for 15 MiB of them
        body = body.replace(b" \r\n", b"\r\n")
    body = body.rstrip(b"\r\n")
    return body + b"\r\n" if body or not relaxed else b""
