"""DNS look-ups: what a resolver says, and what the authoritative servers of a zone say themselves.

The second kind sees a record the moment it is published, whatever caches hold, and sees a CNAME as it stands there
instead of what it leads to. The zone cut is found by walking up with a resolver's help; the servers' addresses are held
against `net.guard`, since whoever owns the zone chooses them. A `Dns` remembers the zones it found for its whole life:
make one for each batch of look-ups, inside the event loop that runs it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype
import dns.resolver
import dns.rrset

from trinco.config import Config
from trinco.core.errors import DnsFailure
from trinco.net import guard as guards
from trinco.net.guard import Guard
from trinco.net.wire import Endpoint, ask, question

MAX_SERVERS = 6
"""Name servers of a zone that are looked at, and addresses of each: a zone may list thousands."""
MAX_ASKED = 12
"""Addresses that are asked one and the same, when all of them matter."""
_PROPER = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN)


@dataclass(frozen=True, slots=True)
class Record:
    """One record. Names are lower-case A-labels without the final dot; the root is ".".

    `value`: an address; a host (CNAME, NS, DNAME); `10 mx.example.com` (MX); the joined strings of a TXT;
    `0 issue "ca.example.net"` (CAA); the presentation format for every other type.
    """

    owner: str
    rdtype: str
    ttl: int
    value: str


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer section of a proper reply: `rcode` is NOERROR or NXDOMAIN, `aa` whether the server has authority."""

    rcode: str
    records: tuple[Record, ...] = ()
    aa: bool = False

    def values(self, rdtype: str, owner: str | None = None) -> tuple[str, ...]:
        """The values of this type, of one owner alone when one is given (a chain of CNAMEs has several owners)."""
        return tuple(r.value for r in self.records if r.rdtype == rdtype and owner in (None, r.owner))

    @property
    def mx(self) -> tuple[tuple[int, str], ...]:
        """(preference, host) of each MX, the most preferred first; the host of a null MX is "." (RFC 7505)."""
        pairs = (value.split(" ", 1) for value in self.values("MX"))
        return tuple(sorted((int(preference), host) for preference, host in pairs))


@dataclass(slots=True)
class Zone:
    """A zone cut, the hosts that it names as its name servers, and the addresses to ask there, the ones that did not
    answer moved to the end."""

    apex: str
    servers: list[str]
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dns:
    """`resolvers`: who is asked for what others know, empty for the system's own; `authority_port`: where name servers
    of others listen; `timeout`: seconds that one question may take in all, however many servers stay silent."""

    resolvers: Sequence[Endpoint] = ()
    authority_port: int = 53
    guard: Guard = field(default_factory=Guard)
    timeout: float = 5.0
    _zones: dict[str, asyncio.Task[Zone]] = field(default_factory=dict, init=False, repr=False, compare=False)

    async def resolve(self, name: str, rdtype: str) -> Answer:
        """What a resolver says, CNAMEs followed (their records are in the answer). Raises DnsFailure."""
        return _answer(await self._recursive(name, rdtype))

    async def addresses(self, host: str) -> tuple[str, ...]:
        """IPv4, then IPv6 addresses of `host` by a resolver, not held against the guard; empty when it has none.
        Raises DnsFailure when neither kind was answered."""
        kinds = ("A", "AAAA")
        found = await asyncio.gather(*(self._values(host, kind) for kind in kinds))
        if all(values is None for values in found):
            raise DnsFailure(f"nobody answered for the addresses of {host}")
        return tuple(value for values in found for value in values or ())

    async def authoritative(self, name: str, rdtype: str) -> Answer:
        """What the servers of `name`'s own zone say, no CNAME followed. Raises DnsFailure when none of them answers
        with authority, with the reason of the last one."""
        query = question(name, rdtype)
        try:
            async with asyncio.timeout(self.timeout):
                zone = await self._zone(name)
                return await self._first(query, zone)
        except TimeoutError:
            raise DnsFailure(f"no name server answered for {name} in {self.timeout:g} s") from None

    async def everywhere(self, name: str, rdtype: str) -> tuple[Answer, ...]:
        """What each server of `name`'s own zone says that answers with authority. Raises DnsFailure when none does."""
        query = question(name, rdtype)
        try:
            async with asyncio.timeout(self.timeout):
                zone = await self._zone(name)
                found = await asyncio.gather(*(self._one(query, server) for server in tuple(zone.servers)[:MAX_ASKED]))
        except TimeoutError:
            raise DnsFailure(f"no name server answered for {name} in {self.timeout:g} s") from None
        answers = tuple(answer for answer in found if answer is not None)
        if not answers:
            raise DnsFailure(f"no name server of {zone.apex} answers for {name}")
        return answers

    async def delegation(self, name: str) -> tuple[str, tuple[str, ...]]:
        """The zone that holds `name`, and the hosts of its name servers. Raises DnsFailure."""
        try:
            async with asyncio.timeout(self.timeout):
                zone = await self._zone(name)
        except TimeoutError:
            raise DnsFailure(f"the zone of {name} was not found in {self.timeout:g} s") from None
        return zone.apex, zone.hosts

    async def _values(self, host: str, kind: str) -> tuple[str, ...] | None:
        try:
            return (await self.resolve(host, kind)).values(kind)
        except DnsFailure:
            return None

    async def _one(self, query: dns.message.Message, server: str) -> Answer | None:
        """None: it does not answer, or not with authority."""
        try:
            reply = await ask(query, (server, self.authority_port), self.timeout / 2)
        except DnsFailure:
            return None
        return _answer(reply) if reply.flags & dns.flags.AA and reply.rcode() in _PROPER else None

    async def _first(self, query: dns.message.Message, zone: Zone) -> Answer:
        reason = f"the name servers of {zone.apex} have no address that may be asked"
        for server in tuple(zone.servers):
            try:
                reply = await ask(query, (server, self.authority_port), self._patience(zone.servers))
            except DnsFailure as error:
                reason = str(error)
            else:
                if reply.flags & dns.flags.AA and reply.rcode() in _PROPER:
                    return _answer(reply)
                reason = f"{server} does not answer for {zone.apex}: {_fault(reply)}"
            _demote(zone.servers, server)
        raise DnsFailure(reason)

    async def _recursive(self, name: str, rdtype: str) -> dns.message.Message:
        """The first proper reply of the resolvers, in turn."""
        query, reason = question(name, rdtype, dns.flags.RD), "no resolver is known"
        resolvers = self.resolvers or _system()
        for resolver in resolvers:
            try:
                reply = await ask(query, resolver, self._patience(resolvers))
            except DnsFailure as error:
                reason = str(error)
            else:
                if reply.rcode() in _PROPER:
                    return reply
                reason = f"the resolver {resolver[0]} says {_fault(reply)}"
        raise DnsFailure(f"{name} {rdtype}: {reason}")

    def _patience(self, servers: Sequence[object]) -> float:
        """Seconds for one of several servers: silent ones must leave time for the others."""
        return max(min(self.timeout / len(servers), self.timeout / 3), 0.5) if len(servers) > 1 else self.timeout

    async def _zone(self, name: str) -> Zone:
        """The zone that holds `name`, found by asking for NS at each name upwards; a reply that says which zone it
        comes from (its SOA) saves the steps between."""
        candidate, failure = name.rstrip(".").lower(), DnsFailure(f"no zone was found that holds {name}")
        while candidate:
            try:
                reply = await self._recursive(candidate, "NS")
            except DnsFailure as error:
                # A CNAME here may lead to where nobody answers, while the zone that holds it is well.
                candidate, failure = candidate.partition(".")[2], error
                continue
            if servers := _answer(reply).values("NS", candidate):
                return await self._known(candidate, servers)
            candidate = _enclosing(reply, candidate)
        raise failure

    async def _known(self, apex: str, servers: tuple[str, ...]) -> Zone:
        if apex not in self._zones:
            self._zones[apex] = asyncio.create_task(self._found(apex, servers))
        return await asyncio.shield(self._zones[apex])

    async def _found(self, apex: str, servers: tuple[str, ...]) -> Zone:
        kinds = ("A", "AAAA")
        hosts = sorted(servers)[:MAX_SERVERS]
        found = await asyncio.gather(*(self._values(host, kind) for host in hosts for kind in kinds))
        permitted = dict.fromkeys(a for some in found for a in self.guard.permitted((some or ())[:MAX_SERVERS]))
        # IPv4 first: it costs nothing where IPv6 works, and saves a time-out where it does not.
        return Zone(apex, sorted(permitted, key=lambda address: ":" in address), tuple(hosts))


