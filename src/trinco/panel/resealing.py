"""Changing the key that seals private keys, while everything runs.

The key file has the key that seals first; others open. A new key is written behind it, with a `+`, and is copied to
every machine; then it becomes the first, and what rests sealed is sealed anew, one by one; when nothing rests under an
old key, and every edge has taken what was sealed anew, the old one is taken out. A crash at any moment loses nothing:
the file is replaced as a whole, a value only where it is still the one that was opened, and both keys open meanwhile.
"""

from __future__ import annotations

import base64
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from allauth.mfa.models import Authenticator
from django.db import transaction

from trinco.core.errors import TrincoError
from trinco.panel import files
from trinco.panel.accounts.adapters import MFA_NAME
from trinco.panel.certificates import development
from trinco.panel.certificates.account import KEY_NAME
from trinco.panel.certificates.models import AccountKey, Certificate, HostCertificate, Order
from trinco.panel.domains.models import KeptAccess
from trinco.panel.domains.services import locked, newest_revision, next_revision, touch
from trinco.panel.policies.models import EdgeNode
from trinco.panel.seal import Seal, written
from trinco.panel.webhooks.models import Secret

_CHUNK: Final = 100


class KeysRefused(TrincoError):
    """The keys cannot be changed like that now. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Value:
    """A sealed value in a table or a file. `replace(new)`: put another in its place if it is still the one; whether."""

    name: str
    sealed: bytes
    replace: Callable[[bytes], bool]


def add(path: Path) -> str:
    """Write a new key into the file, behind the others: it opens, and does not seal yet. Its first digits.

    Raises KeysRefused: there is one already; SealError, OSError.
    """
    text = path.read_text(encoding="ascii")
    written(text)
    if "+" in text:
        raise KeysRefused("a new key waits already: copy the file to every machine, then trinco keys rotate")
    key = secrets.token_hex(32)
    _write(path, f"{text.strip()}\n+{key}\n".encode())
    return key[:8]


def turn(path: Path) -> bool:
    """Make the key that waits the first. Whether there was one. Raises SealError, OSError."""
    words = path.read_text(encoding="ascii").split()
    waiting = [word for word in words if word.startswith("+")]
    if not waiting:
        return False
    rest = [word for word in words if word not in waiting]
    text = "\n".join([*(word.removeprefix("+") for word in waiting), *rest])
    written(text)
    _write(path, f"{text}\n".encode())
    return True


def _write(path: Path, content: bytes) -> None:
    """As a whole, and readable by those who could read it."""
    before = path.stat()
    files.write(path, content, stat.S_IMODE(before.st_mode))
    if os.geteuid() == 0:
        os.chown(path, before.st_uid, before.st_gid)


def reseal(seal: Seal, data: Path, reached: Callable[[int], None] = lambda _count: None) -> int:
    """Seal with the first key whatever is not, each value for itself. How many; `reached` hears the count after each.

    Raises SealError for a value that no key opens: nothing is lost by it, and the old keys must stay.
    """
    count = 0
    for value in values(data):
        if not seal.foremost(value.sealed, value.name):
            with transaction.atomic():
                count += value.replace(seal.seal(seal.open(value.sealed, value.name), value.name))
            reached(count)
    return count


def retire(path: Path, data: Path, now: datetime) -> int:
    """Take all keys but the first out of the file. How many. Raises KeysRefused, SealError, OSError."""
    keys = written(path.read_text(encoding="ascii"))
    if "+" in path.read_text(encoding="ascii"):
        raise KeysRefused("a new key waits: trinco keys rotate comes first")
    first = Seal.of(keys[0])
    left = sum(not first.foremost(value.sealed, value.name) for value in values(data))
    if left:
        raise KeysRefused(f"{left} values rest under an old key: trinco keys rotate comes first")
    newest = newest_revision()
    behind = [node.name for node in EdgeNode.objects.filter(lease_until__gt=now) if (node.acknowledged or 0) < newest]
    if behind:
        raise KeysRefused(f"{', '.join(sorted(behind))} may hold values under an old key: try again in a moment")
    _write(path, f"{keys[0]}\n".encode())
    return len(keys) - 1


def counted(keys: list[str], data: Path) -> dict[str, int]:
    """How many values rest under each of these keys."""
    seals = {key: Seal.of(key) for key in keys}
    counts = dict.fromkeys(keys, 0)
    for value in values(data):
        for key, seal in seals.items():
            counts[key] += seal.foremost(value.sealed, value.name)
    return counts


def values(data: Path) -> Iterator[Value]:
    """Everything that rests sealed, one after the other."""
    yield from _certificates()
    yield from _of_our_own()
    for order in Order.objects.everywhere().exclude(sealed_key=b"").order_by("pk"):
        yield Value(order.host, bytes(order.sealed_key), _column(Order.objects.everywhere(), order))
    for key in AccountKey.objects.all():
        yield Value(KEY_NAME, bytes(key.sealed_key), _column(AccountKey.objects.all(), key))
    kept = KeptAccess.objects.everywhere().select_related("domain").order_by("pk")
    for access in kept:
        yield Value(access.seal_name, bytes(access.sealed_key), _column(KeptAccess.objects.everywhere(), access))
    for secret in Secret.objects.everywhere().select_related("webhook").order_by("pk"):
        yield Value(secret.webhook.seal_name, bytes(secret.sealed_key), _column(Secret.objects.everywhere(), secret))
    for authenticator in Authenticator.objects.order_by("pk"):
        yield from _second_factor(authenticator)
    path = development.key_file(data)
    if path.exists():
        yield Value(development.KEY_NAME, path.read_bytes(), _written(path))


def _written(path: Path) -> Callable[[bytes], bool]:
    def replace(new: bytes) -> bool:
        _write(path, new)
        return True

    return replace


def _certificates() -> Iterator[Value]:
    """The edges get what is served anew by the domain's next revision."""
    rows = Certificate.objects.everywhere().exclude(sealed_key=b"").order_by("pk")
    for row in rows.select_related("domain").defer("leaf").iterator(_CHUNK):
        put = _column(Certificate.objects.everywhere(), row)
        yield Value(row.domain.policy_host, bytes(row.sealed_key), _touching(put, row))


