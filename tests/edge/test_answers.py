"""What the zone says, name by name and type by type."""

from __future__ import annotations

import pytest
from dnszone import BASE, LABEL, LONG, PUBLICATION, SOA, WAITING, ZONE, Said, ask, query, said, text

from trinco.core.hosting import NameServer, Zone, empty
from trinco.core.names import Domain
from trinco.edge.answers import Answers


@pytest.fixture(scope="module")
def answers() -> Answers:
    return Answers(PUBLICATION)


def asked(answers: Answers, name: str, rdtype: str) -> Said:
    return said(ask(answers, query(name, rdtype)))


class TestOwnHosts:
    """RFC 1034 4.3.1: an authoritative server answers from its zone with AA set, and recursion is not on offer."""

    def test_soa_has_the_revision_as_its_serial(self, answers: Answers) -> None:
        assert asked(answers, BASE, "SOA") == Said("NOERROR", "QR AA", [SOA])

    def test_ns_brings_the_addresses_of_servers_in_the_zone(self, answers: Answers) -> None:
        ns = [f"{BASE}. 300 IN NS {host}." for host in ("ns.elsewhere.example", f"ns1.{BASE}", f"ns2.deep.{BASE}")]
        glue = [
            f"ns1.{BASE}. 300 IN A 192.0.2.11",
            f"ns1.{BASE}. 300 IN AAAA 2001:db8::11",
            f"ns2.deep.{BASE}. 300 IN A 192.0.2.12",
        ]
        assert asked(answers, BASE, "NS") == Said("NOERROR", "QR AA", ns, [], glue)

    @pytest.mark.parametrize(
        ("name", "rdtype", "data"),
        [
            (BASE, "A", "192.0.2.1"),
            (BASE, "AAAA", "2001:db8::1"),
            (f"ns1.{BASE}", "A", "192.0.2.11"),
            (f"ns1.{BASE}", "AAAA", "2001:db8::11"),
            (f"ns2.deep.{BASE}", "A", "192.0.2.12"),
            (f"reports.{BASE}", "A", "192.0.2.3"),
            (f"reports.{BASE}", "AAAA", "2001:db8::3"),
        ],
    )
    def test_addresses(self, answers: Answers, name: str, rdtype: str, data: str) -> None:
        assert asked(answers, name, rdtype) == Said("NOERROR", "QR AA", [f"{name}. 300 IN {rdtype} {data}"])

    def test_mx_of_the_reports_host(self, answers: Answers) -> None:
        host = f"reports.{BASE}"
        mx = [f"{host}. 300 IN MX 10 {host}.", f"{host}. 300 IN MX 20 mx.elsewhere.example."]
        addresses = [f"{host}. 300 IN A 192.0.2.3", f"{host}. 300 IN AAAA 2001:db8::3"]
        assert asked(answers, host, "MX") == Said("NOERROR", "QR AA", mx, [], addresses)

    def test_hosts_outside_the_zone_have_no_records_here(self, answers: Answers) -> None:
        assert asked(answers, "ns.elsewhere.example", "A") == Said("REFUSED", "QR")

    def test_one_host_may_be_everything(self) -> None:
        zone = Zone(
            Domain.trusted(BASE),
            (NameServer(BASE, ("192.0.2.1",)),),
            ("192.0.2.1",),
            panel_addresses=("192.0.2.1", "192.0.2.2"),
            reports_host=BASE,
            reports_addresses=("192.0.2.1",),
            reports_mx=((0, BASE),),
        )
        answers = Answers(empty(zone))
        addresses = [f"{BASE}. 300 IN A 192.0.2.1", f"{BASE}. 300 IN A 192.0.2.2"]
        assert asked(answers, BASE, "A") == Said("NOERROR", "QR AA", addresses)
        assert asked(answers, BASE, "MX") == Said("NOERROR", "QR AA", [f"{BASE}. 300 IN MX 0 {BASE}."], [], addresses)
        assert asked(answers, BASE, "NS") == Said("NOERROR", "QR AA", [f"{BASE}. 300 IN NS {BASE}."], [], addresses)

    def test_a_zone_with_nothing_but_its_base(self) -> None:
        answers = Answers(empty(Zone(Domain.trusted(BASE), (), ())))
        soa = f"{BASE}. 300 IN SOA {BASE}. hostmaster.{BASE}. 0 3600 600 1209600 300"
        assert asked(answers, BASE, "SOA") == Said("NOERROR", "QR AA", [soa])
        assert asked(answers, BASE, "A") == Said("NOERROR", "QR AA", [], [soa])

    def test_reports_host_elsewhere(self) -> None:
        zone = Zone(Domain.trusted(BASE), (), (), reports_host="mail.example", reports_mx=((5, "mx.example"),))
        assert asked(Answers(empty(zone)), "mail.example", "MX") == Said("REFUSED", "QR")

    def test_serial_beyond_32_bits_wraps(self) -> None:
        answers = Answers(type(PUBLICATION)(2**32 + 5, ZONE))
        assert asked(answers, BASE, "SOA").answer == [SOA.replace(" 7 3600", " 5 3600")]


