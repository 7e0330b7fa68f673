"""The zone file says what the answers say."""

from __future__ import annotations

import dns.rdatatype
import dns.zone
from dnszone import BASE, LABEL, LONG, PUBLICATION, ask, hosted, query

from trinco.core.hosting import Publication
from trinco.edge.answers import Answers
from trinco.edge.rdata import Caa, Txt
from trinco.edge.zonefile import zone_file


class TestZoneFile:
    """RFC 1035 5: one record a line, names absolute, the SOA first; any server can load it."""

    text = zone_file(PUBLICATION)

    def test_every_record_in_it_is_what_a_question_gets(self) -> None:
        answers, count = Answers(PUBLICATION), 0
        zone = dns.zone.from_text(self.text, BASE, relativize=False)
        for name, rdataset in zone.iterate_rdatasets():
            reply = ask(answers, query(name.to_text(), dns.rdatatype.to_text(rdataset.rdtype)), tcp=True)
            assert [rrset.to_rdataset() for rrset in reply.answer] == [rdataset]
            assert reply.answer[0].ttl == rdataset.ttl
            count += 1
        assert count == 10 + 3 * 3 + 2 * 2, (
            "apex 4, ns1 2, ns2 1, reports 3; 3 for each of 3 policies, 2 texts for each of 2"
        )

    def test_the_soa_comes_first(self) -> None:
        soa = f"{BASE}. 300 IN SOA ns1.{BASE}. hostmaster.{BASE}. 7 3600 600 1209600 300"
        assert self.text.split("\n")[0] == soa

    def test_a_hosted_domain_line_by_line(self) -> None:
        lines = [line for line in self.text.split("\n") if line.startswith(LABEL)]
        assert lines == [
            f"{LABEL}.policy.{BASE}. 300 IN A 192.0.2.5",
            f"{LABEL}.policy.{BASE}. 300 IN A 192.0.2.6",
            f"{LABEL}.policy.{BASE}. 300 IN AAAA 2001:db8::5",
            f'{LABEL}.policy.{BASE}. 300 IN CAA 0 issue "ca.example; validationmethods=http-01"',
            f'{LABEL}.policy.{BASE}. 300 IN CAA 0 issue "other.example"',
            f'{LABEL}.policy.{BASE}. 300 IN CAA 0 issuewild ";"',
            f'{LABEL}.mta-sts.{BASE}. 300 IN TXT "v=STSv1; id=20260101T000000Z0a1b2c3d;"',
            f'{LABEL}.tlsrpt.{BASE}. 300 IN TXT "v=TLSRPTv1; rua=mailto:{LABEL}@{BASE}"',
        ]

    def test_a_long_text_is_several_strings(self) -> None:
        (line,) = [line for line in self.text.split("\n") if line.startswith(f"{LONG}.tlsrpt")]
        assert [len(string) for string in line.split('"')[1::2]] == [255, 255, 90]

    def test_quotes_and_backslashes(self) -> None:
        assert Txt('a"b\\c').text() == '"a\\"b\\\\c"'
        assert Caa("issue", 'x"y').text() == '0 issue "x\\"y"'
        domain = hosted(LABEL, tlsrpt='v=TLSRPTv1; rua=mailto:"a\\b"@x.example')
        publication = Publication(1, PUBLICATION.zone, {LABEL: domain})
        zone = dns.zone.from_text(zone_file(publication), BASE, relativize=False)
        (record,) = zone.find_rdataset(f"{LABEL}.tlsrpt.{BASE}.", "TXT")
        assert record.strings == (b'v=TLSRPTv1; rua=mailto:"a\\b"@x.example',)
