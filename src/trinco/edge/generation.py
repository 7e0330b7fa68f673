"""The two files of one generation of the snapshot: their octets, and how to tell that they are whole.

    base      head (magic, format, length, SHA-256), then frames: a preamble, then the domains in rows
    journal   head (magic, format, SHA-256 of its base), then entries: length, checksum, one Change in MessagePack

The checksum of an entry covers the checksum before it (the first: the base's hash), so that only an unbroken row of
entries behind their own base is ever read as sound.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

import msgspec

from trinco.core.errors import TrincoError
from trinco.core.hosting import Certificate, Change, HostedDomain, Publication, Zone
from trinco.core.names import Domain

FORMAT: Final = 1
"""Raised when an older Trinco could not read what is written now."""

_BASE_MAGIC: Final = b"trinco\0B"
_JOURNAL_MAGIC: Final = b"trinco\0J"
_BASE_HEAD: Final = struct.Struct(">8sIQ32s")
_JOURNAL_HEAD: Final = struct.Struct(">8sI32s")
_FRAME: Final = struct.Struct(">I")
_ENTRY: Final = struct.Struct(">I16s")
_ROWS_PER_FRAME: Final = 512
_READ: Final = 1 << 20


class Damaged(TrincoError):
    """A file that is not what was once written."""


class _Row(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A HostedDomain as it lies on disk: fields by position, the name as text. New fields go to the end."""

    domain: str
    label: str
    revision: int
    policy: bytes | None
    policy_id: str | None
    tlsrpt: str | None
    certificate: Certificate | None


class _Preamble(msgspec.Struct, frozen=True):
    """The first frame of a base."""

    revision: int
    zone: Zone
    chains: dict[str, tuple[bytes, ...]]


@dataclass(frozen=True, slots=True)
class Tail:
    """Where the sound part of a journal ends, and the checksum that the next entry goes on from."""

    end: int
    checksum: bytes


_encoder = msgspec.msgpack.Encoder()
_preamble = msgspec.msgpack.Decoder(_Preamble)
_rows = msgspec.msgpack.Decoder(list[_Row])
_change = msgspec.msgpack.Decoder(Change)


def write_base(path: Path, publication: Publication) -> tuple[bytes, int]:
    """Write and sync a base; its hash and size. Frame by frame: the whole is never in memory a second time.

    Raises OSError.
    """
    digest, length = hashlib.sha256(), 0
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(bytes(_BASE_HEAD.size))
        for frame in _frames(publication):
            digest.update(frame)
            length += file.write(frame)
        file.seek(0)
        file.write(_BASE_HEAD.pack(_BASE_MAGIC, FORMAT, length, digest.digest()))
        file.flush()
        os.fsync(file.fileno())
    return digest.digest(), _BASE_HEAD.size + length


def read_base(path: Path) -> tuple[Publication, bytes]:
    """A base and its hash. Nothing is decoded before the whole file is known to be sound. Raises Damaged or OSError."""
    with path.open("rb") as file:
        digest = _verified(file)
        file.seek(_BASE_HEAD.size)
        try:
            preamble = _preamble.decode(_next_frame(file))
            chains = {chain: chain for chain in preamble.chains}
            domains: dict[str, HostedDomain] = {}
            while frame := _next_frame(file):
                domains.update((row.label, _domain(row, chains)) for row in _rows.decode(frame))
        except (msgspec.MsgspecError, TrincoError) as error:
            raise Damaged(f"of another make: {error}") from error
    return Publication(preamble.revision, preamble.zone, domains, preamble.chains), digest


def journal_head(digest: bytes) -> tuple[bytes, Tail]:
    """How a journal of the base with this hash begins."""
    head = _JOURNAL_HEAD.pack(_JOURNAL_MAGIC, FORMAT, digest)
    return head, Tail(len(head), digest)


