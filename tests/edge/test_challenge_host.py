"""The answer to certificate authorities, over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from msgspec.structs import replace
from tests.edge.held_clock import HeldClock
from tests.edge.policy_rig import LOOPS, TIMEOUT
from tests.edge.publications import ZONE, change, hosted

from trinco.core.hosting import Publication
from trinco.edge import challenge_host, http1
from trinco.edge.challenge_host import LIMITS, answer, listen
from trinco.edge.limits import Limits
from trinco.edge.sni import Table

PRINT = "9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI"
TOKEN = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA"
PATH = f"/.well-known/acme-challenge/{TOKEN}"
HOSTED = "mta-sts.d1.example"


def table(**differing: Any) -> Table:
    """One domain that is served, and one that waits for its CNAMEs."""
    domains = {each.label: each for each in (hosted(1, 1), hosted(2, 1, policy=None))}
    return Table(Publication(1, replace(ZONE, thumbprint=PRINT, **differing), domains))


@dataclass
class Rig:
    """A running challenge host."""

    port: int
    faults: list[dict[str, Any]]

    def say(self, octets: bytes) -> bytes:
        """All that is answered to these octets."""
        with contextlib.suppress(ConnectionError), self.connected() as connection:
            connection.sendall(octets)
            return drained(connection)
        return b""

    def get(self, host: str = HOSTED, path: str = PATH, method: str = "GET", *fields: str) -> bytes:
        lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", *fields, "", ""]
        return self.say("\r\n".join(lines).encode("latin-1"))

    def connected(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), TIMEOUT)


def drained(connection: socket.socket) -> bytes:
    pieces = []
    while piece := connection.recv(65536):
        pieces.append(piece)
    return b"".join(pieces)


@contextmanager
def running(source: Table, limits: Limits = LIMITS, loop: str = "asyncio") -> Iterator[Rig]:
    ready, box = threading.Event(), list[Any]()

    async def serve() -> None:
        stop, faults = asyncio.Event(), list[dict[str, Any]]()
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        async with listen(source, [("127.0.0.1", 0)], limits=limits) as bound:
            box.extend([Rig(bound[0][1], faults), asyncio.get_running_loop(), stop])
            ready.set()
            await stop.wait()

    def run() -> None:
        with asyncio.Runner(loop_factory=LOOPS[loop]) as runner:
            runner.run(serve())

    thread = threading.Thread(target=run)
    thread.start()
    assert ready.wait(TIMEOUT)
    try:
        yield box[0]
    finally:
        box[1].call_soon_threadsafe(box[2].set)
        thread.join(TIMEOUT)
        assert not thread.is_alive()
        assert box[0].faults == []


@pytest.fixture(scope="module", params=LOOPS)
def rig(request) -> Iterator[Rig]:
    with running(table(), loop=request.param) as rig:
        yield rig


def status(response: bytes) -> int:
    return int(response.split(b" ")[1])


class TestAnswer:
    """RFC 8555 section 8.3: the body is the key authorization, `token.thumbprint`."""

    def test_a_policy_host(self, rig):
        response = rig.get()
        head, _, body = response.partition(b"\r\n\r\n")
        assert (status(response), body) == (200, f"{TOKEN}.{PRINT}".encode())
        assert b"\r\nConnection: close\r\n" in head + b"\r\n"

    @pytest.mark.parametrize("host", [HOSTED.upper(), f"{HOSTED}:80", f"{HOSTED}.", "reports.trinco.example"])
    def test_names_as_they_may_be_written_and_our_own_hosts(self, rig, host):
        assert status(rig.get(host)) == 200

    @pytest.mark.parametrize(
        "host",
        [
            "d1.example",
            "mta-sts.d2.example",
            "mta-sts.d9.example",
            "x.mta-sts.d1.example",
            "trinco.example",
            "127.0.0.1",
            "mta-sts.d1.example.evil.example",
        ],
    )
    def test_no_other_host(self, rig, host):
        assert status(rig.get(host)) == 404

    @pytest.mark.parametrize(
        "path",
        [
            "/",
            "/.well-known/mta-sts.txt",
            "/.well-known/acme-challenge/",
            "/.well-known/acme-challenge",
            f"{PATH}/",
            f"{PATH}?x=1",
            f"/.well-known//acme-challenge/{TOKEN}",
            f"{PATH}%0d%0aX",
            f"{PATH}.more",
            f"{PATH}=",
            "/.well-known/acme-challenge/" + "a" * 129,
            f"/x/../.well-known/acme-challenge/{TOKEN}",
        ],
    )
    def test_no_other_path_and_no_redirect(self, rig, path):
        response = rig.get(path=path)
        assert (status(response), b"ocation" in response) == (404, False)

    def test_the_longest_token(self, rig):
        assert status(rig.get(path="/.well-known/acme-challenge/" + "a" * 128)) == 200

    @pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "OPTIONS", "get"])
    def test_no_other_method(self, rig, method):
        assert status(rig.get(method=method)) == 404

    def test_nothing_is_said_while_there_is_no_account(self):
        with running(table()) as rig, running(Table(Publication(1, ZONE))) as without:
            assert (status(rig.get()), status(without.get())) == (200, 404)

    def test_a_change_counts_from_the_next_request_on(self):
        source = table()
        with running(source) as rig:
            assert status(rig.get("mta-sts.d3.example")) == 404
            source.apply(replace(change(2, 3), zone=replace(ZONE, thumbprint=PRINT)))
            assert status(rig.get("mta-sts.d3.example")) == 200

    def test_without_reports_there_is_no_host_of_our_own(self):
        request = http1.Request(b"GET", PATH.encode(), b"reports.trinco.example", False, False, {})
        assert answer(table(), request).status_line == b"HTTP/1.1 200 OK\r\n"
        assert answer(table(reports_host=""), request).status_line.startswith(b"HTTP/1.1 404")


class TestHostile:
    @pytest.mark.parametrize(
        ("octets", "wanted"),
        [
            (f"GET {PATH} HTTP/1.0\r\n\r\n".encode(), 404),
            (f"GET {PATH} HTTP/1.1\r\n\r\n".encode(), 400),
            (f"GET {PATH} HTTP/1.1\r\nHost: {HOSTED}\r\nHost: {HOSTED}\r\n\r\n".encode(), 400),
            (f"GET http://{HOSTED}{PATH} HTTP/1.1\r\nHost: {HOSTED}\r\n\r\n".encode(), 421),
            (f"GET {PATH} HTTP/1.1\nHost: {HOSTED}\n\n".encode(), 400),
            (f"POST {PATH} HTTP/1.1\r\nHost: {HOSTED}\r\nContent-Length: 5\r\n\r\nhello".encode(), 413),
            (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\n", 400),
            (b"SSH-2.0-x\r\n\r\n", 400),
            (b"GET /" + b"a" * 20_000, 414),
        ],
    )
    def test_what_is_no_request_of_an_authority(self, rig, octets, wanted):
        assert status(rig.say(octets)) == wanted

    def test_a_request_in_pieces(self, rig):
        with rig.connected() as connection:
            for octet in f"GET {PATH} HTTP/1.1\r\nHost: {HOSTED}\r\n\r\n".encode():
                connection.sendall(bytes((octet,)))
            assert status(drained(connection)) == 200

    def test_whoever_has_said_all_and_closed_its_side_gets_the_answer(self, rig):
        with rig.connected() as connection:
            connection.sendall(f"GET {PATH} HTTP/1.1\r\nHost: {HOSTED}\r\n\r\n".encode())
            connection.shutdown(socket.SHUT_WR)
            assert status(drained(connection)) == 200

    def test_one_request_a_connection(self, rig):
        one = f"GET {PATH} HTTP/1.1\r\nHost: {HOSTED}\r\n\r\n".encode()
        assert rig.say(one * 3).count(b"HTTP/1.1 ") == 1

    def test_who_is_slow_is_gone(self):
        limits = Limits(header=0.5, closing=0.5)
        with HeldClock().instead() as held, running(table(), limits) as rig, rig.connected() as silent:
            took, said = held.ended_after(silent, 0.125)
        assert (took >= 0.5, said) == (True, b"")

    def test_who_never_stops_talking_is_gone(self, rig):
        with contextlib.suppress(ConnectionError), rig.connected() as connection:
            connection.sendall(b"nonsense\r\n\r\n")
            for _ in range(10_000):
                connection.sendall(b"x" * 4096)
            raise AssertionError("it was heard out")

    def test_a_crowd_keeps_nobody_out(self):
        with running(table(), Limits(per_address=5, header=5)) as rig:
            crowd = [rig.connected() for _ in range(20)]
            assert status(rig.get()) == 200
            for each in crowd:
                each.close()

    def test_a_fault_of_ours_costs_one_connection(self, monkeypatch):
        source = table()
        with running(source) as rig:
            monkeypatch.setattr(challenge_host, "answer", lambda *_: 1 / 0)
            assert rig.get() == b""
            monkeypatch.undo()
            assert status(rig.get()) == 200
