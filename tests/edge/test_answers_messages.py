"""What becomes of a message's own form: flags, EDNS, sizes, and all that is wrong with it."""

from __future__ import annotations

import struct

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rdata
import dns.tsigkeyring
import pytest
from dnszone import BASE, LABEL, LONG, PUBLICATION, SOA, ZONE, Said, ask, hosted, query, said

from trinco.core.hosting import Publication
from trinco.edge import wire
from trinco.edge.answers import Answers

STS = f"{LABEL}.mta-sts.{BASE}"
OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
RECORD = wire.name(BASE) + struct.pack("!HHIH", 1, 1, 0, 4) + b"\1\2\3\4"


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers(PUBLICATION)


def message(
    question: bytes, counts: tuple[int, int, int, int] = (1, 0, 0, 0), flags: int = 0, more: bytes = b""
) -> bytes:
    return struct.pack("!HHHHHH", 0xBEEF, flags, *counts) + question + more


def question(name: str = BASE, type_: int = wire.SOA) -> bytes:
    return wire.name(name) + struct.pack("!HH", type_, wire.IN)


def header(reply: bytes | None) -> bytes:
    """A reply that is nothing but a header: id, flags, and no counts."""
    assert reply is not None
    assert reply[4:] == bytes(8)
    return reply[:4]


class TestFlags:
    """RFC 1035 4.1.1: opcode and RD are copied, RA says no recursion here, Z is zero; RFC 4035 3.1.6: AD clear, CD ignored."""

    @pytest.mark.parametrize("name", [BASE, STS, f"nobody.{BASE}", f"{LABEL}.policy.{BASE}"])
    @pytest.mark.parametrize("bit", [0x0400, 0x0200, 0x0080, 0x0040, 0x0020, 0x0010, 0x000F, 0x06FF])
    def test_what_a_query_has_no_business_with_is_clear(self, answers: Answers, name: str, bit: int) -> None:
        plain = answers.answer(message(question(name, wire.TXT)))
        assert answers.answer(message(question(name, wire.TXT), flags=bit)) == plain

    @pytest.mark.parametrize(("name", "flags"), [(BASE, "QR AA RD"), (STS, "QR AA RD"), ("other.example", "QR RD")])
    def test_rd_comes_back(self, answers: Answers, name: str, flags: str) -> None:
        asked = query(name, "TXT")
        asked.flags = dns.flags.RD
        assert said(ask(answers, asked)).flags == flags

    @pytest.mark.parametrize(
        "name", ["TrInCo.EXAMPLE", STS.upper(), f"NoBody.{BASE.upper()}", f"{LABEL}.PoLiCy.{BASE}", "A.b"]
    )
    def test_the_case_of_the_question_comes_back(self, answers: Answers, name: str) -> None:
        asked = message(question(name, wire.TXT))
        reply = answers.answer(asked)
        assert reply is not None
        assert reply[12 : len(asked)] == asked[12:]

    def test_capital_letters_in_the_type_are_not_letters(self, answers: Answers) -> None:
        assert said(ask(answers, query(STS, "TYPE65"))) == Said("NOERROR", "QR AA", [], [SOA])
        assert said(ask(answers, query(STS, "TYPE16656"))) == Said("NOERROR", "QR AA", [], [SOA])


class TestOpcodes:
    """RFC 1035 4.1.1: NOTIMP for a kind of query that is not supported."""

    @pytest.mark.parametrize("opcode", range(1, 16))
    def test_notimp(self, answers: Answers, opcode: int) -> None:
        reply = answers.answer(message(question(), flags=opcode << 11 | 0x0100))
        assert header(reply) == struct.pack("!HH", 0xBEEF, 0x8000 | opcode << 11 | 0x0100 | wire.NOTIMP)

    def test_whatever_follows(self, answers: Answers) -> None:
        assert header(answers.answer(message(b"\xff\xff", flags=0x2800))) == b"\xbe\xef\xa8\x04"


