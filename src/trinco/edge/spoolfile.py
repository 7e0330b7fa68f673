"""The octets of one batch in the spool, and how to tell which of its records are whole.

    head (magic, format), then records: length, SHA-256 (its first 16 octets), checksum of these two; one Arrival

A record stands for itself: one whose content is damaged costs nothing but itself. Where the length of a record cannot
be believed, nothing behind it is looked for: a content that was made to look like records is never read as some.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import msgspec

from trinco.core.tlsrpt.arrival import Arrival

FORMAT: Final = 1
"""Raised when an older Trinco could not read what is written now."""

_MAGIC: Final = b"trinco\0R"
_HEAD: Final = struct.Struct(">8sI")
_RECORD: Final = struct.Struct(">I16s")
_CHECK: Final = struct.Struct(">I")
_HEAD_OF_RECORD: Final = _RECORD.size + _CHECK.size

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Arrival)


@dataclass(frozen=True, slots=True)
class Content:
    """What could be read of a batch. `fault` says what could not; "": all of it is there."""

    arrivals: list[Arrival]
    fault: str = ""


def write(arrivals: Iterable[Arrival]) -> Iterator[bytes]:
    """The octets of a batch, piece by piece: the whole is never in memory a second time."""
    yield _HEAD.pack(_MAGIC, FORMAT)
    for arrival in arrivals:
        content = _encoder.encode(arrival)
        head = _RECORD.pack(len(content), _digest(content))
        yield head + _CHECK.pack(zlib.crc32(head))
        yield content


def read(octets: bytes) -> Content:
    """The sound records of a batch. Never raises: what is damaged is what `fault` is about."""
    if octets[: _HEAD.size] != _HEAD.pack(_MAGIC, FORMAT):
        return Content([], "of another make")
    arrivals: list[Arrival] = []
    fault = ""
    at = _HEAD.size
    while at < len(octets):
        end = _end(octets, at)
        if end is None:
            return Content(arrivals, f"torn at octet {at}")
        arrival = _arrival(octets[at + _RECORD.size - 16 : at + _RECORD.size], octets[at + _HEAD_OF_RECORD : end])
        if arrival is None:
            fault = fault or f"a damaged record at octet {at}"
        else:
            arrivals.append(arrival)
        at = end
    return Content(arrivals, fault or ("" if arrivals else "empty"))


def _end(octets: bytes, at: int) -> int | None:
    """Where the record at `at` ends; None: its head or its end is not there."""
    head = octets[at : at + _HEAD_OF_RECORD]
    if len(head) < _HEAD_OF_RECORD or _CHECK.unpack_from(head, _RECORD.size) != (zlib.crc32(head[: _RECORD.size]),):
        return None
    end: int = at + _HEAD_OF_RECORD + _RECORD.unpack_from(head)[0]
    return end if end <= len(octets) else None


def _arrival(digest: bytes, content: bytes) -> Arrival | None:
    """The arrival in a record; None: it is not what was written."""
    if _digest(content) != digest:
        return None
    try:
        return _decoder.decode(content)
    except msgspec.MsgspecError:
        return None


def _digest(content: bytes) -> bytes:
    return hashlib.sha256(content).digest()[:16]