def entry(change: Change, tail: Tail) -> tuple[bytes, Tail]:
    """The octets of the next entry, and the tail after it."""
    payload = _encoder.encode(change)
    checksum = _chained(tail.checksum, payload)
    content = _ENTRY.pack(len(payload), checksum) + payload
    return content, Tail(tail.end + len(content), checksum)


def read_journal(content: bytes, digest: bytes) -> tuple[list[Change], Tail | None]:
    """The sound changes of a journal and where they end; None: it does not belong to the base with this hash."""
    head, tail = journal_head(digest)
    if not content.startswith(head):
        return [], None
    entries = list(_entries(content, tail))
    return [change for change, _ in entries], entries[-1][1] if entries else tail


def applied(base: Publication, changes: Iterable[Change]) -> Publication:
    """`base` after all of `changes`, none of which is `whole`: one copy, however many they are."""
    domains, chains, last = dict(base.domains), dict(base.chains), None
    for last in changes:
        for label in last.removed:
            domains.pop(label, None)
        domains.update((domain.label, domain) for domain in last.changed)
        chains.update(last.chains)
    return base if last is None else Publication(last.revision, last.zone, domains, chains)


def _frames(publication: Publication) -> Iterator[bytes]:
    yield _framed(_Preamble(publication.revision, publication.zone, dict(publication.chains)))
    domains = iter(publication.domains.values())
    while rows := [_row(domain) for domain in islice(domains, _ROWS_PER_FRAME)]:
        yield _framed(rows)


def _framed(value: object) -> bytes:
    encoded = _encoder.encode(value)
    return _FRAME.pack(len(encoded)) + encoded


def _next_frame(file: IO[bytes]) -> bytes:
    """The next frame; b"" at the end."""
    head = file.read(_FRAME.size)
    return file.read(_FRAME.unpack(head)[0]) if head else b""


def _row(d: HostedDomain) -> _Row:
    return _Row(d.domain.ascii, d.label, d.revision, d.policy, d.policy_id, d.tlsrpt, d.certificate)


def _domain(row: _Row, chains: dict[str, str]) -> HostedDomain:
    """`chains` holds each key once: a hundred thousand certificates share a handful."""
    found, domain = row.certificate, Domain.trusted(row.domain)
    if found is not None:
        chain = chains.setdefault(found.chain, found.chain)
        found = Certificate(found.leaf, chain, found.sealed_key, found.not_after)
    return HostedDomain(domain, row.label, row.revision, row.policy, row.policy_id, row.tlsrpt, found)


def _verified(file: IO[bytes]) -> bytes:
    """The hash of a base that is as it was written, else Damaged."""
    head = file.read(_BASE_HEAD.size)
    if len(head) < _BASE_HEAD.size:
        raise Damaged("torn")
    magic, version, length, expected = _BASE_HEAD.unpack(head)
    if magic != _BASE_MAGIC or version != FORMAT:
        raise Damaged("not a snapshot of this format")
    if os.fstat(file.fileno()).st_size != _BASE_HEAD.size + length:
        raise Damaged("torn")
    digest = hashlib.sha256()
    while piece := file.read(_READ):
        digest.update(piece)
    if digest.digest() != expected:
        raise Damaged("its checksum does not fit")
    return digest.digest()


def _entries(content: bytes, tail: Tail) -> Iterator[tuple[Change, Tail]]:
    """Each sound change with the tail after it, up to the first that is not sound."""
    view = memoryview(content)
    while tail.end + _ENTRY.size <= len(content):
        length, expected = _ENTRY.unpack_from(content, tail.end)
        start = tail.end + _ENTRY.size
        payload = view[start : start + length]
        if len(payload) != length or _chained(tail.checksum, payload) != expected:
            return
        try:
            change = _change.decode(payload)
        except (msgspec.MsgspecError, TrincoError):
            return
        tail = Tail(start + length, expected)
        yield change, tail


def _chained(before: bytes, payload: bytes | memoryview) -> bytes:
    digest = hashlib.sha256(before)
    digest.update(payload)
    return digest.digest()[:16]
