"""How a process is, over real sockets."""

from __future__ import annotations

import asyncio
import http.client
import socket
from contextlib import closing

import pytest
from tests.edge.held_clock import HeldClock

from trinco.edge import http1, status_host
from trinco.edge.limits import Limits


class Told:
    """A role that says what it was told to."""

    well = True

    def ready(self):
        return self.well, {"status": "ready" if self.well else "fenced", "stale_since": "2026-01-01T00:00:00+00:00"}

    def metrics(self):
        return b"trinco_edge_revision 7.0\n"


def request(method: bytes = b"GET", target: bytes = b"/healthz") -> http1.Request:
    return http1.Request(method, target, b"h", False, False, {})


def asked(role, *requests, limits=status_host.LIMITS):
    """What is answered to these requests, each over a connection of its own: (status, content type, body)."""

    def ask(port):
        answers = []
        for method, path in requests:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                connection.request(method, path)
                said = connection.getresponse()
                answers.append((said.status, said.headers["Content-Type"], said.read()))
        return answers

    async def run():
        async with status_host.listen(role, [("127.0.0.1", 0)], limits=limits) as bound:
            return await asyncio.to_thread(ask, bound[0][1])

    return asyncio.run(run())


class TestStatus:
    """RELIABILITY 3, Health: `/healthz` per role: live, ready, and "serving stale since"."""

    def test_the_three_pages(self):
        assert asked(Told(), ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics?x=1")) == [
            (200, "application/json", b'{"status":"live"}'),
            (200, "application/json", b'{"status":"ready","stale_since":"2026-01-01T00:00:00+00:00"}'),
            (200, "text/plain; version=0.0.4; charset=utf-8", b"trinco_edge_revision 7.0\n"),
        ]

    def test_not_ready_is_503_and_says_why(self):
        role = Told()
        role.well = False
        [(status, _, body)] = asked(role, ("GET", "/readyz"))
        assert (status, b'"fenced"' in body) == (503, True)

    def test_head_has_no_body(self):
        assert asked(Told(), ("HEAD", "/metrics")) == [(200, "text/plain; version=0.0.4; charset=utf-8", b"")]

    @pytest.mark.parametrize(
        ("method", "target", "status"),
        [("GET", "/", 404), ("GET", "/metrics/", 404), ("GET", "/healthz/../metrics", 404), ("POST", "/metrics", 405)],
    )
    def test_nothing_else_is_here(self, method, target, status):
        said = status_host.answer(Told(), request(method.encode(), target.encode()))
        assert said.status_line.split()[1] == str(status).encode()

    def test_a_silent_peer_does_not_keep_its_place(self):
        """RELIABILITY row 16: header deadline."""

        def wait(port):
            with socket.create_connection(("127.0.0.1", port), 60) as silent:
                return held.ended_after(silent, 0.0625)

        async def run():
            limits = Limits(connections=2, header=0.5, closing=0.5)
            async with status_host.listen(Told(), [("127.0.0.1", 0)], limits=limits) as bound:
                return await asyncio.to_thread(wait, bound[0][1])

        with HeldClock().instead() as held:
            took, said = asyncio.run(run())
        assert (took >= 0.5, said) == (True, b"")

    def test_a_role_that_fails_costs_its_asker_the_connection_alone(self):
        class Broken(Told):
            def metrics(self):
                raise RuntimeError

        with pytest.raises(ConnectionResetError):
            asked(Broken(), ("GET", "/metrics"))
        assert asked(Broken(), ("GET", "/healthz"))[0][0] == 200
