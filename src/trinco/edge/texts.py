"""The two TXT records of a hosted label, from the hosted domain to the answer section at once.

They are never stored: 100,000 of them would be the largest thing in the server, and making one costs less than a
look-up in main memory.
"""

from __future__ import annotations

import struct
from collections.abc import Callable

from trinco.core.hosting import HostedDomain
from trinco.edge import wire
from trinco.edge.rdata import Txt
from trinco.edge.zone import sts_text

Render = Callable[[HostedDomain], bytes | None]
"""From a hosted domain to a record owned by the name in the question, or None: there is none."""

MAX_ID = 32
"""Octets of a policy id (RFC 8461 section 3.1)."""

_ONE_STRING = 255
"""Octets of one character-string (RFC 1035 section 3.3)."""


def sts(ttl: int) -> Render:
    """`_mta-sts`: RFC 8461 section 3.1. What stands before the id depends on the length of the id alone."""
    before, after = sts_text("X").encode("ascii").split(b"X")
    around = len(before) + len(after)
    fronts = [_front(around + length + 1, ttl) + bytes((around + length,)) + before for length in range(MAX_ID + 1)]

    def render(hosted: HostedDomain) -> bytes | None:
        policy_id = hosted.policy_id
        return fronts[len(policy_id)] + policy_id.encode() + after if policy_id else None

    return render


def tlsrpt(ttl: int) -> Render:
    """`_smtp._tls`: RFC 8460 section 3."""

    def render(hosted: HostedDomain) -> bytes | None:
        text = hosted.tlsrpt
        if not text:
            return None
        if len(text) <= _ONE_STRING:
            return b"%b%c%b" % (_front(len(text) + 1, ttl), len(text), text.encode())
        (data,) = Txt(text).parts("")
        return _front(len(data), ttl) + data

    return render


def _front(length: int, ttl: int) -> bytes:
    """A TXT record with RDATA of `length` octets, up to that data."""
    return wire.QUESTION_POINTER + struct.pack("!HHIH", wire.TXT, wire.IN, ttl, length)
