"""Thousands of hellos and requests that are wrong in every way: no fault escapes, nothing grows, the good are answered."""

from __future__ import annotations

import gc
import random
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict
from tests.edge.policy_rig import LOOPS, PATH, Rig, body_of, client_hello, content_of, get, hosted, publication
from tests.support_tls import Authority

from trinco.edge.limits import Limits
from trinco.edge.sni import Table

NAME = "um.example"
Dice = random.Random
SPLINTERS = [
    b"\x00",
    b"\r",
    b"\n",
    b"\r\n",
    b"\xff" * 3,
    b" ",
    b":",
    b"%00",
    b"\xe2\x80\xa8",
    b"\x16\x03\x01",
    b"A" * 300,
]


@pytest.fixture(scope="module", params=list(LOOPS))
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    authority = Authority()
    table = Table(publication(hosted(authority, NAME), issuers=authority.issuers))
    limits = Limits(handshake=5, header=5, idle=5, closing=0.5, log_lines=1e9)
    with Rig(table, authority, limits, loop_name=request.param).running() as running:
        yield running


def mutated(octets: bytes, dice: Dice) -> bytes:
    """The octets with a few changed, removed, repeated or put in."""
    made = bytearray(octets)
    for _ in range(dice.randint(1, 4)):
        at, length = dice.randrange(len(made) + 1), dice.randint(0, 20)
        change = dice.randrange(5)
        if change == 0 and at < len(made):
            made[at] = dice.randrange(256)
        elif change == 1:
            del made[at : at + length]
        elif change == 2:
            made[at:at] = made[at : at + length]
        elif change == 3:
            made[at:at] = dice.choice(SPLINTERS)
        else:
            del made[at:]
    return bytes(made)


def hellos(dice: Dice) -> Callable[[], bytes]:
    kinds = [client_hello(f"mta-sts.{NAME}"), client_hello("nobody.example"), client_hello(None)]
    return lambda: dice.randbytes(dice.randint(1, 400)) if dice.random() < 0.1 else mutated(dice.choice(kinds), dice)


def requests(dice: Dice) -> Callable[[], bytes]:
    kinds = [
        get(NAME),
        get(NAME, "Connection: close"),
        get(NAME, "Content-Length: 5", method="POST") + b"hello",
        get(NAME, "Transfer-Encoding: chunked", method="POST") + b"5\r\nhello\r\n0\r\n\r\n",
        get(NAME, path=f"https://mta-sts.{NAME}{PATH}"),
        get(NAME, *[f"X-{number}: {number}" for number in range(50)]),
        get(NAME) * 3,
    ]
    return lambda: mutated(dice.choice(kinds), dice)


def throw_hello(rig: Rig, octets: bytes) -> None:
    with suppress(OSError), rig.connect() as connection:
        connection.settimeout(60)
        connection.sendall(octets)
        connection.shutdown(socket.SHUT_WR)
        while connection.recv(65536):
            pass


def throw_request(rig: Rig, octets: bytes, context: ssl.SSLContext) -> None:
    with suppress(OSError), rig.secure(NAME, context) as connection:
        connection.settimeout(60)
        connection.sendall(octets + b"\r\n\r\n" + get(NAME, "Connection: close"))
        while connection.recv(65536):
            pass


def resident() -> int:
    """Octets of memory that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


def storm(rig: Rig, count: int, seed: int) -> list[EventDict]:
    """So many bad hellos and as many bad requests; gives what was logged. The policy is served in between and after."""
    dice = Dice(seed)
    hello, request, context = hellos(dice), requests(dice), rig.authority.client()
    with capture_logs() as lines:
        for number in range(count):
            throw_hello(rig, hello())
            throw_request(rig, request(), context)
            if number % 100 == 0:
                assert content_of(rig.fetch(NAME, context)) == body_of(NAME)
    assert content_of(rig.fetch(NAME, context)) == body_of(NAME)
    return lines


def check(rig: Rig, lines: list[EventDict], count: int) -> None:
    known = {"hello_refused", "tls_failed", "request_refused"}
    assert {line["event"] for line in lines} <= known, "a fault of ours"
    assert len(lines) <= 2 * count, "one line for each at most"
    assert rig.faults == []


class TestStorm:
    """RELIABILITY rows 12, 16 and 17: bad input gets the error of its protocol, one line at most, and nothing changes."""

    def test_a_few_hundred(self, rig: Rig) -> None:
        count = 120
        check(rig, storm(rig, count, seed=1), count)

    @pytest.mark.slow
    @pytest.mark.timeout(900)
    def test_ten_thousand_leave_no_grown_memory(self, rig: Rig) -> None:
        storm(rig, 500, seed=2)
        gc.collect()
        before = resident()
        for seed in range(3, 13):
            check(rig, storm(rig, 1000, seed), 1000)
        gc.collect()
        grown = resident() - before
        print(f"10,000 bad hellos and 10,000 bad requests: {grown / 1024:.0f} KiB more resident memory")
        assert grown < 4 << 20
