"""NAME
    maild - the mailbox for TLS reports

DESCRIPTION
    Takes mail for `<token>@<reports host>`, where the token is that of a hosted domain, and hands each mail to the desk
    behind it, octet by octet as it came. Nothing else is taken, nothing is ever sent on, and no bounce is ever written.

PROTOCOL
    RFC 5321 as a receiver, over aiosmtpd; RFC 8460 sections 3 and 5.3. STARTTLS (RFC 3207) is offered while there is a
    certificate and never asked for: a report about broken TLS must get through without it. SIZE (RFC 1870), 8BITMIME,
    SMTPUTF8. 250 is said when every recipient's copy is durable; a mail for several recipients is a report for each. No
    Received field is added, since a report is read and not forwarded, and its signature covers it as it is.

SECURITY
    Recipients are told from strangers by the token alone, in memory; an address with a route, quotation marks or a
    comment is none. A mail ends with CRLF.CRLF; one with NUL or with a carriage return by itself is refused, so that no
    two readers see two mails in one. A line of another protocol ends the connection without a word, so that no browser
    can be made to deliver a report. What came in the clear behind STARTTLS is thrown away.
    Bounded are: connections in all and of one address (the one that waited longest makes room), commands, refusals and
    mails of a connection, the time for a command, a mail and the whole, a mail's size and recipients, and the memory
    that all mails of one address and of everybody take. Lines of a mail are as long as their sender likes.

DIAGNOSTICS
    `mail_refused`, `mail_timeout`, `mail_broken`: what a stranger did wrong; `connection_fault`: a fault of this
    program, answered with 451. A few lines a second in all; `withheld=` says how many were not written.

BUGS
    Mail for postmaster is refused, though RFC 5321 section 4.5.1 wants a mailbox: one that nobody reads would be worse.
    The reply says where to write.
    Four senders that each begin two large mails and never end them keep others out for five minutes; those try again.
    A mail whose reply got lost is sent again, and told from the first when it is read.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from trinco.edge.guests import Endpoint, received
from trinco.edge.limits import Log, Roster, clock
from trinco.edge.mailroom import MailLimits, Memory, Room
from trinco.edge.mailtalk import Conversation
from trinco.edge.ports import ReportDesk

__all__ = ["MailLimits", "listen"]

logging.getLogger("mail.log").setLevel(logging.CRITICAL + 1)  # aiosmtpd's: strangers' words, and tracebacks


@asynccontextmanager
async def listen(
    desk: ReportDesk,
    endpoints: Sequence[Endpoint],
    *,
    reports_host: str,
    tls: Callable[[], ssl.SSLContext | None],
    limits: MailLimits | None = None,
) -> AsyncIterator[list[Endpoint]]:
    """Take reports until the block is left; gives what is bound, a port for each port 0. OSError when one is taken.

    `tls` is asked for each connection, and gives a server's context or None. Leaving waits as `guests` does for mails
    that are in the middle.
    """
    limits = limits or MailLimits()
    now = clock()
    shared = limits.shared()
    roster: Roster[Conversation] = Roster(shared, now)
    room = Room(desk, reports_host.lower(), tls, limits, Memory(limits), Log(shared, now))
    async with received(lambda: Conversation(room, roster), endpoints, roster, shared.phases, room.close) as bound:
        yield bound
