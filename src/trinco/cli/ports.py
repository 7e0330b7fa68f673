"""Which ports `trinco serve` takes: the usual ones, those from a number on, or free ones where these are taken."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Iterable
from dataclasses import dataclass

from trinco.playground.cast import Behaviour

UDP, TCP = socket.SOCK_DGRAM, socket.SOCK_STREAM
LOOPBACK, OTHER, LOOPBACK6 = "127.0.0.1", "127.0.0.2", "::1"
"""`OTHER`: where Trinco's name server stands in the made-up internet, at the customers' port on its own address."""

Need = tuple[str, int, socket.SocketKind]
"""An address, the distance from the door's own port, TCP or UDP."""
_LOWEST, _HIGHEST = 12_000, 32_000


@dataclass(frozen=True, slots=True)
class Door:
    """One listener: its usual port, its place behind PORT_BASE, and all that must be free for it."""

    name: str
    usual: int
    place: int
    needs: tuple[Need, ...]


DOORS = (
    Door("panel", 8080, 0, ((LOOPBACK, 0, TCP), (LOOPBACK6, 0, TCP))),
    Door("policy", 8443, 1, ((LOOPBACK, 0, TCP), (LOOPBACK6, 0, TCP))),
    Door("dns", 8053, 2, ((LOOPBACK, 0, TCP), (LOOPBACK, 0, UDP))),
    Door(
        "zones",
        8054,
        3,
        ((LOOPBACK, 0, TCP), (LOOPBACK, 0, UDP), (LOOPBACK, 1, TCP), (OTHER, 0, TCP), (OTHER, 0, UDP)),
    ),
    Door(
        "smtp",
        8025,
        5,
        ((LOOPBACK, 0, TCP), (LOOPBACK6, 0, TCP), *((behaviour.value, 0, TCP) for behaviour in Behaviour)),
    ),
)
"""The zones' door has its control interface at the next port, hence the gap. At the port of SMTP are the report mailbox
and, on addresses of their own, the made-up mail servers: mail has one port for all."""


def choose(base: int | None) -> dict[str, int]:
    """A free port for each door, by its name: the usual one if possible (with `base`: counted from there)."""
    chosen: dict[str, int] = {}
    for door in DOORS:
        wanted = door.usual if base is None else base + door.place
        chosen[door.name] = wanted if _all_free(door.needs, wanted) else free(door.needs)
    return chosen


def free(needs: Iterable[Need]) -> int:
    """A port at which all of this can be bound. Raises OSError when there is none after many tries.

    It is below those that the system hands out by itself (32768 and more on Linux): until somebody listens there, and
    while a program that listens is started again, no connection of others gets it by chance.
    """
    wanted = tuple(needs)
    for _ in range(50):
        port = _LOWEST + secrets.randbelow(_HIGHEST - _LOWEST)
        if _all_free(wanted, port):
            return port
    raise OSError("no free ports on loopback")


def _all_free(needs: Iterable[Need], port: int) -> bool:
    return all(_is_free(host, port + offset, kind) for host, offset, kind in needs)


def _is_free(host: str, port: int, kind: socket.SocketKind) -> bool:
    """Whether nobody listens there. An address that this machine does not have at all is no obstacle."""
    if port > 65_535:
        return False
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, kind) as probe:
            if kind is TCP:
                probe.setsockopt(
                    socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
                )  # a connection that has ended is no listener
            probe.bind((host, port))
    except OSError:
        return not exists(host)
    return True


def exists(host: str) -> bool:
    """Whether this machine has the address."""
    try:
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, UDP) as probe:
            probe.bind((host, 0))
    except OSError:
        return False
    return True
