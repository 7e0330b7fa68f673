"""Seconds for a listener's deadlines that pass when a test says so: a machine that stands still lets none of them end."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, repeat
from unittest.mock import patch

from tests.edge.policy_rig import TIMEOUT

from trinco.edge import dnstcp, https, maild, plainhttp, sni

FAR = 1e9
"""A deadline that no test comes to."""


@dataclass
class HeldClock:
    """What listeners that begin within `instead` read their deadlines from."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    @contextmanager
    def instead(self) -> Iterator[HeldClock]:
        with ExitStack() as stack:
            for module in (dnstcp, https, maild, plainhttp, sni):
                stack.enter_context(patch.object(module, "clock", lambda: self))
            yield self

    def until(self, holds: Callable[[], bool], step: float) -> float:
        """Let `step` seconds pass again and again until it holds; how many they were."""
        begun = self.now
        ends = time.monotonic() + TIMEOUT
        while not holds():
            assert time.monotonic() < ends
            self.now += step
            time.sleep(0.01)
        return self.now - begun

    def ended_after(self, connection: socket.socket, step: float, dripped: bytes = b"") -> tuple[float, bytes]:
        """How many seconds the other side keeps the connection while an octet of this drips in with each step, and
        what it says at last."""
        heard: list[bytes] = []
        reader = threading.Thread(target=_hear, args=(connection, heard))
        reader.start()
        octets = chain.from_iterable(repeat(dripped))

        def ended() -> bool:
            if dripped and not heard:
                with suppress(OSError):
                    connection.send(bytes((next(octets),)))
            return not reader.is_alive()

        took = self.until(ended, step)
        return took, b"".join(heard)


def _hear(connection: socket.socket, heard: list[bytes]) -> None:
    with suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            heard.append(piece)


def until(holds: Callable[[], bool]) -> None:
    """Wait until it holds."""
    ends = time.monotonic() + TIMEOUT
    while not holds():
        assert time.monotonic() < ends
        time.sleep(0.01)
