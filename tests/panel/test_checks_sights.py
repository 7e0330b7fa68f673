"""Each finding once, from real name servers."""

from __future__ import annotations

import asyncio
from ipaddress import ip_network

import pytest
from tests import support_dns as lab

from trinco.net.dns import Dns
from trinco.net.guard import Guard
from trinco.panel.checks.caa import Issuers
from trinco.panel.checks.sights import Sight, Subject, View, view
from trinco.panel.domains.models import Finding, RecordName

NAMED = Issuers(frozenset({"ca.example.net"}), ours_decides=True)
UNNAMED = Issuers(frozenset({"trinco.example"}), ours_decides=False)
MTA_STS = "mta-sts CNAME l1.policy.trinco.example.\n"
STS_TXT = "_mta-sts CNAME L1.MTA-STS.trinco.example.\n"
TLSRPT = "_smtp._tls CNAME l1.tlsrpt.trinco.example.\n"
MX = "@ MX 10 mx\n"
FOUND = Sight(Finding.FOUND)
MISSING = Sight(Finding.MISSING)


def look(
    zone: str, issuers: Issuers = NAMED, hosts: dict[str, lab.Host] | None = None, seconds: float = 60.0, **zones: str
) -> View:
    world = {"a.example": zone, "example": "", **{name.replace("_", "."): text for name, text in zones.items()}}
    with lab.internet(world, hosts) as dns:
        guard = Guard((ip_network("127.0.0.0/8"),))
        look_ups = Dns(dns.resolvers, dns.port, guard, seconds)
        return asyncio.run(view(look_ups, Subject("a.example", "l1", "trinco.example", issuers)))


def sights(zone: str, issuers: Issuers = NAMED) -> list[Sight]:
    return list(look(zone, issuers).records.values())


class TestFindings:
    """Onboarding tells apart what stands at each of the three names."""

    def test_found(self):
        assert look(MTA_STS + STS_TXT + TLSRPT + MX) == View(
            {RecordName.MTA_STS: FOUND, RecordName.STS_TXT: FOUND, RecordName.TLSRPT_TXT: FOUND},
            ((10, "mx.a.example"),),
            ("a.example", ("ns.a.example",)),
        )

    def test_missing(self):
        assert sights("") == [MISSING] * 3

    def test_points_elsewhere_says_where(self):
        zone = "mta-sts CNAME l2.policy.trinco.example.\n_mta-sts CNAME sts.rival.example.\n_smtp._tls CNAME l1.mta-sts.trinco.example.\n"
        assert sights(zone) == [
            Sight(Finding.ELSEWHERE, "l2.policy.trinco.example"),
            Sight(Finding.ELSEWHERE, "sts.rival.example"),
            Sight(Finding.ELSEWHERE, "l1.mta-sts.trinco.example"),
        ]

    def test_a_txt_in_the_way(self):
        zone = MTA_STS + '_mta-sts TXT "v=STSv1; id=1;"\n_smtp._tls TXT "v=TLSRPTv1; " "rua=mailto:r@a.example"\n'
        assert sights(zone) == [
            FOUND,
            Sight(Finding.TXT_IN_THE_WAY, "v=STSv1; id=1;"),
            Sight(Finding.TXT_IN_THE_WAY, "v=TLSRPTv1; rua=mailto:r@a.example"),
        ]

    def test_proxied_says_which_addresses(self):
        zone = "mta-sts A 198.51.100.7\nmta-sts A 198.51.100.8\n_mta-sts AAAA 2001:db8::7\n"
        assert sights(zone) == [
            Sight(Finding.PROXIED, "198.51.100.7, 198.51.100.8"),
            Sight(Finding.PROXIED, "2001:db8::7"),
            MISSING,
        ]

    def test_a_wildcard_cname(self):
        assert sights("* CNAME web.a.example.\nweb A 127.0.0.1\n") == [Sight(Finding.WILDCARD, "web.a.example")] * 3

    def test_a_wildcard_txt_and_a_wildcard_address(self):
        assert sights('* TXT "v=spf1 -all"\n* A 198.51.100.7\n') == [
            Sight(Finding.WILDCARD, "198.51.100.7"),
            Sight(Finding.WILDCARD, "v=spf1 -all"),
            Sight(Finding.WILDCARD, "v=spf1 -all"),
        ]

    def test_records_of_their_own_beside_a_wildcard_are_no_wildcard(self):
        assert sights("* A 198.51.100.7\n" + MTA_STS + '_mta-sts TXT "x"\n')[:2] == [
            FOUND,
            Sight(Finding.TXT_IN_THE_WAY, "x"),
        ]

    def test_a_silent_server_is_unknown(self):
        zone = "@ SOA a b 1 2 3 4 5\n@ NS ns\nns A 127.0.0.2\n"
        seen = look(zone, hosts={"127.0.0.2": lab.Host(("a.example",), lab.silent)}, seconds=1.0)
        assert {sight.finding for sight in seen.records.values()} == {Finding.UNKNOWN}
        assert seen.mx is None

    def test_one_name_in_a_zone_of_its_own_that_is_silent_changes_nothing_for_the_others(self):
        zone = MTA_STS + STS_TXT + MX + "_tls NS ns._tls\nns._tls A 127.0.0.2\n"
        child = "@ SOA a b 1 2 3 4 5\n@ NS ns\nns A 127.0.0.2\n"
        world = {"127.0.0.2": lab.Host(("_tls.a.example",), lab.says("SERVFAIL"))}
        with lab.internet({"a.example": zone, "_tls.a.example": child}, world) as dns:
            look_ups = Dns(dns.resolvers, dns.port, Guard((ip_network("127.0.0.0/8"),)), 60.0)
            seen = asyncio.run(view(look_ups, Subject("a.example", "l1", "trinco.example", NAMED)))
        assert [sight.finding for sight in seen.records.values()] == [Finding.FOUND, Finding.FOUND, Finding.UNKNOWN]
        assert seen.mx == ((10, "mx.a.example"),)