def _touching(put: Callable[[bytes], bool], row: Certificate) -> Callable[[bytes], bool]:
    def replace(new: bytes) -> bool:
        domain = locked(row.domain)  # first, as whoever stores a certificate does
        done = put(new)
        if done:
            touch(domain)
        return done

    return replace


def _of_our_own() -> Iterator[Value]:
    for row in HostCertificate.objects.exclude(sealed_key=b"").order_by("pk"):
        yield Value(row.host, bytes(row.sealed_key), _forward(_column(HostCertificate.objects.all(), row)))


def _forward(put: Callable[[bytes], bool]) -> Callable[[bytes], bool]:
    def replace(new: bytes) -> bool:
        next_revision()
        return put(new)

    return replace


def _column(rows: Any, row: Any) -> Callable[[bytes], bool]:
    old = bytes(row.sealed_key)
    return lambda new: bool(rows.filter(pk=row.pk, sealed_key=old).update(sealed_key=new))


def _second_factor(row: Authenticator) -> Iterator[Value]:
    """What `MfaAdapter` sealed: the secret of a TOTP app, the seed of recovery codes, codes of before."""
    for key in ("secret", "seed"):
        if key in row.data:
            yield _of_factor(row, key)


def _of_factor(row: Authenticator, key: str) -> Value:
    old = row.data[key]

    def replace(new: bytes) -> bool:
        held = Authenticator.objects.select_for_update().filter(pk=row.pk).first()
        if held is None or held.data.get(key) != old:
            return False
        held.data[key] = base64.b64encode(new).decode("ascii")
        held.save(update_fields=["data"])
        return True

    return Value(MFA_NAME, base64.b64decode(old), replace)
