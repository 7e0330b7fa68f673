"""One DKIM-Signature field (RFC 6376 section 3.5), held against the standards' rules and our own.

- `a=` is rsa-sha256 or ed25519-sha256; rsa-sha1 is not looked at (RFC 8301 section 3.1, RFC 8463 section 3).
- No `l=`: RFC 8460 section 3 forbids it, since text could be added to the report.
- `h=` has From (RFC 6376 section 5.4) and either TLS-Report-Submitter, as Google's, or Content-Type, as Microsoft's:
  else somebody could take a signed mail that quotes him and cut a report out of it with another boundary (section 8.2).
- `x=` has not passed, `t=` is not to come, by more than five minutes (section 3.5, with some skew of clocks).
- `d=` is no public suffix, since whoever signs for one would speak for everybody below it (section 6.1.1).
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

import dkim.util

from trinco.core.errors import DomainSyntaxError
from trinco.core.names import Domain
from trinco.net.dkimmail import Mail, Unusable

SKEW = 300
"""Seconds by which a signer's clock may differ from ours."""
MAX_FIELD = 8 * 1024
"""Octets of a signature field."""
MAX_NAMES = 200
"""Names in `h=`."""
ALGORITHMS = {b"rsa-sha256": b"rsa", b"ed25519-sha256": b"ed25519"}
"""What is taken as `a=`, and the kind of key that it needs."""

_GAP = re.compile(rb"\s{80}")
"""More white space than folding makes: dkimpy's search for `b=` takes the square of it."""
_LABEL = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_SELECTOR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_SECONDS = re.compile(rb"[0-9]{1,12}")
_CANONICAL = re.compile(rb"(simple|relaxed)(?:/(simple|relaxed))?")
_NEEDED = (b"v", b"a", b"b", b"bh", b"d", b"h", b"s")


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature that may hold: what is left to see is its key, and whether it fits the mail."""

    signer: str
    """`d=`, by its A-labels."""
    selector: str
    identity: str
    """The domain of `i=`, which is `d=` or below it (section 3.5), or the signer."""
    algorithm: bytes
    signed: tuple[bytes, ...]
    """`h=`: lower-case names."""
    relaxed_body: bool
    body_hash: bytes
    tags: dict[bytes, bytes]

    @property
    def key_name(self) -> str:
        """Where the key is (section 3.6.2.1)."""
        return f"{self.selector}._domainkey.{self.signer}"


def parse(value: bytes, mail: Mail, now: float) -> Signature:
    """The signature in this field of `mail`, which was received at `now`. Raises Unusable."""
    tags = _tags(value)
    if b"l" in tags:
        raise Unusable("the signature covers a part of the body alone (l=)")
    if tags[b"a"] not in ALGORITHMS:
        raise Unusable("the signature's algorithm is not taken")
    _refuse_time(tags, now)
    signer, canonical = _signer(tags), _CANONICAL.fullmatch(tags.get(b"c", b"simple"))
    if canonical is None:
        raise Unusable("the signature's canonical form is unknown")
    return Signature(
        signer=signer,
        selector=_selector(tags, signer),
        identity=_identity(tags, signer),
        algorithm=tags[b"a"],
        signed=_signed(tags, mail),
        relaxed_body=canonical[2] == b"relaxed",
        body_hash=_octets(tags[b"bh"]),
        tags=tags,
    )


def signed_by(value: bytes) -> str:
    """`d=` of this field, by its A-labels. Raises Unusable."""
    return _signer(_tags(value))


def covered(value: bytes) -> frozenset[bytes]:
    """`h=` of this field: lower-case names. Raises Unusable."""
    return frozenset(_list(_tags(value), b"h"))


def covers(signer: str, domain: str) -> bool:
    """Whether a signer speaks for this domain: it is the domain, or a parent of it. A signer is no public suffix."""
    return domain == signer or domain.endswith("." + signer)


def _tags(value: bytes) -> dict[bytes, bytes]:
    if len(value) > MAX_FIELD or _GAP.search(value):
        raise Unusable("the signature is too large")
    try:
        tags: dict[bytes, bytes] = dkim.util.parse_tag_value(value)
    except dkim.util.InvalidTagValueList as error:
        raise Unusable("the signature cannot be read") from error
    if any(tag not in tags for tag in _NEEDED) or tags[b"v"] != b"1" or b"dns/txt" not in _list(tags, b"q", b"dns/txt"):
        raise Unusable("the signature is not whole")
    _octets(tags[b"b"])
    return tags


def _list(tags: dict[bytes, bytes], tag: bytes, absent: bytes = b"") -> list[bytes]:
    return [item.strip().lower() for item in tags.get(tag, absent).split(b":")]


def _octets(text: bytes) -> bytes:
    try:
        return base64.b64decode(re.sub(rb"\s+", b"", text), validate=True)
    except binascii.Error as error:
        raise Unusable("the signature cannot be read") from error


def _refuse_time(tags: dict[bytes, bytes], now: float) -> None:
    for tag in (b"t", b"x"):
        if tag in tags and not _SECONDS.fullmatch(tags[tag]):
            raise Unusable("the signature's time cannot be read")
    made, until = int(tags.get(b"t", b"0")), int(tags[b"x"]) if b"x" in tags else None
    if made > now + SKEW:
        raise Unusable("the signature's time is to come")
    if until is not None and (until < now - SKEW or until < made):
        raise Unusable("the signature has expired")


def _domain(text: bytes) -> str:
    """A domain that mail can come from. Raises Unusable, for a public suffix too."""
    try:
        return str(Domain.parse(text.decode("ascii")))
    except (DomainSyntaxError, UnicodeDecodeError) as error:
        raise Unusable("the signature is by no mail domain") from error


def _signer(tags: dict[bytes, bytes]) -> str:
    return _domain(tags[b"d"])


def _selector(tags: dict[bytes, bytes], signer: str) -> str:
    selector = tags[b"s"].decode("ascii", "replace")
    if len(selector) + len("._domainkey.") + len(signer) > 253 or not _SELECTOR.fullmatch(selector):
        raise Unusable("the signature's selector is no name")
    return selector


def _identity(tags: dict[bytes, bytes], signer: str) -> str:
    if b"i" not in tags:
        return signer
    identity = _domain(tags[b"i"].rpartition(b"@")[2])
    if not covers(signer, identity):
        raise Unusable("the signature's identity is outside its domain")
    return identity


def _signed(tags: dict[bytes, bytes], mail: Mail) -> tuple[bytes, ...]:
    names = tuple(_list(tags, b"h"))
    if len(names) > MAX_NAMES:
        raise Unusable("the signature names too many fields")
    if b"from" not in names:
        raise Unusable("the signature does not cover the From field")
    typed, submitted = mail.values(b"content-type"), mail.values(b"tls-report-submitter")
    if typed and b"content-type" not in names and not (submitted and b"tls-report-submitter" in names):
        raise Unusable("the signature covers neither TLS-Report-Submitter nor Content-Type")
    return names
