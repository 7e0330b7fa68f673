"""The transport under a connection, which may have begun to close by itself: then nothing more happens to it."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import suppress

_AT_ONCE = struct.pack("ii", 1, 0)


class Pipe:
    """The octets' way to the peer and back."""

    __slots__ = ("_transport",)

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    @property
    def peer(self) -> str:
        """The address of the other side; empty when it has gone already."""
        name = self._transport.get_extra_info("peername")
        return str(name[0]) if name else ""

    def write(self, data: bytes) -> None:
        if data and not self._transport.is_closing():
            self._transport.write(data)

    def pause(self) -> None:
        """Read nothing for now."""
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume(self) -> None:
        """Read again."""
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def close(self) -> None:
        """Close when all that was written is on its way."""
        self._transport.close()

    def close_our_side(self) -> None:
        """Write no more, and go on reading."""
        if not self._transport.is_closing():
            with suppress(OSError):  # the peer was faster
                self._transport.write_eof()

    def abort(self) -> None:
        """Close at once: what the peer has not read is not kept for it."""
        with suppress(OSError, ValueError):  # closed already
            self._transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()