class TestPolicyTarget:
    """RFC 8461 8.2 lets the policy host be an alias; RFC 8659 3 makes a CA follow it and obey the CAA found there."""

    name = f"{LABEL}.policy.{BASE}"

    def test_addresses_of_the_policy_edges(self, answers: Answers) -> None:
        four = [f"{self.name}. 300 IN A 192.0.2.5", f"{self.name}. 300 IN A 192.0.2.6"]
        assert asked(answers, self.name, "A") == Said("NOERROR", "QR AA", four)
        assert asked(answers, self.name, "AAAA") == Said("NOERROR", "QR AA", [f"{self.name}. 300 IN AAAA 2001:db8::5"])

    def test_caa_names_our_issuers_and_forbids_wildcards(self, answers: Answers) -> None:
        values = ('issue "ca.example; validationmethods=http-01"', 'issue "other.example"', 'issuewild ";"')
        caa = [f"{self.name}. 300 IN CAA 0 {value}" for value in values]
        assert asked(answers, self.name, "CAA") == Said("NOERROR", "QR AA", caa)

    def test_without_issuers_nobody_may_issue(self) -> None:
        zone = Zone(Domain.trusted(BASE), (), ("192.0.2.5",))
        answers = Answers(type(PUBLICATION)(1, zone, PUBLICATION.domains))
        caa = [f'{self.name}. 300 IN CAA 0 issue ";"', f'{self.name}. 300 IN CAA 0 issuewild ";"']
        assert asked(answers, self.name, "CAA") == Said("NOERROR", "QR AA", caa)

    def test_without_ipv6_aaaa_is_answered_all_the_same(self) -> None:
        zone = Zone(Domain.trusted(BASE), (NameServer(f"ns1.{BASE}", ("192.0.2.11",)),), ("192.0.2.5",))
        answers = Answers(type(PUBLICATION)(7, zone, PUBLICATION.domains))
        assert asked(answers, self.name, "AAAA") == Said("NOERROR", "QR AA", [], [SOA])

    def test_exists_before_the_first_policy(self, answers: Answers) -> None:
        assert asked(answers, f"{WAITING}.policy.{BASE}", "AAAA").answer == [
            f"{WAITING}.policy.{BASE}. 300 IN AAAA 2001:db8::5"
        ]


