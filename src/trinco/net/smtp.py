"""One STARTTLS probe of a mail server: would a sender that obeys a policy deliver to it (RFC 8461 section 4.2)?

Banner, EHLO, STARTTLS, handshake with the MX host's name as SNI, QUIT; no mail is offered. The certificate must chain
to a trusted root, be within its dates and carry the MX host itself as a DNS-ID. When it does not, a second handshake
without verification looks at the certificate, so that the problem can be told in words. The server is a stranger:
lines, replies, octets and time are limited, and what it sends in the clear behind its STARTTLS reply is a fault (an
attacker's commands or replies would otherwise count as protected).
"""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography import x509

from trinco.core.errors import TrincoError

_REPLY_LINE = re.compile(rb"([2-5][0-9]{2})(?:([ -])(.*))?")
_X509_EXPIRED, _X509_HOSTNAME_MISMATCH = 10, 62
_GOODBYE_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Caller:
    """How the probe introduces itself, and what it bears."""

    helo: str = "localhost"
    """Name in the EHLO."""
    seconds: float = 20.0
    """For one connection; some servers make strangers wait for their banner."""
    line: int = 2048
    """Octets of a line; RFC 5321 section 4.5.3.1.5 allows 512."""
    octets: int = 64 * 1024
    """That may wait to be read."""
    lines: int = 100
    """Of one reply."""


@dataclass(frozen=True, slots=True)
class Probe:
    """What was seen. `problem` is empty when a sender could deliver over verified TLS."""

    reached: bool = False
    """It greeted us as an SMTP server."""
    starttls: bool = False
    """It offered STARTTLS and said that it is ready."""
    tls_version: str = ""
    """As the TLS library calls it, e.g. `TLSv1.3`."""
    verified: bool = False
    not_after: datetime | None = None
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Peer:
    """The server's certificate, whether trusted or not."""

    not_after: datetime | None = None
    names: tuple[str, ...] = ()


class _Fault(TrincoError):
    """The conversation cannot go on, for the reason in its text."""


async def probe(host: str, address: str, port: int, context: ssl.SSLContext, caller: Caller | None = None) -> Probe:
    """Talk to the MX `host` at this literal address, which the caller has held against `net.guard`.

    `context` is one of `net.https.context()`. Raises nothing of its own: whatever goes wrong is the Probe's `problem`.
    """
    caller = caller or Caller()
    call = _Call(host, (address, port), caller)
    found = await call.make(context)
    if found.starttls and not found.verified and call.mismatch is not None:
        second = _Call(host, (address, port), caller)
        seen = await second.make(_trusting())
        problem = _words(call.mismatch, second.peer, host)
        return replace(found, tls_version=seen.tls_version, not_after=second.peer.not_after, problem=problem)
    return found


@dataclass(slots=True)
class _Call:
    """One connection and what it has shown so far."""

    host: str
    endpoint: tuple[str, int]
    caller: Caller
    found: Probe = Probe()
    peer: Peer = Peer()
    mismatch: ssl.SSLCertVerificationError | None = None

    async def make(self, context: ssl.SSLContext) -> Probe:
        try:
            async with asyncio.timeout(self.caller.seconds), _connected(self.endpoint, self.caller) as session:
                await self._talk(session, context)
        except _Fault as error:
            self.found = replace(self.found, problem=str(error))
        except ssl.SSLCertVerificationError as error:
            self.mismatch = error
            self.found = replace(self.found, problem=error.verify_message)
        except ssl.SSLError as error:
            self.found = replace(self.found, problem=f"the TLS handshake failed: {error.reason or error}")
        except TimeoutError:
            self.found = replace(self.found, problem=f"no answer within {self.caller.seconds:g} s")
        except (OSError, ValueError) as error:
            self.found = replace(self.found, problem=f"the connection failed: {_reason(error)}")
        return self.found

    async def _talk(self, session: _Session, context: ssl.SSLContext) -> None:
        await session.expect(220, "the greeting")
        self.found = Probe(reached=True)
        extensions = await session.command(f"EHLO {self.caller.helo}", 250)
        if not any(line.split()[:1] == ["STARTTLS"] for line in map(str.upper, extensions[1:])):
            await session.quit()
            raise _Fault("STARTTLS is not offered")
        await session.command("STARTTLS", 220)
        if session.waiting:
            raise _Fault("the server sent more in the clear behind its STARTTLS reply: somebody may be injecting")
        self.found = replace(self.found, starttls=True)
        await session.secure(context, self.host)
        self._look(session, context)
        await session.quit()

    def _look(self, session: _Session, context: ssl.SSLContext) -> None:
        connection: ssl.SSLObject = session.transport.get_extra_info("ssl_object")
        self.peer = _peer(connection.getpeercert(binary_form=True))
        verified = context.verify_mode == ssl.CERT_REQUIRED and context.check_hostname
        self.found = replace(
            self.found, tls_version=connection.version() or "", verified=verified, not_after=self.peer.not_after
        )