class TestEdns:
    """RFC 6891 6.1 and 7: an OPT for an OPT, our own size, version 0, DO copied, no option that we do not know."""

    opt = "IN EDNS"

    @pytest.mark.parametrize("name", [BASE, STS, f"nobody.{BASE}", "other.example"])
    @pytest.mark.parametrize(("ednsflags", "copied"), [(0, 0), (0x8000, 0x8000), (0x7FFF, 0), (0xFFFF, 0x8000)])
    def test_opt_comes_back_with_do_alone(self, answers: Answers, name: str, ednsflags: int, copied: int) -> None:
        reply = ask(answers, query(name, "TXT", use_edns=0, payload=4096, ednsflags=ednsflags))
        assert (reply.edns, reply.ednsflags, reply.payload, reply.options) == (0, copied, 1232, ())

    def test_no_opt_for_none(self, answers: Answers) -> None:
        assert ask(answers, query(STS, "TXT")).edns == -1

    @pytest.mark.parametrize("code", [3, 8, 9, 10, 11, 12, 65001])
    @pytest.mark.parametrize("name", [STS, BASE])
    def test_options_are_not_echoed(self, answers: Answers, name: str, code: int) -> None:
        options = [dns.edns.GenericOption(code, b"\0\1\0\0\1\2\3\4")]
        reply = ask(answers, query(name, "TXT", use_edns=0, options=options))
        assert (reply.rcode(), reply.edns, reply.options) == (0, 0, ())

    @pytest.mark.parametrize("name", [BASE, STS, "other.example", f"nobody.{BASE}"])
    @pytest.mark.parametrize("version", [1, 100, 255])
    def test_badvers(self, answers: Answers, name: str, version: int) -> None:
        """6.1.3: BADVERS names the highest version we speak, whatever is asked."""
        reply = ask(answers, query(name, "TXT", use_edns=version))
        assert said(reply) == Said("BADVERS", "QR")
        assert (reply.edns, reply.payload) == (0, 1232)

    def test_extended_rcode_in_a_query_means_nothing(self, answers: Answers) -> None:
        opt = b"\0\0\x29\x04\xd0\x07\0\0\0\0\0"
        assert said(ask(answers, message(question(), (1, 0, 0, 1), more=opt))) == Said("NOERROR", "QR AA", [SOA])

    def test_two_are_a_format_error(self, answers: Answers) -> None:
        reply = answers.answer(message(question(), (1, 0, 0, 2), more=OPT + OPT))
        assert reply == b"\xbe\xef\x80\x01\0\1" + bytes(6) + question()

    def test_opt_beside_a_signature_is_found(self, answers: Answers) -> None:
        for additional in (OPT + RECORD, RECORD + OPT):
            assert ask(answers, message(question(), (1, 0, 0, 2), more=additional)).edns == 0


