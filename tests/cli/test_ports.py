"""Which ports `trinco serve` takes."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from trinco.cli import ports
from trinco.cli.ports import DOORS, LOOPBACK, TCP, UDP


@pytest.fixture
def base() -> int:
    """A number behind which the ports of all doors are free at the moment."""
    for candidate in range(20_000, 60_000, 50):
        if ports.choose(candidate) == {door.name: candidate + door.place for door in DOORS}:
            return candidate
    raise AssertionError("no fifty free ports in a row")


@pytest.fixture
def taken(base: int) -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def take(stack: ExitStack, port: int, kind: socket.SocketKind, host: str = LOOPBACK) -> None:
    probe = stack.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind))
    probe.bind((host, port))
    if kind is TCP:
        probe.listen()


class TestChoice:
    def test_a_base_gives_ports_in_a_row(self, base: int) -> None:
        assert ports.choose(base) == {
            "panel": base,
            "policy": base + 1,
            "dns": base + 2,
            "zones": base + 3,
            "smtp": base + 5,
        }

    @pytest.mark.parametrize(
        ("offset", "kind", "host", "moved"),
        [
            (0, TCP, LOOPBACK, "panel"),
            (0, TCP, "::1", "panel"),
            (2, UDP, LOOPBACK, "dns"),
            (2, TCP, LOOPBACK, "dns"),
            (4, TCP, LOOPBACK, "zones"),
            (3, UDP, "127.0.0.2", "zones"),
            (5, TCP, "127.0.1.13", "smtp"),
        ],
    )
    def test_a_door_whose_port_is_taken_moves_alone(
        self, base: int, taken: ExitStack, offset: int, kind: socket.SocketKind, host: str, moved: str
    ) -> None:
        usual = ports.choose(base)
        take(taken, base + offset, kind, host)
        chosen = ports.choose(base)
        assert {name for name, port in chosen.items() if port != usual[name]} == {moved}

    def test_ports_beyond_the_last_one_are_not_taken(self) -> None:
        assert max(ports.choose(65_533).values()) <= 65_535

    def test_all_ports_differ(self) -> None:
        chosen = ports.choose(None)
        assert len({*chosen.values(), chosen["zones"] + 1}) == len(chosen) + 1
