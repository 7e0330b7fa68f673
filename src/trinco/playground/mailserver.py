"""
NAME
    mailserver - mail servers of the made-up internet, for the STARTTLS probe

DESCRIPTION
    One listener per behaviour, each on its own loopback address (`cast.Behaviour`), all at one port. They greet, name
    themselves, start TLS with the certificate of the name that the client asks for by SNI, and take no mail.

PROTOCOL
    SMTP (RFC 5321) with STARTTLS (RFC 3207): EHLO, HELO, STARTTLS, NOOP, RSET, QUIT. MAIL is answered 550.

SECURITY
    For loopback alone. Lines of at most 1,000 octets, one minute per connection, fifty commands.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

import structlog

from trinco.playground.authority import Authority
from trinco.playground.cast import Behaviour

LIMIT = 1_000
DEADLINE = 60.0
"""Seconds that a connection may last."""
COMMANDS = 50

log = structlog.get_logger("trinco.playground")


class Session:
    """One client's conversation with a server of one behaviour."""

    def __init__(self, behaviour: Behaviour, context: ssl.SSLContext | None) -> None:
        self._name = f"{behaviour.name.lower().replace('_', '-')}.mail.example"
        self._context = context

    async def run(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Talk until the client leaves or has said enough. Raises OSError, ValueError (a line too long)."""
        await _say(writer, f"220 {self._name} ESMTP Trinco playground")
        for _ in range(COMMANDS):
            line = await reader.readline()
            if not line:
                return
            verb = line.decode("latin-1").strip().partition(" ")[0].upper()
            await _say(writer, self._reply(verb))
            if verb == "QUIT":
                return
            if verb == "STARTTLS" and self._context is not None:
                await writer.start_tls(self._context)
                self._context = None

    def _reply(self, verb: str) -> str:
        if verb == "EHLO":
            offers = ["PIPELINING", *(["STARTTLS"] if self._context is not None else []), "8BITMIME"]
            words = [self._name, *offers]
            return "\r\n".join(f"250{'-' if at < len(words) - 1 else ' '}{word}" for at, word in enumerate(words))
        if verb == "STARTTLS" and self._context is not None:
            return "220 2.0.0 go ahead"
        if verb in ("HELO", "NOOP", "RSET"):
            return "250 2.0.0 fine"
        if verb == "QUIT":
            return "221 2.0.0 goodbye"
        return "550 5.7.1 this server takes no mail" if verb == "MAIL" else "502 5.5.1 not here"


async def _say(writer: asyncio.StreamWriter, text: str) -> None:
    writer.write(text.encode() + b"\r\n")
    await writer.drain()


def _by_name(authority: Authority, behaviour: Behaviour) -> ssl.SSLContext | None:
    """A context that turns into the one of the name asked for (SNI), or None where TLS is not offered."""
    if behaviour is Behaviour.PLAIN:
        return None
    context = authority.context(f"{behaviour.name.lower().replace('_', '-')}.mail.example", behaviour)

    def choose(connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name and len(name) <= 253 and name.isascii():
            connection.context = authority.context(name.lower(), behaviour)

    context.sni_callback = choose
    return context


@asynccontextmanager
async def listen(authority: Authority, behaviours: Sequence[Behaviour], port: int) -> AsyncIterator[list[Behaviour]]:
    """Serve each behaviour on its address; gives those that could be bound (some systems have only 127.0.0.1)."""
    async with AsyncExitStack() as stack:
        bound = []
        for behaviour in behaviours:
            try:
                server = await _one(authority, behaviour, port)
            except OSError as error:
                log.warning("mail server not started", address=behaviour.value, port=port, reason=str(error))
                continue
            await stack.enter_async_context(server)
            bound.append(behaviour)
        yield bound


async def _one(authority: Authority, behaviour: Behaviour, port: int) -> asyncio.Server:
    context = _by_name(authority, behaviour)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(DEADLINE):
                await Session(behaviour, context).run(reader, writer)
        except (OSError, ValueError, TimeoutError):
            pass  # the client has gone, refused the certificate, or talks nonsense
        finally:
            writer.close()

    return await asyncio.start_server(serve, behaviour.value, port, limit=LIMIT)