class TestCaa:
    """RFC 8659 section 3: the first record set on the way up counts, and a CNAME is followed at each step."""

    FORBIDDEN = MTA_STS + '@ CAA 0 issue "other.example.net"\n'

    def test_behind_our_cname_our_own_record_set_decides(self):
        assert sights(self.FORBIDDEN)[0] == FOUND

    def test_without_one_of_ours_the_customers_record_forbids_and_is_named(self):
        forbids = Sight(Finding.CAA_FORBIDS, 'a.example CAA 0 issue "other.example.net"')
        assert sights(self.FORBIDDEN, UNNAMED)[0] == forbids

    def test_it_is_told_before_the_cname_is_there(self):
        assert sights('@ CAA 0 issue ";"\n', UNNAMED)[0] == Sight(Finding.CAA_FORBIDS, 'a.example CAA 0 issue ";"')

    def test_but_not_where_the_cname_will_bring_ours(self):
        assert sights('@ CAA 0 issue ";"\n', NAMED)[0] == MISSING

    def test_the_climb_goes_beyond_the_domain(self):
        seen = look(MTA_STS, UNNAMED, example='@ CAA 0 issue "other.example.net"\n')
        assert seen.records[RecordName.MTA_STS] == Sight(Finding.CAA_FORBIDS, 'example CAA 0 issue "other.example.net"')

    def test_and_stops_at_the_first_set(self):
        zone = MTA_STS + '@ CAA 0 issue "trinco.example"\n'
        seen = look(zone, UNNAMED, example='@ CAA 0 issue "other.example.net"\n')
        assert seen.records[RecordName.MTA_STS] == FOUND

    def test_a_server_that_refuses_the_question_forbids(self):
        def deaf_to_caa(reply, tcp):
            refuse = reply.question[0].rdtype == 257
            return (lab.says("NOTIMP") if refuse else lab.honest)(reply, tcp)

        zone = "@ SOA a b 1 2 3 4 5\n@ NS ns\nns A 127.0.0.2\n" + MTA_STS + STS_TXT + TLSRPT
        seen = look(zone, NAMED, {"127.0.0.2": lab.Host(("a.example",), deaf_to_caa)})
        assert seen.records[RecordName.STS_TXT] == FOUND
        assert seen.records[RecordName.MTA_STS] == Sight(
            Finding.CAA_FORBIDS, "mta-sts.a.example CAA: 127.0.0.2 does not answer for a.example: NOTIMP"
        )


class TestMx:
    """The MX as senders find them (RFC 5321 section 5.1, RFC 7505)."""

    @pytest.mark.parametrize(
        ("zone", "mx"),
        [
            ("@ MX 20 b\n@ MX 10 c.b.example.\n", ((10, "c.b.example"), (20, "b.a.example"))),
            ("@ MX 0 .\n", ()),
            ("@ A 198.51.100.1\n", ((0, "a.example"),)),
            ("", ()),
        ],
    )
    def test_read(self, zone, mx):
        assert look(zone).mx == mx

    def test_a_zone_with_a_thousand_of_them_is_cut(self):
        assert len(look("".join(f"@ MX {n} m{n}\n" for n in range(1000))).mx) == 200
