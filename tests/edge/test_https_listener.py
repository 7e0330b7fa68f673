"""The listener itself: where it listens, and what a fault of ours costs."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs
from tests.edge.policy_rig import LOOPS, body_of, get, hosted, publication
from tests.support_tls import Authority, unseal

from trinco.edge import https, policy_host, tls
from trinco.edge.http1 import Request, Response, plain
from trinco.edge.https import Endpoint
from trinco.edge.limits import Limits
from trinco.edge.sni import Contexts, Table

NAME = "um.example"
HOST = f"mta-sts.{NAME}"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


@pytest.fixture(scope="module")
def table(authority: Authority) -> Table:
    return Table(publication(hosted(authority, NAME), issuers=authority.issuers))


@pytest.fixture(params=list(LOOPS))
def runner(request: pytest.FixtureRequest) -> asyncio.Runner:
    return asyncio.Runner(loop_factory=LOOPS[request.param])


async def fetched(endpoint: Endpoint, context: ssl.SSLContext, path: str = "/.well-known/mta-sts.txt") -> bytes:
    host, port = endpoint
    reader, writer = await asyncio.open_connection(host, port, ssl=context, server_hostname=HOST)
    try:
        writer.write(get(NAME, "Connection: close", path=path))
        return await reader.read()
    finally:
        writer.close()


def answering(request: Request, server_name: bytes) -> Response:
    """A fault of ours at one path."""
    if request.target == b"/fault":
        raise ZeroDivisionError("of ours")
    return plain(404)


@asynccontextmanager
async def faulty(table: Table) -> AsyncIterator[Endpoint]:
    contexts = Contexts(table, tls.OpenSslBuilder(), unseal, Limits())
    try:
        async with https.listen(
            [("127.0.0.1", 0)], contexts, https.Service(answering, lambda: True), Limits()
        ) as bound:
            yield bound[0]
    finally:
        await contexts.close()


class TestListening:
    """Every endpoint that was asked for, or none."""

    def test_ipv4_and_ipv6_with_ports_of_the_systems_choice(
        self, runner: asyncio.Runner, authority: Authority, table: Table
    ) -> None:
        async def run() -> None:
            endpoints = [("127.0.0.1", 0), ("::1", 0)]
            async with policy_host.listen(table, endpoints, unseal=unseal) as bound:
                assert [host for host, _ in bound] == ["127.0.0.1", "::1"]
                for endpoint in bound:
                    assert (await fetched(endpoint, authority.client())).endswith(body_of(NAME))

        with runner:
            runner.run(run())

    def test_an_endpoint_that_is_taken_is_an_error_and_leaves_nothing_open(
        self, runner: asyncio.Runner, table: Table
    ) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
            endpoints = [free.getsockname(), taken.getsockname()]
            free.close()

            async def run() -> None:
                async with policy_host.listen(table, endpoints, unseal=unseal):
                    pass

            with runner, pytest.raises(OSError, match="in use"):
                runner.run(run())
            socket.create_server(endpoints[0]).close()


class TestFaults:
    """A fault of ours costs that peer its connection, and the log one line; nobody else notices."""

    def test_the_others_go_on(self, runner: asyncio.Runner, authority: Authority, table: Table) -> None:
        async def run() -> None:
            context = authority.client()
            async with faulty(table) as endpoint:
                for _ in range(3):
                    with pytest.raises(ConnectionResetError):
                        await fetched(endpoint, context, "/fault")
                    assert (await fetched(endpoint, context)).startswith(b"HTTP/1.1 404")

        with capture_logs() as lines, runner:
            runner.run(run())
        assert [line["event"] for line in lines] == ["connection_fault"] * 3
        assert {line["error"] for line in lines} == {"ZeroDivisionError('of ours')"}
        assert {line["where"].partition(":")[0] for line in lines} == {"answering"}
