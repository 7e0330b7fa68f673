"""Datagrams in batches: the interface of `mmsg`, and the same one datagram at a time for systems without its calls."""

from __future__ import annotations

import socket
from array import array
from collections.abc import Iterable
from contextlib import suppress
from typing import Protocol

from trinco.edge import mmsg
from trinco.edge.mmsg import DATAGRAM, SLOTS
from trinco.edge.ratelimit import network


class Batch(Protocol):
    """The memory of up to SLOTS datagrams of one socket; see `mmsg.Batch`."""

    memory: memoryview
    starts: tuple[int, ...]
    lengths: memoryview
    sizes: memoryview
    sources: memoryview
    mask: int

    def receive(self) -> int:
        """Take the datagrams that wait, without waiting; how many."""

    def send(self, count: int, unanswered: Iterable[int] = ()) -> None:
        """Send the first `count` slots but for the `unanswered` ones (in order). What cannot be sent is lost."""


def batch(sock: socket.socket) -> Batch:
    """The best that this system has."""
    return mmsg.Batch(sock) if mmsg.available() else OneByOne(sock)


class OneByOne:
    """A `Batch` by recvfrom and sendto. Replies from a wildcard address go out from whichever of ours the route has."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._peers: list[tuple[str, int]] = []
        self.memory = memoryview(bytearray(DATAGRAM * SLOTS))
        self.starts = tuple(range(0, DATAGRAM * SLOTS, DATAGRAM))
        self.lengths, self.sizes, self.sources = (memoryview(array("Q", bytes(8 * SLOTS))) for _ in range(3))
        self.mask = 2**64 - 1

    def receive(self) -> int:
        self._peers.clear()
        for slot, start in enumerate(self.starts):
            try:
                self.lengths[slot], peer = self._socket.recvfrom_into(self.memory[start : start + DATAGRAM])
            except OSError:
                return slot
            self._peers.append(peer)
            self.sources[slot] = network(self._socket.family, peer[0])
        return SLOTS

    def send(self, count: int, unanswered: Iterable[int] = ()) -> None:
        silent = frozenset(unanswered)
        for slot, peer in enumerate(self._peers[:count]):
            start = self.starts[slot]
            if slot not in silent:
                with suppress(OSError):
                    self._socket.sendto(self.memory[start : start + self.sizes[slot]], peer)
