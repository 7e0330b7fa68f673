"""A small made-up DNS on loopback: real sockets, zones in master file format, and servers that misbehave on demand.

`with internet(zones) as dns:` serves every zone at 127.0.0.1, which also plays the resolver (it follows CNAMEs when a
query asks for recursion). `hosts` gives further loopback addresses, each with the origins it holds and a habit.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.zone

RESOLVER = "127.0.0.1"
HEAD = "@ 300 IN SOA ns hostmaster 1 3600 600 1209600 300\n@ 300 IN NS ns\nns 300 IN A 127.0.0.1\n"
"""Start of a zone that 127.0.0.1 serves."""

Reply = dns.message.Message
Habit = Callable[[Reply, bool], "bytes | None"]
"""What a server makes of the right reply (and whether it came by TCP): the octets it sends, or silence."""


def honest(reply: Reply, tcp: bool) -> bytes | None:
    try:
        return reply.to_wire(max_size=65535 if tcp else 1232)
    except dns.exception.TooBig:
        reply.answer, reply.authority = [], []
        reply.flags |= dns.flags.TC
        return reply.to_wire()


def silent(reply: Reply, tcp: bool) -> bytes | None:
    return None


def says(rcode: str) -> Habit:
    """A server that refuses everything with this code."""

    def habit(reply: Reply, tcp: bool) -> bytes | None:
        refusal = dns.message.Message(reply.id)
        refusal.flags = dns.flags.QR
        refusal.question = reply.question
        refusal.set_rcode(dns.rcode.from_text(rcode))
        return refusal.to_wire()

    return habit


def lame(reply: Reply, tcp: bool) -> bytes | None:
    """Answers from somebody else's cache: no authority."""
    reply.flags &= ~dns.flags.AA
    return reply.to_wire()


def truncated(reply: Reply, tcp: bool) -> bytes | None:
    """Sends the beginning of the reply over UDP (cut in the middle of a record), all of it over TCP."""
    wire = reply.to_wire()
    if tcp:
        return wire
    reply.flags |= dns.flags.TC
    return reply.to_wire()[: len(wire) - 5]


def wrong_id(reply: Reply, tcp: bool) -> bytes | None:
    reply.id ^= 1
    return reply.to_wire()


def wrong_question(reply: Reply, tcp: bool) -> bytes | None:
    reply.question = [dns.rrset.RRset(dns.name.from_text("other.example."), 1, 1)]
    return reply.to_wire()


def garbage(reply: Reply, tcp: bool) -> bytes | None:
    return b"\xff" * 40


def no_edns(reply: Reply, tcp: bool) -> bytes | None:
    """A server from before RFC 6891: FORMERR, and the question is dropped."""
    if reply.edns < 0:
        return reply.to_wire()
    refusal = dns.message.Message(reply.id)
    refusal.flags = dns.flags.QR
    refusal.set_rcode(dns.rcode.FORMERR)
    return refusal.to_wire()


def shouting(reply: Reply, tcp: bool) -> bytes | None:
    """Upper-cases names in the reply, the question's too."""
    return reply.to_wire().replace(b"example", b"EXAMPLE").replace(b"\x03ns", b"\x03NS")


@dataclass
class Host:
    """One server: the origins of the zones that it holds, and its habit."""

    origins: tuple[str, ...]
    habit: Habit = honest


@dataclass
class Internet:
    """What `internet` yields. `zones` may be changed while it runs; `asked` lists (address, name, type, "udp" or "tcp")."""

    zones: dict[dns.name.Name, dns.zone.Zone]
    hosts: dict[str, Host]
    port: int = 0
    asked: list[tuple[str, str, str, str]] = field(default_factory=list)

    @property
    def resolvers(self) -> tuple[tuple[str, int], ...]:
        return ((RESOLVER, self.port),)

    def publish(self, origin: str, text: str) -> None:
        """Replace a zone: `text` is a master file without $ORIGIN, `HEAD` goes in front."""
        self.zones[dns.name.from_text(origin)] = _zone(origin, text)

    def answer(self, address: str, wire: bytes, tcp: bool) -> bytes | None:
        try:
            query = dns.message.from_wire(wire)
        except dns.exception.DNSException:
            return None
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        self.asked.append((address, question.name.to_text(omit_final_dot=True), kind, "tcp" if tcp else "udp"))
        host = self.hosts.get(address)
        held = self.zones if host is None else {n: z for n, z in self.zones.items() if n.to_text(True) in host.origins}
        return (host.habit if host else honest)(_reply(query, held), tcp)


