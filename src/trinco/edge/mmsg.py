"""Many datagrams in one system call: Linux' recvmmsg(2) and sendmmsg(2) through ctypes.

One `Batch` belongs to one UDP socket. A reply is written over its query, in the same memory and to the same address. A
socket bound to the wildcard address also gets back to which of our addresses each query came, and replies from there.
"""

from __future__ import annotations

import ctypes
import functools
import ipaddress
import itertools
import socket
import sys
from collections.abc import Callable, Iterable

DATAGRAM = 1536
"""Octets kept of one datagram; more than any query that we can answer (1232) or reply."""
SLOTS = 64
"""Datagrams per call at most."""

_ADDRESS = 32
"""Octets for one sockaddr (28 of IPv6, rounded up to whole words)."""
_CONTROL = 64
"""Octets for one control message (40 of IPv6's pktinfo, likewise)."""
_HEADER = 64
"""Octets of struct mmsghdr on every 64-bit Linux; `available` makes sure."""
_WORD = 8

_IP_PKTINFO, _IPV6_RECVPKTINFO = 8, 49
_SPACE: dict[int, int] = {socket.AF_INET: 32, socket.AF_INET6: 40}
"""CMSG_SPACE of in_pktinfo and in6_pktinfo."""
_INTERFACE: dict[int, int] = {socket.AF_INET: 16, socket.AF_INET6: 32}
"""Where the interface's number stands in the control message."""
_LENGTH: dict[int, int] = {socket.AF_INET: 16, socket.AF_INET6: 28}
"""Octets of sockaddr_in and sockaddr_in6."""

_LITTLE = sys.byteorder == "little"
_NETWORK: dict[int, tuple[int, int]] = {
    socket.AF_INET: (0, 0x00FF_FFFF_0000_0000 if _LITTLE else 0x0000_0000_FFFF_FF00),
    socket.AF_INET6: (1, 0x00FF_FFFF_FFFF_FFFF if _LITTLE else 0xFFFF_FFFF_FFFF_FF00),
}
"""Which word of a sockaddr, and which of its bits, are the first 24 or 56 bits of the address."""

_MSG_DONTWAIT = 0x40


class _Iovec(ctypes.Structure):
    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Msghdr(ctypes.Structure):
    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("iov", ctypes.c_void_p),
        ("iov_length", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Mmsghdr(ctypes.Structure):
    _fields_ = (("header", _Msghdr), ("length", ctypes.c_uint))


_Call = Callable[..., int]


@functools.cache
def _calls() -> tuple[_Call, _Call] | None:
    """recvmmsg and sendmmsg of the C library, or None where they are not what this module knows."""
    if sys.platform != "linux" or ctypes.sizeof(_Mmsghdr) != _HEADER:
        return None
    library = ctypes.CDLL(None)
    receive, send = getattr(library, "recvmmsg", None), getattr(library, "sendmmsg", None)
    if receive is None or send is None:
        return None
    receive.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p)
    send.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)
    return receive, send


def available() -> bool:
    """Whether this system has both calls."""
    return _calls() is not None


