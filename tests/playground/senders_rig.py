"""Both doors, a desk behind them, and the made-up internet around: everything that a report meets on its road."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dns.message
import dns.rrset
from msgspec.structs import replace
from tests import support_tls
from tests.edge.policy_rig import hosted, publication
from tests.edge.publications import ZONE

from trinco.core.errors import Refused
from trinco.core.mtasts.policy import Mode, Policy, render
from trinco.core.names import Domain
from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge import maild, policy_host
from trinco.edge.report_host import ReportDoor
from trinco.edge.sni import Table
from trinco.net import https
from trinco.net.dns import Dns
from trinco.playground import cast, nameserver, senders_keys, store
from trinco.playground.authority import Authority
from trinco.playground.cast import CUSTOMERS, Behaviour, Customer
from trinco.playground.senders import SENDERS, zone
from trinco.playground.senders_post import Pace, Post
from trinco.playground.senders_road import Road
from trinco.playground.store import Held
from trinco.playground.world import Record, World, Zone

BASE = Domain.parse("trinco.example")
HOST = f"reports.{BASE}"
LABEL, OTHER = "a" * 26, "b" * 26
NOW = datetime(2026, 3, 20, 9, 30, tzinfo=UTC)
LOOPBACK = "127.0.0.1"


def customer(name: str) -> Customer:
    return next(each for each in CUSTOMERS if str(each.domain) == name)


def held(name: str, now: datetime = NOW) -> tuple[Held, ...]:
    """The history that the playground gives: testing from the beginning, enforce from halfway on."""
    one = customer(name)
    began = now - timedelta(weeks=one.weeks)
    modes = (Mode.TESTING, Mode.ENFORCE) if one.mx else (Mode.NONE, Mode.NONE)
    testing, enforce = (render(Policy(mode, one.mx, 86_400)).decode() for mode in modes)
    return Held(began, testing), Held(began + (now - began) / 2, enforce)


@dataclass
class Desk:
    """A `ReportDesk`; the next arrivals are refused with what stands in `refusals`."""

    tokens: set[str] = field(default_factory=lambda: {LABEL, OTHER})
    arrivals: list[Arrival] = field(default_factory=list)
    refusals: list[Refused] = field(default_factory=list)

    def known(self, token: str) -> bool:
        return token in self.tokens

    async def accept(self, arrival: Arrival) -> None:
        if self.refusals:
            raise self.refusals.pop()
        self.arrivals.append(arrival)


@dataclass
class Rig:
    """The senders' post, and what came of it."""

    post: Post
    desk: Desk
    records: dict[tuple[str, str], str]
    """Trinco's zone: what is answered, by name and type."""
    dns: Dns


def _world(data: Path) -> World:
    world = World([], [])
    for sender in SENDERS:
        world.replace(*zone(sender, senders_keys.published(data, sender)))
    for one in CUSTOMERS:
        label = {"correio.example": LABEL, "atlantico.example": OTHER}.get(str(one.domain), "")
        world.replace(one.zone, cast.records(one, BASE, label) if label else ())
    world.replace(Zone(str(BASE).partition(".")[2]), [Record(str(BASE), "NS", f"ns1.{BASE}.")])
    return world


def _trinco(label: str, https_too: bool) -> dict[tuple[str, str], str]:
    rua = f"mailto:{label}@{HOST}" + (f",https://{HOST}/v1/tlsrpt/{label}" if https_too else "")
    return {(f"{label}.tlsrpt.{BASE}", "TXT"): f'"v=TLSRPTv1; rua={rua}"', (f"{label}.policy.{BASE}", "A"): LOOPBACK}


@asynccontextmanager
async def running(data: Path, now: datetime = NOW) -> AsyncIterator[Rig]:
    """Two customers, correio.example (by HTTPS too) and atlantico.example, known since their stories began."""
    records = {**_trinco(LABEL, True), **_trinco(OTHER, False)}
    records |= {(HOST, "MX"): f"10 {HOST}.", (HOST, "A"): LOOPBACK}

    async def ask(name: str, rtype: str) -> dns.message.Message:
        reply = dns.message.make_response(dns.message.make_query(name, rtype))
        if value := records.get((name, rtype)):
            reply.answer.append(dns.rrset.from_text(f"{name}.", 5, "IN", rtype, value))
        return reply

    authority, desk = support_tls.Authority(), Desk()
    (data / "root.pem").write_text(authority.pem)
    names = {"correio.example": LABEL, "atlantico.example": OTHER}
    policies = [
        hosted(authority, name, label=label, policy=held(name)[-1].body.encode()) for name, label in names.items()
    ]
    made = publication(*policies, issuers=authority.issuers)
    zone_ = replace(ZONE, base=BASE, reports_host=HOST, reports_certificate=authority.certificate(HOST))
    table = Table(replace(made, zone=zone_))
    store.save_policies(data, {name: held(name) for name in names})
    tls = Authority(data).context(HOST, Behaviour.GOOD)
    door, any_port = ReportDoor(desk, HOST), [(LOOPBACK, 0)]
    async with (
        nameserver.listen(nameserver.Responder(_world(data), ask), LOOPBACK, 0) as resolver,
        maild.listen(desk, any_port, reports_host=HOST, tls=lambda: tls) as mail,
        policy_host.listen(table, any_port, unseal=support_tls.unseal, reports=door) as web,
        asyncio.timeout(60),
    ):
        asked = Dns((resolver,))
        road = Road(asked, mail[0][1], web[0][1], https.context(data / "root.pem"))
        yield Rig(Post(data, road, lambda: now, Pace(1e6)), desk, records, asked)