def configured(config: Config) -> Dns:
    """The look-ups of an installation, for one batch."""
    return Dns(config.resolvers, config.authority_port, guards.configured(config))


def _system() -> Sequence[Endpoint]:
    """The system's resolvers. Raises DnsFailure when it has none."""
    try:
        resolver = dns.resolver.Resolver()
    except dns.exception.DNSException as error:
        raise DnsFailure(f"the system has no resolver: {error}") from error
    return tuple((str(address), resolver.port) for address in resolver.nameservers)


def _demote(servers: list[str], server: str) -> None:
    if server in servers:
        servers.remove(server)
        servers.append(server)


def _enclosing(reply: dns.message.Message, candidate: str) -> str:
    """Where to look for the zone cut next: at the SOA's owner of a reply without CNAME, else one label up."""
    parent = candidate.partition(".")[2]
    owners = [_text(rrset.name) for rrset in reply.authority if rrset.rdtype == dns.rdatatype.SOA]
    if reply.answer or not owners:
        return parent
    return owners[0] if parent == owners[0] or parent.endswith("." + owners[0]) else parent


def _fault(reply: dns.message.Message) -> str:
    return dns.rcode.to_text(reply.rcode()) if reply.rcode() not in _PROPER else "not authoritative (lame)"


def _answer(reply: dns.message.Message) -> Answer:
    records = tuple(record for rrset in reply.answer for record in _records(rrset))
    return Answer(dns.rcode.to_text(reply.rcode()), records, bool(reply.flags & dns.flags.AA))


def _records(rrset: dns.rrset.RRset) -> list[Record]:
    """In the order of their values, since servers shuffle them."""
    owner, rdtype = _text(rrset.name), dns.rdatatype.to_text(rrset.rdtype)
    return [Record(owner, rdtype, rrset.ttl, value) for value in sorted(map(_value, rrset))]


def _text(name: dns.name.Name) -> str:
    return name.canonicalize().to_text(omit_final_dot=True) if name != dns.name.root else "."


def _value(rdata: dns.rdata.Rdata) -> str:
    match dns.rdatatype.to_text(rdata.rdtype):
        case "CNAME" | "NS" | "DNAME":
            return _text(rdata.target)  # type: ignore[attr-defined]
        case "MX":
            return f"{rdata.preference} {_text(rdata.exchange)}"  # type: ignore[attr-defined]
        case "TXT":
            return b"".join(rdata.strings).decode("utf-8", "backslashreplace")  # type: ignore[attr-defined]
        case "CAA":
            tag, value = (part.decode("utf-8", "backslashreplace") for part in (rdata.tag, rdata.value))  # type: ignore[attr-defined]
            return f'{rdata.flags} {tag} "{value}"'  # type: ignore[attr-defined]
        case _:
            return rdata.to_text()
