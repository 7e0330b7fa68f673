"""One connection over TLS to an address that somebody else chose: where a webhook or an OpenID provider is.

The name is resolved once, each of its addresses is held against `net.guard`, and the connection goes to that literal,
under the name (SNI, certificate): a name that answers another address a moment later gains nothing.
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from trinco.core.errors import DnsFailure, Refused, TrincoError
from trinco.net import https
from trinco.net.dns import Dns

PORTS = frozenset({443, 8443})
"""Others are dialled at addresses alone that an installation has excepted from the guard."""
_ADDRESSES = 3
"""Of one host, tried in turn until one takes the connection."""
_VISIBLE, _LINE = re.compile(r"[!-~]+"), re.compile(r"[ -~]*")
"""What the target, and a field, are made of: no octet of theirs ends a line or begins another request."""


class NotTaken(TrincoError):
    """Nobody at an address answered our request. The text says why."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Seconds: for a connection with TLS at one address, and for all from the look-up to the answer."""

    connect: float = 5.0
    total: float = 15.0


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
class Reach:
    """`dns` resolves and guards, `context` verifies (`net.https.context`)."""

    dns: Dns
    context: ssl.SSLContext
    patience: Patience = Patience()

    async def addresses(self, target: Target) -> tuple[str, ...]:
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
    async def connected(
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
                    address, target.port, limit=https.HEAD_LIMIT, ssl=context, server_hostname=name
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


def request_of(method: str, target: Target, fields: Mapping[str, str], body: bytes) -> bytes:
    """A request after which the connection ends. Raises NotTaken: something in it is no part of a line."""
    lines = [
        f"{method} {target.path} HTTP/1.1",
        f"Host: {target.authority}",
        "User-Agent: trinco",
        *([] if method == "GET" else [f"Content-Length: {len(body)}"]),
        "Accept-Encoding: identity",
        "Connection: close",
        *(f"{name}: {value}" for name, value in fields.items()),
    ]
    if not (_VISIBLE.fullmatch(target.path + target.authority) and all(map(_LINE.fullmatch, lines))):
        raise NotTaken("its address or a field of the request has a character that none may have")
    return "\r\n".join([*lines, "", ""]).encode("ascii") + body
