"""Seals for private keys at rest: AES-256-GCM, bound to the name that the key belongs to.

No Django here: the edge opens what the panel sealed. A sealed value is one octet of version, 12 of nonce, then the
ciphertext with its tag. The associated data is the name, so that a sealed key moved to another row does not open.
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
    """Seals and opens with one key of 32 octets. An instance is an `edge.ports.Unsealer`."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_OCTETS:
            raise SealError(f"a seal key has {KEY_OCTETS} octets, not {len(key)}")
        self._cipher = AESGCM(key)

    @classmethod
    def of(cls, text: str) -> Seal:
        """The seal of a key written as 64 hexadecimal digits. Raises SealError."""
        if not re.fullmatch(r"[0-9A-Fa-f]{64}", text):
            raise SealError("a seal key is written as 64 hexadecimal digits")
        return cls(bytes.fromhex(text))

    def seal(self, plain: bytes, name: str) -> bytes:
        """`plain`, readable only with this key and under this name."""
        nonce = os.urandom(_NONCE_OCTETS)
        return _VERSION + nonce + self._cipher.encrypt(nonce, plain, name.encode())

    def open(self, sealed: bytes, name: str) -> bytes:
        """What was sealed under this name. Raises SealError when anything of it was changed."""
        if len(sealed) < 1 + _NONCE_OCTETS + _TAG_OCTETS or not sealed.startswith(_VERSION):
            raise SealError(f"the sealed value of {name} is damaged")
        nonce, box = sealed[1 : 1 + _NONCE_OCTETS], sealed[1 + _NONCE_OCTETS :]
        try:
            return self._cipher.decrypt(nonce, box, name.encode())
        except InvalidTag:
            raise SealError(f"the sealed value of {name} does not fit this installation's seal key") from None

    def __call__(self, sealed: bytes, server_name: str) -> bytes:
        """As `open`."""
        return self.open(sealed, server_name)
