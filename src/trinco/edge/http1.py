"""HTTP/1.1 without a socket: octets in, requests out; responses to octets. For every listener of this room.

A head is parsed when it is there whole and not too large: its field lines by `httptools`, and here what that leaves to
its caller, which is the request line with the four forms of a target, the one Host, and how long the content is that
follows (`content` reads it). A refusal is `Refused` with its status, and the conversation cannot go on after it.
"""

from __future__ import annotations

import re
import string
import time
from collections.abc import Mapping
from contextlib import suppress
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus
from typing import Final, NoReturn

import httptools
import msgspec

from trinco.core.errors import Refused
from trinco.edge.limits import Limits

_ALNUM = string.digits.encode() + string.ascii_letters.encode()
_TOKEN = b"!#$%&'*+.^_`|~-" + _ALNUM
_PLAIN_PATH = b"/._~-" + _ALNUM
_PLAIN_HOST = b"._-" + _ALNUM
"""Octets of which almost every path and host is made: what has others is looked at more closely."""
_VERSION = re.compile(rb"HTTP/[0-9]\.[0-9]")
_BARE_LF = re.compile(rb"(?<!\r)\n")
_HOST = re.compile(rb"([A-Za-z0-9._~!$&'()*+,;=%-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_END = b"\r\n\r\n"
_PATH = re.compile(
    rb"/(?:[A-Za-z0-9._~!$&'()*+,;=:@/-]|%(?!00)[0-9A-Fa-f]{2})*"
    rb"(?:\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%(?!00)[0-9A-Fa-f]{2})*)?"
)
"""Path and query of RFC 3986 sections 3.3 and 3.4, without an encoded NUL. No octet fits two ways: linear time."""
_ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?]+)(.*)")
MAX_HOST = 255
"""Octets of a Host field."""
CHUNKED = -1
"""Content that says where it ends only at its end (RFC 9112 section 7.1)."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
"""Send the content (RFC 9110 section 15.2.1)."""
RETRY_AFTER = b"Retry-After: 300"
"""Seconds (RFC 9110 section 10.2.3)."""
_PASSING = frozenset((HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE))
CLOSE, KEEP_ALIVE, NOTHING = b"Connection: close\r\n", b"Connection: keep-alive\r\n", b""
"""What a response says of the connection. HTTP/1.1 goes on without a word, HTTP/1.0 with one (RFC 9112 section 9.3)."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """A request whose head is sound."""

    method: bytes
    target: bytes
    """Path and query as they came, or `*`; for CONNECT the authority."""
    host: bytes | None
    """Lower case, without port and final dot; None: HTTP/1.0 without a Host."""
    keep_alive: bool
    """The client wants to go on after the response."""
    http10: bool
    fields: Mapping[bytes, bytes]
    """All but Host, by name in lower case; lines of one name are joined by a comma (RFC 9110 section 5.3)."""
    content: int = 0
    """Octets of content that follow the head, or `CHUNKED`."""


class Response(msgspec.Struct, frozen=True, gc=False):
    """A response whose octets are ready but for the moment and the conversation."""

    status_line: bytes
    fields: bytes
    """All other lines of the head, Content-Length among them, and the empty one."""
    body: bytes

    @property
    def succeeds(self) -> bool:
        """Its status is one of success (RFC 9110 section 15.3)."""
        return self.status_line.startswith(b"HTTP/1.1 2")

    @property
    def words(self) -> str:
        """What the body says, as a line for a log."""
        return self.body.decode("ascii", "replace").strip()


def response(status: HTTPStatus, body: bytes, *fields: bytes, media_type: bytes = b"text/plain") -> Response:
    """A response. Never from a cache and never for one: RFC 8461 section 3.3 forbids HTTP caching."""
    lines = (
        b"Content-Type: " + media_type,
        b"Content-Length: %d" % len(body),
        b"Cache-Control: no-store",
        b"X-Content-Type-Options: nosniff",
        *fields,
    )
    status_line = b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode("ascii"))
    return Response(status_line, b"\r\n".join(lines) + _END, body)


METHODS: Final = (b"GET", b"HEAD")
"""Of those listeners that tell and take nothing."""
NOT_ALLOWED: Final = response(HTTPStatus.METHOD_NOT_ALLOWED, b"405 Method Not Allowed\r\n", b"Allow: GET, HEAD")
"""What they say to any other (RFC 9110 section 15.5.6)."""


@lru_cache(None)
def plain(status: int) -> Response:
    """The response that only says its status."""
    return explained(status, "")


def explained(status: int, reason: str) -> Response:
    """The response that says its status and the reason for it; one that will pass says when to try again."""
    known = HTTPStatus(status)
    words = f"{known:d} {known.phrase}: {reason}" if reason else f"{known:d} {known.phrase}"
    later = (RETRY_AFTER,) if known in _PASSING else ()
    return response(known, words.encode("ascii", "backslashreplace") + b"\r\n", *later)


def encode(answer: Response, method: bytes = b"GET", connection: bytes = CLOSE) -> bytes:
    """The octets of the response to a request of that method, with the date and what becomes of the connection."""
    body = b"" if method == b"HEAD" else answer.body
    return b"".join((answer.status_line, _date(int(time.time())), connection, answer.fields, body))


@lru_cache(2)
def _date(now: int) -> bytes:
    """RFC 9110 section 6.6.1."""
    return b"Date: %b\r\n" % formatdate(now, usegmt=True).encode("ascii")


class Reader:
    """Cuts one connection's plaintext into requests.

    With `contents`, whoever gets a request with content must `take` the octets and `feed` back what follows it;
    without, such a request is refused.
    """

    __slots__ = ("_buffer", "_contents", "_limits")

    def __init__(self, limits: Limits, *, contents: bool = False) -> None:
        self._limits = limits
        self._contents = contents
        self._buffer = b""

    @property
    def begun(self) -> bool:
        """Octets of a request are here that was not taken out yet."""
        return bool(self._buffer)

    def feed(self, data: bytes) -> None:
        """More plaintext. The caller takes out all requests before it feeds again."""
        self._buffer += data

    def take(self) -> bytes:
        """Take out all that is here."""
        taken, self._buffer = self._buffer, b""
        return taken

    def next(self) -> Request | None:
        """Take out the next request; None when it is not whole. Raises Refused."""
        if self._buffer.startswith(b"\r\n"):
            self._pass_over_empty_lines()
        end = self._buffer.find(_END) + len(_END)
        if end < len(_END):
            self._check_beginning()
            return None
        if end > self._limits.head:
            raise _too_large(self._buffer[: self._limits.head])
        head, self._buffer = self._buffer[:end], self._buffer[end:]
        request = _parsed(head, self._limits)
        if request.content and not self._contents:
            refuse_content(request)
        return request

    def _pass_over_empty_lines(self) -> None:
        """RFC 9112 section 2.2."""
        at = 0
        while self._buffer.startswith(b"\r\n", at):
            at += 2
        self._buffer = self._buffer[at:]

    def _check_beginning(self) -> None:
        """Refuse at once what no octet to come can mend."""
        if len(self._buffer) > self._limits.head:
            raise _too_large(self._buffer[: self._limits.head])
        if _BARE_LF.search(self._buffer):
            raise _bad("a line feed alone")


def refuse_content(request: Request) -> NoReturn:
    """Nothing here takes the content of this request, and its octets are never taken for a request. Raises Refused."""
    if request.content == CHUNKED:
        raise Refused("content of unsaid length", http_status=HTTPStatus.LENGTH_REQUIRED)
    raise Refused("content", http_status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)


def _bad(reason: str) -> Refused:
    return Refused(reason, http_status=HTTPStatus.BAD_REQUEST)


def _too_large(beginning: bytes) -> Refused:
    if b"\r\n" in beginning:
        return Refused("too many or too long fields", http_status=HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE)
    return Refused("too long a request line", http_status=HTTPStatus.REQUEST_URI_TOO_LONG)


def _parsed(head: bytes, limits: Limits) -> Request:
    """A whole head, its empty line included. Raises Refused."""
    line, _, lines = head.partition(b"\r\n")
    method, target, http10 = _request_line(line)
    if len(target) > limits.target:
        raise _too_large(target)
    host, lines = _first_host(lines)
    said = _said(lines)
    if host is None and not http10 and said.host is None:
        raise _bad("no host")
    if host is not None and said.host is not None:
        raise _bad("two hosts")
    target, authority = _aimed(method, target, said.host if host is None else _authority(host))
    keep_alive = b"close" not in said.options and (not http10 or b"keep-alive" in said.options)
    return Request(method, target, authority, keep_alive, http10, said.fields, said.content)


def _request_line(line: bytes) -> tuple[bytes, bytes, bool]:
    """Method, target, and whether the version is 1.0 (RFC 9112 section 3)."""
    parts = line.split(b" ")
    if len(parts) != 3 or not parts[0] or parts[0].translate(None, _TOKEN):
        raise _bad("not a request line")
    method, target, version = parts
    if version == b"HTTP/1.1" or version == b"HTTP/1.0":
        return method, target, version == b"HTTP/1.0"
    if _VERSION.fullmatch(version):
        raise Refused("another HTTP version", http_status=HTTPStatus.HTTP_VERSION_NOT_SUPPORTED)
    raise _bad("not a request line")


def _first_host(lines: bytes) -> tuple[bytes | None, bytes]:
    """The Host of a client that says it first, as RFC 9110 section 7.2 asks it to, and the other lines."""
    if lines[:5].lower() != b"host:":
        return None, lines
    host, _, others = lines[5:].partition(b"\r\n")
    return host.strip(b" \t"), others


class _Said(msgspec.Struct, frozen=True, gc=False):
    """What field lines say."""

    fields: Mapping[bytes, bytes]
    host: bytes | None
    options: frozenset[bytes]
    """Of Connection (RFC 9110 section 7.6.1)."""
    content: int


class _Fields:
    """What httptools calls back."""

    __slots__ = ("fields",)

    def __init__(self) -> None:
        self.fields: dict[bytes, bytes] = {}

    def on_header(self, name: bytes, value: bytes) -> None:
        name = name.lower()
        first = self.fields.get(name)
        self.fields[name] = value if first is None else first + b", " + value


@lru_cache(128)
def _said(lines: bytes) -> _Said:
    """What these field lines say. Raises Refused. Those after Host are the same in all requests of one program."""
    sink = _Fields()
    with suppress(httptools.HttpParserUpgrade):  # an offer that is not taken up (RFC 9110 section 7.8)
        try:
            httptools.HttpRequestParser(sink).feed_data(b"GET / HTTP/1.1\r\n" + lines)
        except httptools.HttpParserError as error:
            raise _bad(str(error)) from None
    content = _content(sink.fields)
    host = sink.fields.pop(b"host", None)
    words = sink.fields.get(b"connection", b"").split(b",")
    options = frozenset(word.strip().lower() for word in words)
    return _Said(sink.fields, None if host is None else _authority(host), options, content)


def _content(fields: Mapping[bytes, bytes]) -> int:
    """How much content is said to follow (RFC 9112 section 6.3). That both fields are there is refused by httptools."""
    coding = fields.get(b"transfer-encoding")
    if coding is None:
        length = fields.get(b"content-length", b"0").strip(b" \t")
        if not length.isdigit() or len(length) > 19:  # more digits than any length has, or than Python would read
            raise _bad("not a length")
        return int(length)
    if b"content-length" in fields:
        raise _bad("two lengths")
    if coding.strip(b" \t").lower() != b"chunked":
        raise Refused("another transfer coding", http_status=HTTPStatus.NOT_IMPLEMENTED)
    return CHUNKED


def _authority(text: bytes) -> bytes:
    if 0 < len(text) <= MAX_HOST and not text.translate(None, _PLAIN_HOST):
        return text.lower().removesuffix(b".")
    match = _HOST.fullmatch(text)
    if match is None or len(text) > MAX_HOST:
        raise _bad("not one host")
    return match[1].lower().removesuffix(b".")


def _aimed(method: bytes, target: bytes, host: bytes | None) -> tuple[bytes, bytes | None]:
    """Origin-form and host of a request target in any of the four forms of RFC 9112 section 3.2."""
    if target.startswith(b"/") and not target.translate(None, _PLAIN_PATH):
        return target, host
    if _PATH.fullmatch(target) or target == b"*":
        return target, host
    if method == b"CONNECT":
        return target, _authority(target)
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not _PATH.fullmatch(absolute[3] or b"/"):
        raise _bad("not a request target")
    if absolute[1].lower() != b"https":
        raise Refused("another scheme", http_status=HTTPStatus.MISDIRECTED_REQUEST)
    return absolute[3] or b"/", _authority(absolute[2])
