"""The key of a DKIM signature, as it stands in DNS (RFC 6376 section 3.6.1), and what it may be used for.

- RSA of 1,024 to 8,192 bits (RFC 8301 section 3.2; the upper bound is ours, since a stranger's key is our work), or
  Ed25519 (RFC 8463 section 4).
- `s=` is absent or has `*` or `tlsrpt` (RFC 8460 section 3 asks for the latter, which no large sender publishes).
- `t=y` keys are on trial and vouch for nothing (RFC 6376 section 3.6.1: as if the mail were unsigned).
- `h=` is absent or has sha256. An empty `p=` is a key that was withdrawn.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import dkim.util
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from trinco.net.dkimmail import Unusable

MIN_BITS, MAX_BITS = 1024, 8192
MAX_EXPONENT_BITS = 64
MAX_TEXT = 4096
"""Characters of a record; the largest RSA key that is taken needs 1,400."""
_SERVICES = {b"*", b"tlsrpt"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key that may vouch for a report. `kind`: `rsa` or `ed25519`; `public` is what dkimpy works with."""

    kind: bytes
    strict: bool
    """`t=s`: the identity of a signature must be its signer itself."""
    public: Any


@dataclass(slots=True)
class Ed25519:
    """Looks like the key that dkimpy would make with a library that we do not have; remembers what it saw."""

    key: Ed25519PublicKey
    forged: bool = field(default=False, init=False)

    def verify(self, digest: bytes, signature: bytes) -> None:
        """`forged` says afterwards whether the signature was wrong."""
        try:
            self.key.verify(signature, digest)
        except InvalidSignature:
            self.forged = True


def parse(texts: Sequence[str]) -> Key:
    """The key in the TXT records of one name. Raises Unusable."""
    records = [tags for tags in map(_tags, texts) if tags is not None]
    if not records:
        raise Unusable("the signature's key is not in DNS")
    if len(records) > 1:
        raise Unusable("several keys stand in DNS for the signature")
    tags = records[0]
    _refuse_use(tags)
    flags = _list(tags, b"t")
    if b"y" in flags:
        raise Unusable("the signature's key is on trial (t=y)")
    kind = tags.get(b"k", b"rsa")
    return Key(kind, b"s" in flags, _public(kind, _octets(tags[b"p"])))


def _tags(text: str) -> dict[bytes, bytes] | None:
    """None: no DKIM key, but some other text at this name (a wildcard's)."""
    if len(text) > MAX_TEXT:
        return None
    try:
        tags: dict[bytes, bytes] = dkim.util.parse_tag_value(text.encode())
    except dkim.util.InvalidTagValueList:
        return None
    return tags if tags.get(b"v", b"DKIM1") == b"DKIM1" and b"p" in tags else None


def _list(tags: dict[bytes, bytes], tag: bytes) -> list[bytes]:
    return [item.strip().lower() for item in tags.get(tag, b"").split(b":")]


def _refuse_use(tags: dict[bytes, bytes]) -> None:
    if not tags[b"p"]:
        raise Unusable("the signature's key was withdrawn")
    if b"s" in tags and not _SERVICES & set(_list(tags, b"s")):
        raise Unusable("the signature's key is not for TLS reports (s=)")
    if b"h" in tags and b"sha256" not in _list(tags, b"h"):
        raise Unusable("the signature's key is not for SHA-256 (h=)")


def _octets(text: bytes) -> bytes:
    try:
        return base64.b64decode(b"".join(text.split()), validate=True)
    except binascii.Error as error:
        raise Unusable("the signature's key cannot be read") from error


def _public(kind: bytes, octets: bytes) -> Any:
    try:
        if kind == b"ed25519":
            return Ed25519(Ed25519PublicKey.from_public_bytes(octets))
        key = load_der_public_key(octets) if kind == b"rsa" else None
    except (ValueError, UnsupportedAlgorithm) as error:
        raise Unusable("the signature's key cannot be read") from error
    if not isinstance(key, RSAPublicKey):
        raise Unusable("the signature's key is of an unknown kind")
    numbers = key.public_numbers()
    if not MIN_BITS <= numbers.n.bit_length() <= MAX_BITS or numbers.e.bit_length() > MAX_EXPONENT_BITS:
        raise Unusable(f"the signature's key has {numbers.n.bit_length()} bits")
    return {"modulus": numbers.n, "publicExponent": numbers.e}
