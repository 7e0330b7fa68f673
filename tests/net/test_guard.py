"""Which literals may be dialled."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from trinco.core.errors import Refused
from trinco.net.guard import Guard

PUBLIC = ["1.1.1.1", "8.8.8.8", "100.63.255.255", "172.32.0.1", "2606:4700::1111", "2a00:1450::1", "64:ff9b::808:808"]
PUBLIC += ["::ffff:8.8.8.8"]
SPECIAL = {
    "unspecified": ["0.0.0.0", "::", "::ffff:0.0.0.0"],
    "loopback": ["127.0.0.1", "127.255.255.254", "::1", "::ffff:127.0.0.1", "::127.0.0.1"],
    "private": ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fc00::1", "fd12:3456::1"],
    "provider's own": ["100.64.0.1", "100.127.255.255", "100.100.100.200"],
    "link-local, metadata": ["169.254.169.254", "fe80::1", "fd00:ec2::254", "168.63.129.16", "192.0.0.192"],
    "multicast, broadcast": ["224.0.0.1", "239.255.255.250", "255.255.255.255", "ff02::1"],
    "reserved": ["240.0.0.1", "198.18.0.1", "2001::1", "2001:2::1", "100::1", "4000::1"],
    "documentation": ["192.0.2.1", "198.51.100.1", "203.0.113.1", "2001:db8::1", "3fff::1"],
    "mapped": ["::ffff:10.0.0.1", "::ffff:169.254.169.254", "::ffff:a00:1"],
    "NAT64": ["64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::808:808"],
    "6to4": ["2002:7f00:1::1", "2002:808:808::1", "192.88.99.1"],
}


class TestSpecialAddresses:
    """Every outgoing connection that a stranger can steer goes to public addresses alone, held against the literal."""

    @pytest.mark.parametrize("address", PUBLIC)
    def test_public_addresses_may_be_dialled(self, address):
        Guard().check(address)

    @pytest.mark.parametrize("address", [address for group in SPECIAL.values() for address in group])
    def test_special_addresses_may_not(self, address):
        with pytest.raises(Refused, match="is not dialled"):
            Guard().check(address)

    @pytest.mark.parametrize(
        "text",
        ["", "localhost", "127.1", "0x7f000001", "2130706433", "1.1.1.1 ", "1.1.1.1\n", "fe80::1%eth0", "010.0.0.1"],
    )
    def test_what_is_not_one_plain_literal_may_not(self, text):
        with pytest.raises(Refused):
            Guard().check(text)


class TestExceptions:
    """A setting allows named networks; our own addresses are refused like private ones."""

    def test_an_allowed_network_may_be_dialled_in_every_spelling(self):
        guard = Guard((ip_network("127.0.0.0/8"), ip_network("fd00::/8")))
        for address in ("127.0.0.5", "::ffff:127.0.0.5", "fd00::1"):
            guard.check(address)

    def test_it_opens_no_other(self):
        with pytest.raises(Refused, match="private"):
            Guard((ip_network("127.0.0.0/8"),)).check("10.0.0.1")

    def test_our_own_addresses_are_refused(self):
        guard = Guard(own=("8.8.8.8", "2606:4700::1"))
        for address in ("8.8.8.8", "::ffff:8.8.8.8", "2606:4700:0:0::1"):
            with pytest.raises(Refused, match="one of our own"):
                guard.check(address)

    def test_unless_allowed(self):
        Guard((ip_network("8.8.8.8/32"),), own=("8.8.8.8",)).check("8.8.8.8")

    def test_the_permitted_ones_of_a_list_keep_their_order(self):
        assert Guard().permitted(["10.0.0.1", "8.8.8.8", "nonsense", "1.1.1.1"]) == ("8.8.8.8", "1.1.1.1")
