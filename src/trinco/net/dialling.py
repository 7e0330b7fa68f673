"""Connections of libraries that dial by themselves, held against `net.guard` at the moment at which they connect.

The interpreter tells its audit hooks of every connection before it is made (PEP 578), in the thread that makes it, with
the address that was resolved. Inside `guarded` that one is checked, and a socket without a time-out gets one, since
some libraries wait for ever. What a proxy of the environment does beyond its own address is not seen.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from trinco.core.errors import Refused
from trinco.net.guard import Guard


class _Thread(threading.local):
    guard: Guard | None = None
    seconds: float = 0.0


_thread = _Thread()


@contextmanager
def guarded(guard: Guard, seconds: float) -> Iterator[None]:
    """What this thread dials in the meantime must be permitted, else Refused is raised where it dials; a socket waits
    for `seconds` at most, each time."""
    _install()
    _thread.guard, _thread.seconds = guard, seconds
    try:
        yield
    finally:
        _thread.guard = None


@cache
def _install() -> None:
    """Once in a process: a hook cannot be taken back."""
    sys.addaudithook(_hook)


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    guard = _thread.guard
    if event != "socket.connect" or guard is None:
        return
    connection, address = arguments
    try:
        guard.check(address[0] if isinstance(address, tuple) else "")
    except Refused:
        connection.close()  # libraries close one that failed, and know no other failure than an OSError
        raise
    if connection.gettimeout() is None:
        connection.settimeout(_thread.seconds)