@contextlib.contextmanager
def internet(zones: Mapping[str, str], hosts: Mapping[str, Host] | None = None) -> Iterator[Internet]:
    """Serve `zones` (origin -> master file text after HEAD) until the block ends."""
    world = Internet({dns.name.from_text(o): _zone(o, t) for o, t in zones.items()}, dict(hosts or {}))
    started, stop = threading.Event(), []
    thread = threading.Thread(target=lambda: asyncio.run(_serve(world, started, stop)), daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        yield world
    finally:
        stop[0]()
        thread.join(60)


def _zone(origin: str, text: str) -> dns.zone.Zone:
    whole = text if " SOA " in text else HEAD + text
    return dns.zone.from_text(whole, origin=origin, relativize=False)


async def _serve(world: Internet, started: threading.Event, stop: list[Callable[[], Any]]) -> None:
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    stop.append(lambda: loop.call_soon_threadsafe(over.set))
    async with contextlib.AsyncExitStack() as stack:
        await _bind(world, stack)
        started.set()
        await over.wait()
    await end()


async def end() -> None:
    """Stop the conversations that still run, also those that begin meanwhile, and give their sockets the turns of the
    loop that close them: a loop that was held up has one turn left when a time is over."""
    for _ in range(3):
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        for _ in range(20):
            await asyncio.sleep(0)
    await asyncio.sleep(0.01)


async def _bind(world: Internet, stack: contextlib.AsyncExitStack) -> None:
    """One free port for UDP and TCP at every address."""
    addresses = [RESOLVER, *world.hosts]
    for _ in range(50):
        port = random.randint(20000, 32000)
        attempt = contextlib.AsyncExitStack()
        try:
            for address in addresses:
                await _listen(world, address, port, attempt)
        except OSError:
            await attempt.aclose()
            continue
        stack.push_async_exit(attempt.pop_all())
        world.port = port
        return
    raise RuntimeError("no free port")


async def _listen(world: Internet, address: str, port: int, stack: contextlib.AsyncExitStack) -> None:
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: _Datagrams(world, address), local_addr=(address, port)
    )
    stack.callback(transport.close)
    server = await asyncio.start_server(lambda r, w: _conversation(world, address, r, w), address, port)
    stack.callback(server.close)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, world: Internet, address: str) -> None:
        self.world, self.address = world, address

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        if (reply := self.world.answer(self.address, data, tcp=False)) is not None:
            self.transport.sendto(reply, addr)


async def _conversation(world: Internet, address: str, reader: Any, writer: Any) -> None:
    try:
        size = int.from_bytes(await reader.readexactly(2), "big")
        if (reply := world.answer(address, await reader.readexactly(size), tcp=True)) is not None:
            writer.write(len(reply).to_bytes(2, "big") + reply)
            await writer.drain()
        await reader.read()
    except (OSError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()


def _reply(query: Reply, zones: Mapping[dns.name.Name, dns.zone.Zone]) -> Reply:
    """RFC 1034 section 4.3.2, and a resolver's following of CNAMEs when the query asks for recursion."""
    reply = dns.message.make_response(query)
    name, rdtype = query.question[0].name, query.question[0].rdtype
    recursive = bool(query.flags & dns.flags.RD)
    reply.flags |= dns.flags.RA if recursive else dns.flags.AA
    for _ in range(8):
        target = _step(reply, name, rdtype, zones)
        if target is None or not recursive:
            break
        name = target
    return reply


def _step(reply: Reply, name: dns.name.Name, rdtype: int, zones: Mapping[Any, Any]) -> dns.name.Name | None:
    """Add what one zone says of `name`; the target of a CNAME that is to be followed."""
    origin = max((o for o in zones if name.is_subdomain(o)), key=len, default=None)
    if origin is None:
        reply.set_rcode(dns.rcode.REFUSED)
        return None
    zone = zones[origin]
    cut = _delegation(zone, origin, name)
    if cut is not None:
        reply.flags &= ~dns.flags.AA
        reply.authority.append(dns.rrset.from_rdata_list(cut, 300, list(zone.find_rdataset(cut, "NS"))))
        return None
    node = _node(zone, name)
    cname = node and node.get_rdataset(1, dns.rdatatype.CNAME)
    found = node and node.get_rdataset(1, dns.rdatatype.RdataType(rdtype))
    if found or cname:
        reply.answer.append(dns.rrset.from_rdata_list(name, 300, list(found or cname)))
        return None if found else cname[0].target
    if node is None and not any(other.is_subdomain(name) for other in zone.nodes):
        reply.set_rcode(dns.rcode.NXDOMAIN)
    reply.authority.append(dns.rrset.from_rdata_list(origin, 300, list(zone.find_rdataset(origin, "SOA"))))
    return None


def _delegation(zone: dns.zone.Zone, origin: dns.name.Name, name: dns.name.Name) -> dns.name.Name | None:
    while name != origin:
        if zone.get_rdataset(name, "NS"):
            return name
        name = name.parent()
    return None


def _node(zone: dns.zone.Zone, name: dns.name.Name) -> Any:
    """The node at `name`, or the wildcard's at its closest encloser (RFC 4592)."""
    if (node := zone.get_node(name)) is not None:
        return node
    encloser = name
    while not any(other.is_subdomain(encloser) for other in zone.nodes):
        encloser = encloser.parent()
    return None if encloser == name else zone.get_node(dns.name.from_text("*", encloser))
