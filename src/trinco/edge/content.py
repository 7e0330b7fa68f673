"""The content of a request, cut out of a connection's plaintext: of a said length, or in chunks. No socket, no clock.

RFC 9112 sections 6 and 7.1. What is not built exactly as the grammar has it is refused, since two readers that disagree
about where content ends are what request smuggling is made of: bare line feeds, white space around a size, more octets
in a chunk than it said. Chunk extensions and trailers are read over, and bounded.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Protocol

from trinco.core.errors import Refused
from trinco.edge import http1

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,16})(?:[ \t]*;[\t \x21-\x7e\x80-\xff]*)?")
"""A chunk's size, and its extensions (RFC 9112 section 7.1.1)."""
_TRAILER = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t \x21-\x7e\x80-\xff]*")
_LINE = 1024
"""Octets of one line between chunks or behind the last one."""
_LINES = 64 * 1024
"""Octets of all lines between chunks, beside an eighth of the content: reading takes its time by lines, not octets."""
_TRAILERS = 8 * 1024
"""Octets of all lines behind the last chunk."""


class Content(Protocol):
    """Content in the making."""

    size: int
    """Octets of it that are here."""

    def feed(self, data: bytes) -> bytes | None:
        """More plaintext. Gives what follows the content once it is whole; None: it is not. Raises Refused."""

    def taken(self) -> bytes:
        """Take out the content."""


def begin(request: http1.Request, largest: int) -> Content:
    """The content of this request, which may have so many octets. Raises Refused."""
    if not largest:
        http1.refuse_content(request)
    if request.content > largest:
        raise _too_much(largest)
    if request.content != http1.CHUNKED:
        return _Sized(request.content)
    if request.http10:
        raise _bad("chunks in HTTP/1.0")  # RFC 9112 section 6.1: its framing is faulty
    return _Chunked(largest)


class _Sized:
    """Content whose length the head said."""

    __slots__ = ("_length", "_octets", "size")

    def __init__(self, length: int) -> None:
        self._length = length
        self._octets = bytearray()
        self.size = 0

    def feed(self, data: bytes) -> bytes | None:
        mine = self._length - self.size
        self._octets += data[:mine]
        self.size = len(self._octets)
        return data[mine:] if self.size == self._length else None

    def taken(self) -> bytes:
        octets, self._octets = bytes(self._octets), bytearray()
        return octets


class _Chunked:
    """Content in chunks."""

    __slots__ = ("_at", "_buffer", "_ends", "_largest", "_last", "_lines", "_missing", "_octets", "_whole", "size")

    def __init__(self, largest: int) -> None:
        self._largest = largest
        self._octets = bytearray()
        self._buffer = b""
        self._at = 0
        """Where in the buffer the next line or chunk begins."""
        self._missing = 0
        """Octets that the chunk still wants."""
        self._ends = False
        """The line end of a chunk comes next."""
        self._last = False
        """Trailers come next."""
        self._whole = False
        self._lines = _LINES
        self.size = 0

    def feed(self, data: bytes) -> bytes | None:
        self._buffer = self._buffer[self._at :] + data
        self._at = 0
        while not self._whole and self._step():
            pass
        return self._buffer[self._at :] if self._whole else None

    def taken(self) -> bytes:
        octets, self._octets = bytes(self._octets), bytearray()
        return octets

    def _step(self) -> bool:
        """Take in a line, or what is here of a chunk; False: nothing is."""
        if self._missing:
            return self._take()
        line = self._line()
        if line is None:
            return False
        if self._ends:
            self._end_chunk(line)
        elif self._last:
            self._read_over(line)
        else:
            self._begin_chunk(line)
        return True

    def _take(self) -> bool:
        piece = self._buffer[self._at : self._at + self._missing]
        self._octets += piece
        self._at += len(piece)
        self._missing -= len(piece)
        self.size += len(piece)
        return bool(piece)

    def _line(self) -> bytes | None:
        """The next line without its end."""
        end = self._buffer.find(b"\r\n", self._at)
        line = self._buffer[self._at : end if end >= 0 else None]
        if len(line) > _LINE:
            raise _bad("a long line between chunks")
        if b"\n" in line:
            raise _bad("a line feed alone")
        if end < 0:
            return None
        self._at = end + 2
        self._lines -= len(line) + 2
        if self._lines + self.size // 8 < 0:
            raise _bad("too much beside the content")
        return line

    def _begin_chunk(self, line: bytes) -> None:
        match = _SIZE.fullmatch(line)
        if match is None:
            raise _bad("not a chunk")
        self._missing = int(match[1], 16)
        if self.size + self._missing > self._largest:
            raise _too_much(self._largest)
        if self._missing:
            self._ends = True
        else:
            self._last = True
            self._lines = _TRAILERS - self.size // 8

    def _end_chunk(self, line: bytes) -> None:
        if line:
            raise _bad("a longer chunk than it said")
        self._ends = False

    def _read_over(self, line: bytes) -> None:
        """A trailer (RFC 9112 section 7.1.2), of which nothing is kept; the empty line is the end."""
        if line and not _TRAILER.fullmatch(line):
            raise _bad("not a trailer")
        self._whole = not line


def _bad(reason: str) -> Refused:
    return Refused(reason, http_status=HTTPStatus.BAD_REQUEST)


def _too_much(largest: int) -> Refused:
    return Refused(f"more than {largest} octets", http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
