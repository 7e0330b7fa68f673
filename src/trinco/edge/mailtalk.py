"""One conversation of the report mailbox: aiosmtpd's, with what it lacks (`maild` has the reasons).

aiosmtpd keeps the envelope, answers most commands and changes to TLS. The loop over the lines and the reading of a mail
are ours: its own answer whatever is said for as long as it is said, give a list entry to each line of a mail, and lose
a report whose lines are longer than 1,000 octets.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Hashable
from typing import Any

from aiosmtpd.smtp import MISSING, SMTP, Envelope, Session, TLSSetupException

from trinco.core.errors import Refused
from trinco.core.tlsrpt.arrival import Arrival, Channel
from trinco.edge import mailline
from trinco.edge.limits import Phase, Roster, origin
from trinco.edge.mailroom import LATER, Room, Share, now

TERMINATOR = b"\r\n.\r\n"
CHUNK = 64 * 1024
"""Octets that wait to be read at most, twice."""
NO_MAILBOX = "550 5.1.1 No such mailbox"
NOBODY = "550 5.1.1 Nobody reads mail here, only TLS reports: the SOA record of this name's zone says who to write to"
TOO_LARGE = "552 5.3.4 The report is too large"
NO_ROOM = "452 4.3.1 Too many reports at once, try again later"
ENDING = "421 4.3.2 The service is going down"

_NULL = "<>"


_AT_ONCE = 1 << 20
"""Octets of a mail whose dots are looked at without leaving the loop."""


class Hooks:
    """What aiosmtpd asks before it takes a sender or a recipient."""

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, server: Conversation, session: Session, _envelope: Envelope, host_name: str, replies: list[str]
    ) -> list[str]:
        session.host_name = host_name
        unfit = ("250-AUTH", "250 HELP")
        extensions = [reply for reply in replies if not reply.startswith(unfit)]
        return [*extensions, f"250 SIZE {server.room.limits.size}"]

    async def handle_MAIL(  # noqa: N802 - aiosmtpd's name
        self, server: Conversation, _session: Session, _envelope: Envelope, _address: str, options: list[str]
    ) -> Any:
        octets = mailline.declared(options)
        if octets > server.room.limits.size:
            return TOO_LARGE
        return MISSING if server.room.memory.fits(server.origin, octets) else NO_ROOM

    async def handle_RCPT(  # noqa: N802 - aiosmtpd's name
        self, server: Conversation, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> Any:
        host = server.room.host
        if address.lower() in ("postmaster", f"postmaster@{host}"):
            return NOBODY
        token = mailline.token(address, host)
        if token is None or not server.room.desk.known(token):
            return NO_MAILBOX
        if len(envelope.rcpt_tos) >= server.room.limits.recipients:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(token)
        return "250 2.1.5 OK"


_HOOKS = Hooks()


class Conversation(SMTP):
    """One connection. A guest of the roster, whose phases it uses so: IDLE waits for a command, HEADER has a mail."""

    line_length_limit = CHUNK
    command_size_limit = mailline.MAX_LINE

    def __init__(self, room: Room, roster: Roster[Conversation]) -> None:
        super().__init__(
            _HOOKS,
            hostname=room.host,
            ident="ESMTP",
            data_size_limit=None,  # ours to look at, with the reply that RFC 3463 has for it
            enable_SMTPUTF8=True,
            tls_context=room.tls(),
            timeout=2 * room.limits.total,  # the roster keeps time
            auth_exclude_mechanism=("LOGIN", "PLAIN"),
            loop=asyncio.get_running_loop(),
        )
        self.room = room
        self.origin: Hashable = None
        self.phase = Phase.HANDSHAKE
        self._roster = roster
        self._raw: asyncio.BaseTransport | None = None
        self._peer = ""
        self._commands = self._junk = self._mails = 0

    # What the loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self._raw is None:
            self._raw = transport
            peer = transport.get_extra_info("peername")
            self._peer = peer[0] if peer else ""
            self.origin = origin(self._peer)
            self._roster.enter(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._roster.leave(self)
        super().connection_lost(error)

    # What the roster calls.

    def overdue(self, phase: Phase) -> None:
        self._log("mail_timeout", phase.name)
        if phase is Phase.IDLE:
            self._bid_farewell("421 4.4.2 Too slow")
        else:
            self.evict()

    def evict(self) -> None:
        self._roster.leave(self)
        if self._timeout_handle is not None:
            self._timeout_handle.cancel()  # in a handshake that breaks off nobody else does, and it holds all of this
        if self._raw is not None:
            self._raw.abort()  # type: ignore[attr-defined]
        if self._handler_coroutine is not None:
            self._handler_coroutine.cancel()

    def dismiss(self) -> None:
        """The listener ends: whoever is not in the middle of a mail leaves."""
        if self.phase is Phase.IDLE:
            self._bid_farewell(ENDING)
        elif self.phase is Phase.HANDSHAKE:
            self.evict()

    # The talk.

    async def _handle_client(self) -> None:
        """In place of aiosmtpd's loop: one that counts, knows other protocols, and does not answer with their words."""
        try:
            await self.push(f"220 {self.hostname} ESMTP")
            while not self._leaving():
                self._roster.turn(self, Phase.IDLE)
                await asyncio.sleep(0)  # commands that are here already would keep the loop to themselves
                await self._obey(await self._reader.readuntil(b"\n"))
        except mailline.OtherProtocol:
            self._log("mail_refused", "not SMTP")
            self.evict()
        except asyncio.LimitOverrunError:
            self._bid_farewell("500 5.5.6 The line is too long")
        except (OSError, EOFError, TLSSetupException) as error:
            self._log("mail_broken", repr(error.__cause__ or error))
            self.evict()
        finally:
            self._writer.close()

    def _leaving(self) -> bool:
        limits = self.room.limits
        self._commands += 1
        if self._junk >= limits.junk or self._commands > limits.commands or self._mails >= limits.mails:
            self._log("mail_refused", "too many commands")
            self._bid_farewell("421 4.7.0 Too much for one connection")
        return self.phase is Phase.CLOSING

    async def _obey(self, line: bytes) -> None:
        try:
            verb, argument = mailline.command(line)
            await self._smtp_methods[verb](argument)
        except Refused as refusal:
            await self.push(refusal.smtp_reply or LATER)
        except (OSError, EOFError, TLSSetupException, mailline.OtherProtocol):
            raise
        except Exception as fault:  # noqa: BLE001 - the outermost loop of a connection
            self.room.log.fault(fault)
            await self.push(LATER)

    async def push(self, status: Any) -> None:
        self._junk += status.startswith("5")
        await super().push(status)

    def _bid_farewell(self, reply: str) -> None:
        """Say the last word, and close when it is on its way."""
        self._roster.turn(self, Phase.CLOSING)
        if not self._writer.is_closing():
            self._writer.write(reply.encode("ascii") + b"\r\n")
            self._writer.close()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """In place of aiosmtpd's, which reads addresses as header fields have them: comments, routes and all."""
        found = mailline.path(arg)
        return (None, None) if found is None else (found[0] or _NULL, found[1])

    async def smtp_STARTTLS(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """RFC 3207, once. What came in the clear behind the command is thrown away."""
        if self.session is None or self.session.ssl is not None or not self.tls_context:
            await self.push("503 5.5.1 TLS is not on offer")
            return
        self._roster.turn(self, Phase.HANDSHAKE)
        await super().smtp_STARTTLS(arg or "")
        if not arg and self.session.ssl is None:
            raise ConnectionResetError("the peer left during the handshake")

    async def smtp_QUIT(self, arg: str | None) -> None:  # noqa: N802, ARG002 - aiosmtpd's
        """The peer's last word: what it adds does not matter."""
        self._bid_farewell("221 2.0.0 Bye")

    async def smtp_VRFY(self, arg: str | None) -> None:  # noqa: N802, ARG002 - aiosmtpd's
        """RFC 5321 section 3.5.3: whether a mailbox exists is told to whoever has a mail for it."""
        await self.push("252 2.5.0 Send the report and see")

    async def smtp_EXPN(self, arg: str | None) -> None:  # noqa: N802, ARG002 - aiosmtpd's
        """There are no lists."""
        await self.push("502 5.5.1 There are no lists here")

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802 - aiosmtpd's name
        """One mail, and its reply once the report is durable."""
        if arg or self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("501 5.5.4 DATA stands alone" if arg else "503 5.5.1 Nobody to receive it")
            return
        self._mails += 1
        self._roster.turn(self, Phase.HEADER)
        await self.push("354 End data with <CR><LF>.<CR><LF>")
        share = Share(self.room.memory, self.origin)
        try:
            reply = await self._take(share)
        finally:
            self.envelope = self._create_envelope()
        await self.push(reply)

    async def _take(self, share: Share) -> str:
        try:
            stuffed = await self._read(share)
            large = len(stuffed) > _AT_ONCE
            mail = await asyncio.to_thread(mailline.content, stuffed) if large else mailline.content(stuffed)
        except Refused as refusal:
            share.release()
            self._log("mail_refused", refusal.reason)
            return refusal.smtp_reply or LATER
        except BaseException:
            share.release()
            raise
        return await self.room.hand_in(self._arrivals(mail), share)

    def _arrivals(self, mail: bytes) -> list[Arrival]:
        """One for each mailbox: what belongs to two owners is two reports."""
        assert self.envelope is not None
        sender = str(self.envelope.mail_from).removeprefix(_NULL)
        moment = now()
        return [
            Arrival(uuid.uuid4().hex, token, Channel.MAIL, moment, mail, peer=self._peer, sender=sender)
            for token in dict.fromkeys(self.envelope.rcpt_tos)
        ]

    async def _read(self, share: Share) -> bytearray:
        """What comes up to the final dot, with DATA's own CRLF in front. Raises Refused, and then nothing was kept.

        RFC 5321 section 4.1.1.4: CRLF.CRLF ends a mail and nothing else does.
        """
        self._reader._buffer[:0] = b"\r\n"  # type: ignore[attr-defined] # noqa: SLF001 - a lone dot needs DATA's own
        kept, refusal, octets, ended = bytearray(), "", 0, False
        while not ended:
            piece, ended = await self._piece()
            octets += len(piece)
            refusal = self._unfit(octets) or refusal or ("" if share.grow(len(piece)) else NO_ROOM)
            if refusal:
                kept.clear()
                share.release()
            else:
                kept += piece
        if refusal:
            raise Refused("too large" if refusal is TOO_LARGE else "no room", smtp_reply=refusal)
        return kept

    async def _piece(self) -> tuple[bytes, bool]:
        """The next octets of a mail, and whether they end it."""
        try:
            return await self._reader.readuntil(TERMINATOR), True
        except asyncio.LimitOverrunError as overrun:
            return await self._reader.read(overrun.consumed), False

    def _unfit(self, octets: int) -> str:
        size = self.room.limits.size
        if octets > 2 * size + CHUNK:
            raise ConnectionAbortedError("a mail without an end")
        return TOO_LARGE if octets > size + len(TERMINATOR) else ""

    def _log(self, event: str, reason: str) -> None:
        self.room.log.line(event, reason=reason, peer=self._peer)
