"""NSD and Knot as our secondaries: the real servers, as docs/nameservers.md says."""

from __future__ import annotations

import asyncio
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace as differing
from pathlib import Path

import dns.message
import dns.rcode
import pytest
from bench import secondaries
from bench.nameservers import NameServer, free_port
from bench.secondaries import KEY
from dnszone import BASE, LABEL, LONG, PUBLICATION, WAITING, ZONE, hosted
from msgspec.structs import replace
from structlog.testing import capture_logs
from test_dnsd import by_udp
from tests.support import needs
from transfer_rig import SIGNED, Primary, many, primary

from trinco.config import TsigKey
from trinco.core.hosting import HostedDomain, Publication
from trinco.edge import peers
from trinco.edge.notify import notifying

Endpoint = tuple[str, int]
KINDS = {"nsd": secondaries.nsd, "knot": secondaries.knot}
HELD = Publication(7, ZONE, {label: PUBLICATION.domains[label] for label in (LABEL, LONG)})
"""Without the domain that has no records yet: a transfer cannot say that its names exist."""
SECONDS = 60.0

pytestmark = pytest.mark.usefixtures("_programs")


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    needs("nsd")
    needs("knotd")


@contextmanager
def running(servers: list[NameServer], directory: Path) -> Iterator[None]:
    processes = []
    for number, server in enumerate(servers):
        with (directory / f"log{number}").open("ab") as log:
            processes.append(subprocess.Popen(server.argv, stdout=log, stderr=log))
    try:
        yield
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def full(label: str, policy_id: str) -> HostedDomain:
    """A domain with every record."""
    return hosted(label, policy_id=policy_id, tlsrpt=f"v=TLSRPTv1; rua=mailto:{policy_id}@b.example")


class Followed:
    """A primary at one port over its lives, and its secondaries, each at a port of its own."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self.servers: list[NameServer] = []

    def secondary(self, kind: str, key: TsigKey = KEY, more: tuple[int, ...] = ()) -> Endpoint:
        home = self.directory / f"{kind}{len(self.servers)}"
        home.mkdir()
        masters = tuple(("127.0.0.1", port) for port in (self.port, *more))
        server = KINDS[kind](home, secondaries.Primary(BASE, masters, key))
        self.servers.append(server)
        return "127.0.0.1", server.port

    def running(self):
        return running(self.servers, self.directory)

    @asynccontextmanager
    async def primary(self, held: Publication = HELD, **how) -> AsyncIterator[Primary]:
        endpoints = [("127.0.0.1", server.port) for server in self.servers]
        async with (
            primary(held, **{"port": self.port, **how}) as server,
            notifying(server.history, endpoints, server.keys, [server.server]),
        ):
            yield server


@pytest.fixture
def followed(tmp_path: Path) -> Followed:
    return Followed(tmp_path)


@pytest.fixture
def both(followed: Followed) -> list[Endpoint]:
    return [followed.secondary("nsd"), followed.secondary("knot")]


async def serials(endpoints: list[Endpoint]) -> list[int | None]:
    return list(await asyncio.gather(*(peers.serial(ZONE, endpoint, SIGNED) for endpoint in endpoints)))


async def arrived(endpoints: list[Endpoint], serial: int) -> None:
    """Wait until all of them have it: told by NOTIFY, since the zone's refresh is far longer than this waits."""
    began = time.monotonic()
    while await serials(endpoints) != [serial] * len(endpoints):
        assert time.monotonic() - began < SECONDS, await serials(endpoints)
        await asyncio.sleep(0.02)


async def said(server: Endpoint, name: str, kind: str) -> tuple[int, int, list[str]]:
    """What is compared: code, flags, and the records of the answer or of the denial."""
    query = dns.message.make_query(name, kind, flags=0)
    wire = await by_udp(server, query.to_wire())
    assert wire is not None
    reply = dns.message.from_wire(wire)
    sets = reply.answer or reply.authority
    lines = sorted(line for rrset in sets for line in rrset.to_text().split("\n"))
    return reply.rcode(), reply.flags, lines


def names(held: Publication) -> Iterator[tuple[str, str]]:
    for label in held.domains:
        for service in ("policy", "mta-sts", "tlsrpt"):
            yield from ((f"{label}.{service}.{BASE}", kind) for kind in ("TXT", "A", "AAAA", "CAA", "MX", "TYPE1000"))
    for host in ("", "ns1.", "ns2.deep.", "deep.", "reports.", "nobody.", "nobody.policy."):
        yield from ((f"{host}{BASE}", kind) for kind in ("SOA", "NS", "A", "AAAA", "MX", "CAA", "TXT"))


async def assert_alike(server: Primary, endpoints: list[Endpoint]) -> None:
    for name, kind in names(server.serving.held):
        answers = [await said(endpoint, name, kind) for endpoint in (server.server, *endpoints)]
        assert answers == [answers[0]] * len(answers), (name, kind)


