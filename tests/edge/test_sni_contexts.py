"""TLS contexts by name: ready ones at once, others built off the loop, and never more than there is room for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs
from tests.edge.held_clock import HeldClock
from tests.edge.publications import change, label_of, publication

from trinco.core.errors import TrincoError
from trinco.core.hosting import Change
from trinco.edge import sni
from trinco.edge.limits import Limits
from trinco.edge.sni import Contexts, ContextUnavailable, Table
from trinco.edge.tls import Context


class Workshop:
    """Builds contexts that are only names; remembers what it was asked for, waits and fails as it is told."""

    def __init__(self) -> None:
        self.built: list[tuple[bytes, ...]] = []
        self.retired: list[Context] = []
        self.unsealed: list[tuple[bytes, str]] = []
        self.gate = threading.Event()
        self.gate.set()
        self.broken = False
        self.thread = 0

    def unseal(self, sealed: bytes, server_name: str) -> bytes:
        self.unsealed.append((sealed, server_name))
        if self.broken:
            raise TrincoError("the seal does not fit")
        return b"key of " + sealed

    def build(self, certificates: Sequence[bytes], key: bytes) -> Context:
        self.thread = threading.get_ident()
        assert self.gate.wait(60)
        self.built.append((*certificates, key))
        return cast(Context, f"context {len(self.built)}")

    def retire(self, context: Context) -> None:
        self.retired.append(context)


def at(number: int) -> bytes:
    return b"mta-sts.d%d.example" % number


@asynccontextmanager
async def contexts(shop: Workshop, table: Table, limits: Limits | None = None) -> AsyncIterator[Contexts]:
    made = Contexts(table, shop, shop.unseal, limits or Limits())
    try:
        yield made
    finally:
        shop.gate.set()
        await made.close()


async def context_of(made: Contexts, number: int) -> Context | None:
    found = made.get(at(number))
    return await found if isinstance(found, asyncio.Future) else found


class TestBuilding:
    """RELIABILITY row 8: a key is opened when it is needed, bound to its name, and not before."""

    def test_a_context_is_built_once_and_then_ready(self) -> None:
        async def run() -> None:
            shop = Workshop()
            async with contexts(shop, Table(publication(2))) as made:
                assert shop.unsealed == []
                first = await context_of(made, 1)
                assert made.get(at(1)) is first
            leaf = b"leaf 1" * 8
            assert shop.built == [(leaf, b"issuer", b"key of " + b"sealed 1" * 4)]
            assert shop.unsealed == [(b"sealed 1" * 4, "mta-sts.d1.example")]

        asyncio.run(run())

    def test_an_unknown_name_builds_nothing(self) -> None:
        async def run() -> None:
            shop = Workshop()
            async with contexts(shop, Table(publication(2))) as made:
                for number in range(2, 5000):
                    assert made.get(at(number)) is None
            assert (shop.unsealed, shop.built, len(made)) == ([], [], 0)

        asyncio.run(run())

    def test_all_who_ask_meanwhile_share_one_flight(self) -> None:
        async def run() -> None:
            shop = Workshop()
            shop.gate.clear()
            async with contexts(shop, Table(publication(2))) as made:
                waiting = [context_of(made, 1) for _ in range(5)]
                gathered = asyncio.gather(*waiting)
                await asyncio.sleep(0)
                shop.gate.set()
                assert set(await gathered) == {"context 1"}
            assert len(shop.built) == 1

        asyncio.run(run())

    def test_the_loop_goes_on_while_one_is_built(self) -> None:
        """RELIABILITY row 18: a slow build keeps nobody else waiting."""

        async def run() -> None:
            shop = Workshop()
            async with contexts(shop, Table(publication(2))) as made:
                ready = await context_of(made, 0)
                shop.gate.clear()
                slow = made.get(at(1))
                assert made.get(at(0)) is ready
                assert isinstance(slow, asyncio.Future)
                assert not slow.done()
                shop.gate.set()
                await slow
                assert shop.thread != threading.get_ident()

        asyncio.run(run())

    def test_more_names_than_may_wait_are_told_so(self) -> None:
        async def run() -> None:
            shop = Workshop()
            shop.gate.clear()
            async with contexts(shop, Table(publication(4)), Limits(builds=2)) as made:
                flights = [made.get(at(0)), made.get(at(1)), made.get(at(1))]
                with pytest.raises(ContextUnavailable):
                    made.get(at(2))
                shop.gate.set()
                for flight in flights:
                    assert isinstance(flight, asyncio.Future)
                    await flight
                assert await context_of(made, 2) == "context 3"

        asyncio.run(run())


class TestRoom:
    """PERFORMANCE: a context takes 27 KiB, so that only those asked for last are kept."""

    def test_whoever_was_asked_for_longest_ago_goes(self) -> None:
        async def run() -> None:
            shop = Workshop()
            async with contexts(shop, Table(publication(4)), Limits(contexts=2)) as made:
                for number in (0, 1, 0, 2):
                    await context_of(made, number)
                assert (len(made), len(shop.built), shop.retired) == (2, 3, ["context 2"])
                assert not isinstance(made.get(at(0)), asyncio.Future)
                assert isinstance(made.get(at(1)), asyncio.Future)

        asyncio.run(run())

    def test_a_name_that_is_served_no_more_is_forgotten(self) -> None:
        async def run() -> None:
            table = Table(publication(1))
            async with contexts(Workshop(), table) as made:
                await context_of(made, 0)
                table.apply(change(2, removed=(label_of(0),)))
                assert made.get(at(0)) is None
                assert len(made) == 0

        asyncio.run(run())


class TestChangedCertificate:
    """A new certificate is shown to the next connection."""

    def test_the_same_certificate_in_a_changed_domain_keeps_its_context(self) -> None:
        async def run() -> None:
            table = Table(publication(1))
            async with contexts(Workshop(), table) as made:
                first = await context_of(made, 0)
                table.apply(change(2, 0))
                assert made.get(at(0)) is first

        asyncio.run(run())

    def test_another_certificate_is_built_anew(self) -> None:
        async def run() -> None:
            shop, table = Workshop(), Table(publication(1))
            async with contexts(shop, table) as made:
                first = await context_of(made, 0)
                table.apply(renewed(0))
                assert (first, await context_of(made, 0)) == ("context 1", "context 2")
            assert shop.built[1][0] == b"renewed leaf"

        asyncio.run(run())

    def test_a_flight_for_the_old_one_is_not_joined(self) -> None:
        async def run() -> None:
            shop, table = Workshop(), Table(publication(1))
            shop.gate.clear()
            async with contexts(shop, table) as made:
                old = made.get(at(0))
                table.apply(renewed(0))
                new = made.get(at(0))
                assert old is not new
                shop.gate.set()
                assert isinstance(new, asyncio.Future)
                assert await new == "context 2"
                assert made.get(at(0)) == "context 2"

        asyncio.run(run())


class TestUnusable:
    """RELIABILITY: what cannot be used is said in one line, not tried again for every client, and tried again later."""

    def test_it_is_refused_without_another_try_until_some_time_has_passed(self) -> None:
        held = HeldClock()

        async def run() -> None:
            shop = Workshop()
            shop.broken = True
            async with contexts(shop, Table(publication(1))) as made:
                with pytest.raises(TrincoError, match="does not fit"):
                    await context_of(made, 0)
                for _ in range(3):
                    with pytest.raises(ContextUnavailable):
                        made.get(at(0))
                assert len(shop.unsealed) == 1
                shop.broken = False
                held.now += sni.RETRY_AFTER
                assert await context_of(made, 0) == "context 1"

        with held.instead(), capture_logs() as lines:
            asyncio.run(run())
        values = {"server_name": "mta-sts.d0.example", "error": "the seal does not fit"}
        assert lines == [{"event": "certificate_unusable", **values, "log_level": "info"}]

    def test_a_new_certificate_is_tried_at_once(self) -> None:
        async def run() -> None:
            shop, table = Workshop(), Table(publication(1))
            shop.broken = True
            async with contexts(shop, table) as made:
                with pytest.raises(TrincoError, match="does not fit"):
                    await context_of(made, 0)
                shop.broken = False
                table.apply(renewed(0))
                assert await context_of(made, 0) == "context 1"

        asyncio.run(run())

    def test_closing_gives_up_what_waits(self) -> None:
        async def run() -> None:
            shop = Workshop()
            shop.gate.clear()
            made = Contexts(Table(publication(3)), shop, shop.unseal, Limits())
            flights = [made.get(at(number)) for number in range(3)]
            closing = asyncio.create_task(made.close())
            await asyncio.sleep(0.01)
            shop.gate.set()
            await closing
            await asyncio.sleep(0.01)
            assert [flight.cancelled() for flight in flights if isinstance(flight, asyncio.Future)] == [
                False,
                True,
                True,
            ]

        asyncio.run(run())


def renewed(number: int) -> Change:
    """The domain with another certificate."""
    step = change(2, number)
    (domain,) = step.changed
    assert domain.certificate is not None
    return replace(step, changed=(replace(domain, certificate=replace(domain.certificate, leaf=b"renewed leaf")),))
