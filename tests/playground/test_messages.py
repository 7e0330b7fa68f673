"""Messages: what an authoritative server and a resolver of the made-up internet say."""

from __future__ import annotations

import asyncio

import dns.flags
import dns.message
import dns.rcode
import pytest

from trinco.playground.answers import authoritative
from trinco.playground.resolver import resolve
from trinco.playground.world import Record, World, Zone

RECORDS = (
    Record("example", "NS", "ns1.dns.example."),
    Record("trinco.example", "NS", "ns1.trinco.example."),
    Record("ns1.trinco.example", "A", "127.0.0.2"),
    Record("correio.example", "MX", "10 mx1.correio.example."),
    Record("_mta-sts.correio.example", "CNAME", "l.mta-sts.trinco.example."),
    Record("www.correio.example", "CNAME", "correio.example."),
    Record("one.correio.example", "CNAME", "two.correio.example."),
    Record("two.correio.example", "CNAME", "one.correio.example."),
)
WORLD = World([Zone("example"), Zone("correio.example")], RECORDS)
TXT = 'l.mta-sts.trinco.example. 300 IN TXT "v=STSv1; id=1;"'


def asked(name: str, rtype: str) -> dns.message.Message:
    return authoritative(dns.message.make_query(name, rtype, flags=0), WORLD)


def texts(sets: list[object]) -> list[str]:
    return [str(each) for each in sets]


class TestAuthoritative:
    """RFC 1034 4.3.2 without recursion, RFC 2308 for what is not there."""

    def test_an_answer_has_authority(self) -> None:
        reply = asked("correio.example", "MX")
        assert (texts(reply.answer), texts(reply.authority), reply.rcode()) == (
            ["correio.example. 5 IN MX 10 mx1.correio.example."],
            [],
            dns.rcode.NOERROR,
        )
        assert reply.flags & dns.flags.AA
        assert not reply.flags & dns.flags.RA

    def test_a_cname_is_not_followed(self) -> None:
        assert texts(asked("www.correio.example", "MX").answer) == ["www.correio.example. 5 IN CNAME correio.example."]

    def test_a_name_that_is_not_there_has_the_soa_beside_it(self) -> None:
        reply = asked("nobody.correio.example", "A")
        assert (reply.rcode(), reply.answer) == (dns.rcode.NXDOMAIN, [])
        assert [rrset.name.to_text() for rrset in reply.authority] == ["correio.example."]

    def test_a_type_that_is_not_there_as_well(self) -> None:
        reply = asked("correio.example", "TXT")
        assert (reply.rcode(), len(reply.authority)) == (dns.rcode.NOERROR, 1)

    def test_a_delegation_refers_with_glue_and_without_authority(self) -> None:
        reply = asked("l.policy.trinco.example", "A")
        assert (texts(reply.authority), texts(reply.additional)) == (
            ["trinco.example. 5 IN NS ns1.trinco.example."],
            ["ns1.trinco.example. 5 IN A 127.0.0.2"],
        )
        assert not reply.flags & dns.flags.AA

    def test_the_rest_of_the_world_is_refused(self) -> None:
        assert asked("example.com", "A").rcode() == dns.rcode.REFUSED


class TestResolver:
    """RFC 1034 5.2.2: a resolver follows CNAMEs and gives the whole chain."""

    @staticmethod
    def resolve(name: str, rtype: str, trinco: str | Exception = "") -> dns.message.Message:
        async def ask(_name: str, _rtype: str) -> dns.message.Message:
            if isinstance(trinco, Exception):
                raise trinco
            return dns.message.from_text(trinco)

        return asyncio.run(resolve(dns.message.make_query(name, rtype), WORLD, ask))

    def test_follows_a_cname_within_the_world(self) -> None:
        reply = self.resolve("www.correio.example", "MX")
        assert texts(reply.answer) == [
            "www.correio.example. 5 IN CNAME correio.example.",
            "correio.example. 5 IN MX 10 mx1.correio.example.",
        ]
        assert reply.flags & dns.flags.RA

    def test_follows_a_cname_to_trinco_by_asking_it(self) -> None:
        reply = self.resolve("_mta-sts.correio.example", "TXT", f"id 1\n;ANSWER\n{TXT}\n")
        assert texts(reply.answer) == ["_mta-sts.correio.example. 5 IN CNAME l.mta-sts.trinco.example.", TXT]

    def test_hands_on_that_trinco_knows_no_such_name(self) -> None:
        reply = self.resolve("_mta-sts.correio.example", "TXT", "id 1\nrcode NXDOMAIN\n")
        assert (reply.rcode(), len(reply.answer)) == (dns.rcode.NXDOMAIN, 1)

    def test_fails_when_trinco_is_silent(self) -> None:
        assert self.resolve("x.trinco.example", "A", OSError()).rcode() == dns.rcode.SERVFAIL

    def test_a_circle_of_cnames_fails(self) -> None:
        assert self.resolve("one.correio.example", "A").rcode() == dns.rcode.SERVFAIL

    @pytest.mark.parametrize(("name", "rcode"), [("example.com", dns.rcode.NXDOMAIN), (".", dns.rcode.NOERROR)])
    def test_the_rest_of_the_world_is_not_there(self, name: str, rcode: dns.rcode.Rcode) -> None:
        reply = self.resolve(name, "A")
        assert (reply.rcode(), texts(reply.authority)) == (rcode, [". 5 IN SOA . . 1 3600 600 1209600 60"])