class TestFollowing:
    """RFC 5936, 1995, 1996 and 8945 as two independent servers speak them."""

    def test_they_take_the_zone_and_each_change_of_it(self, followed: Followed, both: list[Endpoint]) -> None:
        changes: list[tuple[tuple[object, ...], tuple[str, ...]]] = [
            ((full(LABEL, "33"),), ()),
            ((full("fresh", "1"),), (LONG,)),
            ((full(LABEL, "44"), full(LONG, "2")), ("fresh",)),
        ]

        async def test() -> None:
            with capture_logs() as logs, followed.running():
                async with followed.primary() as server:
                    await arrived(both, 7)
                    await assert_alike(server, both)
                    for changed, removed in changes:
                        serial = await server.take(*changed, removed=removed)
                        await arrived(both, serial)
                    changed_by = [line["kind"] for line in logs if line["event"] == "dns.transfer"][2:]
                    await assert_alike(server, both)
            assert set(changed_by) == {"difference"}

        asyncio.run(test())

    def test_a_name_that_waits_for_its_record_is_not_there(self, followed: Followed, both: list[Endpoint]) -> None:
        """The one difference: a transfer cannot say that a name exists without records. Senders see no record."""

        async def test() -> None:
            with followed.running():
                async with followed.primary(PUBLICATION) as server:
                    await arrived(both, 7)
                    codes = [
                        (await said(endpoint, f"{WAITING}.mta-sts.{BASE}", "TXT"))[0]
                        for endpoint in (server.server, *both)
                    ]
            assert codes == [dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.NXDOMAIN]

        asyncio.run(test())

    def test_ten_thousand_domains(self, followed: Followed, both: list[Endpoint]) -> None:
        held = many(10_000)

        async def test() -> None:
            with followed.running():
                async with followed.primary(held) as server:
                    await arrived(both, 7)
                    for label in list(held.domains)[::997]:
                        for name, kind in ((f"{label}.mta-sts.{BASE}", "TXT"), (f"{label}.policy.{BASE}", "A")):
                            answers = [await said(endpoint, name, kind) for endpoint in (server.server, *both)]
                            assert answers == [answers[0]] * 3

        asyncio.run(test())

    def test_a_gap_that_the_history_does_not_cover(self, followed: Followed, both: list[Endpoint]) -> None:
        """Cut off for more changes than are kept: the whole zone, and again in step."""

        async def test() -> None:
            with capture_logs() as logs:
                async with followed.primary(labels=3) as server:
                    with followed.running():
                        await arrived(both, 7)
                    for number in range(5):
                        await server.take(full(LABEL, str(number)))
                    with followed.running():
                        await server.take(full(LABEL, "later"))
                        await arrived(both, 13)
                        await assert_alike(server, both)
            assert "whole instead of a difference" in [line.get("kind") for line in logs]

        asyncio.run(test())


class TestPrimaryGone:
    """RFC 1035 3.3.13: a secondary answers until the SOA's expire, which is 14 days."""

    def test_they_answer_without_it_and_follow_it_when_it_is_back(
        self, followed: Followed, both: list[Endpoint]
    ) -> None:
        async def test() -> None:
            with followed.running():
                async with followed.primary() as server:
                    await arrived(both, 7)
                    before = await said(server.server, f"{LABEL}.mta-sts.{BASE}", "TXT")
                assert [await said(each, f"{LABEL}.mta-sts.{BASE}", "TXT") for each in both] == [before, before]
                later = full(LABEL, "55")
                back = Publication(2**20 + 7, ZONE, {**HELD.domains, LABEL: later})
                async with followed.primary(back) as server:
                    await arrived(both, back.revision)
                    await assert_alike(server, both)

        asyncio.run(test())

    def test_another_zone_after_a_restart_is_taken_over_whole(self, followed: Followed, both: list[Endpoint]) -> None:
        """The history of before is gone with the process: what changed in the settings reaches everybody."""

        async def test() -> None:
            with followed.running():
                async with followed.primary():
                    await arrived(both, 7)
                moved = Publication(8, replace(ZONE, policy_addresses=("192.0.2.77",)), HELD.domains)
                async with followed.primary(moved) as server:
                    await arrived(both, 8)
                    await assert_alike(server, both)

        asyncio.run(test())


class TestSeveralEdges:
    """RELIABILITY 5, 10: each edge is a primary; a secondary follows whichever is there."""

    def test_one_is_gone_and_the_other_goes_on(self, followed: Followed) -> None:
        second = free_port()
        both = [followed.secondary(kind, more=(second,)) for kind in KINDS]
        later = Publication(9, ZONE, {**HELD.domains, LABEL: full(LABEL, "9")})

        async def test() -> None:
            with followed.running():
                async with followed.primary() as first:
                    await arrived(both, 7)
                    await first.take(full(LABEL, "8"))
                    await arrived(both, 8)
                async with followed.primary(later, port=second) as other:
                    await arrived(both, 9)
                    await assert_alike(other, both)

        asyncio.run(test())


class TestStrangers:
    """RELIABILITY 14 and 15."""

    @pytest.mark.parametrize("kind", KINDS)
    def test_with_another_secret_they_get_nothing(self, kind: str, followed: Followed) -> None:
        other = followed.secondary(kind, differing(KEY, secret=b"another secret, as long as ours."))

        async def test() -> None:
            with capture_logs() as logs, followed.running():
                async with followed.primary():
                    await until(lambda: [line for line in logs if line["event"] == "dns.transfer_refused"])
                    assert await serials([other]) == [None]

        asyncio.run(test())

    @pytest.mark.parametrize("kind", KINDS)
    def test_from_an_address_that_is_not_listed_they_get_nothing(self, kind: str, followed: Followed) -> None:
        other = followed.secondary(kind)

        async def test() -> None:
            with followed.running():
                async with followed.primary(addresses=frozenset({"192.0.2.1"})):
                    await asyncio.sleep(1.0)
                    assert await serials([other]) == [None]

        asyncio.run(test())


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.02)
