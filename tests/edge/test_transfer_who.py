"""Who gets transfers, and what a signature is worth."""

from __future__ import annotations

import time

import dns.flags
import dns.message
import dns.rcode
import dns.tsig
import pytest
from bench.secondaries import KEY
from dnszone import BASE, LABEL, LONG, PUBLICATION, ZONE, hosted
from test_dnsd import by_udp, run
from transfer_rig import SIGNED, UNKNOWN, WRONG, asking, first, primary

from trinco.core.hosting import Publication
from trinco.edge.answers import Answers

loops = pytest.mark.parametrize("loop", ["asyncio", "uvloop"])


@loops
class TestWhoMay:
    """RELIABILITY 14 and 15: a transfer takes a listed address and a signature; a stranger learns nothing."""

    def refused(self, loop: str, rcode: int, query: dns.message.Message, **how: object) -> bytes:
        found: list[bytes] = []

        async def test() -> None:
            async with primary(**how) as server:  # type: ignore[arg-type]
                found.append(await first(server.server, query))
                assert server.serving.answers.rcodes[rcode] == 1

        run(test(), loop)
        assert found[0][3] & 0xF == rcode
        assert found[0][6:10] == b"\0\0\0\0"
        return found[0]

    @pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
    def test_another_address(self, kind: str, loop: str) -> None:
        self.refused(
            loop,
            dns.rcode.REFUSED,
            asking(kind, serial=5 if kind == "IXFR" else None),
            addresses=frozenset({"192.0.2.1"}),
        )

    @pytest.mark.parametrize("kind", ["AXFR", "IXFR"])
    def test_no_signature(self, kind: str, loop: str) -> None:
        self.refused(loop, dns.rcode.REFUSED, asking(kind, key=None, serial=5 if kind == "IXFR" else None))

    def test_a_signature_of_another_secret(self, loop: str) -> None:
        """RFC 8945 5.2.2: NOTAUTH with BADSIG, and no signature of ours."""
        query = asking(key=WRONG)
        wire = self.refused(loop, dns.rcode.NOTAUTH, query)
        with pytest.raises(dns.tsig.PeerBadSignature):
            dns.message.from_wire(wire, keyring=WRONG, request_mac=query.mac)

    def test_a_key_that_we_do_not_know(self, loop: str) -> None:
        """RFC 8945 5.2.1: NOTAUTH with BADKEY."""
        query = asking(key=UNKNOWN)
        wire = self.refused(loop, dns.rcode.NOTAUTH, query)
        with pytest.raises(dns.tsig.PeerBadKey):
            dns.message.from_wire(wire, keyring=UNKNOWN, request_mac=query.mac)

    def test_another_algorithm(self, loop: str) -> None:
        query = asking(key=dns.tsig.Key(KEY.name, KEY.secret, "hmac-sha512"))
        wire = self.refused(loop, dns.rcode.NOTAUTH, query)
        with pytest.raises(dns.tsig.PeerBadKey):
            dns.message.from_wire(wire, keyring=query.keyring, request_mac=query.mac)

    @pytest.mark.parametrize("off", [-301, 302])
    def test_a_clock_that_is_wrong(self, off: int, loop: str) -> None:
        """RFC 8945 5.2.3: NOTAUTH with BADTIME, signed, with our time."""
        query = asking()
        wire = self.refused(loop, dns.rcode.NOTAUTH, query, clock=lambda: time.time() + off)
        reply = dns.message.from_wire(wire, keyring=False)
        ours = int.from_bytes(reply.tsig[0].other, "big")
        assert reply.tsig[0].error == dns.rcode.BADTIME
        assert abs(ours - time.time() - off) < 10
        assert reply.tsig[0].mac != bytes(32)

    @pytest.mark.parametrize("name", [f"{LABEL}.policy.{BASE}", "example", "elsewhere.example"])
    def test_what_is_no_zone_of_ours(self, name: str, loop: str) -> None:
        """RFC 5936 2.2.1: NOTAUTH."""
        self.refused(loop, dns.rcode.NOTAUTH, asking(name=name))

    def test_signed_by_a_stranger_address(self, loop: str) -> None:
        """Even the right key does not make another address one of ours."""
        self.refused(loop, dns.rcode.REFUSED, asking(), addresses=frozenset())


class TestSignedQuestions:
    """RFC 8945 5.3: a signed question gets a signed answer, whatever it asks; who has no key looks at none."""

    @pytest.mark.parametrize("tcp", [False, True])
    @pytest.mark.parametrize("edns", [False, True])
    def test_the_answer_is_the_same(self, tcp: bool, edns: bool) -> None:
        answers = Answers(PUBLICATION)
        plain = dns.message.make_query(f"{LABEL}.mta-sts.{BASE}", "TXT", use_edns=edns, flags=0, id=5)
        signed = dns.message.make_query(f"{LABEL}.mta-sts.{BASE}", "TXT", use_edns=edns, flags=0, id=5)
        signed.use_tsig(SIGNED)

        async def test() -> None:
            async with primary() as server:
                ask = first if tcp else by_udp
                reply = dns.message.from_wire(
                    await ask(server.server, signed.to_wire()) or b"", keyring=SIGNED, request_mac=signed.mac
                )
                assert reply.had_tsig
                assert reply.answer == dns.message.from_wire(answers.answer(plain.to_wire()) or b"").answer
                assert reply.edns == (0 if edns else -1)

        run(test())

    def test_it_fits_with_its_signature(self) -> None:
        """What would fit by UDP alone, and not with a signature, is truncated, and signed."""
        held = Publication(7, ZONE, {LABEL: hosted(LABEL, tlsrpt="v=TLSRPTv1; rua=mailto:" + "r" * 380)})
        query = dns.message.make_query(f"{LABEL}.tlsrpt.{BASE}", "TXT", use_edns=False, flags=0)
        assert not (Answers(held).answer(query.to_wire()) or b"")[2] & 2
        query.use_tsig(SIGNED)

        async def test() -> None:
            async with primary(held) as server:
                wire = await by_udp(server.server, query.to_wire()) or b""
                assert len(wire) <= 512
                reply = dns.message.from_wire(wire, keyring=SIGNED, request_mac=query.mac)
                assert dns.flags.to_text(reply.flags) == "QR AA TC"

        run(test())

    def test_without_a_key_of_ours_signatures_are_not_looked_at(self) -> None:
        query = dns.message.make_query(BASE, "SOA", use_edns=False, flags=0)
        query.use_tsig(WRONG)
        reply = dns.message.from_wire(Answers(PUBLICATION).answer(query.to_wire()) or b"")
        assert (reply.rcode(), reply.had_tsig, len(reply.answer)) == (0, False, 1)

    def test_a_wrong_signature_is_not_answered_with_more_than_was_asked(self) -> None:
        """RELIABILITY 13: no amplifier."""
        query = dns.message.make_query(f"{LONG}.tlsrpt.{BASE}", "TXT", flags=0)
        query.use_tsig(WRONG)

        async def test() -> None:
            async with primary() as server:
                wire = await by_udp(server.server, query.to_wire()) or b""
                assert (wire[3] & 0xF, len(wire) <= len(query.to_wire())) == (dns.rcode.NOTAUTH, True)

        run(test())
