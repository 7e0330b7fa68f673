"""The road of a report from a made-up sender to Trinco: the record is looked up, the host found, the report delivered.

All of it as a sender on the internet does it (RFC 8460 sections 3 and 5): the TXT of `_smtp._tls.<domain>` through the
customer's CNAME, MX and addresses by a resolver, SMTP with TLS when it is offered, HTTPS. Only the ports are ours.
"""

from __future__ import annotations

import asyncio
import re
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from trinco.core.errors import TrincoError
from trinco.core.names import Domain
from trinco.core.tlsrpt import record
from trinco.net.dns import Dns

PATIENCE = 20.0
"""Seconds for one conversation's next step."""
_REPLY = re.compile(r"([2-5][0-9]{2})(?:([ -])(.*))?")
_LINES = 100


class Undelivered(TrincoError):
    """The report was not taken. `final`: it is of no use to try again."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.final = final


@dataclass(frozen=True, slots=True)
class Rua:
    """Where a domain wants its reports: addresses of mailboxes, and URLs."""

    mailboxes: tuple[str, ...]
    doors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Road:
    """`dns`: who is asked; `smtp_port`, `https_port`: where hosts listen here; `trusting`: verifies the HTTPS doors."""

    dns: Dns
    smtp_port: int
    https_port: int
    trusting: ssl.SSLContext

    async def rua(self, domain: Domain) -> Rua:
        """What the record says. Raises LookupFailure: NoRecord where the domain wants no reports."""
        answer = await self.dns.resolve(f"_smtp._tls.{domain}", "TXT")
        uris = [urlsplit(uri) for uri in record.select(answer.values("TXT")).rua]
        return Rua(
            tuple(unquote(uri.path) for uri in uris if uri.scheme == "mailto"),
            tuple(uri.geturl() for uri in uris if uri.scheme == "https"),
        )

    @asynccontextmanager
    async def mailing(self, recipient: str, greeting: str) -> AsyncIterator[Smtp]:
        """A conversation with the mail server of this address. Raises Undelivered, LookupFailure."""
        host = await self._exchanger(recipient.rpartition("@")[2])
        reader, writer = await self._connected(host, self.smtp_port)
        smtp = Smtp(reader, writer)
        try:
            with _mapped(host):
                await smtp.begin(greeting)
                yield smtp
                await smtp.command("QUIT", 221)
        finally:
            writer.close()

    async def post(self, url: str, media_type: str, body: bytes) -> None:
        """One report by HTTPS (RFC 8460 section 5.4). Raises Undelivered, LookupFailure."""
        uri = urlsplit(url)
        host = uri.hostname or ""
        with _mapped(host):
            reader, writer = await self._connected(host, uri.port or self.https_port, self.trusting)
            try:
                writer.write(
                    f"POST {uri.path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {media_type}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode()
                    + body
                )
                async with asyncio.timeout(PATIENCE):
                    status = (await reader.readline()).decode("latin-1").split(" ")
            finally:
                writer.close()
        code = status[1] if len(status) > 1 else "no answer"
        if code not in ("200", "201"):
            raise Undelivered(f"{host} answers {code}", final=code.startswith("4") and code != "429")

    async def _exchanger(self, domain: str) -> str:
        """The most preferred MX, or the domain itself (RFC 5321 section 5.1)."""
        found = (await self.dns.resolve(domain, "MX")).mx
        return found[0][1] if found else domain

    async def _connected(
        self, host: str, port: int, tls: ssl.SSLContext | None = None
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """The first address that answers."""
        addresses = await self.dns.addresses(host)
        reason = f"{host} has no address"
        for address in addresses:
            try:
                async with asyncio.timeout(PATIENCE):
                    name = host if tls else None
                    return await asyncio.open_connection(address, port, ssl=tls, server_hostname=name)
            except (OSError, TimeoutError) as error:
                reason = f"{host} at {address}: {error}"
        raise Undelivered(reason)


class Smtp:
    """A client's side of SMTP (RFC 5321), as much of it as it takes to hand in a report."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def begin(self, greeting: str) -> None:
        """Greet, and start TLS where it is offered. Whose certificate that is does not matter: reports arrive even so
        (RFC 8460 section 5.3)."""
        await self._expect(220)
        offered = await self.command(f"EHLO {greeting}", 250)
        if any(line.upper() == "STARTTLS" for line in offered):
            await self.command("STARTTLS", 220)
            await self._writer.start_tls(_unconcerned())
            await self.command(f"EHLO {greeting}", 250)

    async def deliver(self, sender: str, recipient: str, message: bytes) -> None:
        """One message with CRLF. Raises Undelivered; TimeoutError, OSError when the other side is gone."""
        try:
            await self.command(f"MAIL FROM:<{sender}>", 250)
            await self.command(f"RCPT TO:<{recipient}>", 250)
            await self.command("DATA", 354)
        except Undelivered:
            await self.command("RSET", 250)
            raise
        self._writer.write(re.sub(rb"^\.", b"..", message, flags=re.MULTILINE) + b".\r\n")
        await self._expect(250)

    async def command(self, line: str, wanted: int) -> list[str]:
        """Say this and hear a reply of this code; its lines. Raises Undelivered for another one."""
        self._writer.write(line.encode() + b"\r\n")
        return await self._expect(wanted)

    async def _expect(self, wanted: int) -> list[str]:
        await self._writer.drain()
        lines: list[str] = []
        async with asyncio.timeout(PATIENCE):
            for _ in range(_LINES):
                reply = _REPLY.fullmatch((await self._reader.readline()).decode("latin-1").rstrip("\r\n"))
                if reply is None:
                    break
                lines.append(reply[3] or "")
                if reply[2] != "-":
                    return _agreed(int(reply[1]), lines, wanted)
        raise Undelivered("the conversation ended")


def _agreed(code: int, lines: list[str], wanted: int) -> list[str]:
    if code != wanted:
        raise Undelivered(f"{code} {' '.join(lines)}", final=code >= 500)
    return lines


@contextmanager
def _mapped(host: str) -> Iterator[None]:
    """What the system says of a conversation, in our words."""
    try:
        yield
    except (OSError, TimeoutError, ValueError, asyncio.IncompleteReadError) as error:
        raise Undelivered(f"{host}: {error or type(error).__name__}") from error


def _unconcerned() -> ssl.SSLContext:
    """TLS that takes any certificate, as most senders of mail do without a policy."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
