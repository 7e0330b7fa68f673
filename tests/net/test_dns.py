"""Look-ups against real servers on loopback, good and bad."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest
from tests import support_dns as lab

from trinco.core.errors import DnsFailure
from trinco.net import dns as dns_module
from trinco.net.dns import Answer, Dns, Record
from trinco.net.guard import Guard

LOOPBACK = Guard((ip_network("127.0.0.0/8"),))
ZONE = """
@ MX 10 MX1
@ MX 5 mx2.elsewhere.example.
@ TXT "one " "two"
@ CAA 0 issue "ca.example.net; validationmethods=http-01"
_mta-sts CNAME Label.mta-sts.trinco.example.
big TXT "{0}" "{0}" "{0}" "{0}" "{0}" "{0}"
""".format("x" * 250)
TWO_SERVERS = """@ SOA ns1 h 1 3600 600 1209600 300
@ NS ns1
@ NS ns2
ns1 A 127.0.0.2
ns2 A 127.0.0.3
@ TXT "here"
"""


def look_ups(world: lab.Internet, guard: Guard = LOOPBACK, seconds: float = 60.0) -> Dns:
    return Dns(world.resolvers, world.port, guard, seconds)


def ask(world: lab.Internet, name: str, rdtype: str, guard: Guard = LOOPBACK) -> Answer:
    return asyncio.run(look_ups(world, guard).authoritative(name, rdtype))


class TestAuthoritative:
    """The servers of the zone itself are asked, without recursion, and a CNAME is shown instead of followed."""

    def test_every_record_is_told_in_a_form_of_its_own(self):
        with lab.internet({"a.example": ZONE}) as world:
            answers = [ask(world, "A.Example", kind) for kind in ("MX", "TXT", "CAA")]
        assert [answer.records for answer in answers] == [
            (
                Record("a.example", "MX", 300, "10 mx1.a.example"),
                Record("a.example", "MX", 300, "5 mx2.elsewhere.example"),
            ),
            (Record("a.example", "TXT", 300, "one two"),),
            (Record("a.example", "CAA", 300, '0 issue "ca.example.net; validationmethods=http-01"'),),
        ]
        assert answers[0].mx == ((5, "mx2.elsewhere.example"), (10, "mx1.a.example"))

    def test_a_cname_is_shown_whatever_type_is_asked(self):
        record = Record("_mta-sts.a.example", "CNAME", 300, "label.mta-sts.trinco.example")
        with lab.internet({"a.example": ZONE, "trinco.example": "Label.mta-sts TXT x"}) as world:
            found = [ask(world, "_mta-sts.a.example", kind) for kind in ("CNAME", "TXT")]
        assert found == [Answer("NOERROR", (record,), aa=True)] * 2

    def test_nodata_and_nxdomain_are_answers(self):
        with lab.internet({"a.example": ZONE}) as world:
            assert ask(world, "a.example", "AAAA") == Answer("NOERROR", (), aa=True)
            assert ask(world, "mta-sts.a.example", "CNAME") == Answer("NXDOMAIN", (), aa=True)

    def test_a_zone_cut_below_the_domain_is_found(self):
        parent = "_tls NS ns.inner\nns.inner A 127.0.0.4\n"
        child = "@ SOA a b 1 2 3 4 5\n@ NS ns.inner.a.example.\n_smtp TXT inner\n"
        hosts = {"127.0.0.4": lab.Host(("_tls.a.example",))}
        with lab.internet({"a.example": parent, "_tls.a.example": child}, hosts) as world:
            answer = ask(world, "_smtp._tls.a.example", "TXT")
        assert answer.values("TXT") == ("inner",)
        assert ("127.0.0.4", "_smtp._tls.a.example", "TXT", "udp") in world.asked

    def test_the_walk_upwards_does_not_stop_at_a_cname_that_leads_into_another_zone(self):
        zones = {"a.example": "www CNAME b.example.\n", "b.example": "@ TXT b\n"}
        with lab.internet(zones) as world:
            assert ask(world, "www.a.example", "TXT").values("CNAME") == ("b.example",)

    def test_a_cname_that_leads_nowhere_is_shown_all_the_same(self):
        with lab.internet({"a.example": "www CNAME broken.elsewhere.net.\n"}) as world:
            with pytest.raises(DnsFailure, match="REFUSED"):
                asyncio.run(look_ups(world).resolve("www.a.example", "NS"))
            assert ask(world, "www.a.example", "CNAME").values("CNAME") == ("broken.elsewhere.net",)

    def test_zones_are_found_once_for_many_questions(self):
        async def several(dns: Dns) -> None:
            await asyncio.gather(*(dns.authoritative(f"{n}.a.example", "A") for n in range(5)))

        with lab.internet({"a.example": ZONE}) as world:
            asyncio.run(several(look_ups(world)))
        assert [entry[1:] for entry in world.asked].count(("ns.a.example", "A", "udp")) == 1

    def test_the_zone_and_its_name_servers(self):
        with lab.internet({"a.example": "", "example": ""}) as world:
            found = asyncio.run(look_ups(world).delegation("deep.below.a.example"))
        assert found == ("a.example", ("ns.a.example",))

    def test_an_unknown_zone_is_a_failure(self):
        with lab.internet({"a.example": ZONE}) as world, pytest.raises(DnsFailure, match="REFUSED"):
            ask(world, "b.example", "A")


class TestBadServers:
    """The servers are tried in turn; what one of them gets wrong is never taken for an answer (RFC 5452)."""

    def leave_soon(self, monkeypatch: pytest.MonkeyPatch, *servers: str) -> None:
        """Have no patience with these servers, and all of it with the others."""
        whole = dns_module.ask
        monkeypatch.setattr(
            dns_module,
            "ask",
            lambda asked, there, seconds: whole(asked, there, 0.3 if there[0] in servers else seconds),
        )

    @pytest.mark.parametrize(
        "habit",
        [
            lab.silent,
            lab.says("SERVFAIL"),
            lab.says("REFUSED"),
            lab.lame,
            lab.wrong_id,
            lab.garbage,
            lab.wrong_question,
        ],
    )
    def test_the_second_server_answers_when_the_first_one_does_not(self, habit, monkeypatch):
        self.leave_soon(monkeypatch, "127.0.0.2")
        hosts = {"127.0.0.2": lab.Host(("a.example",), habit), "127.0.0.3": lab.Host(("a.example",))}
        with lab.internet({"a.example": TWO_SERVERS}, hosts) as world:
            assert ask(world, "a.example", "TXT") == Answer(
                "NOERROR", (Record("a.example", "TXT", 300, "here"),), aa=True
            )

    @pytest.mark.parametrize(
        ("habit", "reason"),
        [
            (lab.silent, "did not answer"),
            (lab.says("SERVFAIL"), "SERVFAIL"),
            (lab.lame, "not authoritative"),
            (lab.wrong_id, "did not answer"),
        ],
    )
    def test_no_proper_answer_is_a_failure_with_its_reason_and_within_the_time(self, habit, reason, monkeypatch):
        if reason == "did not answer":
            self.leave_soon(monkeypatch, "127.0.0.2", "127.0.0.3")
        hosts = {address: lab.Host(("a.example",), habit) for address in ("127.0.0.2", "127.0.0.3")}
        with lab.internet({"a.example": TWO_SERVERS}, hosts) as world, pytest.raises(DnsFailure, match=reason):
            ask(world, "a.example", "TXT")

    def test_a_server_that_is_down_costs_no_time_out(self):
        zone = TWO_SERVERS.replace("127.0.0.2", "127.0.0.99")
        with lab.internet({"a.example": zone}, {"127.0.0.3": lab.Host(("a.example",))}) as world:
            asking = look_ups(world, seconds=1800.0).authoritative("a.example", "TXT")
            answer = asyncio.run(asyncio.wait_for(asking, 60))  # a time-out would be ten minutes
        assert answer.values("TXT") == ("here",)

    def test_a_silent_server_is_asked_last_from_then_on(self, monkeypatch):
        self.leave_soon(monkeypatch, "127.0.0.2")

        async def twice(dns: Dns) -> None:
            await dns.authoritative("a.example", "TXT")
            await dns.authoritative("a.example", "MX")

        hosts = {"127.0.0.2": lab.Host(("a.example",), lab.silent), "127.0.0.3": lab.Host(("a.example",))}
        with lab.internet({"a.example": TWO_SERVERS}, hosts) as world:
            asyncio.run(twice(look_ups(world)))
        asked = [entry[0] for entry in world.asked if entry[2] in {"TXT", "MX"}]
        assert asked == ["127.0.0.2", "127.0.0.3", "127.0.0.3"]

    def test_a_truncated_reply_is_asked_for_again_over_tcp(self):
        zone = TWO_SERVERS.replace('"here"', '"' + "x" * 200 + '"')
        hosts = {address: lab.Host(("a.example",), lab.truncated) for address in ("127.0.0.2", "127.0.0.3")}
        with lab.internet({"a.example": zone}, hosts) as world:
            assert ask(world, "a.example", "TXT").values("TXT") == ("x" * 200,)
        assert ("127.0.0.2", "a.example", "TXT", "tcp") in world.asked

    def test_a_server_without_edns_is_asked_without_it(self):
        hosts = {address: lab.Host(("a.example",), lab.no_edns) for address in ("127.0.0.2", "127.0.0.3")}
        with lab.internet({"a.example": TWO_SERVERS}, hosts) as world:
            assert ask(world, "a.example", "TXT").values("TXT") == ("here",)

    def test_names_come_back_in_lower_case_whatever_the_server_makes_of_them(self):
        hosts = {address: lab.Host(("a.example",), lab.shouting) for address in ("127.0.0.2", "127.0.0.3")}
        with lab.internet({"a.example": TWO_SERVERS}, hosts) as world:
            assert ask(world, "a.example", "NS").records == (
                Record("a.example", "NS", 300, "ns1.a.example"),
                Record("a.example", "NS", 300, "ns2.a.example"),
            )


class TestGuarded:
    """Whoever owns the zone chooses the addresses of its servers: each is held against the guard before it is dialled."""

    def test_a_private_name_server_is_never_asked(self):
        refused = pytest.raises(DnsFailure, match="no address that may be asked")
        with lab.internet({"a.example": ZONE}) as world, refused:
            ask(world, "a.example", "TXT", Guard())
        assert ("127.0.0.1", "a.example", "TXT", "udp") not in world.asked

    def test_a_thousand_name_servers_are_not_all_looked_at(self):
        zone = "@ SOA a b 1 2 3 4 5\n" + "".join(f"@ NS n{n}\nn{n} A 127.0.0.1\n" for n in range(60))
        with lab.internet({"a.example": zone}) as world:
            assert ask(world, "a.example", "TXT") == Answer("NOERROR", (), aa=True)
        assert len(world.asked) < 20


class TestResolve:
    """A resolver's word: CNAMEs followed, and silence is not the same as "no record"."""

    def test_the_whole_chain_is_in_the_answer(self):
        zones = {"a.example": "m CNAME n\nn CNAME x.b.example.\n", "b.example": "x A 127.0.0.9\n"}
        with lab.internet(zones) as world:
            answer = asyncio.run(look_ups(world).resolve("m.a.example", "A"))
        assert [record.value for record in answer.records] == ["n.a.example", "x.b.example", "127.0.0.9"]
        assert answer.values("A") == ("127.0.0.9",)

    def test_addresses_of_both_kinds(self):
        with lab.internet({"a.example": "m A 127.0.0.9\nm AAAA 2001:db8::9\n"}) as world:
            assert asyncio.run(look_ups(world).addresses("m.a.example")) == ("127.0.0.9", "2001:db8::9")
            assert asyncio.run(look_ups(world).addresses("none.a.example")) == ()

    def test_the_second_resolver_is_asked_when_the_first_one_fails(self):
        hosts = {"127.0.0.2": lab.Host((), lab.says("SERVFAIL"))}
        with lab.internet({"a.example": "@ TXT x\n"}, hosts) as world:
            dns = Dns((("127.0.0.2", world.port), *world.resolvers))
            assert asyncio.run(dns.resolve("a.example", "TXT")).values("TXT") == ("x",)

    def test_no_resolver_answers(self):
        with lab.internet({}, {"127.0.0.2": lab.Host((), lab.says("SERVFAIL"))}) as world:
            dns = Dns((("127.0.0.2", world.port),))
            with pytest.raises(DnsFailure, match=r"a\.example TXT: the resolver 127\.0\.0\.2 says SERVFAIL"):
                asyncio.run(dns.resolve("a.example", "TXT"))
            with pytest.raises(DnsFailure, match="nobody answered"):
                asyncio.run(dns.addresses("a.example"))

    @pytest.mark.parametrize("name", ["é.example", "x" * 64 + ".example", "a..example", ".".join(["x" * 60] * 5)])
    def test_a_name_that_dns_cannot_carry_is_a_failure_like_any_other(self, name):
        with pytest.raises(DnsFailure, match="can carry"):
            asyncio.run(Dns((("127.0.0.1", 1),)).resolve(name, "A"))
        with pytest.raises(DnsFailure):
            asyncio.run(Dns((("127.0.0.1", 1),)).authoritative(name, "A"))
