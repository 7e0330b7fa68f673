"""One policy fetch over HTTPS, as a sender does it (RFC 8461 section 3.3).

A small HTTP/1.1 client of our own, since the rules are few and strict: the certificate is held against the DNS names of
its subjectAltName alone, only 200 counts, a redirect is never followed, no cache is asked or kept, the media type is
text/plain, and time and size have limits. The connection goes to a literal address that the caller has chosen (and,
where a stranger chose the name, held against `net.guard`), so that no name is resolved a second time here.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from trinco.core.errors import FetchFailure, NoPolicy, PolicyHttpError, PolicyTlsError
from trinco.core.names import Domain

PATH = "/.well-known/mta-sts.txt"
HEAD_LIMIT = 16 * 1024
"""Octets of the head of an answer."""
_INTERIM_RESPONSES = 5
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?")
_FIELD_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n\x00]*?)[ \t]*")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,8})(?:[ \t]*;[^\r\n]*)?[ \t]*")

Fields = dict[bytes, list[bytes]]


@dataclass(frozen=True, slots=True)
class Limits:
    """What a fetch may cost. The defaults are those that RFC 8461 section 3.3 suggests."""

    seconds: float = 60.0
    """For everything, from the connection to the last octet."""
    octets: int = 64 * 1024
    """Of the body."""


DEFAULT = Limits()


def context(roots: Path | None = None) -> ssl.SSLContext:
    """A TLS client context that verifies as RFC 8461 sections 3.3 and 4.2 ask: chain, dates and a DNS-ID, never the
    common name; TLS 1.2 or newer (RFC 8461 section 7.2). `roots` is a PEM file of trust anchors; None: the system's.
    Raises OSError or ssl.SSLError when the file cannot be used."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.hostname_checks_common_name = False
    if roots is None:
        made.load_default_certs()
    else:
        made.load_verify_locations(cafile=roots)
    return made


async def fetch_policy(
    domain: Domain, address: str, port: int, context: ssl.SSLContext, limits: Limits = DEFAULT
) -> bytes:
    """The body of `domain`'s policy, asked of the host at this literal address and port.

    `context` is one of `context()`. Raises NoPolicy (nobody answered, not in time, or the connection broke),
    PolicyTlsError (no TLS session for `mta-sts.<domain>` that verifies) or PolicyHttpError (anything but 200,
    text/plain and a body within the limit).
    """
    host = f"mta-sts.{domain}"
    try:
        async with asyncio.timeout(limits.seconds):
            return await _fetch(host, (address, port), context, limits)
    except FetchFailure:
        raise
    except TimeoutError:
        raise NoPolicy(f"{host} did not answer in {limits.seconds:g} s") from None
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        raise NoPolicy(f"{host} cannot be reached at {address} port {port}: {reason}") from error


async def _fetch(host: str, endpoint: tuple[str, int], context: ssl.SSLContext, limits: Limits) -> bytes:
    async with _connected(host, endpoint, context, limits) as (reader, writer):
        writer.write(_request(host))
        try:
            return await _response(reader, limits.octets)
        except (asyncio.IncompleteReadError, ssl.SSLError) as error:
            raise NoPolicy(f"{host} broke the connection off") from error
        except asyncio.LimitOverrunError as error:
            raise PolicyHttpError(f"{host} sent a line or a head beyond the limit") from error


