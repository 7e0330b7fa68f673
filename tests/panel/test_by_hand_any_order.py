"""Whatever the order of clicks, kills and late hands: no sender sees an id together with a body that is older than it."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from tests.support_by_hand import NAME
from tests.support_dnsapi import TOKEN
from tests.support_panel import ANA, live, sight, standing

from trinco.core.errors import TrincoError
from trinco.core.mtasts import record
from trinco.core.mtasts.policy import Mode, Policy
from trinco.net.dnsbooks import Access
from trinco.net.dnstexts import TextPlace, WantedText, keep
from trinco.net.dnswriting import Found
from trinco.panel import rendering
from trinco.panel.checks.by_hand import Sight
from trinco.panel.checks.publishing import wanted_of
from trinco.panel.checks.services import note
from trinco.panel.checks.sights import View
from trinco.panel.domains.models import Finding, HostedDomain, RecordName, Revision, Way
from trinco.panel.policies import services as policies
from trinco.panel.policies.kept import forget_access, keep_access
from trinco.panel.policies.models import EdgeNode, PolicyVersion
from trinco.panel.policies.ways import set_ways, text_of

STEPS, SEEDS = 60, 24
EVER = timedelta(days=10_000)
AGES = (86_400, 604_800, 2_592_000)


@dataclass
class Edge:
    """A process: what it serves, as (number of the version, id that its DNS says). Dead, it serves nothing."""

    name: str
    serves: tuple[int, str] | None = None
    alive: bool = True
    waived: bool = False


@dataclass
class World:
    """The owner's zone, the edges, and everybody's clicks, in the order that one seed gives."""

    domain: HostedDomain
    settings: Any
    random: random.Random
    edges: list[Edge] = field(default_factory=lambda: [Edge("edge1"), Edge("edge2"), Edge("edge3")])
    text: str | None = None
    """What stands at `_mta-sts`; None: the CNAME to us."""
    at_addresses: bool = False
    clipboard: list[str] = field(default_factory=list)
    looks: list[tuple[HostedDomain, View]] = field(default_factory=list)
    writings: list[tuple[WantedText, ...]] = field(default_factory=list)
    shown: list[str] = field(default_factory=list)

    def fresh(self) -> HostedDomain:
        return HostedDomain.objects.everywhere().get(pk=self.domain.pk)

    # people

    def publish(self) -> None:
        mode = self.random.choice([Mode.TESTING, Mode.NONE])
        mx = () if mode is Mode.NONE else (f"mx{self.random.randrange(3)}.{NAME}",)
        policies.publish(domain=self.fresh(), policy=Policy(mode, mx, self.random.choice(AGES)), actor=ANA)

    def undo(self) -> None:
        policies.undo(domain=self.fresh(), actor=ANA)

    def leave(self) -> None:
        policies.leave(domain=self.fresh(), actor=ANA)

    def choose(self) -> None:
        ways: Any = {"sts": self.random.choice(["cname", "txt", "provider"])}
        set_ways(domain=self.fresh(), actor=ANA, **ways)

    def choose_host(self) -> None:
        """Seldom enough that no look spans two of these."""
        self.looks.clear()
        ways: Any = {"host": self.random.choice(["cname", "addresses"])}
        set_ways(domain=self.fresh(), actor=ANA, **ways)

    def give_access(self) -> None:
        keep_access(domain=self.fresh(), actor=ANA, access=Access("cloudflare", {"auth_token": TOKEN}))

    def take_access(self) -> None:
        forget_access(domain=self.fresh(), actor=ANA)

    # the owner's hands in the zone, however late

    def copy(self) -> None:
        if text := text_of(self.fresh()):
            self.clipboard.append(text)

    def paste(self) -> None:
        if self.clipboard:
            self.text = self.random.choice(self.clipboard)

    def point_to_us(self) -> None:
        self.text = None

    def point_host(self) -> None:
        self.at_addresses = self.fresh().host_way == Way.ADDRESSES

    # edges

    def follow(self) -> None:
        edge = self.random.choice(self.edges)
        if edge.alive:
            self.take(edge)

    def take(self, edge: Edge) -> None:
        """A whole snapshot, served before it is acknowledged; with the newest, nobody waives it any more."""
        change = rendering.whole(self.settings.CONFIG.zone)
        [mine] = [each for each in change.changed if each.label == self.domain.label]
        edge.serves, edge.waived = (standing(self.domain).current.number, mine.policy_id or ""), False
        facts = {"acknowledged": change.revision, "settled": change.revision, "waived_at": None, "session": "s"}
        EdgeNode.objects.update_or_create(name=edge.name, defaults={**facts, "lease_until": timezone.now() + EVER})

    def kill(self) -> None:
        edge = self.random.choice(self.edges)
        if sum(each.alive for each in self.edges) > 1:
            edge.alive, edge.serves, edge.waived = False, None, False
            EdgeNode.objects.filter(name=edge.name).update(lease_until=timezone.now() - timedelta(seconds=1))

    def start(self) -> None:
        edge = self.random.choice(self.edges)
        edge.alive = True
        self.take(edge)

    def waive(self) -> None:
        """It lags for long: our zone has others, and somebody goes on without it."""
        edge = self.random.choice(self.edges)
        row = EdgeNode.objects.filter(name=edge.name).first()
        behind = row is not None and row.acknowledged != Revision.objects.get(pk=1).number
        if edge.alive and behind and sum(each.alive and not each.waived for each in self.edges) > 1:
            edge.waived = True
            EdgeNode.objects.filter(name=edge.name).update(waived_at=timezone.now() - timedelta(minutes=1))

    # the worker, each job of which may be stopped in the middle

    def announce(self) -> None:
        policies.announce_due(timezone.now())

    def look(self) -> None:
        domain = self.fresh()
        wanted = text_of(domain)
        there = Sight(Finding.FOUND) if self.text is None else Sight(Finding.STALE, self.text)
        if self.text is not None and wanted and self.text == wanted:
            parsed = record.parse(wanted)
            there = Sight(Finding.FOUND, self.text, parsed.id if parsed else "")
        if self.text is not None and domain.sts_way == Way.CNAME:
            there = Sight(Finding.TXT_IN_THE_WAY, self.text)
        right = Finding.FOUND if domain.host_way == Way.ADDRESSES else Finding.PROXIED
        host = Sight(right, "192.0.2.10") if self.at_addresses else Sight(Finding.FOUND)
        found = {RecordName.MTA_STS: host, RecordName.STS_TXT: there, RecordName.TLSRPT_TXT: Sight(Finding.FOUND)}
        self.looks.append((domain, View(found)))

    def note(self) -> None:
        if self.looks:
            domain, seen = self.looks.pop(self.random.randrange(len(self.looks)))
            note(domain, seen, timezone.now())

    def begin_writing(self) -> None:
        if self.fresh().sts_way == Way.PROVIDER:
            self.writings.append(wanted_of(self.fresh()))

    def end_writing(self) -> None:
        """However late; what is there then is what decides."""
        if self.writings:
            before = self.text
            keep(self, self.writings.pop(self.random.randrange(len(self.writings))))
            assert before is None or before in self.clipboard or (self.text or "") >= before

    def at(self, _name: str) -> tuple[Found, ...]:
        if self.text is None:
            return (Found("CNAME", f"{self.domain.label}.mta-sts.trinco.example"),)
        return (Found("TXT", self.text),)

    def say(self, place: TextPlace) -> None:
        self.text = place.wanted.text

    # senders

    def pairs(self) -> Iterator[tuple[str, int]]:
        """(id, number of the body) that a sender may see together now."""
        reached = [edge for edge in self.edges if edge.serves and (self.at_addresses or not edge.waived)]
        asked = [edge.serves[1] for edge in self.edges if edge.serves and not edge.waived]
        parsed = record.parse(self.text) if self.text else None
        ids = [parsed.id] if parsed else asked
        yield from (
            (identifier, edge.serves[0]) for identifier in ids for edge in reached if identifier and edge.serves
        )

    def check(self, done: list[str]) -> None:
        numbers = dict(PolicyVersion.objects.everywhere().values_list("policy_id", "number"))
        wrong = [(identifier, body) for identifier, body in self.pairs() if numbers[identifier] > body]
        assert wrong == [], done
        self.shown.append(text_of(self.fresh()))
        assert self.shown == sorted(self.shown), done


ACTS: tuple[tuple[Callable[[World], None], int], ...] = (
    *((act, 3) for act in (World.publish, World.follow, World.announce, World.look, World.note)),
    *((act, 2) for act in (World.copy, World.paste, World.choose, World.begin_writing, World.end_writing)),
    *((act, 1) for act in (World.undo, World.leave, World.choose_host, World.give_access, World.take_access)),
    *((act, 1) for act in (World.point_to_us, World.point_host, World.kill, World.start)),
    (World.waive, 3),
)


@pytest.fixture
def world(ours: Any, settings: Any) -> Callable[[int], World]:
    def make(seed: int) -> World:
        domain = live(ours, NAME)
        sight(domain)
        made = World(domain, settings, random.Random(seed))
        for edge in made.edges:
            made.take(edge)
        if seed % 2:  # a policy host at the owner's own addresses
            set_ways(domain=domain, actor=ANA, host="addresses")
            made.at_addresses = True
        return made

    return make


class TestAnyOrder:
    """RFC 8461 section 8.1: body first, then its id; by CNAME, by hand and by provider, and from one to the other."""

    @pytest.mark.parametrize("seed", range(SEEDS))
    def test_no_id_with_an_older_body(self, world: Callable[[int], World], seed: int) -> None:
        here, done = world(seed), []
        acts, weights = zip(*ACTS, strict=True)
        for _ in range(STEPS):
            act = here.random.choices(acts, weights)[0]
            done.append(act.__name__)
            try:
                act(here)
            except TrincoError as refused:
                done.append(type(refused).__name__)
            here.check(done)

    def test_they_get_somewhere(self, world: Callable[[int], World]) -> None:
        """In their order: the text is shown, published by hand, and counts."""
        here = world(0)
        set_ways(domain=here.fresh(), actor=ANA, sts="txt")
        for act in (here.announce, here.copy, here.paste, here.look, here.note):
            act()
        assert here.text == text_of(here.fresh())
        assert standing(here.domain).current.announced_at is not None
