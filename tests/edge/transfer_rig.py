"""A primary on loopback, and dnspython as its secondary: the oracle of what a transfer means."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import dns.message
import dns.name
import dns.query
import dns.rdatatype
import dns.rrset
import dns.tsig
import dns.xfr
import dns.zone
from bench.secondaries import KEY
from dnszone import BASE, PUBLICATION, ZONE, hosted

from trinco.core.hosting import Change, Publication
from trinco.edge import dnsd
from trinco.edge.dnsd import Limits
from trinco.edge.history import LABELS, History
from trinco.edge.serving import Serving
from trinco.edge.transfer import Bounds, Transfers
from trinco.edge.tsig import Keys
from trinco.edge.zonefile import zone_file

OPEN = Limits(rates=None)
BOUNDS = Bounds()
LOCAL = frozenset({"127.0.0.1"})
SIGNED = dns.tsig.Key(KEY.name, KEY.secret, KEY.algorithm)
WRONG = dns.tsig.Key(KEY.name, b"another secret, as long as ours.", KEY.algorithm)
UNKNOWN = dns.tsig.Key("nobody", KEY.secret, KEY.algorithm)
APEX = dns.name.from_text(BASE)


@dataclass
class Primary:
    """What serves, and where."""

    serving: Serving
    history: History
    keys: Keys
    transfers: Transfers
    server: tuple[str, int]

    @property
    def port(self) -> int:
        return self.server[1]

    async def take(self, *changed: object, removed: tuple[str, ...] = (), by: int = 1) -> int:
        """A change of these domains; gives the new revision."""
        revision = self.serving.held.revision + by
        await self.serving.take(Change(revision, self.serving.held.zone, changed, removed))  # type: ignore[arg-type]
        return revision


@asynccontextmanager
async def primary(
    held: Publication = PUBLICATION,
    *,
    limits: Limits = OPEN,
    bounds: Bounds = BOUNDS,
    addresses: frozenset[str] = LOCAL,
    labels: int = LABELS,
    port: int = 0,
    clock: Callable[[], float] | None = None,
) -> AsyncIterator[Primary]:
    serving = Serving(held)
    keys = Keys(KEY, clock) if clock else Keys(KEY)
    history = History(held, labels)
    serving.told.append(history.take)
    serving.answers.keys = keys
    transfers = Transfers(history, serving.answers, keys, addresses, bounds)
    async with dnsd.listen(serving.answers, [("127.0.0.1", port)], limits=limits, transfers=transfers) as bound:
        yield Primary(serving, history, keys, transfers, bound[0])


def many(count: int, revision: int = 7) -> Publication:
    """The usual zone with so many domains."""
    domains = [
        hosted(f"l{number:025}", policy_id=f"2026{number:08}", tlsrpt="v=TLSRPTv1; rua=mailto:x@y.example")
        for number in range(count)
    ]
    return Publication(revision, ZONE, {domain.label: domain for domain in domains})


def as_file(held: Publication) -> dns.zone.Zone:
    """The zone as its zone file says."""
    return dns.zone.from_text(zone_file(held), BASE, relativize=False)


def fresh() -> dns.zone.Zone:
    return dns.zone.Zone(APEX, relativize=False)


def fetch(server: tuple[str, int], zone: dns.zone.Zone, key: dns.tsig.Key | None = SIGNED) -> None:
    """Bring the zone up to date as a secondary does: AXFR for an empty one, else IXFR. Blocking."""
    query, _ = dns.xfr.make_query(
        zone,
        keyring=key,
        keyname=key.name if key else None,
        keyalgorithm=key.algorithm if key else dns.tsig.HMAC_SHA256,
    )
    dns.query.inbound_xfr(server[0], zone, query, server[1], timeout=60, lifetime=60)


async def fetched(
    server: tuple[str, int], zone: dns.zone.Zone | None = None, key: dns.tsig.Key | None = SIGNED
) -> dns.zone.Zone:
    zone = zone or fresh()
    await asyncio.to_thread(fetch, server, zone, key)
    return zone


def asking(
    kind: str = "AXFR", *, key: dns.tsig.Key | None = SIGNED, serial: int | None = None, name: str = BASE
) -> dns.message.Message:
    """A question for a transfer."""
    query = dns.message.make_query(name, kind, use_edns=False, flags=0)
    if serial is not None:
        soa = dns.rrset.from_text(f"{name}.", 0, "IN", "SOA", f". . {serial} 0 0 0 0")
        query.authority.append(soa)
    if key is not None:
        query.use_tsig(key)
    return query


async def first(server: tuple[str, int], query: dns.message.Message | bytes) -> bytes:
    """The first message of the reply by TCP."""
    wire = query if isinstance(query, bytes) else query.to_wire()
    reader, writer = await asyncio.open_connection(*server)
    writer.write(struct.pack("!H", len(wire)) + wire)
    (length,) = struct.unpack("!H", await asyncio.wait_for(reader.readexactly(2), 60))
    reply = await reader.readexactly(length)
    writer.close()
    return reply


def sluggish() -> socket.socket:
    """A client that takes little at a time."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    sock.setblocking(False)
    return sock
