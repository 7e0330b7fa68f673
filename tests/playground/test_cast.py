"""The customers: each state that the product knows has one, and its zone says so."""

from __future__ import annotations

import pytest

from trinco.core.names import Domain
from trinco.playground import cast
from trinco.playground.cast import CUSTOMERS, Behaviour, Customer, Delegation, Dns, MailServer, Story
from trinco.playground.world import Outcome, Record, World

BASE = Domain.parse("trinco.example")
NAMES = ("mta-sts", "_mta-sts", "_smtp._tls")


def world() -> World:
    made = World([], [])
    for zone, records in cast.surroundings(Delegation(BASE, "ns1.trinco.example", ("127.0.0.2", "::1"))):
        made.replace(zone, records)
    for customer in CUSTOMERS:
        made.replace(customer.zone, cast.records(customer, BASE, "label"))
    return made


def of(state: Dns) -> Customer:
    return next(customer for customer in CUSTOMERS if customer.dns is state)


class TestCast:
    def test_shows_every_state_and_every_mail_server(self) -> None:
        assert {customer.story for customer in CUSTOMERS} == set(Story)
        assert {customer.dns for customer in CUSTOMERS} == set(Dns)
        assert {server.behaviour for customer in CUSTOMERS for server in customer.mail} == set(Behaviour)

    def test_has_the_two_that_the_documents_name(self) -> None:
        named = {customer.name: customer.story for customer in CUSTOMERS}
        assert (named["correio.example"], named["novo.example"]) == (Story.ENFORCE, Story.STRANGER)
        assert len(named) == len(CUSTOMERS)

    def test_every_served_name_points_to_trinco(self) -> None:
        for customer in CUSTOMERS:
            if customer.story not in (Story.STRANGER, Story.WAITING):
                assert customer.dns is Dns.FOUND

    def test_policies_name_the_hosts_that_they_cover(self) -> None:
        customer = Customer(
            "x.example", Story.ENFORCE, mail=(MailServer("a"), MailServer("b", in_policy=False), MailServer("c"))
        )
        assert customer.mx == ("a.x.example", "c.x.example")


class TestZones:
    @pytest.mark.parametrize("customer", CUSTOMERS, ids=lambda customer: customer.name)
    def test_mail_servers_have_the_address_of_their_behaviour(self, customer: Customer) -> None:
        made = world()
        found = made.look_up(str(customer.domain), "MX").records
        hosts = [
            record.value.split()[1].rstrip(".") for record in sorted(found, key=lambda each: int(each.value.split()[0]))
        ]
        addresses = [made.look_up(host, "A").records[0].value for host in hosts if host]
        assert addresses == [server.behaviour.value for server in customer.mail]

    def test_found_has_the_three_cnames(self) -> None:
        made = world()
        targets = [made.look_up(f"{name}.correio.example", "CNAME").records[0].value for name in NAMES]
        assert targets == [
            "label.policy.trinco.example.",
            "label.mta-sts.trinco.example.",
            "label.tlsrpt.trinco.example.",
        ]

    @pytest.mark.parametrize(
        ("state", "name", "rtype", "value"),
        [
            (Dns.ELSEWHERE, "_mta-sts.", "CNAME", "_mta-sts.rival.example."),
            (Dns.TXT, "_mta-sts.", "TXT", "v=STSv1; id=20240229T101500"),
            (Dns.WILDCARD, "_mta-sts.", "A", "127.0.1.10"),
            (Dns.PROXIED, "mta-sts.", "A", "127.0.1.10"),
            (Dns.CAA, "", "CAA", '0 issue "another-ca.example"'),
        ],
    )
    def test_each_obstacle_is_there(self, state: Dns, name: str, rtype: str, value: str) -> None:
        owner = f"{name}{of(state).domain}"
        assert world().look_up(owner, rtype).records == (Record(owner, rtype, value),)

    def test_missing_is_missing(self) -> None:
        made = world()
        outcomes = {made.look_up(f"{name}.novo.example", "CNAME").outcome for name in NAMES}
        assert outcomes == {Outcome.NO_NAME}

    def test_the_parent_delegates_our_zone_and_no_other(self) -> None:
        made = world()
        assert made.look_up("trinco.example", "SOA").outcome is Outcome.REFERRAL
        assert [record.value for record in made.held("ns1.trinco.example", "AAAA")] == ["::1"]
        assert made.look_up("correio.example", "NS").outcome is Outcome.ANSWER

    def test_the_customers_name_server_has_an_address(self) -> None:
        assert world().look_up("ns1.dns.example", "A").records[0].value == "127.0.0.1"
