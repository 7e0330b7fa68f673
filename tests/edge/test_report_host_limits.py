"""Deadlines and room for content: who sends slowly or too much keeps nobody out, and what was accepted stays accepted."""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace

import pytest
from structlog.testing import capture_logs
from tests.edge.held_clock import FAR, HeldClock, until
from tests.edge.policy_rig import LOOPS, body_of, content_of, drained, fields_of, status_of
from tests.edge.report_rig import (
    HOST,
    JSON,
    NAME,
    REPORT,
    ReportRig,
    chunked,
    head,
    post,
    post_chunked,
    running,
)
from tests.support_tls import Authority

from trinco.edge import guests
from trinco.edge.limits import Limits

SPAN = 0.25
STEP = SPAN / 8
SHORT = Limits(content=SPAN, content_rate=1000, answer=SPAN, closing=SPAN, header=FAR, idle=FAR, total=FAR)
MIB = 1024 * 1024
CLOSE = "Connection: close"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def held() -> Iterator[HeldClock]:
    """The seconds of `rig`."""
    with HeldClock().instead() as clock:
        yield clock


@pytest.fixture(scope="module", params=list(LOOPS))
def running_rig(held: HeldClock, authority: Authority, request: pytest.FixtureRequest) -> Iterator[ReportRig]:
    with running(authority, SHORT, loop_name=request.param) as rig:
        rig.post(head(CLOSE))
        yield rig


@pytest.fixture
def rig(running_rig: ReportRig) -> Iterator[ReportRig]:
    running_rig.desk.arrivals.clear()
    yield running_rig
    running_rig.desk.gate = None
    assert running_rig.faults == []


def sized(length: int, *fields: str) -> bytes:
    return head(f"Content-Type: {JSON}", f"Content-Length: {length}", *fields)


def until_held(rig: ReportRig, octets: int) -> None:
    """Wait until so much content has come to the listener."""
    until(lambda: rig.do(rig.held) == octets)


class TestContentDeadlines:
    """RELIABILITY row 16: a body has a least rate and an end, whether nothing comes or an octet now and then."""

    @pytest.mark.parametrize("begun", [b"", b"{", b"{" * 200])
    def test_content_that_stops_is_408(self, held: HeldClock, rig: ReportRig, begun: bytes) -> None:
        with rig.secure_for(HOST) as connection:
            connection.sendall(sized(5000) + begun)
            until_held(rig, len(begun))
            took, answer = held.ended_after(connection, STEP)
        assert (took >= SPAN, status_of(answer)) == (True, 408)

    @pytest.mark.parametrize("shape", ["sized", "chunked"])
    def test_content_that_drips_is_408(self, held: HeldClock, rig: ReportRig, shape: str) -> None:
        beginning = sized(5000) if shape == "sized" else post_chunked(b"")
        with rig.secure_for(HOST) as connection:
            connection.sendall(beginning)
            took, answer = held.ended_after(connection, STEP, b"x" if shape == "sized" else b"1\r\nx\r\n")
        assert (took >= SPAN, status_of(answer)) == (True, 408)

    def test_lines_between_chunks_are_no_content(self, held: HeldClock, rig: ReportRig) -> None:
        with rig.secure_for(HOST) as connection:
            connection.sendall(post_chunked(b"0\r\n"))
            took, answer = held.ended_after(connection, STEP, b"A: b\r\n")
        assert (took >= SPAN, status_of(answer)) == (True, 408)

    def test_content_that_gets_on_may_take_longer(self, held: HeldClock, rig: ReportRig) -> None:
        with rig.secure_for(HOST) as connection:
            connection.sendall(sized(3000, CLOSE) + b"{")
            for sent in range(1, 2750, 250):
                until_held(rig, sent)
                held.now += SPAN / 5
                time.sleep(0.04)
                connection.sendall(b" " * 250)
            connection.sendall(b" " * 249)
            assert status_of(drained(connection)) == 201

    def test_not_for_ever(self, authority: Authority) -> None:
        limits = replace(SHORT, content_total=1.0)
        with HeldClock().instead() as held, running(authority, limits) as rig, rig.secure_for(HOST) as connection:
            connection.sendall(sized(10 * MIB))
            pieces = iter(range(0, 10 * MIB, 200))

            def ended() -> bool:
                """Each piece in its time: a listener that is late would miss them."""
                sent = next(pieces)
                until(lambda: rig.do(rig.held) in {sent, 0})
                if sent and not rig.do(rig.held):
                    return True
                with suppress(OSError):
                    connection.sendall(b" " * 200)
                return False

            took, answer = held.until(ended, STEP), drained(connection)
        assert (took >= 1.0, status_of(answer)) == (True, 408)

    def test_the_deadline_of_the_connection_does_not_end_content_that_gets_on(self, authority: Authority) -> None:
        limits = Limits(content=0.4, content_rate=500, content_total=5, total=0.5)
        with HeldClock().instead() as held, running(authority, limits) as rig, rig.secure_for(HOST) as connection:
            connection.sendall(sized(3000, CLOSE) + b"{")
            for sent in range(1, 1 + 12 * 240, 240):
                until_held(rig, sent)
                held.now += 0.1
                time.sleep(0.1)
                connection.sendall(b" " * 240)
            connection.sendall(b" " * (2999 - 12 * 240))
            assert status_of(drained(connection)) == 201


