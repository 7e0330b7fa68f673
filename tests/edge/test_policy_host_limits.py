"""Deadlines and room: nobody keeps a connection by saying little, and a crowd of such keeps nobody out."""

from __future__ import annotations

import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.edge.policy_rig import (
    LOOPS,
    Rig,
    body_of,
    client_hello,
    content_of,
    drained,
    get,
    hosted,
    publication,
    status_of,
)
from tests.support_tls import Authority

from trinco.edge import guests, https
from trinco.edge.limits import Limits
from trinco.edge.sni import Table

NAME = "um.example"
SPAN = 0.2
SHORT = Limits(handshake=SPAN, header=SPAN, idle=SPAN, closing=SPAN, total=30)
SLACK = 3.0
"""Seconds that a busy machine may add."""


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def table(authority: Authority) -> Table:
    return Table(publication(hosted(authority, NAME), issuers=authority.issuers))


@pytest.fixture(scope="module", params=list(LOOPS))
def rig(authority: Authority, table: Table, request: pytest.FixtureRequest) -> Iterator[Rig]:
    with Rig(table, authority, SHORT, loop_name=request.param).running() as running:
        running.fetch(NAME)
        yield running


def drip(connection: socket.socket, octets: bytes, stop: threading.Event) -> None:
    """One octet now and then, for as long as the other side takes them."""
    for octet in octets * 100:
        if stop.wait(0.05):
            return
        with suppress(OSError):
            connection.send(bytes((octet,)))


def ended_after(connection: socket.socket, dripped: bytes = b"") -> tuple[float, bytes]:
    """How long the host keeps the connection while this drips in, and what it says at last."""
    stop, begun = threading.Event(), time.monotonic()
    thread = threading.Thread(target=drip, args=(connection, dripped, stop))
    thread.start()
    try:
        answer = drained(connection)
        return time.monotonic() - begun, answer
    finally:
        stop.set()
        thread.join()


class TestDeadlines:
    """RELIABILITY row 16: each phase ends in time, whether nothing comes or an octet now and then."""

    @pytest.mark.parametrize("dripped", [b"", client_hello(f"mta-sts.{NAME}")], ids=["silent", "dripping"])
    def test_the_hello(self, rig: Rig, dripped: bytes) -> None:
        with rig.connect() as connection:
            took, answer = ended_after(connection, dripped)
        assert (SPAN / 2 < took < SPAN + SLACK, answer) == (True, b"")

    def test_the_rest_of_the_handshake(self, rig: Rig) -> None:
        with rig.connect() as connection:
            connection.sendall(client_hello(f"mta-sts.{NAME}"))
            took, answer = ended_after(connection)
        assert (SPAN / 2 < took < SPAN + SLACK, answer[:3]) == (True, b"\x16\x03\x03")

    def test_a_request_that_never_begins_is_ended_without_a_word(self, rig: Rig) -> None:
        with rig.secure(NAME) as connection:
            took, answer = ended_after(connection)
        assert (SPAN / 2 < took < SPAN + SLACK, answer) == (True, b"")

    @pytest.mark.parametrize("dripped", [b"", b"X-A: b\r\n"], ids=["silent", "dripping"])
    def test_a_request_that_is_never_whole_is_408(self, rig: Rig, dripped: bytes) -> None:
        with rig.secure(NAME) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\n")
            took, answer = ended_after(connection, dripped)
        assert (SPAN / 2 < took < SPAN + SLACK, status_of(answer)) == (True, 408)

    def test_an_idle_connection_is_ended_without_a_word(self, rig: Rig) -> None:
        with rig.secure(NAME) as connection:
            connection.sendall(get(NAME))
            assert status_of(connection.recv(65536)) == 200
            took, answer = ended_after(connection)
        assert (SPAN / 2 < took < SPAN + SLACK, answer) == (True, b"")

    def test_empty_lines_keep_no_connection(self, rig: Rig) -> None:
        with rig.secure(NAME) as connection:
            connection.sendall(get(NAME))
            assert status_of(connection.recv(65536)) == 200
            took, _ = ended_after(connection, b"\r\n")
        assert SPAN / 2 < took < SPAN + SLACK

    def test_one_who_goes_on_talking_after_a_refusal_is_cut_off(self, rig: Rig) -> None:
        with capture_logs(), rig.connect() as connection:
            connection.sendall(b"not tls")
            stop = threading.Event()
            thread = threading.Thread(target=drip, args=(connection, b"x", stop))
            thread.start()
            begun = time.monotonic()
            assert drained(connection) == bytes.fromhex("1503030002020a")
            while time.monotonic() < begun + SPAN + SLACK:
                try:
                    connection.send(b"x")
                except OSError:
                    break
                time.sleep(0.05)
            stop.set()
            thread.join()
        assert time.monotonic() - begun < SPAN + SLACK

    def test_one_who_goes_on_and_on_is_cut_off_by_volume(self, authority: Authority, table: Table) -> None:
        limits = replace(SHORT, closing=60)
        with capture_logs(), Rig(table, authority, limits).running() as rig, rig.connect() as connection:
            connection.sendall(b"not tls")
            with pytest.raises(ConnectionError):
                connection.sendall(bytes(64 << 20))

    @pytest.mark.parametrize("loop_name", list(LOOPS))
    def test_the_whole_connection(self, authority: Authority, table: Table, loop_name: str) -> None:
        limits = Limits(total=1.0)
        with Rig(table, authority, limits, loop_name=loop_name).running() as rig, rig.secure(NAME) as connection:
            begun = time.monotonic()
            answers = 0
            with suppress(OSError):
                while time.monotonic() < begun + SLACK:
                    connection.sendall(get(NAME))
                    if not connection.recv(65536):
                        break
                    answers += 1
                    time.sleep(0.05)
            took = time.monotonic() - begun
        assert answers > 1
        assert 0.5 < took < SLACK

    def test_one_who_does_not_read_is_cut_off(self, authority: Authority) -> None:
        large = Table(publication(hosted(authority, NAME, policy=b"x" * 200_000), issuers=authority.issuers))
        with Rig(large, authority, SHORT).running() as rig, rig.secure(NAME) as connection:
            connection.sendall(get(NAME) * 100)
            time.sleep(SPAN * 4)
            assert len(drained_or_reset(connection)) < 100 * 200_000


