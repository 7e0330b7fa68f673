"""Response-rate limiting: nobody is to be flooded with our replies to questions that others asked in their name.

A reply by UDP goes to an address that nothing vouches for. Replies are counted per second, per network (/24 of IPv4,
/56 of IPv6: what one spoofing victim has) and per kind of reply, so that a flood of made-up names leaves the answers
to real ones alone. Above the limit replies are dropped, but every `slip`-th is sent empty and truncated instead: a
real client behind the same network then asks by TCP, where addresses are proved.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from trinco.edge import wire

NODATA = 16
"""A kind beyond the RCODEs: NOERROR without an answer."""

MAX_NETWORKS = 100_000
"""Networks counted per kind in one second; with more, the counting starts anew (about 10 MiB)."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Replies per second to one network, by kind, and which of those above are sent truncated (0: none)."""

    answers: int = 2000
    nodata: int = 1000
    nxdomain: int = 200
    errors: int = 100
    slip: int = 2


class Verdict(Enum):
    """What becomes of a reply."""

    SEND = auto()
    TRUNCATE = auto()
    DROP = auto()


class RateLimiter:
    """Counts replies. `clock` gives seconds that only go forward."""

    __slots__ = ("_clock", "_kinds", "_slip", "_until")

    def __init__(self, rates: Rates, clock: Callable[[], float] = time.monotonic) -> None:
        errors: tuple[dict[int, int], int] = ({}, rates.errors)
        self._kinds = [errors] * (NODATA + 1)
        self._kinds[wire.NOERROR] = ({}, rates.answers)
        self._kinds[wire.NXDOMAIN] = ({}, rates.nxdomain)
        self._kinds[NODATA] = ({}, rates.nodata)
        self._slip, self._clock, self._until = rates.slip, clock, clock() + 1

    def tick(self) -> None:
        """Begin a new second when the last one is over. To be called before a row of `check`s."""
        if (now := self._clock()) < self._until:
            return
        self._until = now + 1
        for counts, _ in self._kinds:
            counts.clear()

    def check(self, network: int, reply: bytes) -> Verdict:
        """Count `reply`, which holds at least a header, to `network` (any number that stands for it)."""
        kind = reply[3] & 0xF or (0 if reply[7] else NODATA)
        counts, allowed = self._kinds[kind]
        count = counts.get(network, 0) + 1
        if count == 1 and len(counts) >= MAX_NETWORKS:
            counts.clear()
        counts[network] = count
        if count <= allowed:
            return Verdict.SEND
        slips = self._slip and kind in _SLIPPING and (count - allowed) % self._slip == 0
        return Verdict.TRUNCATE if slips else Verdict.DROP


_SLIPPING = frozenset({wire.NOERROR, wire.NXDOMAIN, NODATA})
"""Kinds that TCP would answer with something better than an error."""


def network(family: int, host: str) -> int:
    """The number that stands for the network of an address as the socket module writes it."""
    if family == socket.AF_INET6:
        return int.from_bytes(socket.inet_pton(family, host.partition("%")[0])[:7], "big")
    return int.from_bytes(socket.inet_pton(socket.AF_INET, host)[:3], "big")