@dataclass(slots=True, eq=False)
class _Session(asyncio.Protocol):
    """Lines from a stranger, before and after TLS."""

    caller: Caller
    waiting: bytearray = field(default_factory=bytearray)
    closed: bool = False
    news: asyncio.Event = field(default_factory=asyncio.Event)
    transport: asyncio.Transport = field(init=False)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        if len(self.waiting) > self.caller.octets:
            self.transport.abort()
        self.news.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.closed = True
        self.news.set()

    async def command(self, text: str, code: int) -> list[str]:
        """Say a line and read a reply of this code. Raises _Fault."""
        self.transport.write(text.encode("ascii") + b"\r\n")
        return await self.expect(code, text.partition(" ")[0])

    async def expect(self, code: int, occasion: str) -> list[str]:
        """The texts of the next reply's lines. Raises _Fault for another code or what is no reply (RFC 5321 4.2)."""
        texts: list[str] = []
        for _ in range(self.caller.lines):
            line = _REPLY_LINE.fullmatch(await self._line(occasion))
            if line is None:
                raise _Fault(f"what came for {occasion} is not SMTP")
            texts.append(_shown(line[3] or b""))
            if int(line[1]) != code:
                raise _Fault(f"the answer to {occasion} is {int(line[1])} {texts[-1]}".rstrip())
            if line[2] != b"-":
                return texts
        raise _Fault(f"the reply to {occasion} does not end")

    async def secure(self, context: ssl.SSLContext, host: str) -> None:
        """The TLS handshake. Raises what ssl and the transport raise."""
        loop, seconds = asyncio.get_running_loop(), self.caller.seconds
        secured = await loop.start_tls(
            self.transport, self, context, server_hostname=host, ssl_handshake_timeout=seconds
        )
        if secured is None:
            raise _Fault("the server closed the connection")
        self.transport = secured

    async def quit(self) -> None:
        """Leave politely, whatever comes back."""
        with suppress(_Fault, TimeoutError, OSError):
            async with asyncio.timeout(_GOODBYE_SECONDS):
                await self.command("QUIT", 221)

    async def _line(self, occasion: str) -> bytes:
        while (end := self.waiting.find(b"\n")) < 0:
            if len(self.waiting) > self.caller.line:
                raise _Fault(f"a line in the answer to {occasion} is too long")
            if self.closed:
                raise _Fault(f"the server closed the connection instead of answering {occasion}")
            self.news.clear()
            await self.news.wait()
        line = bytes(self.waiting[:end]).rstrip(b"\r")
        del self.waiting[: end + 1]
        if len(line) > self.caller.line:
            raise _Fault(f"a line in the answer to {occasion} is too long")
        return line


@asynccontextmanager
async def _connected(endpoint: tuple[str, int], caller: Caller) -> AsyncIterator[_Session]:
    _, session = await asyncio.get_running_loop().create_connection(lambda: _Session(caller), *endpoint)
    try:
        yield session
    finally:
        session.transport.abort()


def _trusting() -> ssl.SSLContext:
    """A context that looks at a certificate without believing it."""
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    return made


def _peer(der: bytes | None) -> Peer:
    try:
        certificate = x509.load_der_x509_certificate(der or b"")
        not_after = certificate.not_valid_after_utc.astimezone(UTC)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return Peer(not_after, tuple(names.get_values_for_type(x509.DNSName)))
    except x509.ExtensionNotFound:
        return Peer(not_after)
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return Peer()


def _words(error: ssl.SSLCertVerificationError, peer: Peer, host: str) -> str:
    if error.verify_code == _X509_EXPIRED and peer.not_after is not None:
        return f"the certificate expired on {peer.not_after:%Y-%m-%d}"
    if error.verify_code == _X509_HOSTNAME_MISMATCH:
        named = _shown(", ".join(peer.names[:5]).encode()) or "no DNS name in its subjectAltName"
        return f"the certificate is for {named}, not for {host}"
    return f"the certificate is not trusted: {error.verify_message}"


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


def _shown(octets: bytes) -> str:
    """A stranger's words, fit to be stored and shown."""
    text = octets.decode("ascii", "replace")
    return "".join(character if " " <= character <= "~" else "?" for character in text)[:150]
