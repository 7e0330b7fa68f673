"""Transfers of the zone, read by dnspython: what they hold, and who gets them."""

from __future__ import annotations

import asyncio
import base64
import subprocess

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.tsig
import dns.xfr
import pytest
from bench.secondaries import KEY
from dnszone import BASE, LABEL, LONG, PUBLICATION, SOA, WAITING, ZONE, hosted
from msgspec.structs import replace
from test_dnsd import by_udp, framed, run
from tests.support import needs
from transfer_rig import SIGNED, as_file, asking, fetch, fetched, first, fresh, many, primary

from trinco.core.hosting import Publication
from trinco.edge import zonewire

loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@loops
class TestWhole:
    """RFC 5936 2.2: the zone, between two SOA; 3: all of it, and of one version."""

    @pytest.mark.parametrize("held", [PUBLICATION, Publication(7, ZONE), many(1000)], ids=["few", "none", "many"])
    def test_what_is_transferred_is_the_zone(self, held: Publication, loop: str) -> None:
        async def test() -> None:
            async with primary(held) as server:
                assert await fetched(server.server) == as_file(held)

        run(test(), loop)

    def test_a_zone_without_name_servers_or_addresses(self, loop: str) -> None:
        bare = replace(ZONE, policy_addresses=(), caa=(), panel_addresses=(), reports_mx=(), reports_host="")

        async def test() -> None:
            held = Publication(7, bare, PUBLICATION.domains)
            async with primary(held) as server:
                assert await fetched(server.server) == as_file(held)

        run(test(), loop)

    def test_one_version_while_changes_are_taken_over(self, loop: str) -> None:
        """The changes come between the messages of the transfer."""
        held = many(500)

        async def test() -> None:
            async with primary(held) as server:
                fetching = asyncio.ensure_future(fetched(server.server))
                labels, served = list(held.domains), {7: held}
                while not fetching.done():
                    number = len(served)
                    changed = hosted(labels[number % 250], policy_id=f"9{number}")
                    revision = await server.take(changed, removed=(labels[-1 - number % 250],))
                    served[revision] = server.serving.held
                    await asyncio.sleep(0.002)
                zone = await fetching
            assert len(served) > 3
            assert zone == as_file(served[zone.get_soa().serial])

        run(test(), loop)

    def test_several_questions_on_one_connection(self, loop: str) -> None:
        """RFC 5936 4.1: a server answers what else comes on the connection, before and behind a transfer."""

        async def test() -> None:
            soa = dns.message.make_query(BASE, "SOA", use_edns=False, flags=0)
            axfr = asking()
            messages = [message.to_wire() for message in (soa, axfr, axfr, soa)]
            async with primary() as server:
                reader, writer = await asyncio.open_connection(*server.server)
                writer.write(b"".join(len(message).to_bytes(2, "big") + message for message in messages))
                replies = [await framed(reader) for _ in messages]
                writer.close()
            counts = [dns.message.from_wire(reply, keyring=False, one_rr_per_rrset=True).answer for reply in replies]
            assert [len(answer) for answer in counts] == [1, len(counts[1]), len(counts[1]), 1]
            assert len(counts[1]) > 10

        run(test(), loop)