class TestTexts:
    """RFC 8461 3.1 and RFC 8460 3: one TXT record each; RFC 1035 3.3: a string holds up to 255 octets."""

    def test_mta_sts(self, answers: Answers) -> None:
        name = f"{LABEL}.mta-sts.{BASE}"
        txt = f'{name}. 300 IN TXT "v=STSv1; id=20260101T000000Z0a1b2c3d;"'
        assert asked(answers, name, "TXT") == Said("NOERROR", "QR AA", [txt])

    def test_no_mta_sts_record_before_the_first_id(self, answers: Answers) -> None:
        assert asked(answers, f"{WAITING}.mta-sts.{BASE}", "TXT") == Said("NOERROR", "QR AA", [], [SOA])

    def test_tlsrpt(self, answers: Answers) -> None:
        name = f"{LABEL}.tlsrpt.{BASE}"
        txt = f'{name}. 300 IN TXT "v=TLSRPTv1; rua=mailto:{LABEL}@{BASE}"'
        assert asked(answers, name, "TXT") == Said("NOERROR", "QR AA", [txt])

    def test_no_tlsrpt_record_when_it_is_off(self, answers: Answers) -> None:
        assert asked(answers, f"{WAITING}.tlsrpt.{BASE}", "TXT") == Said("NOERROR", "QR AA", [], [SOA])

    @pytest.mark.parametrize("length", [100, 255, 256, 600])
    def test_long_text_comes_in_strings_that_make_the_whole(self, length: int) -> None:
        domain = type(PUBLICATION.domains[LONG])(Domain.trusted("d.example"), LONG, 1, tlsrpt=text(length))
        answers = Answers(type(PUBLICATION)(7, ZONE, {LONG: domain}))
        reply = ask(answers, query(f"{LONG}.tlsrpt.{BASE}", "TXT"), tcp=True)
        (record,) = reply.answer[0]
        assert b"".join(record.strings).decode() == text(length)
        assert [len(string) for string in record.strings[:-1]] == [255] * ((length - 1) // 255)

    def test_the_longest_customer_name_changes_nothing(self) -> None:
        longest = ".".join(("a" * 63, "b" * 63, "c" * 63, "d" * 42, "example"))[-242:]
        domain = type(PUBLICATION.domains[LABEL])(Domain.trusted(longest), LABEL, 1, policy_id="1" * 32)
        answers = Answers(type(PUBLICATION)(7, ZONE, {LABEL: domain}))
        name = f"{LABEL}.mta-sts.{BASE}"
        assert asked(answers, name, "TXT").answer == [f'{name}. 300 IN TXT "v=STSv1; id={"1" * 32};"']


class TestNothingThere:
    """RFC 2308 2: NODATA for a type that a name lacks, NXDOMAIN for a name that is not there; both carry the SOA."""

    nodata = Said("NOERROR", "QR AA", [], [SOA])

    @pytest.mark.parametrize("rdtype", ["CAA", "TYPE1000", "HTTPS", "MX", "DS", "DNSKEY", "CNAME", "TYPE0", "SRV"])
    @pytest.mark.parametrize("name", [f"{LABEL}.mta-sts.{BASE}", f"{LABEL}.tlsrpt.{BASE}", f"ns1.{BASE}"])
    def test_nodata_for_every_other_type(self, answers: Answers, name: str, rdtype: str) -> None:
        assert asked(answers, name, rdtype) == self.nodata

    @pytest.mark.parametrize("rdtype", ["TXT", "TYPE1000", "HTTPS", "SOA", "NS", "TYPE65535"])
    def test_nodata_at_the_policy_target(self, answers: Answers, rdtype: str) -> None:
        assert asked(answers, f"{LABEL}.policy.{BASE}", rdtype) == self.nodata

    @pytest.mark.parametrize("name", ["policy", "mta-sts", "tlsrpt", "deep"])
    @pytest.mark.parametrize("rdtype", ["A", "TXT", "ANY", "NS"])
    def test_names_that_only_have_names_below_exist(self, answers: Answers, name: str, rdtype: str) -> None:
        assert asked(answers, f"{name}.{BASE}", rdtype) == self.nodata

    def test_they_exist_before_the_first_customer(self) -> None:
        assert asked(Answers(type(PUBLICATION)(7, ZONE)), f"mta-sts.{BASE}", "TXT") == self.nodata

    @pytest.mark.parametrize(
        "name",
        [
            "nobody",
            "nobody.policy",
            "nobody.mta-sts",
            f"below.{LABEL}.policy",
            f"below.{LABEL}.mta-sts",
            "below.ns1",
            "*.policy",
            LABEL,
            f"{LABEL}.deep",
            f"{LABEL}.policy.policy",
            "policy.mta-sts",
        ],
    )
    def test_nxdomain(self, answers: Answers, name: str) -> None:
        assert asked(answers, f"{name}.{BASE}", "A") == Said("NXDOMAIN", "QR AA", [], [SOA])

    def test_negative_ttl_is_the_lesser_of_minimum_and_the_soas_own(self) -> None:
        zone = Zone(Domain.trusted(BASE), (), (), ttl=300, negative_ttl=60)
        soa = f"{BASE}. 60 IN SOA {BASE}. hostmaster.{BASE}. 0 3600 600 1209600 60"
        assert asked(Answers(empty(zone)), f"x.{BASE}", "A").authority == [soa]


class TestOutside:
    """RFC 1034 4.3.1 leaves it to the server whom it serves; what is not ours is REFUSED, in no class but IN."""

    @pytest.mark.parametrize("name", ["example", ".", "other.example", "xtrinco.example", "trinco.example.test"])
    def test_other_names(self, answers: Answers, name: str) -> None:
        assert asked(answers, name, "A") == Said("REFUSED", "QR")

    def test_a_label_that_only_looks_like_the_base(self, answers: Answers) -> None:
        assert asked(answers, "x\\006trinco.example", "A") == Said("REFUSED", "QR")

    @pytest.mark.parametrize("rdclass", ["CH", "HS", "NONE", "ANY", "CLASS9"])
    def test_other_classes(self, answers: Answers, rdclass: str) -> None:
        assert said(ask(answers, query(BASE, "SOA", rdclass=rdclass))) == Said("REFUSED", "QR")

    @pytest.mark.parametrize("name", ["version.bind", "hostname.bind", "id.server", "version.server"])
    def test_the_server_does_not_say_what_it_is(self, answers: Answers, name: str) -> None:
        assert said(ask(answers, query(name, "TXT", rdclass="CH"))) == Said("REFUSED", "QR")

    @pytest.mark.parametrize("tcp", [False, True])
    @pytest.mark.parametrize("rdtype", ["AXFR", "IXFR"])
    def test_transfers(self, answers: Answers, rdtype: str, tcp: bool) -> None:
        assert said(ask(answers, query(BASE, rdtype), tcp=tcp)) == Said("REFUSED", "QR")


class TestAny:
    """RFC 8482 4.1: to ANY a server may send one RRset that exists at the name."""

    @pytest.mark.parametrize(
        ("name", "answer"),
        [
            (BASE, [SOA]),
            (f"{LABEL}.policy.{BASE}", [f"{LABEL}.policy.{BASE}. 300 IN A 192.0.2.{last}" for last in (5, 6)]),
            (f"{LONG}.mta-sts.{BASE}", [f'{LONG}.mta-sts.{BASE}. 300 IN TXT "v=STSv1; id=1;"']),
            (f"ns1.{BASE}", [f"ns1.{BASE}. 300 IN A 192.0.2.11"]),
        ],
    )
    def test_one_rrset(self, answers: Answers, name: str, answer: list[str]) -> None:
        assert asked(answers, name, "ANY") == Said("NOERROR", "QR AA", answer)

    def test_a_name_without_records_has_none_to_give(self, answers: Answers) -> None:
        assert asked(answers, f"{WAITING}.mta-sts.{BASE}", "ANY") == Said("NOERROR", "QR AA", [], [SOA])