class Batch:
    """The memory of up to SLOTS datagrams.

    After `receive`, slot i of `memory` (from `starts[i]` on) holds a query of `lengths[i]` octets from the network
    `sources[i] & mask`. Write the reply there, its length into `sizes[i]`, and call `send`.
    """

    def __init__(self, sock: socket.socket) -> None:
        calls = _calls()
        if calls is None:
            raise OSError("no recvmmsg and sendmmsg here")
        self._receive, self._send = calls
        self._socket = sock.fileno()
        family = sock.family
        self._data, self._names = (ctypes.c_char * (DATAGRAM * SLOTS))(), (ctypes.c_char * (_ADDRESS * SLOTS))()
        self._incoming, self._in_vectors = (_Mmsghdr * SLOTS)(), (_Iovec * SLOTS)()
        self._outgoing, self._out_vectors = (_Mmsghdr * SLOTS)(), (_Iovec * SLOTS)()
        for headers, vectors in ((self._incoming, self._in_vectors), (self._outgoing, self._out_vectors)):
            self._wire_up(headers, vectors, _LENGTH[family])
        self._in_pointer, self._out_pointer = ctypes.addressof(self._incoming), ctypes.addressof(self._outgoing)
        wild = ipaddress.ip_address(sock.getsockname()[0].partition("%")[0]).is_unspecified
        self._own = _OwnAddresses(sock, family, self._incoming, self._outgoing) if wild else None
        self.memory = memoryview(self._data).cast("B")
        self.starts = tuple(range(0, DATAGRAM * SLOTS, DATAGRAM))
        self.lengths = memoryview(self._incoming).cast("B").cast("I")[14 :: _HEADER // 4]
        self.sizes = memoryview(self._out_vectors).cast("B").cast("Q")[1::2]
        word, self.mask = _NETWORK[family]
        self.sources = memoryview(self._names).cast("B").cast("Q")[word :: _ADDRESS // _WORD]

    def receive(self) -> int:
        """Take the datagrams that wait, without waiting; how many."""
        if self._own:
            self._own.before()
        count = max(0, self._receive(self._socket, self._in_pointer, SLOTS, _MSG_DONTWAIT, None))
        if self._own:
            self._own.after()
        return count

    def send(self, count: int, unanswered: Iterable[int] = ()) -> None:
        """Send the first `count` slots but for the `unanswered` ones (in order). What cannot be sent is lost."""
        first = 0
        for hole in (*unanswered, count):
            self._send_row(first, hole)
            first = hole + 1

    def _send_row(self, first: int, end: int) -> None:
        """A refused datagram (its address is unreachable, or no address at all) stops the row: go on behind it."""
        while first < end:
            pointer = self._out_pointer + first * _HEADER
            first += max(1, self._send(self._socket, pointer, end - first, _MSG_DONTWAIT))

    def _wire_up(self, headers: ctypes.Array[_Mmsghdr], vectors: ctypes.Array[_Iovec], name_length: int) -> None:
        data, names = ctypes.addressof(self._data), ctypes.addressof(self._names)
        for slot in range(SLOTS):
            vectors[slot] = _Iovec(data + slot * DATAGRAM, DATAGRAM)
            vector = ctypes.addressof(vectors) + slot * ctypes.sizeof(_Iovec)
            headers[slot].header = _Msghdr(names + slot * _ADDRESS, name_length, vector, 1, None, 0, 0)


class _OwnAddresses:
    """Control messages (ip(7), ipv6(7)) that say to which of our addresses a query came, and so from where to reply."""

    def __init__(self, sock: socket.socket, family: int, *rows: ctypes.Array[_Mmsghdr]) -> None:
        level = (socket.IPPROTO_IP, _IP_PKTINFO), (socket.IPPROTO_IPV6, _IPV6_RECVPKTINFO)
        sock.setsockopt(*level[family == socket.AF_INET6], 1)
        self._data = (ctypes.c_char * (_CONTROL * SLOTS))()
        for row, slot in itertools.product(rows, range(SLOTS)):
            row[slot].header.control = ctypes.addressof(self._data) + slot * _CONTROL
        self._in_lengths, self._out_lengths = (_words(row)[5 :: _HEADER // _WORD] for row in rows)
        self._full = memoryview((ctypes.c_uint64 * SLOTS)(*[_SPACE[family]] * SLOTS)).cast("B").cast("Q")
        self._interfaces = memoryview(self._data).cast("B").cast("I")[_INTERFACE[family] // 4 :: _CONTROL // 4]
        self._none = memoryview(bytes(4 * SLOTS)).cast("I")

    def before(self) -> None:
        """Offer the whole room again."""
        self._in_lengths[:] = self._full

    def after(self) -> None:
        """Reply with what came, but by the route that the kernel finds: interface 0."""
        self._out_lengths[:] = self._in_lengths
        self._interfaces[:] = self._none


def _words(row: ctypes.Array[_Mmsghdr]) -> memoryview:
    return memoryview(row).cast("B").cast("Q")