class TestMessages:
    """RFC 5936 2.2.1: id, AA and question as with any reply; 3.4: names keep their case."""

    def test_the_form(self) -> None:
        async def test() -> None:
            query = asking()
            async with primary() as server:
                reply = dns.message.from_wire(await first(server.server, query), keyring=SIGNED, request_mac=query.mac)
            assert (reply.id, reply.question, reply.rcode()) == (query.id, query.question, 0)
            assert dns.flags.to_text(reply.flags) == "QR AA"
            assert reply.answer[0].to_text() == SOA
            assert reply.had_tsig

        run(test())

    def test_the_case_of_the_question_is_echoed_and_that_of_the_zone_kept(self) -> None:
        async def test() -> None:
            query = asking(name=BASE.upper())
            async with primary() as server:
                wire = await first(server.server, query)
                reply = dns.message.from_wire(wire, keyring=SIGNED, request_mac=query.mac)
            assert wire[12:28] == b"\x06TRINCO\x07EXAMPLE\0"
            assert {rrset.name.to_text() for rrset in reply.answer} == {
                name.to_text() for name in as_file(PUBLICATION).nodes
            }

        run(test())

    def test_edns_is_answered_with_edns(self) -> None:
        async def test() -> None:
            query = asking()
            query.use_edns(0, payload=1232)
            async with primary() as server:
                reply = dns.message.from_wire(await first(server.server, query), keyring=SIGNED, request_mac=query.mac)
            assert (reply.edns, reply.rcode()) == (0, 0)

        run(test())

    def test_no_message_is_larger_than_a_pointer_reaches_by_much(self) -> None:
        """RFC 1035 4.1.4: a pointer has 14 bits. The size is bounded however many domains there are."""
        owned = zonewire.whole(many(5000))
        sizes = [len(page.records) for page in zonewire.pages(owned, b"\6trinco\7example\0", 32)]
        assert len(sizes) > 50
        assert max(sizes) < 16_384
        assert min(sizes[:-1]) > 15_000

    def test_records_that_fill_a_message_by_themselves(self) -> None:
        addresses = tuple(f"2001:db8::{number:x}" for number in range(800))
        held = Publication(7, replace(ZONE, policy_addresses=addresses), PUBLICATION.domains)

        async def test() -> None:
            async with primary(held) as server:
                assert await fetched(server.server) == as_file(held)

        run(test())


@loops
class TestDifference:
    """RFC 1995 4: what goes behind the old SOA, what comes behind the new one."""

    def test_each_kind_of_change(self, loop: str) -> None:
        changes = [
            ((hosted(WAITING, policy_id="22"),), ()),
            ((hosted(LABEL, policy_id="33", tlsrpt="v=TLSRPTv1; rua=mailto:a@b.example"),), ()),
            ((hosted("fresh"), hosted("another", policy_id="1")), (LONG,)),
            ((hosted(LABEL, policy_id="33"),), ()),
            ((), ("fresh",)),
            (
                (hosted(LABEL, policy_id="44"), hosted("fresh", tlsrpt="v=TLSRPTv1; rua=mailto:c@d.example")),
                ("another",),
            ),
        ]

        async def test() -> None:
            async with primary() as server:
                following, late = await fetched(server.server), await fetched(server.server)
                for changed, removed in changes:
                    await server.take(*changed, removed=removed)
                    assert await fetched(server.server, following) == as_file(server.serving.held)
                assert await fetched(server.server, late) == as_file(server.serving.held)

        run(test(), loop)

    def test_what_stayed_is_not_in_it(self, loop: str) -> None:
        async def test() -> None:
            query = asking("IXFR", serial=7)
            async with primary() as server:
                await server.take(hosted(LABEL, policy_id="33", tlsrpt=PUBLICATION.domains[LABEL].tlsrpt))
                wire = await first(server.server, query)
            reply = dns.message.from_wire(wire, keyring=SIGNED, request_mac=query.mac, one_rr_per_rrset=True)
            new = SOA.replace(" 7 ", " 8 ")
            sts = f"{LABEL}.mta-sts.{BASE}. 300 IN TXT"
            assert [rrset.to_text() for rrset in reply.answer] == [
                *(new, SOA, f'{sts} "v=STSv1; id=20260101T000000Z0a1b2c3d;"'),
                *(new, f'{sts} "v=STSv1; id=33;"', new),
            ]

        run(test(), loop)

    def test_there_and_back_is_nothing(self, loop: str) -> None:
        async def test() -> None:
            query = asking("IXFR", serial=7)
            async with primary() as server:
                await server.take(hosted(LABEL))
                await server.take(PUBLICATION.domains[LABEL])
                wire = await first(server.server, query)
            reply = dns.message.from_wire(wire, keyring=SIGNED, request_mac=query.mac, one_rr_per_rrset=True)
            serials = [rrset[0].serial for rrset in reply.answer]
            assert serials == [9, 7, 9, 9]

        run(test(), loop)

    @pytest.mark.parametrize("serial", [7, 8, 2**31 + 6], ids=["same", "later", "far later"])
    def test_who_has_no_older_one_gets_the_soa(self, serial: int, loop: str) -> None:
        """RFC 1995 2: a query with the same or a newer version is replied to with a single SOA."""

        async def test() -> None:
            query = asking("IXFR", serial=serial)
            async with primary() as server:
                wire = await first(server.server, query)
            reply = dns.message.from_wire(wire, keyring=SIGNED, request_mac=query.mac)
            assert [rrset.to_text() for rrset in reply.answer] == [SOA]

        run(test(), loop)

    @pytest.mark.parametrize("serial", [6, 5, 2**32 - 1])
    def test_who_is_too_far_behind_gets_the_whole(self, serial: int, loop: str) -> None:
        """RFC 1995 4: the entire zone, when the server has not the history."""

        async def test() -> None:
            query = asking("IXFR", serial=serial)
            async with primary() as server:
                wire = await first(server.server, query)
            reply = dns.message.from_wire(wire, keyring=SIGNED, request_mac=query.mac)
            assert {rrset.name for rrset in reply.answer} == set(as_file(PUBLICATION).nodes)

        run(test(), loop)

    def test_a_serial_that_wraps(self, loop: str) -> None:
        """RFC 1982: after 2^32 - 1 comes 0."""
        held = Publication(2**32 - 1, ZONE, PUBLICATION.domains)

        async def test() -> None:
            async with primary(held) as server:
                zone = await fetched(server.server)
                await server.take(hosted(LABEL, policy_id="5"))
                assert await fetched(server.server, zone) == as_file(server.serving.held)
                assert zone.get_soa().serial == 0

        run(test(), loop)

    def test_without_a_serial_it_is_the_newest_soa(self, loop: str) -> None:
        async def test() -> None:
            query = asking("IXFR")
            async with primary() as server:
                wire = await first(server.server, query)
            assert len(dns.message.from_wire(wire, keyring=SIGNED, request_mac=query.mac).answer) == 1

        run(test(), loop)