@asynccontextmanager
async def _connected(
    host: str, endpoint: tuple[str, int], context: ssl.SSLContext, limits: Limits
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    try:
        reader, writer = await asyncio.open_connection(
            *endpoint, ssl=context, server_hostname=host, ssl_handshake_timeout=limits.seconds, limit=HEAD_LIMIT
        )
    except ssl.SSLCertVerificationError as error:
        raise PolicyTlsError(f"the certificate of {host} is not valid: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise PolicyTlsError(f"no TLS session with {host}: {error.reason or error}") from error
    try:
        yield reader, writer
    finally:
        # Nothing more is wanted of the server: its close_notify is not waited for.
        writer.transport.abort()
        with suppress(OSError, TimeoutError):
            await writer.wait_closed()


def _request(host: str) -> bytes:
    # RFC 8461 section 3.3: no cache in between may answer. The Host is the name in the URL, which has no port.
    return (
        f"GET {PATH} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: trinco\r\nAccept: text/plain\r\n"
        "Accept-Encoding: identity\r\nCache-Control: no-cache\r\nConnection: close\r\n\r\n"
    ).encode("ascii")


async def _response(reader: asyncio.StreamReader, octets: int) -> bytes:
    """Read one response to its end. Raises PolicyHttpError, and what the stream raises when it ends or overflows."""
    status, fields = await read_head(reader)
    if status != 200:
        raise PolicyHttpError(f"answered {status}; only 200 counts, and redirects are never followed")
    _refuse_media_type(fields)
    body = await read_body(reader, fields, octets)
    if not (fields.keys() & {b"transfer-encoding", b"content-length"} or body.endswith(b"\n")):
        raise PolicyHttpError("the body ended in the middle of a line, with no length to tell whether that is all")
    return body


async def read_head(reader: asyncio.StreamReader) -> tuple[int, Fields]:
    """Status and fields of the final response (RFC 9112 section 5); a folded or otherwise broken line is an error.
    Raises as `read_body` does."""
    status, lines = await read_lines(reader)
    fields: Fields = {}
    for line in lines:
        field = _FIELD_LINE.fullmatch(line)
        if field is None:
            raise PolicyHttpError("sent a broken header field")
        fields.setdefault(field[1].lower(), []).append(field[2])
    return status, fields


async def read_lines(reader: asyncio.StreamReader) -> tuple[int, list[bytes]]:
    """Status of the final response (RFC 9112 section 4), and its field lines as they came. Raises as `read_body`."""
    for _ in range(_INTERIM_RESPONSES):
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).removesuffix(b"\r\n\r\n").split(b"\r\n")
        line = _STATUS_LINE.fullmatch(first)
        if line is None:
            raise PolicyHttpError("did not answer with HTTP/1.1")
        status = int(line[1])
        if status >= 200:
            break
    return status, lines


async def read_body(reader: asyncio.StreamReader, fields: Fields, octets: int) -> bytes:
    """A body of so many octets at most. Raises PolicyHttpError, and what the stream raises at its end or overflow."""
    _refuse_framing(fields)
    if b"transfer-encoding" in fields:
        return await _chunked(reader, octets)
    if b"content-length" in fields:
        return await reader.readexactly(_length(fields, octets))
    return await _until_closed(reader, octets)


def _refuse_media_type(fields: Fields) -> None:
    types = [value.partition(b";")[0].strip().lower() for value in fields.get(b"content-type", [])]
    if types != [b"text/plain"]:
        shown = b", ".join(types).decode("ascii", "replace") or "none"
        raise PolicyHttpError(f"the media type is not text/plain but {shown}")


def _refuse_framing(fields: Fields) -> None:
    if any(value.lower() != b"identity" for value in fields.get(b"content-encoding", [])):
        raise PolicyHttpError("compressed the body although nobody asked for it")
    codings = fields.get(b"transfer-encoding", [])
    if codings and ([value.lower() for value in codings] != [b"chunked"] or b"content-length" in fields):
        raise PolicyHttpError("framed the body in a way that two readers could read differently")


def _length(fields: Fields, octets: int) -> int:
    values = set(fields[b"content-length"])
    text = values.pop()
    if values or not re.fullmatch(rb"[0-9]{1,18}", text):
        raise PolicyHttpError("sent a broken Content-Length")
    return _bearable(int(text), octets)


async def _chunked(reader: asyncio.StreamReader, octets: int) -> bytes:
    """RFC 9112 section 7.1. Trailer fields are left unread: the connection ends here."""
    body = bytearray()
    while True:
        size = _CHUNK_SIZE.fullmatch((await reader.readuntil(b"\r\n")).removesuffix(b"\r\n"))
        if size is None:
            raise PolicyHttpError("sent a broken chunk")
        length = int(size[1], 16)
        if not length:
            return bytes(body)
        _bearable(len(body) + length, octets)
        body += await reader.readexactly(length)
        if await reader.readexactly(2) != b"\r\n":
            raise PolicyHttpError("sent a broken chunk")


async def _until_closed(reader: asyncio.StreamReader, octets: int) -> bytes:
    """A body without a length ends with the connection (RFC 9112 section 6.3).

    A missing close_notify is not told from a clean end here, so that somebody in between can cut the body off. Cut at
    the end of a line a policy is refused by its grammar, or stricter than it was; within a line `max_age` may lose
    digits, and with them the protection. So a policy that ends there is none (`_response`).
    """
    body = bytearray()
    while piece := await reader.read(HEAD_LIMIT):
        body += piece
        _bearable(len(body), octets)
    return bytes(body)


def _bearable(length: int, octets: int) -> int:
    if length > octets:
        raise PolicyHttpError(f"the body is larger than {octets} octets")
    return length
