"""What reports come packed in: gzip (RFC 1952) and zip. One layer, and never more than the room that is left.

Nothing of a name, a comment or an attribute in an archive is used.
"""

from __future__ import annotations

import struct
import zipfile
import zlib
from io import BytesIO
from typing import Any

from trinco.core.errors import ReportSyntaxError, TooLarge

try:
    from isal import isal_zlib as _zlib  # the same to the letter, in half the time: the extra `fast`
except ImportError:
    _zlib: Any = zlib  # type: ignore[no-redef]

_DAMAGED: Any = (zlib.error, _zlib.error)

MAX_PACKED = 10 * 1024 * 1024
"""Octets of an archive: what RFC 8460 section 5.2 calls a commonly observed limit."""

MAX_UNPACKED = 20 * 1024 * 1024
"""Octets that come out of one input."""

MAX_MEMBERS = 16
"""Members of an archive; each costs time though it may hold nothing."""

GZIP = b"\x1f\x8b"
ZIP = b"PK\x03\x04"

_GZIP_WINDOW = 31
_ENTRY = b"PK\x01\x02"
_METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
_ZIP_FAULTS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    LookupError,
    OSError,
    OverflowError,
    RuntimeError,
    ValueError,
)
"""What `zipfile` is seen to raise for archives that somebody made up."""


def gunzip(data: bytes, room: int = MAX_UNPACKED) -> bytes:
    """All members, one after the other. Raises ReportSyntaxError; TooLarge when more than `room` octets come out.

    What follows the last member and does not begin as one is passed over, as gzip(1) does: Mimecast sends such.
    """
    if len(data) > MAX_PACKED:
        raise TooLarge(f"larger than {MAX_PACKED} octets packed")
    whole = b""
    for _ in range(MAX_MEMBERS):
        piece, data = _member(data, room - len(whole))
        whole += piece
        if not data.startswith(GZIP):
            return whole
    raise TooLarge(f"more than {MAX_MEMBERS} members")


def _member(data: bytes, room: int) -> tuple[bytes, bytes]:
    """(what the first member holds, what follows it)."""
    stream = _zlib.decompressobj(_GZIP_WINDOW)
    try:
        piece = stream.decompress(data, room + 1)
    except _DAMAGED as error:
        raise ReportSyntaxError("damaged gzip") from error
    if len(piece) > room:
        raise TooLarge(f"larger than {MAX_UNPACKED} octets unpacked")
    if not stream.eof:
        raise ReportSyntaxError("gzip that is cut off")
    return piece, stream.unused_data


def unzip(data: bytes, room: int = MAX_UNPACKED) -> list[bytes]:
    """What each member holds, without empty ones (folders). Raises ReportSyntaxError, also when nothing is left;
    TooLarge as `gunzip` does.
    """
    if len(data) > MAX_PACKED:
        raise TooLarge(f"larger than {MAX_PACKED} octets packed")
    if data.count(_ENTRY) > MAX_MEMBERS:  # before zipfile builds an object for each
        raise TooLarge(f"more than {MAX_MEMBERS} members")
    try:
        with zipfile.ZipFile(BytesIO(data)) as archive:
            return _members(archive, room)
    except _ZIP_FAULTS as error:
        raise ReportSyntaxError("damaged zip") from error


def _members(archive: zipfile.ZipFile, room: int) -> list[bytes]:
    members: list[bytes] = []
    for entry in archive.infolist():
        if entry.flag_bits & 1 or entry.compress_type not in _METHODS:
            raise ReportSyntaxError("a zip that is encrypted, or packed in another way than most")
        with archive.open(entry) as opened:
            members.append(opened.read(room + 1))
        room -= len(members[-1])
        if room < 0:
            raise TooLarge(f"larger than {MAX_UNPACKED} octets unpacked")
    if not any(members):
        raise ReportSyntaxError("an empty zip")
    return [member for member in members if member]
