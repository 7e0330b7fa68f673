"""One POST over HTTPS to an address that a stranger chose, as a webhook is delivered.

The name is resolved once, each of its addresses is held against `net.guard`, and the connection goes to that literal,
under the name (SNI, certificate, Host): a name that answers another address a moment later gains nothing. A redirect
is an answer like any other and is never followed. Of the answer the status counts, and Retry-After; its body is read a
little, so that the server can end in peace, and is looked at by nobody.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from trinco.core.errors import DnsFailure, Refused, TrincoError
from trinco.net.dns import Dns

PORTS = frozenset({443, 8443})
"""Others are dialled at addresses alone that an installation has excepted from the guard."""
_HEAD_LIMIT = 16 * 1024
_BODY_LIMIT = 4 * 1024
_LINGER = 1.0
"""Seconds for the rest of an answer whose status is known."""
_ADDRESSES = 3
"""Of one host, tried in turn until one takes the connection."""
_INTERIM_RESPONSES = 5
_VISIBLE, _LINE = re.compile(r"[!-~]+"), re.compile(r"[ -~]*")
"""What the target, and a field, are made of: no octet of theirs ends a line or begins another request."""
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-9][0-9]{2})(?: [^\r\n]*)?")
_RETRY_AFTER = re.compile(rb"\r\nretry-after:[ \t]*([^\r\n]{1,64})", re.IGNORECASE)


class NotTaken(TrincoError):
    """Nobody at a webhook's address answered our POST with a status. The text says why."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for a connection with TLS at one address, and for all from the look-up to the status."""

    connect: float = 5.0
    total: float = 15.0


@dataclass(frozen=True, slots=True)
class Took:
    """What was answered. `retry_after`: seconds to wait, where the server says how long."""

    status: int
    retry_after: int | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Where to: the parts of an address. `plain`: without TLS, for a loopback in the playground."""

    host: str
    port: int
    path: str
    plain: bool = False

    @classmethod
    def of(cls, url: str) -> Target:
        """The parts of an address that is known to be well formed."""
        parts = urlsplit(url)
        plain = parts.scheme == "http"
        query = f"?{parts.query}" if parts.query else ""
        return cls(parts.hostname or "", parts.port or (80 if plain else 443), f"{parts.path or '/'}{query}", plain)

    @property
    def authority(self) -> str:
        """As in the Host field (RFC 9110 section 7.2)."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return shown if self.port == (80 if self.plain else 443) else f"{shown}:{self.port}"


@dataclass(frozen=True, slots=True)
class Poster:
    """`dns` resolves and guards, `context` verifies (`net.https.context`)."""

    dns: Dns
    context: ssl.SSLContext
    patience: Patience = Patience()

    async def post(self, target: Target, fields: Mapping[str, str], body: bytes) -> Took:
        """Send `body` as JSON with these fields. Raises NotTaken."""
        request = _request(target, fields, body)
        try:
            async with asyncio.timeout(self.patience.total):
                return await self._sent(target, request)
        except TimeoutError:
            raise NotTaken(f"{target.host} did not answer in {self.patience.total:g} s") from None

    async def _sent(self, target: Target, request: bytes) -> Took:
        async with self._connected(target, await self._addresses(target)) as (reader, writer):
            try:
                writer.write(request)
                took = await _answer(reader)
                await _rest(reader)
            except (OSError, asyncio.IncompleteReadError) as error:
                raise NotTaken(f"{target.host} broke the connection off") from error
            except asyncio.LimitOverrunError as error:
                raise NotTaken(f"{target.host} sent a head beyond the limit") from error
        return took

    async def _addresses(self, target: Target) -> tuple[str, ...]:
        """Those that may be dialled."""
        try:
            found = (target.host,) if target.plain else await self.dns.addresses(target.host)
        except DnsFailure as error:
            raise NotTaken(str(error)) from error
        if not found:
            raise NotTaken(f"{target.host} has no address")
        guard = self.dns.guard
        may = [each for each in guard.permitted(found) if target.port in PORTS or guard.excepts(each)]
        if not may:
            raise NotTaken(f"{target.host} has no address that may be dialled at port {target.port}")
        return tuple(may[:_ADDRESSES])

    @asynccontextmanager
    async def _connected(
        self, target: Target, addresses: tuple[str, ...]
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        reader, writer = await self._dialled(target, addresses)
        try:
            yield reader, writer
        finally:
            # Nothing more is wanted of the server: its close_notify is not waited for.
            writer.transport.abort()
            with suppress(OSError, TimeoutError):
                await writer.wait_closed()

    async def _dialled(
        self, target: Target, addresses: tuple[str, ...]
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The first address that takes the connection."""
        fault: NotTaken | None = None
        for address in addresses:
            try:
                return await self._dial(target, address)
            except NotTaken as error:
                fault = error
        raise fault or NotTaken(f"{target.host} has no address")

    async def _dial(self, target: Target, address: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        try:
            self.dns.guard.check(address)
            context, name = (None, None) if target.plain else (self.context, target.host)
            async with asyncio.timeout(self.patience.connect):
                return await asyncio.open_connection(
                    address, target.port, limit=_HEAD_LIMIT, ssl=context, server_hostname=name
                )
        except Refused as error:
            raise NotTaken(error.reason) from error
        except TimeoutError:
            raise NotTaken(f"{address} took no connection in {self.patience.connect:g} s") from None
        except ssl.SSLCertVerificationError as error:
            raise NotTaken(f"the certificate of {target.host} is not valid: {error.verify_message}") from error
        except ssl.SSLError as error:
            raise NotTaken(f"no TLS session with {target.host}: {error.reason or 'it broke off'}") from error
        except OSError as error:
            reason = os.strerror(error.errno) if error.errno else type(error).__name__
            raise NotTaken(f"{target.host} cannot be reached at {address} port {target.port}: {reason}") from error


def _request(target: Target, fields: Mapping[str, str], body: bytes) -> bytes:
    """Raises NotTaken: something in it is no part of a line."""
    lines = [
        f"POST {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        "User-Agent: trinco",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        "Accept-Encoding: identity",
        "Connection: close",
        *(f"{name}: {value}" for name, value in fields.items()),
    ]
    if not (_VISIBLE.fullmatch(target.path + target.authority) and all(map(_LINE.fullmatch, lines))):
        raise NotTaken("its address or a field of the request has a character that none may have")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body


async def _answer(reader: asyncio.StreamReader) -> Took:
    for _ in range(_INTERIM_RESPONSES):
        head = await reader.readuntil(b"\r\n\r\n")
        line = _STATUS_LINE.fullmatch(head.partition(b"\r\n")[0])
        if line is None:
            break
        if int(line[1]) >= 200:
            return Took(int(line[1]), _retry_after(head))
    raise NotTaken("did not answer with HTTP/1.1")


def _retry_after(head: bytes) -> int | None:
    """Seconds (RFC 9110 section 10.2.3), however they are said."""
    field = _RETRY_AFTER.search(head)
    text = field[1].strip().decode("ascii", "replace") if field else ""
    if re.fullmatch(r"[0-9]{1,9}", text, re.ASCII):
        return int(text)
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError):
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0, int((moment - datetime.now(UTC)).total_seconds()))


async def _rest(reader: asyncio.StreamReader) -> None:
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(_LINGER):
            left = _BODY_LIMIT
            while left > 0 and (piece := await reader.read(left)):
                left -= len(piece)