class TestByUdp:
    """RFC 1995 2: by UDP a difference that is not to be had there is answered with the SOA; AXFR is TCP's alone."""

    def test_ixfr_gets_the_soa_signed(self) -> None:
        async def test() -> None:
            query = asking("IXFR", serial=5)
            async with primary() as server:
                wire = await by_udp(server.server, query.to_wire())
            assert wire is not None
            reply = dns.message.from_wire(wire, keyring=SIGNED, request_mac=query.mac)
            assert ([rrset.to_text() for rrset in reply.answer], reply.question) == ([SOA], query.question)

        run(test())

    @pytest.mark.parametrize(
        "query",
        [asking("IXFR", serial=5, key=None), asking(key=None), asking()],
        ids=["unsigned ixfr", "axfr", "signed axfr"],
    )
    def test_all_else_is_refused(self, query: dns.message.Message) -> None:
        async def test() -> None:
            async with primary() as server:
                wire = await by_udp(server.server, query.to_wire())
            assert wire is not None
            assert wire[3] & 0xF == dns.rcode.REFUSED

        run(test())


class TestDig:
    """What an operator types."""

    def dig(self, server: tuple[str, int], *words: str) -> str:
        secret = base64.b64encode(KEY.secret).decode()
        argv = [
            needs("dig"),
            f"@{server[0]}",
            "-p",
            str(server[1]),
            "-y",
            f"{KEY.algorithm}:{KEY.name}:{secret}",
            "+tries=1",
            *words,
        ]
        return subprocess.run(argv, capture_output=True, text=True, check=False, timeout=300).stdout

    def test_axfr_and_ixfr(self) -> None:
        async def test() -> None:
            async with primary() as server:
                await server.take(hosted(LABEL, policy_id="33"))
                whole = await asyncio.to_thread(self.dig, server.server, BASE, "AXFR")
                part = await asyncio.to_thread(self.dig, server.server, BASE, "IXFR=7")
            assert whole.count("\tSOA\t") == 2
            assert f'{LABEL}.mta-sts.{BASE}. 300 IN TXT "v=STSv1; id=33;"' in whole
            assert part.count("\tSOA\t") == 4
            assert "could" not in whole + part

        run(test())

    def test_what_dnspython_calls_it_is_what_dig_calls_it(self) -> None:
        async def test() -> None:
            async with primary(addresses=frozenset()) as server:
                with pytest.raises(dns.xfr.TransferError) as error:
                    await asyncio.to_thread(fetch, server.server, fresh(), None)
                said = await asyncio.to_thread(self.dig, server.server, BASE, "AXFR")
            assert error.value.rcode == dns.rcode.REFUSED
            assert "Transfer failed" in said

        run(test())
