"""Deadlines and room: nobody keeps a connection by saying little, and a crowd of such keeps nobody out."""

from __future__ import annotations

import resource
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.edge.held_clock import FAR, HeldClock
from tests.edge.policy_rig import (
    LOOPS,
    TIMEOUT,
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
from trinco.edge.limits import Limits, Roster
from trinco.edge.sni import Table

NAME = "um.example"
SPAN = 0.25
SHORT = Limits(handshake=SPAN, header=SPAN, idle=SPAN, closing=SPAN, total=FAR)
STEP = SPAN / 8


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def table(authority: Authority) -> Table:
    return Table(publication(hosted(authority, NAME), issuers=authority.issuers))


@pytest.fixture(scope="module")
def held() -> Iterator[HeldClock]:
    """The seconds of `rig`."""
    with HeldClock().instead() as clock:
        yield clock


@pytest.fixture(scope="module", params=list(LOOPS))
def rig(held: HeldClock, authority: Authority, table: Table, request: pytest.FixtureRequest) -> Iterator[Rig]:
    with Rig(table, authority, SHORT, loop_name=request.param).running() as running:
        running.fetch(NAME)
        yield running


class TestDeadlines:
    """RELIABILITY row 16: each phase ends in time, whether nothing comes or an octet now and then."""

    @pytest.mark.parametrize("dripped", [b"", client_hello(f"mta-sts.{NAME}")], ids=["silent", "dripping"])
    def test_the_hello(self, held: HeldClock, rig: Rig, dripped: bytes) -> None:
        with rig.connect() as connection:
            took, answer = held.ended_after(connection, STEP, dripped)
        assert (took >= SPAN, answer) == (True, b"")

    def test_the_rest_of_the_handshake(self, held: HeldClock, rig: Rig) -> None:
        with rig.connect() as connection:
            connection.sendall(client_hello(f"mta-sts.{NAME}"))
            assert connection.recv(3) == b"\x16\x03\x03"
            took, _ = held.ended_after(connection, STEP)
        assert took >= SPAN

    def test_a_request_that_never_begins_is_ended_without_a_word(self, held: HeldClock, rig: Rig) -> None:
        with rig.secure(NAME) as connection:
            took, answer = held.ended_after(connection, STEP)
        assert (took >= SPAN, answer) == (True, b"")

    @pytest.mark.parametrize("dripped", [b"", b"X-A: b\r\n"], ids=["silent", "dripping"])
    def test_a_request_that_is_never_whole_is_408(self, held: HeldClock, rig: Rig, dripped: bytes) -> None:
        with rig.secure(NAME) as connection:
            connection.sendall(get(NAME) + b"GET / HTTP/1.1\r\n")  # the answer says that both have come
            assert status_of(connection.recv(65536)) == 200
            took, answer = held.ended_after(connection, STEP, dripped)
        assert (took >= SPAN, status_of(answer)) == (True, 408)

    def test_an_idle_connection_is_ended_without_a_word(self, held: HeldClock, rig: Rig) -> None:
        with rig.secure(NAME) as connection:
            connection.sendall(get(NAME))
            assert status_of(connection.recv(65536)) == 200
            took, answer = held.ended_after(connection, STEP)
        assert (took >= SPAN, answer) == (True, b"")

    def test_empty_lines_keep_no_connection(self, held: HeldClock, rig: Rig) -> None:
        with rig.secure(NAME) as connection:
            connection.sendall(get(NAME))
            assert status_of(connection.recv(65536)) == 200
            took, _ = held.ended_after(connection, STEP, b"\r\n")
        assert took >= SPAN

    def test_one_who_goes_on_talking_after_a_refusal_is_cut_off(self, held: HeldClock, rig: Rig) -> None:
        with capture_logs(), rig.connect() as connection:
            connection.sendall(b"not tls")
            assert drained(connection) == bytes.fromhex("1503030002020a")

            def cut_off() -> bool:
                try:
                    connection.send(b"x")
                except OSError:
                    return True
                return False

            held.until(cut_off, STEP)

    def test_one_who_goes_on_and_on_is_cut_off_by_volume(self, authority: Authority, table: Table) -> None:
        with (
            HeldClock().instead(),
            capture_logs(),
            Rig(table, authority, SHORT).running() as rig,
            rig.connect() as talk,
        ):
            talk.sendall(b"not tls")
            with pytest.raises(ConnectionError):
                talk.sendall(bytes(64 << 20))

    @pytest.mark.parametrize("loop_name", list(LOOPS))
    def test_the_whole_connection(self, authority: Authority, table: Table, loop_name: str) -> None:
        with (
            HeldClock().instead() as held,
            Rig(table, authority, Limits(total=1.0), loop_name=loop_name).running() as rig,
        ):
            answers: list[bytes] = []

            def ended() -> bool:
                with suppress(OSError):
                    connection.sendall(get(NAME))
                    answers.append(connection.recv(65536))
                    return not answers[-1]
                return True

            with rig.secure(NAME) as connection:
                took = held.until(ended, 0.125)
        assert (took >= 1.0, [status_of(answer) for answer in answers[:8]]) == (True, [200] * 8)

    def test_one_who_does_not_read_is_cut_off(self, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
        large = Table(publication(hosted(authority, NAME, policy=b"x" * 200_000), issuers=authority.issuers))
        rosters: list[Roster[Any]] = []
        monkeypatch.setattr(https, "Roster", lambda *facts: (rosters.append(Roster(*facts)), rosters[0])[1])
        with (
            HeldClock().instead() as held,
            Rig(large, authority, SHORT).running() as rig,
            rig.secure(NAME) as connection,
        ):
            connection.sendall(get(NAME) * 100)
            held.until(lambda: rig.do(len, rosters[0]) == 0, STEP)
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
        with (
            HeldClock().instead(),
            Rig(table, authority, limits, loop_name=loop_name).running() as rig,
            ExitStack() as crowd,
        ):
            rig.fetch(NAME)
            for number in range(2000):
                slow = crowd.enter_context(socket.socket())
                slow.bind((f"127.0.{number % 7}.1", 0))
                slow.connect(("127.0.0.1", rig.port))
                with suppress(OSError):
                    slow.send(b"\x16\x03\x01\x02\x00"[: number % 6])
                if number % 200 == 199:
                    begun = rig.do(time.thread_time)  # what others take of the machine does not count
                    assert content_of(rig.fetch(NAME)) == body_of(NAME)
                    assert rig.do(time.thread_time) - begun < 1

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
        with HeldClock().instead(), Rig(table, authority).running() as rig:
            connection = rig.connect()
            time.sleep(0.1)
        with connection:
            assert drained(connection) == b""

    def test_a_request_that_has_begun_is_still_answered(
        self, authority: Authority, table: Table, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guests, "GRACE", TIMEOUT)
        with HeldClock().instead(), Rig(table, authority).running() as rig:
            connection = rig.secure(NAME)
            connection.sendall(get(NAME) + get(NAME)[:40])
            assert content_of(connection.recv(65536)) == body_of(NAME)
            later = threading.Timer(0.3, lambda: connection.sendall(get(NAME)[40:]))
            later.start()
        later.join()
        with connection:
            assert content_of(drained_or_reset(connection)) == body_of(NAME)
