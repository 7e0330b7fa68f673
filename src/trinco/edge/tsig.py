"""Signatures on messages with a secret that we share with our secondaries (RFC 8945): checking theirs, making ours.

The arithmetic is dnspython's. Here is what a server makes of it: which error a wrong signature gets, and a row of
signatures over a transfer, each of which covers the one before.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.tsig
from dns.rdtypes.ANY.TSIG import TSIG

from trinco.config import TsigKey
from trinco.edge import wire

FUDGE: Final = 300
"""Seconds that the two clocks may differ (RFC 8945 section 10)."""
_BADSIG, _BADKEY, _BADTIME = int(dns.rcode.BADSIG), int(dns.rcode.BADKEY), int(dns.rcode.BADTIME)
_NOT_SIGNED = (_BADSIG, _BADKEY)
_FIXED = struct.Struct("!HHIH")
_sign: Callable[..., tuple[TSIG, Any]] = dns.tsig.sign  # without types there
_validate: Callable[..., Any] = dns.tsig.validate
_make: Callable[..., TSIG] = TSIG


@dataclass(frozen=True, slots=True)
class Checked:
    """A signed query, read, and what its signature is worth."""

    message: dns.message.Message
    owner: dns.name.Name
    """The key that it names."""
    signature: TSIG
    error: int
    """0: it is theirs and was made just now; else the error of RFC 8945 section 3."""


class Keys:
    """The key that we share with our secondaries. `clock` gives Unix seconds."""

    def __init__(self, key: TsigKey, clock: Callable[[], float] = time.time) -> None:
        self.key: Final = dns.tsig.Key(key.name, key.secret, key.algorithm)
        self._clock = clock
        self.octets: Final = len(self._record(self.key.name, self._blank(0, 0)))
        """What a signature adds to a reply."""

    def check(self, query: bytes, start: int) -> Checked:
        """What the signature at offset `start` of a query is worth. Raises MessageSyntaxError when it is none."""
        try:
            message = dns.message.from_wire(query, keyring=False)
        except (dns.exception.DNSException, ValueError) as error:
            raise wire.MessageSyntaxError("a signature that cannot be read") from error
        if message.tsig is None:
            raise wire.MessageSyntaxError("a signature that is not the last record")
        owner, signature = message.tsig.name, _first(message.tsig)
        return Checked(message, owner, signature, self._error(query, start, owner, signature))

    def _error(self, query: bytes, start: int, owner: dns.name.Name, signature: TSIG) -> int:
        if owner != self.key.name or signature.algorithm != self.key.algorithm:
            return _BADKEY
        try:
            _validate(query, self.key, owner, signature, int(self._clock()), b"", start)
        except dns.tsig.BadTime:
            return _BADTIME
        except dns.exception.DNSException:
            return _BADSIG
        return 0

    def sign(self, reply: bytes, to: Checked) -> bytes:
        """The reply with our signature, which covers that of the query."""
        return next(self.signed(iter((reply,)), to))

    def signed(self, replies: Iterator[bytes], to: Checked) -> Iterator[bytes]:
        """Several replies to one query, all of them signed (RFC 8945 section 5.3.1)."""
        context: Any = None
        blank = self._blank(to.message.id, to.error)
        for reply in replies:
            now, mac = int(self._clock()), to.signature.mac
            signature, context = _sign(reply, self.key, blank, now, mac, context, multi=True)
            yield _with(reply, self._record(self.key.name, signature))

    def refusal(self, reply: bytes, to: Checked) -> bytes:
        """The reply to a query whose signature is wrong; signed where only the time is (RFC 8945 section 5.2)."""
        theirs = to.signature
        if to.error in _NOT_SIGNED:
            now = int(self._clock())
            empty = _make(255, 250, theirs.algorithm, now, FUDGE, b"", to.message.id, to.error, b"")
            return _with(reply, self._record(to.owner, empty))
        told = self._blank(to.message.id, to.error).replace(other=int(self._clock()).to_bytes(6, "big"))
        signature, _ = _sign(reply, self.key, told, theirs.time_signed, theirs.mac)
        return _with(reply, self._record(self.key.name, signature))

    def _blank(self, original_id: int, error: int) -> TSIG:
        size = dns.tsig.mac_sizes[self.key.algorithm]
        return _make(255, 250, self.key.algorithm, 0, FUDGE, bytes(size), original_id, error, b"")

    def _record(self, owner: dns.name.Name, signature: TSIG) -> bytes:
        data = signature.to_wire()
        name = owner.to_wire()
        assert data is not None
        assert name is not None
        return name + _FIXED.pack(dns.rdatatype.TSIG, dns.rdataclass.ANY, 0, len(data)) + data


def _first(rrset: Any) -> TSIG:
    signature: TSIG = rrset[0]
    return signature


def _with(reply: bytes, record: bytes) -> bytes:
    """The reply with one more record at its end."""
    (count,) = struct.unpack_from("!H", reply, 10)
    return b"%b%b%b%b" % (reply[:10], struct.pack("!H", count + 1), reply[12:], record)
