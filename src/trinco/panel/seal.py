"""Seals for private keys at rest: AES-256-GCM, bound to the name that the key belongs to.

No Django here: the edge opens what the panel sealed. A sealed value is one octet of version, 12 of nonce, then the
ciphertext with its tag. The associated data is the name, so that a sealed key moved to another row does not open.
There may be several keys, so that they can be changed: the first seals, and all open (`resealing`).
"""

from __future__ import annotations

import os
import re

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from trinco.core.errors import TrincoError

KEY_OCTETS = 32
_VERSION = b"\x01"
_NONCE_OCTETS = 12
_TAG_OCTETS = 16


class SealError(TrincoError):
    """A seal key that is no key, or a sealed value that does not fit the key or the name."""


class Seal:
    """Seals with the first of its keys, of 32 octets each, and opens with any. It is an `edge.ports.Unsealer`."""

    def __init__(self, *keys: bytes) -> None:
        wrong = next((key for key in keys if len(key) != KEY_OCTETS), None)
        if not keys or wrong is not None:
            raise SealError(f"a seal key has {KEY_OCTETS} octets, not {len(wrong or b'')}")
        self._ciphers = [AESGCM(key) for key in keys]

    @classmethod
    def of(cls, text: str) -> Seal:
        """The seal of keys written as 64 hexadecimal digits each, apart by white space. A `+` before one says that it
        is to come: it opens, and does not seal before `trinco keys rotate`. Raises SealError."""
        return cls(*map(bytes.fromhex, written(text)))

    def seal(self, plain: bytes, name: str) -> bytes:
        """`plain`, readable only with this key and under this name."""
        nonce = os.urandom(_NONCE_OCTETS)
        return _VERSION + nonce + self._ciphers[0].encrypt(nonce, plain, name.encode())

    def open(self, sealed: bytes, name: str) -> bytes:
        """What was sealed under this name. Raises SealError when anything of it was changed."""
        for cipher in self._ciphers:
            plain = _opened(cipher, sealed, name)
            if plain is not None:
                return plain
        raise SealError(f"the sealed value of {name} does not fit this installation's seal key")

    def foremost(self, sealed: bytes, name: str) -> bool:
        """Whether it is sealed with the first key. Raises SealError for what is damaged."""
        return _opened(self._ciphers[0], sealed, name) is not None

    def __call__(self, sealed: bytes, server_name: str) -> bytes:
        """As `open`."""
        return self.open(sealed, server_name)


def written(text: str) -> list[str]:
    """The keys of a key file as hexadecimal digits, the one that seals first. Raises SealError."""
    words = sorted(text.split(), key=lambda word: word.startswith("+"))
    keys = [word.removeprefix("+") for word in words]
    if not keys or words[0].startswith("+") or not all(re.fullmatch(r"[0-9A-Fa-f]{64}", key) for key in keys):
        raise SealError("a seal key is written as 64 hexadecimal digits")
    return keys


def _opened(cipher: AESGCM, sealed: bytes, name: str) -> bytes | None:
    if len(sealed) < 1 + _NONCE_OCTETS + _TAG_OCTETS or not sealed.startswith(_VERSION):
        raise SealError(f"the sealed value of {name} is damaged")
    nonce, box = sealed[1 : 1 + _NONCE_OCTETS], sealed[1 + _NONCE_OCTETS :]
    try:
        return cipher.decrypt(nonce, box, name.encode())
    except InvalidTag:
        return None