class TestAnswers:
    """DESIGN 3: accepted is durable. 201 comes after the desk, whatever becomes of the connection meanwhile."""

    def hold(self, rig: ReportRig) -> Callable[[], None]:
        """Keep the desk from deciding. Gives what lets it."""
        event = rig.do(asyncio.Event)
        rig.desk.gate = event.wait
        return lambda: rig.do(event.set)

    def test_nothing_is_said_before_the_desk_has_it(self, rig: ReportRig) -> None:
        release = self.hold(rig)
        with rig.secure_for(HOST) as connection:
            connection.sendall(post(REPORT, CLOSE))
            until(lambda: rig.desk.waiting == 1)
            connection.settimeout(0.1)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            connection.settimeout(60)
            release()
            assert status_of(drained(connection)) == 201

    def test_the_next_request_waits_for_its_turn(self, rig: ReportRig) -> None:
        release = self.hold(rig)
        with rig.secure_for(HOST) as connection:
            connection.sendall(post(REPORT) + head(CLOSE, path="/") + b"x" * 100)
            until(lambda: rig.desk.waiting == 1)
            connection.sendall(b"y" * 100)
            release()
            answer = drained(connection)
        assert [line[9:12] for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")] == [b"201", b"404"]

    def test_octets_that_are_not_read_do_not_cost_the_answer(self, rig: ReportRig) -> None:
        """A close with unread octets is a reset, which takes what was said before from the peer."""
        release = self.hold(rig)
        with rig.secure_for(HOST) as connection:
            connection.sendall(post(REPORT, CLOSE))
            until(lambda: rig.desk.waiting == 1)
            connection.sendall(b"y" * 50_000)
            time.sleep(0.05)
            release()
            time.sleep(0.05)
            assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
            assert status_of(drained(connection)) == 201

    def test_a_desk_that_takes_too_long_is_503_and_keeps_what_it_has(self, held: HeldClock, rig: ReportRig) -> None:
        release = self.hold(rig)
        with rig.secure_for(HOST) as connection:
            connection.sendall(post(REPORT))
            until(lambda: rig.desk.waiting == 1)
            took, answer = held.ended_after(connection, STEP)
        assert (took >= SPAN, status_of(answer)) == (True, 503)
        assert (fields_of(answer)["Retry-After"], fields_of(answer)["Connection"]) == ("300", "close")
        assert rig.desk.waiting == 1
        release()
        until(lambda: len(rig.desk.arrivals) == 1)

    @pytest.mark.parametrize("reset", [False, True])
    def test_hanging_up_cancels_nothing_that_was_handed_in(self, rig: ReportRig, reset: bool) -> None:
        release = self.hold(rig)
        connection = rig.secure_for(HOST)
        connection.sendall(post(REPORT))
        until(lambda: rig.desk.waiting == 1)
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        connection.close()
        time.sleep(0.05)
        release()
        until(lambda: len(rig.desk.arrivals) == 1)

    @pytest.mark.parametrize("cut", [1, 20, len(REPORT) - 1])
    def test_hanging_up_before_that_hands_in_nothing(self, rig: ReportRig, cut: int) -> None:
        whole = post(REPORT)
        for octets in (whole[:-cut], post_chunked(chunked(REPORT))[:-cut]):
            with rig.secure_for(HOST) as connection:
                connection.sendall(octets)
            until(lambda: rig.do(rig.held) == 0)
        assert (rig.desk.arrivals, rig.desk.waiting) == ([], 0)

    def test_who_says_that_nothing_more_comes_is_not_waited_for(self, authority: Authority) -> None:
        with HeldClock().instead(), running(authority) as rig, rig.secure_for(HOST) as connection:
            connection.sendall(post(REPORT)[:-1])
            connection.unwrap().close()  # comes back when the host says so too, and no deadline of the host's passes
        assert rig.desk.arrivals == []

    @pytest.mark.parametrize("loop_name", list(LOOPS))
    def test_what_was_handed_in_is_finished_when_the_listener_ends(self, authority: Authority, loop_name: str) -> None:
        with running(authority, loop_name=loop_name) as rig:

            async def a_while() -> None:
                await asyncio.sleep(0.3)

            rig.desk.gate = a_while
            connection = rig.secure_for(HOST)
            connection.sendall(post(REPORT))
            until(lambda: rig.desk.waiting == 1)
        with connection:
            assert status_of(drained(connection)) == 201
        assert len(rig.desk.arrivals) == 1

    def test_a_desk_that_never_decides_does_not_keep_the_listener(
        self, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(guests, "GRACE", 0.3)
        with running(authority) as rig:

            async def for_ever() -> None:
                await asyncio.Event().wait()

            rig.desk.gate = for_ever
            with rig.secure_for(HOST) as connection:
                connection.sendall(post(REPORT))
                until(lambda: rig.desk.waiting == 1)
        assert (rig.desk.waiting, rig.desk.arrivals, rig.faults) == (0, [], [])


class TestRoom:
    """4,096 connections with 10 MiB each would be 40 GiB: all together have a bound, and the largest gives way."""

    def test_the_largest_gives_way_to_a_small_one(self, authority: Authority) -> None:
        with running(authority, Limits(contents=100_000)) as rig, ExitStack() as crowd:
            large, smaller = (crowd.enter_context(rig.secure_for(HOST)) for _ in range(2))
            large.sendall(sized(MIB) + b" " * 60_000)
            until(lambda: rig.do(rig.held) == 60_000)
            smaller.sendall(sized(MIB) + b" " * 39_900)
            until(lambda: rig.do(rig.held) == 99_900)
            assert status_of(rig.post(post(REPORT + b" " * 200, CLOSE))) == 201
            answer = drained(large)
            assert (status_of(answer), fields_of(answer)["Retry-After"]) == (503, "300")
            assert rig.do(rig.held) == 39_900
        assert rig.faults == []

    def test_the_largest_itself_is_503(self, authority: Authority) -> None:
        with running(authority, Limits(contents=100_000)) as rig:
            assert status_of(rig.post(sized(MIB) + b" " * 120_000)) == 503
            assert status_of(rig.post(post(REPORT, CLOSE))) == 201
            until(lambda: rig.do(rig.held) == 0)

    def test_what_is_being_answered_keeps_its_place(self, authority: Authority) -> None:
        with running(authority, Limits(contents=100_000)) as rig:
            event = rig.do(asyncio.Event)
            rig.desk.gate = event.wait
            with rig.secure_for(HOST) as first:
                first.sendall(post(b"{" + b" " * 99_000, CLOSE))
                until(lambda: rig.desk.waiting == 1)
                first.close()
                assert status_of(rig.post(post(b"{" + b" " * 2000))) == 503
                rig.do(event.set)
                until(lambda: rig.do(rig.held) == 0)
                assert status_of(rig.post(post(b"{" + b" " * 2000, CLOSE))) == 201
        assert [len(got.body) for got in rig.desk.arrivals] == [99_001, 2001]

    @pytest.mark.parametrize("loop_name", ["asyncio", pytest.param("uvloop", marks=pytest.mark.slow)])
    def test_2000_half_sent_bodies_keep_nobody_out(self, authority: Authority, loop_name: str) -> None:
        """RELIABILITY row 16: 2,000 slow connections, and the policy comes in less than a second."""
        count = 2000
        with HeldClock().instead(), running(authority, loop_name=loop_name) as rig, ExitStack() as crowd:
            client = rig.authority.client()
            for number in range(count):
                raw = crowd.enter_context(socket.socket())
                raw.bind((f"127.0.{number % 11}.1", 0))
                raw.connect(("127.0.0.1", rig.port))
                slow = crowd.enter_context(client.wrap_socket(raw, server_hostname=HOST))
                slow.sendall(sized(10 * MIB) + b"{" * 1000)
            until(lambda: rig.do(rig.held) == count * 1000)
            begun = rig.do(time.thread_time)  # what others take of the machine does not count
            assert content_of(rig.fetch(NAME)) == body_of(NAME)
            assert rig.do(time.thread_time) - begun < 1
            assert status_of(rig.post(post(REPORT, CLOSE))) == 201
        assert rig.faults == []


class TestFence:
    """An edge that may be behind answers no policy; a report is never outdated."""

    def test_reports_are_taken_while_policies_are_not_served(self, authority: Authority) -> None:
        with running(authority, admit=lambda: False) as rig:
            assert status_of(rig.post(post(REPORT, CLOSE))) == 201
            with pytest.raises((ConnectionError, ssl.SSLError)):
                rig.fetch(NAME)


class TestLog:
    """A line says what was wrong, and never the token or the report."""

    def test_what_was_refused(self, authority: Authority) -> None:
        with capture_logs() as lines, running(authority, Limits(log_lines=100)) as rig:
            for request in (post(b"[1]", CLOSE), post(REPORT, path="/v1/tlsrpt/secret"), sized(11 * MIB)):
                rig.post(request)
        expected = ["400 Bad Request: neither gzip nor JSON", "404 Not Found", "more than 10485760 octets"]
        assert [line["reason"] for line in lines] == expected
        assert {line["event"] for line in lines} == {"request_refused"}
        assert "secret" not in repr(lines)