class TestSizes:
    """RFC 1035 4.2.1: 512 octets without EDNS; RFC 6891 6.2.3 and 6.2.5: the client's size, 512 at least; ours is 1232."""

    name = f"{LONG}.tlsrpt.{BASE}"

    @pytest.mark.parametrize("payload", [0, 100, 512])
    def test_what_does_not_fit_is_truncated(self, answers: Answers, payload: int) -> None:
        reply = ask(answers, query(self.name, "TXT", use_edns=0, payload=payload))
        assert said(reply) == Said("NOERROR", "QR AA TC")
        assert (reply.edns, reply.payload) == (0, 1232)

    def test_without_edns_512(self, answers: Answers) -> None:
        assert said(ask(answers, query(self.name, "TXT"))) == Said("NOERROR", "QR AA TC")

    @pytest.mark.parametrize("payload", [1232, 4096, 65535])
    def test_what_fits_the_clients_size_comes(self, answers: Answers, payload: int) -> None:
        assert len(said(ask(answers, query(self.name, "TXT", use_edns=0, payload=payload))).answer) == 1

    def test_never_more_than_1232_by_udp(self) -> None:
        zone = ZONE.__class__(ZONE.base, (), tuple(f"2001:db8::{n:x}" for n in range(1, 200)))
        big = Answers(Publication(1, zone, {LABEL: hosted(LABEL)}))
        asked = query(f"{LABEL}.policy.{BASE}", "AAAA", use_edns=0, payload=65535)
        assert said(ask(big, asked)) == Said("NOERROR", "QR AA TC")
        assert len(said(ask(big, asked, tcp=True)).answer) == 199

    def test_not_even_tcp_carries_more_than_its_length_can_say(self) -> None:
        zone = ZONE.__class__(ZONE.base, (), tuple(f"2001:db8::{n:x}" for n in range(1, 3000)))
        big = Answers(Publication(1, zone, {LABEL: hosted(LABEL)}))
        assert said(ask(big, query(f"{LABEL}.policy.{BASE}", "AAAA"), tcp=True)) == Said("NOERROR", "QR AA TC")

    def test_tcp_has_room(self, answers: Answers) -> None:
        assert len(said(ask(answers, query(self.name, "TXT"), tcp=True)).answer) == 1

    def test_additional_addresses_that_do_not_fit_are_left_out(self) -> None:
        """RFC 2181 9: TC is for what the answer needs; additional records may be left out in silence."""
        servers = tuple(type(ZONE.nameservers[0])(f"ns{n}.{BASE}", (f"192.0.2.{n}",)) for n in range(1, 20))
        many = Answers(Publication(1, ZONE.__class__(ZONE.base, servers, ())))
        plain, large = query(BASE, "NS"), query(BASE, "NS", use_edns=0, payload=1232)
        reply = said(ask(many, plain))
        assert (reply.flags, len(reply.answer), reply.additional) == ("QR AA", 19, [])
        assert len(said(ask(many, large)).additional) == 19

    def test_the_longest_question_gets_its_negative_answer(self, answers: Answers) -> None:
        room = 255 - len(wire.name(BASE))
        labels = b"\x3f" + b"a" * 63
        name = labels * (room // 64) + bytes([room % 64 - 1]) + b"b" * (room % 64 - 1) + wire.name(BASE)
        assert len(name) == 255
        assert said(ask(answers, message(name + b"\0\1\0\1", (1, 0, 0, 1), more=OPT))).authority == [SOA]

    @pytest.mark.parametrize("rdtype", ["A", "AAAA", "TXT", "CAA", "MX", "ANY"])
    @pytest.mark.parametrize("service", ["policy", "mta-sts", "tlsrpt"])
    def test_no_reply_is_three_times_its_question(self, answers: Answers, service: str, rdtype: str) -> None:
        """What a spoofer could make of us (RFC 5358 is about the same in resolvers)."""
        asked = query(f"{LABEL}.{service}.{BASE}", rdtype).to_wire()
        reply = answers.answer(asked)
        assert reply is not None
        assert len(reply) <= 3 * len(asked)


class TestSilence:
    """A reply to a reply could go on for ever; a message without a whole header has no id to reply to."""

    @pytest.mark.parametrize("length", range(12))
    def test_less_than_a_header(self, answers: Answers, length: int) -> None:
        assert answers.answer(message(question())[:length]) is None

    @pytest.mark.parametrize("flags", [0x8000, 0x8400, 0xA800, 0xFFFF])
    def test_replies(self, answers: Answers, flags: int) -> None:
        assert answers.answer(message(question(STS, wire.TXT), flags=flags)) is None
        assert answers.answer(message(b"\xff", flags=flags)) is None


class TestFormatErrors:
    """RFC 1035 4.1.1: FORMERR for what cannot be read; RFC 9619: a query has exactly one question."""

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"\6trinco\7exam",
            b"\6trinco\7example\0\0\6\0",
            b"\xc0\x0c\0\6\0\1",
            b"\6trinco\xc0\x04\0\6\0\1",
            b"\x40" + b"a" * 64 + b"\0\0\6\0\1",
            b"\x80trinco\0\0\6\0\1",
            (b"\x3f" + b"a" * 63) * 4 + b"\0\0\6\0\1",
            b"\x3f" * 300,
        ],
    )
    def test_a_question_that_cannot_be_read(self, answers: Answers, body: bytes) -> None:
        assert header(answers.answer(message(body))) == b"\xbe\xef\x80\x01"

    @pytest.mark.parametrize("count", [0, 2, 3, 65535])
    def test_more_or_fewer_than_one_question(self, answers: Answers, count: int) -> None:
        assert header(answers.answer(message(question() * min(count, 3), (count, 0, 0, 0)))) == b"\xbe\xef\x80\x01"

    @pytest.mark.parametrize(
        ("counts", "more"),
        [
            ((1, 1, 0, 0), RECORD),
            ((1, 0, 1, 0), RECORD),
            ((1, 0, 0, 3), RECORD * 3),
            ((1, 1, 0, 0), OPT),
            ((1, 0, 0, 1), b""),
            ((1, 0, 0, 1), OPT[:-1]),
            ((1, 0, 0, 1), OPT[:-2] + b"\0\1"),
            ((1, 0, 0, 1), OPT[:-2] + b"\0\4\0\1\0\5"),
            ((1, 0, 0, 1), OPT[:-2] + b"\0\3\0\1\0"),
            ((1, 0, 0, 1), b"\1a" + OPT),
            ((1, 0, 0, 1), b"\xc0\x0c" + OPT[1:]),
            ((1, 0, 0, 1), b"\x40" + OPT),
            ((1, 0, 0, 1), b"\x3fa"),
            ((1, 0, 0, 1), b"\xc0\x0b" + RECORD[-14:]),
            ((1, 0, 0, 1), b"\xc0\x20" + RECORD[-14:]),
            ((1, 0, 0, 0), b"x"),
            ((1, 0, 0, 1), OPT + b"\0"),
        ],
    )
    def test_records_that_a_query_has_not(
        self, answers: Answers, counts: tuple[int, int, int, int], more: bytes
    ) -> None:
        reply = answers.answer(message(question(), counts, more=more))
        assert reply == b"\xbe\xef\x80\x01\0\1" + bytes(6) + question()

    def test_a_name_that_points_back_can_be_read(self, answers: Answers) -> None:
        asked = message(question(), (1, 0, 0, 1), more=b"\xc0\x0c" + RECORD[-14:])
        assert said(ask(answers, asked)) == Said("NOERROR", "QR AA", [SOA])

    def test_ixfr_brings_its_soa(self, answers: Answers) -> None:
        """RFC 1995 3: the client's SOA stands in the authority section."""
        asked = message(question(type_=wire.IXFR), (1, 0, 1, 0), more=RECORD)
        assert said(ask(answers, asked)) == Said("REFUSED", "QR")
        two = message(question(type_=wire.IXFR), (1, 0, 2, 0), more=RECORD * 2)
        assert said(ask(answers, two)).rcode == "FORMERR"

    def test_a_nul_inside_a_label_does_not_end_the_name(self, answers: Answers) -> None:
        name = b"\3a\0b" + wire.name(BASE)
        assert said(ask(answers, message(name + b"\0\1\0\1"))) == Said("NXDOMAIN", "QR AA", [], [SOA])

    def test_a_label_of_no_ascii_is_only_a_name_that_is_not_there(self, answers: Answers) -> None:
        name = b"\4\xff\xfe\x80\xc3" + wire.name(f"policy.{BASE}")
        assert said(ask(answers, message(name + b"\0\1\0\1"))) == Said("NXDOMAIN", "QR AA", [], [SOA])


class TestTruncated:
    """What the rate limiter sends instead: empty, TC, with OPT when the query had one."""

    def test_sends_the_client_to_tcp(self, answers: Answers) -> None:
        asked = query(STS, "TXT", use_edns=0).to_wire()
        reply = answers.truncated(asked)
        assert reply is not None
        assert said(dns.message.from_wire(reply)) == Said("NOERROR", "QR AA TC")
        assert dns.message.from_wire(reply).edns == 0

    def test_not_for_what_cannot_be_read(self, answers: Answers) -> None:
        for asked in (message(b""), b"short", message(question(), flags=0x2800), message(question(), flags=0x8000)):
            assert answers.truncated(asked) is None
