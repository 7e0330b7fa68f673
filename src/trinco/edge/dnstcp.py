"""DNS by TCP (RFC 7766): several questions per connection, pipelined, each message with its length in front.

The only clock of a connection is that of whole messages: a message that drips in, a client that does not read its
replies and one that says nothing are all closed when `idle` seconds have passed since the last whole message. A zone
transfer goes out message by message as the client takes them, each of which counts as well.
"""

from __future__ import annotations

import asyncio
import socket
from collections import Counter, OrderedDict
from collections.abc import Iterator
from itertools import takewhile
from typing import Protocol, cast

import structlog

from trinco.edge.answers import Answers
from trinco.edge.limits import clock
from trinco.edge.tally import SILENCE
from trinco.edge.transfer import Transfers

TURN = 64
"""Messages of one connection that are answered before others get a turn."""
UNREAD = 65536
"""Octets of replies that may wait for the client before its next question is read."""

_log = structlog.get_logger("trinco.edge")


class TcpLimits(Protocol):
    """What this module needs of the listener's limits; see `dnsd.Limits`."""

    @property
    def connections(self) -> int: ...
    @property
    def connections_per_client(self) -> int: ...
    @property
    def idle(self) -> float: ...


class Connections:
    """All TCP connections of a listener, the one that has waited longest in front."""

    def __init__(
        self, answers: Answers, limits: TcpLimits, loop: asyncio.AbstractEventLoop, transfers: Transfers | None = None
    ) -> None:
        self.answers, self.transfers, self._limits, self._loop = answers, transfers, limits, loop
        self.now = clock()
        self._waiting: OrderedDict[Connection, float] = OrderedDict()
        self._clients: Counter[bytes] = Counter()
        self._sweeper = loop.call_later(limits.idle / 4, self._sweep)

    def admit(self, connection: Connection) -> bool:
        """Take `connection` in. At the cap of its client it is refused; at that of all the longest idle one goes."""
        if self._clients[connection.client] >= self._limits.connections_per_client:
            return False
        if len(self._waiting) >= self._limits.connections:
            next(iter(self._waiting)).end()
        self._clients[connection.client] += 1
        self._waiting[connection] = self.now()
        return True

    def heard(self, connection: Connection) -> None:
        """A whole message came from `connection`: its time begins anew."""
        if connection in self._waiting:
            self._waiting[connection] = self.now()
            self._waiting.move_to_end(connection)

    def forget(self, connection: Connection) -> None:
        """`connection` is over."""
        if self._waiting.pop(connection, None) is None:
            return
        self._clients[connection.client] -= 1
        if not self._clients[connection.client]:
            del self._clients[connection.client]

    def close(self) -> None:
        """End all of them."""
        self._sweeper.cancel()
        for connection in tuple(self._waiting):
            connection.end()

    def _sweep(self) -> None:
        limit = self.now() - self._limits.idle
        for connection, since in tuple(self._waiting.items()):
            if since > limit:
                break
            connection.end()
        self._sweeper = self._loop.call_later(self._limits.idle / 4, self._sweep)


class Connection(asyncio.Protocol):
    """One client."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._unread = self._waiting = False
        self._transfer: Iterator[bytes] | None = None
        self._transfer_ends = 0.0
        self._next: asyncio.Handle | None = None
        self.client = b""
        self._address = ""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=UNREAD)
        peer = transport.get_extra_info("peername")
        self.client, self._address = _client(peer), peer[0] if peer else ""
        if not self._connections.admit(self):
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._waiting:
            self._turn()

    def pause_writing(self) -> None:
        self._unread = True
        self._pause()

    def resume_writing(self) -> None:
        self._unread = False
        self._turn()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        self._transfer = None
        self._connections.forget(self)

    def end(self) -> None:
        """Close now; replies that the client has not read are lost."""
        self._connections.forget(self)
        if self._transport is not None and self._transport.get_write_buffer_size():
            self._transport.abort()
        elif self._transport is not None:
            self._transport.close()

    def _turn(self) -> None:
        """Answer what is whole, up to TURN messages; the rest when the others had their turn."""
        if self._transport is None or self._transport.is_closing() or self._unread:
            return
        if self._transfer is not None:
            self._go_on()
            return
        messages = self._messages()
        if messages:
            self._connections.heard(self)
        transfer = messages.pop() if messages and self._asks_for_transfer(messages[-1]) else None
        replies = list(takewhile(bool, map(self._reply, messages)))
        self._transport.write(b"".join(len(reply).to_bytes(2, "big") + reply for reply in replies if reply))
        if len(replies) < len(messages):
            self._transport.close()
        elif transfer is not None:
            self._begin(transfer)
        elif len(messages) == TURN:
            self._pause()
            asyncio.get_running_loop().call_soon(self._turn)
        elif self._waiting and not self._unread:
            self._waiting = False
            self._transport.resume_reading()

    def _asks_for_transfer(self, message: bytes) -> bool:
        return self._connections.transfers is not None and self._connections.transfers.asked(message)

    def _begin(self, message: bytes) -> None:
        """Begin a transfer. Until it is over nothing more is read from this client."""
        transfers = self._connections.transfers
        if transfers is not None:
            self._pause()
            self._transfer = transfers.replies(message, self._address)
            self._transfer_ends = self._connections.now() + transfers.bounds.seconds
            self._go_on()

    def _go_on(self) -> None:
        if self._next is None:
            self._next = asyncio.get_running_loop().call_soon(self._step)

    def _step(self) -> None:
        """Send one message of the transfer, if the client reads; the next one when others had their turn."""
        self._next = None
        if self._transfer is None or self._transport is None or self._transport.is_closing() or self._unread:
            return
        try:
            reply = next(self._transfer, None)
        except Exception:  # noqa: BLE001 - the outermost loop of a connection
            _log.exception("dns.query_failed", transport="transfer")
            self.end()
            return
        if reply is None:
            self._transfer = None
            self._turn()
        elif self._connections.now() > self._transfer_ends:
            self.end()
        else:
            self._connections.answers.rcodes[reply[3] & 15] += 1
            self._transport.write(len(reply).to_bytes(2, "big") + reply)
            self._connections.heard(self)
            self._go_on()

    def _pause(self) -> None:
        if not self._waiting and self._transport is not None:
            self._waiting = True
            self._transport.pause_reading()

    def _messages(self) -> list[bytes]:
        """The whole messages at the head of the buffer, taken out of it."""
        messages, at = list[bytes](), 0
        while len(messages) < TURN and at + 2 <= len(self._buffer):
            end = at + 2 + int.from_bytes(self._buffer[at : at + 2], "big")
            if end > len(self._buffer):
                break
            messages.append(bytes(self._buffer[at + 2 : end]))
            at = end
            if self._asks_for_transfer(messages[-1]):
                break
        del self._buffer[:at]
        return messages

    def _reply(self, message: bytes) -> bytes | None:
        """None: there is nothing to say to this, and so nothing more to this client."""
        answers = self._connections.answers
        try:
            reply = answers.answer(message, tcp=True)
        except Exception:  # noqa: BLE001 - the outermost loop of a connection
            _log.exception("dns.query_failed", transport="tcp")
            reply = None
        answers.rcodes[SILENCE if reply is None else reply[3] & 15] += 1
        return reply


def _client(peer: tuple[str, int] | None) -> bytes:
    """What one client has: an IPv4 address or an IPv6 /56. `peer` is None when it is gone already."""
    if peer is None:
        return b""
    host = peer[0].partition("%")[0]
    return socket.inet_pton(socket.AF_INET6, host)[:7] if ":" in host else socket.inet_pton(socket.AF_INET, host)
