"""Which addresses may be dialled when a stranger chose the name (their MX, their name servers, their policy host).

The rule is held against the literal that is dialled, after resolution, so that a name which answers a public address
first and a private one later gains nothing. Addresses that carry an IPv4 address inside (IPv4-mapped, NAT64) are judged
by that one. The tables follow the IANA special-purpose registries (RFC 6890 and its updates) and are our own, since
those of the standard library differ between versions of Python.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from trinco.config import Config, Network
from trinco.core.errors import Refused

Address = IPv4Address | IPv6Address

_REFUSED_IPV4 = {
    IPv4Network("0.0.0.0/8"): "this network, or no address at all",
    IPv4Network("10.0.0.0/8"): "private",
    IPv4Network("100.64.0.0/10"): "shared by a provider's customers",
    IPv4Network("127.0.0.0/8"): "loopback",
    IPv4Network("168.63.129.16/32"): "a cloud's metadata service",
    IPv4Network("169.254.0.0/16"): "link-local, where metadata services are",
    IPv4Network("172.16.0.0/12"): "private",
    IPv4Network("192.0.0.0/24"): "reserved for protocols",
    IPv4Network("192.0.2.0/24"): "for documentation",
    IPv4Network("192.88.99.0/24"): "a 6to4 relay",
    IPv4Network("192.168.0.0/16"): "private",
    IPv4Network("198.18.0.0/15"): "for benchmarks",
    IPv4Network("198.51.100.0/24"): "for documentation",
    IPv4Network("203.0.113.0/24"): "for documentation",
    IPv4Network("224.0.0.0/4"): "multicast",
    IPv4Network("240.0.0.0/4"): "reserved",
}

_GLOBAL_IPV6 = IPv6Network("2000::/3")
_REFUSED_IPV6 = {
    IPv6Network("2001::/23"): "reserved for protocols (Teredo, ORCHID, benchmarks)",
    IPv6Network("2001:db8::/32"): "for documentation",
    IPv6Network("2002::/16"): "6to4, which hides an IPv4 address",
    IPv6Network("3fff::/20"): "for documentation",
}
_NAT64 = IPv6Network("64:ff9b::/96")


@dataclass(frozen=True, slots=True)
class Guard:
    """The rule with this installation's exceptions: `allowed` networks may be dialled whatever they are (tests, labs,
    a mail server in the same rack); `own` addresses of ours may not, unless allowed."""

    allowed: tuple[Network, ...] = ()
    own: tuple[str, ...] = ()

    def check(self, address: str) -> None:
        """Return when the literal may be dialled; raise Refused, with the reason in words, when not."""
        if self.excepts(address):
            return
        if reason := self._reason(_really(_parsed(address))):
            raise Refused(f"{address} is not dialled: {reason}")

    def permitted(self, addresses: Iterable[str]) -> tuple[str, ...]:
        """Those of the literals that `check` lets through, in their order."""
        return tuple(address for address in addresses if self._permits(address))

    def excepts(self, address: str) -> bool:
        """Whether the installation has said itself that this literal may be dialled."""
        parsed = _really(_parsed(address))
        return any(parsed in network for network in self.allowed)

    def _permits(self, address: str) -> bool:
        try:
            self.check(address)
        except Refused:
            return False
        return True

    def _reason(self, address: Address) -> str | None:
        if any(address == _really(ip_address(own)) for own in self.own):
            return "it is one of our own"
        return _reason_ipv4(address) if isinstance(address, IPv4Address) else _reason_ipv6(address)


def configured(config: Config) -> Guard:
    """The guard of an installation: its allowed networks, and the addresses under which it is itself reached."""
    servers = [address for server in config.nameservers for address in server.addresses]
    own = {*config.policy_addresses, *config.panel_addresses, *config.reports_addresses, *servers}
    return Guard(config.allow_networks, tuple(sorted(own)))


def _parsed(address: str) -> Address:
    try:
        parsed = ip_address(address)
    except ValueError:
        raise Refused(f"{address!a} is not dialled: not an address") from None
    if isinstance(parsed, IPv6Address) and parsed.scope_id is not None:
        raise Refused(f"{address!a} is not dialled: it names a network interface")
    return parsed


def _really(address: Address) -> Address:
    """The address at which a connection to this one ends: the IPv4 address inside a mapped or NAT64 one (RFC 6052)."""
    if isinstance(address, IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address in _NAT64:
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _reason_ipv4(address: IPv4Address) -> str | None:
    return next((reason for network, reason in _REFUSED_IPV4.items() if address in network), None)


def _reason_ipv6(address: IPv6Address) -> str | None:
    if address not in _GLOBAL_IPV6:
        return "outside the global unicast addresses (loopback, private, link-local, multicast or reserved)"
    return next((reason for network, reason in _REFUSED_IPV6.items() if address in network), None)
