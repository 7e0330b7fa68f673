"""The bundle of keys that goes with an archive: what must never lie beside it in clear.

A line that says what it is, a line of parameters, then AES-256-GCM of the files, under a key that scrypt (RFC 7914)
makes of a passphrase. Both lines are authenticated. Whoever has archive, bundle and passphrase has the installation.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from trinco.config import Config
from trinco.panel import files
from trinco.panel.backups.errors import ArchiveDamaged, BackupRefused

SECRET_KEY, SEAL_KEY = "secrets/secret_key", "secrets/seal_key"
FOLDERS: Final = ("secrets", "ca")
"""Of the data directory: all that lies in them is a key, or goes with one."""
SHORTEST: Final = 12
"""Characters of a passphrase."""
_HEAD: Final = b"trinco keys 1\n"
_NAME: Final = re.compile(r"(secrets|ca)/[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_COST: Final = 17
"""As a power of two: 128 MiB and some tenths of a second for each guess."""
_HIGHEST_COST: Final = 20
_LARGEST: Final = 1 << 22

Keys = Mapping[str, bytes]
"""Files by their place in the data directory."""


class _Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cost: int
    salt: bytes
    nonce: bytes


def here(config: Config) -> Keys:
    """The keys of this installation: its files, and before them what settings say. Raises OSError."""
    found = {
        f"{folder}/{path.name}": path.read_bytes()
        for folder in FOLDERS
        for path in sorted((config.data / folder).glob("*"))
        if path.is_file() and _NAME.fullmatch(f"{folder}/{path.name}")
    }
    return found | {name: text.encode() for name, text in _given(config).items()}


def refuse_settings(config: Config, keys: Keys) -> None:
    """A key that a setting says is not replaced by a file. Raises BackupRefused."""
    for name, text in _given(config).items():
        if name in keys and keys[name].strip() != text.encode():
            setting = f"TRINCO_{Path(name).name.upper()}"
            raise BackupRefused(f"{setting} is another key than the one in the bundle: take the setting away first")


def place(data: Path, keys: Keys) -> None:
    """Write them into the data directory, each whole. Raises OSError."""
    for name, content in keys.items():
        files.private_directory((data / name).parent)
        files.write(data / name, content)


def fingerprint(seal_key: bytes) -> str:
    """What tells one seal key from another and says nothing of it: it is random, and has 256 bits."""
    return hashlib.sha256(b"trinco seal key " + seal_key.strip().lower()).hexdigest()[:16]


def fingerprints(seal_key: bytes) -> frozenset[str]:
    """Of the key file, and of each key in it alone: an archive from before a rotation opens with it as well."""
    return frozenset({fingerprint(seal_key), *(fingerprint(word.lstrip(b"+")) for word in seal_key.split())})


def sealed(keys: Keys, passphrase: str) -> bytes:
    """The bundle. Raises BackupRefused for a passphrase that is too short."""
    if len(passphrase) < SHORTEST:
        raise BackupRefused(f"the passphrase wants {SHORTEST} characters or more")
    parameters = _Parameters(_COST, os.urandom(16), os.urandom(12))
    head = _HEAD + msgspec.json.encode(parameters) + b"\n"
    return head + _cipher(passphrase, parameters).encrypt(parameters.nonce, msgspec.json.encode(keys), head)


def opened(bundle: bytes, passphrase: str) -> Keys:
    """What is in a bundle. Raises ArchiveDamaged; the passphrase may be what is wrong."""
    head, parameters = _parameters(bundle)
    try:
        content = _cipher(passphrase, parameters).decrypt(parameters.nonce, bundle[len(head) :], head)
        keys = msgspec.json.decode(content, type=dict[str, bytes])
    except (InvalidTag, msgspec.DecodeError, UnicodeDecodeError):
        raise ArchiveDamaged("the bundle of keys does not open: another passphrase, or it is damaged") from None
    if SEAL_KEY not in keys or not all(_NAME.fullmatch(name) for name in keys):
        raise ArchiveDamaged("the bundle holds something else than keys of Trinco")
    return keys


def _parameters(bundle: bytes) -> tuple[bytes, _Parameters]:
    line, _, _ = bundle.removeprefix(_HEAD).partition(b"\n")
    head = _HEAD + line + b"\n"
    try:
        parameters = msgspec.json.decode(line, type=_Parameters)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArchiveDamaged("this is no bundle of keys of Trinco") from error
    sound = 10 <= parameters.cost <= _HIGHEST_COST and len(parameters.salt) == 16 and len(parameters.nonce) == 12
    if not bundle.startswith(head) or len(bundle) > _LARGEST or not sound:
        raise ArchiveDamaged("this is no bundle of keys of Trinco")
    return head, parameters


def _cipher(passphrase: str, parameters: _Parameters) -> AESGCM:
    key = Scrypt(salt=parameters.salt, length=32, n=1 << parameters.cost, r=8, p=1).derive(passphrase.encode())
    return AESGCM(key)


def _given(config: Config) -> dict[str, str]:
    """What settings say in place of files."""
    said = {SECRET_KEY: config.secret_key, SEAL_KEY: config.seal_key}
    return {name: text for name, text in said.items() if text}