def drained_or_reset(connection: socket.socket) -> bytes:
    pieces = []
    with suppress(ssl.SSLError, ConnectionResetError):
        while piece := connection.recv(65536):
            pieces.append(piece)
    return b"".join(pieces)


class TestRoom:
    """RELIABILITY row 16: a crowd of slow connections, and the policy is served in less than a second."""

    @pytest.mark.parametrize("loop_name", list(LOOPS))
    def test_2000_idle_connections_keep_nobody_out(self, authority: Authority, table: Table, loop_name: str) -> None:
        limits = Limits(connections=500, per_address=300)
        with Rig(table, authority, limits, loop_name=loop_name).running() as rig, ExitStack() as crowd:
            rig.fetch(NAME)
            for number in range(2000):
                slow = crowd.enter_context(socket.socket())
                slow.bind((f"127.0.{number % 7}.1", 0))
                slow.connect(("127.0.0.1", rig.port))
                with suppress(OSError):
                    slow.send(b"\x16\x03\x01\x02\x00"[: number % 6])
                if number % 200 == 199:
                    begun = time.monotonic()
                    assert content_of(rig.fetch(NAME)) == body_of(NAME)
                    assert time.monotonic() - begun < 1

    def test_an_address_gives_up_its_own_oldest_connection(self, authority: Authority, table: Table) -> None:
        with (
            Rig(table, authority, Limits(per_address=2)).running() as rig,
            rig.connect() as first,
            rig.connect() as second,
            rig.connect() as third,
        ):
            assert drained(first) == b""
            for connection in (second, third):
                connection.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    connection.recv(1)

    def test_in_all_the_idle_go_first(self, authority: Authority, table: Table) -> None:
        limits = Limits(connections=2)
        with Rig(table, authority, limits).running() as rig, rig.connect() as waiting, rig.secure(NAME) as idle:
            idle.sendall(get(NAME))
            assert status_of(idle.recv(65536)) == 200
            with rig.connect():
                assert drained_or_reset(idle) == b""
                waiting.settimeout(0.1)
                with pytest.raises(TimeoutError):
                    waiting.recv(1)

    def test_no_more_than_the_process_may_open_files(self, monkeypatch: pytest.MonkeyPatch) -> None:
        allowed = [(1024, 2048)]
        monkeypatch.setattr(resource, "getrlimit", lambda _: allowed[-1])
        monkeypatch.setattr(resource, "setrlimit", lambda _, pair: allowed.append(pair))
        assert https._affordable(500) == 500
        assert https._affordable(1500) == 1500
        assert https._affordable(9000) == 2048 - https.OTHER_FILES
        assert allowed == [(1024, 2048), (1628, 2048), (2048, 2048)]

    def test_a_limit_that_cannot_be_raised_is_kept_to(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def forbidden(_: int, __: tuple[int, int]) -> None:
            raise ValueError

        monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
        monkeypatch.setattr(resource, "setrlimit", forbidden)
        assert https._affordable(4096) == 1024 - https.OTHER_FILES


class TestEnd:
    """A clean stop: who is idle is told so, who is in the middle of something gets a moment."""

    @pytest.mark.parametrize("loop_name", list(LOOPS))
    def test_idle_connections_are_closed_with_close_notify(
        self, authority: Authority, table: Table, loop_name: str
    ) -> None:
        with Rig(table, authority, loop_name=loop_name).running() as rig:
            connection = rig.secure(NAME)
            connection.sendall(get(NAME))
            assert status_of(connection.recv(65536)) == 200
        with connection:
            assert connection.recv(1) == b""

    def test_a_silent_connection_does_not_hold_it_up(
        self, authority: Authority, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guests, "GRACE", 0.3)
        begun = time.monotonic()
        with Rig(table, authority).running() as rig:
            connection = rig.connect()
            time.sleep(0.1)
        with connection:
            assert drained(connection) == b""
        assert time.monotonic() - begun < 0.3 + SLACK

    def test_a_request_that_has_begun_is_still_answered(self, authority: Authority, table: Table) -> None:
        with Rig(table, authority).running() as rig:
            connection = rig.secure(NAME)
            connection.sendall(get(NAME)[:40])
            time.sleep(0.1)
            later = threading.Timer(0.3, lambda: connection.sendall(get(NAME)[40:]))
            later.start()
        later.join()
        with connection:
            assert content_of(drained_or_reset(connection)) == body_of(NAME)
