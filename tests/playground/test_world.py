"""The made-up zones, by the rules of RFC 1034 section 4.3.2 and RFC 4592."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trinco.playground.world import Found, Outcome, Record, RecordRefused, World, Zone

MX = Record("correio.example", "MX", "10 mx1.correio.example.")
ALIAS = Record("_mta-sts.correio.example", "CNAME", "l.mta-sts.trinco.example.")
DEEP = Record("a.b.correio.example", "A", "127.0.1.1")
NS = Record("trinco.example", "NS", "ns1.trinco.example.")
STAR = Record("*.wild.correio.example", "TXT", "anything")


@pytest.fixture
def world() -> World:
    zones = (Zone("example"), Zone("correio.example", "a note"))
    return World(zones, (MX, ALIAS, DEEP, NS, STAR))


class TestLookUp:
    """RFC 1034 4.3.2: the zone nearest to the name answers; a CNAME stands for every other type; a delegation refers."""

    @pytest.mark.parametrize(
        ("name", "rtype", "found"),
        [
            ("correio.example", "MX", Found(Outcome.ANSWER, "correio.example", (MX,))),
            ("correio.example", "AAAA", Found(Outcome.NO_DATA, "correio.example")),
            ("_mta-sts.correio.example", "TXT", Found(Outcome.ALIAS, "correio.example", (ALIAS,))),
            ("_mta-sts.correio.example", "CNAME", Found(Outcome.ANSWER, "correio.example", (ALIAS,))),
            ("nobody.correio.example", "A", Found(Outcome.NO_NAME, "correio.example")),
            ("nobody.example", "A", Found(Outcome.NO_NAME, "example")),
            ("ns1.trinco.example", "A", Found(Outcome.REFERRAL, "example", (NS,))),
            ("trinco.example", "NS", Found(Outcome.REFERRAL, "example", (NS,))),
            ("example.com", "A", Found(Outcome.FOREIGN, "")),
        ],
    )
    def test_finds_what_a_name_server_finds(self, world: World, name: str, rtype: str, found: Found) -> None:
        assert world.look_up(name, rtype) == found

    def test_a_name_above_a_record_exists_without_data(self, world: World) -> None:
        assert world.look_up("b.correio.example", "A") == Found(Outcome.NO_DATA, "correio.example")

    def test_every_zone_has_a_soa(self, world: World) -> None:
        found = world.look_up("correio.example", "SOA")
        assert found.records == (world.soa("correio.example"),)


class TestWildcards:
    """RFC 4592 3.3.1: the wildcard below the closest encloser answers, under the name that was asked."""

    def test_answers_for_a_name_that_is_not_there(self, world: World) -> None:
        expected = (Record("x.y.wild.correio.example", "TXT", "anything"),)
        assert world.look_up("x.y.wild.correio.example", "TXT") == Found(Outcome.ANSWER, "correio.example", expected)

    def test_has_no_data_of_other_types(self, world: World) -> None:
        assert world.look_up("x.wild.correio.example", "A") == Found(Outcome.NO_DATA, "correio.example")

    def test_gives_way_to_a_name_that_exists(self, world: World) -> None:
        world.put(Record("there.wild.correio.example", "A", "127.0.1.1"))
        assert world.look_up("there.wild.correio.example", "TXT") == Found(Outcome.NO_DATA, "correio.example")


class TestPublishing:
    """RFC 1034 3.6.2: no other data may stand at a name that has a CNAME."""

    def test_a_cname_does_not_join_others(self, world: World) -> None:
        world.put(Record("x.correio.example", "TXT", "mine"))
        with pytest.raises(RecordRefused, match="cannot stand beside the TXT"):
            world.put(Record("x.correio.example", "CNAME", "y.example."))

    def test_others_do_not_join_a_cname(self, world: World) -> None:
        with pytest.raises(RecordRefused, match="beside the CNAME"):
            world.put(Record(ALIAS.name, "TXT", "mine"))

    def test_a_second_cname_is_refused(self, world: World) -> None:
        with pytest.raises(RecordRefused, match="CNAME"):
            world.put(Record(ALIAS.name, "CNAME", "other.example."))

    def test_the_same_record_again_changes_nothing(self, world: World) -> None:
        world.put(ALIAS)
        assert world.look_up(ALIAS.name, "CNAME").records == (ALIAS,)

    def test_a_name_of_no_zone_is_refused(self, world: World) -> None:
        with pytest.raises(RecordRefused, match="no zone"):
            world.put(Record("example.com", "A", "127.0.0.1"))

    def test_what_is_removed_is_gone_and_counted(self, world: World) -> None:
        assert world.remove(ALIAS.name, "CNAME") == 1
        assert world.remove(ALIAS.name, "CNAME") == 0
        assert world.look_up(ALIAS.name, "CNAME").outcome is Outcome.NO_NAME

    def test_replacing_a_zone_leaves_the_others(self, world: World) -> None:
        world.replace(Zone("correio.example", "anew"), [DEEP])
        assert world.records("correio.example") == (DEEP,)
        assert world.records("example") == (NS,)
        assert [zone.note for zone in world.zones] == ["anew", ""]


class TestRecords:
    """What a person types is checked, and kept in one spelling."""

    def test_names_and_types_are_normal(self) -> None:
        assert Record.parse(" MX1.Correio.Example. ", "a", " 127.0.1.1 ") == Record(
            "mx1.correio.example", "A", "127.0.1.1"
        )

    def test_hosts_without_a_final_dot_are_absolute(self) -> None:
        assert Record.parse("correio.example", "MX", "10 mx1.correio.example") == MX

    def test_a_txt_is_the_plain_text(self) -> None:
        record = Record.parse("x.example", "TXT", 'v=STSv1; id=1; "quoted"')
        assert (record.value, record.rdata.strings) == ('v=STSv1; id=1; "quoted"', (b'v=STSv1; id=1; "quoted"',))

    def test_a_long_txt_is_several_strings(self) -> None:
        assert [len(part) for part in Record.parse("x.example", "TXT", "a" * 600).rdata.strings] == [255, 255, 90]

    @pytest.mark.parametrize(
        ("rtype", "value"),
        [("A", "::1"), ("MX", "mx1.example"), ("CNAME", "two words"), ("HINFO", "a b"), ("CAA", "x")],
    )
    def test_what_dns_cannot_carry_is_refused(self, rtype: str, value: str) -> None:
        with pytest.raises(RecordRefused):
            Record.parse("x.example", rtype, value)

    @given(st.text(max_size=300), st.sampled_from(["A", "CNAME", "TXT", "MX", "CAA", "SOA", "NS", "X"]), st.text())
    def test_nothing_else_is_ever_raised(self, name: str, rtype: str, value: str) -> None:
        try:
            record = Record.parse(name, rtype, value)
        except RecordRefused:
            return
        assert Record.parse(record.name, record.type, record.value) == record
