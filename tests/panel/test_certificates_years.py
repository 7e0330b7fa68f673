"""Two years of many names under a fake clock: short and shorter certificates, an authority that is away for a fortnight,
a mass revocation. Nothing that is served ever expires, no limit is ever met, and people are told of each thing once."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.db.models import Max
from prometheus_client.parser import text_string_to_metric_families
from tests.fake_ca.authority import DAY, HOUR, START, Authority, Clock, Habits, Order
from tests.support_acme import FIRST, SECOND, Bureau, configured
from tests.support_panel import edge

from trinco.net.acme import certificate_id
from trinco.panel import metrics
from trinco.panel.accounts.models import Organisation
from trinco.panel.certificates import events
from trinco.panel.certificates.models import Account, Certificate, EventKind, HostCertificate
from trinco.panel.domains.models import HostedDomain, State

pytestmark = pytest.mark.django_db
SHORT = timedelta(hours=160)
QUIET = timedelta(hours=3)
"""Between two looks when nothing happens: a fraction of what is left of the shortest certificate at its renewal."""


@dataclass
class World:
    """`names` domains, of which the first `short` get certificates of 160 hours and the others of 45 days."""

    organisation: Organisation
    names: int
    short: int
    second: bool
    limit: int = 300
    outages: int = 0
    """How often the first authority was noticed to be away."""
    failures: Counter[str] = field(default_factory=Counter)
    expired: list[tuple[datetime, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        habits = Habits(ask_again=DAY, new_orders=self.limit)
        self.clock = Clock()
        hosts = [FIRST, SECOND] if self.second else [FIRST]
        self.authorities = {each: Authority(self.clock, each, habits, life_of=self._life) for each in hosts}
        self.first = self.authorities[FIRST]
        self.bureau = Bureau(self.clock, self.authorities, random.Random(7).random)
        self._away, self._said = False, START
        rows = [self._row(number) for number in range(self.names)]
        HostedDomain.objects.everywhere().bulk_create(rows)
        edge(acknowledged=2**40)

    def _row(self, number: int) -> HostedDomain:
        facts = {"state": State.LIVE, "verified_at": START, "revision": number + 1}
        return HostedDomain(organisation=self.organisation, name=f"d{number}.example", label=f"l{number}", **facts)

    def _life(self, order: Order) -> timedelta | None:
        number = order.names[0].removeprefix("mta-sts.d").partition(".")[0]
        return SHORT if number.isdigit() and int(number) < self.short else None

    def live(self, days: float, step: timedelta = HOUR) -> None:
        until = self.clock() + timedelta(days=days)
        while self.clock() < until:
            tick = self.clock()
            self.look()  # at what was served until now, before anything is renewed
            while self.bureau.ask():
                pass
            self.bureau.settle()
            self.bureau.watch()
            self.look()
            self.clock.now = max(tick + step, self.clock())

    def look(self) -> None:
        """As a sender would, at everybody's certificate."""
        now = self.clock()
        newest = Certificate.objects.everywhere().order_by().values("domain").annotate(ends=Max("not_after"))
        self.expired += [(now, row["domain"]) for row in newest.filter(ends__lte=now)]
        self.expired += [(now, 0) for _ in HostCertificate.objects.filter(not_after__lte=now)]
        away = Account.objects.filter(directory=FIRST, away_since__isnull=False).exists()
        self.outages += away and not self._away
        self._away = away
        if now - self._said >= 30 * DAY:
            self._said = now
            made = sum(len(ca.issued) for ca in self.authorities.values())
            print(f"{now:%Y-%m}: {made} certificates, {len(self.expired)} expired, {dict(self.refused)}, {self.told}")

    @property
    def certified(self) -> int:
        living = Certificate.objects.everywhere().filter(not_after__gt=self.clock())
        return living.values("domain").distinct().count()

    @property
    def revoked(self) -> int:
        """How many names, ours among them, are still served with a certificate that the first authority has revoked."""
        served = dict[int, bytes]()
        for domain, leaf in Certificate.objects.everywhere().order_by("not_after").values_list("domain", "leaf"):
            served[domain] = bytes(leaf)
        served[0] = bytes(HostCertificate.objects.get().leaf or b"")
        return sum(certificate_id(leaf) in self.first.revoked for leaf in served.values())

    @property
    def told(self) -> list[tuple[str, str]]:
        """What the Certificates page has had to say, the first first."""
        rows = events.visible(self.organisation).order_by("began_at", "pk")
        return list(rows.values_list("kind", "directory"))

    @property
    def refused(self) -> Counter[str]:
        return sum((ca.refused for ca in self.authorities.values()), Counter())


def measured() -> dict[tuple[str, str], float]:
    """The numbers of the events, as Prometheus reads them: kinds that never were are left out."""
    text = metrics.text(metrics.registry(metrics.TablesCollector())).decode()
    samples = [each for family in text_string_to_metric_families(text) for each in family.samples]
    ours = [each for each in samples if each.name.startswith("trinco_certificate_events") and each.value]
    return {(each.name.rpartition("_")[2], each.labels["kind"]): each.value for each in ours}


@pytest.fixture(autouse=True)
def _the_tests_connection_stays(monkeypatch):
    monkeypatch.setattr(metrics, "close_old_connections", lambda: None)


def renewed_after(world: World, moment: datetime) -> int:
    """How many names got a certificate since, ours among them."""
    theirs = Certificate.objects.everywhere().filter(issued_at__gte=moment)
    return theirs.values("domain").distinct().count() + HostCertificate.objects.filter(issued_at__gte=moment).count()


def fortnight(world: World, days: int = 14) -> int:
    """The first authority is away; how many requests that cost."""
    world.first.away, asked = True, world.first.requests
    world.live(days)
    cost = world.first.requests - asked
    world.first.away = False
    return cost


class TestSmall:
    def test_a_quarter_with_everything_in_it(self, ours, monkeypatch):
        configured(monkeypatch, acme_orders=20)
        world = World(ours, names=24, short=2, second=True, limit=20)
        world.live(1, 2 * HOUR)
        assert world.certified == 24
        world.live(36, 6 * HOUR)
        world.first.away = True
        world.live(8, 6 * HOUR)
        world.first.away = False
        world.live(2, 6 * HOUR)
        begun = world.clock()
        assert world.first.revoke_all() > 0
        world.live(1.5, 6 * HOUR)
        assert world.expired == []
        assert (world.outages, world.refused["rateLimited"]) == (1, 0)
        assert renewed_after(world, begun) >= 20
        assert (world.revoked, world.certified) == (0, 24)
        assert world.told == ONE_EACH
        assert measured() == {("open", "revoked"): 1.0, **{("total", kind.value): 1.0 for kind, _ in ONE_EACH}}

    def test_a_fortnight_without_a_second_authority(self, ours, monkeypatch):
        """45 days, renewed after 30: 15 are left."""
        configured(monkeypatch, acme_orders=20)
        world = World(ours, names=20, short=0, second=False, limit=20)
        world.live(27, 12 * HOUR)
        world.first.away, asked = True, world.first.requests
        world.live(14, 12 * HOUR)
        cost = world.first.requests - asked
        world.first.away = False
        world.live(3, 6 * HOUR)
        assert world.expired == []
        assert (world.outages, world.certified) == (1, 20)
        assert world.told == [(EventKind.AWAY, FIRST)]
        assert cost < 20 * 20


ONE_EACH = [(EventKind.AWAY, FIRST), (EventKind.SECOND, SECOND), (EventKind.REVOKED, FIRST)]


@pytest.mark.slow
@pytest.mark.timeout(14400)
class TestTwoYears:
    """5,000 names, 100 of them with certificates of 160 hours: some 140,000 orders."""

    def test_nothing_expires_no_limit_is_met_and_each_event_is_told_once(self, ours, monkeypatch):
        configured(monkeypatch)
        with connection.cursor() as cursor:  # nothing of this must outlive the power
            cursor.execute("PRAGMA cache_size = -400000")
        world = World(ours, names=5000, short=100, second=True)
        world.live(4)
        assert world.certified == 5000
        world.live(196, QUIET)
        cost = fortnight(world)
        assert (world.outages, cost < 20 * 5000) == (1, True)
        world.live(186, QUIET)
        begun = world.clock()
        revoked = world.first.revoke_all()
        world.live(1.25)
        assert (world.revoked, renewed_after(world, begun) >= revoked) == (0, True)
        world.live(330, QUIET)
        assert world.expired == []
        assert world.refused["rateLimited"] == 0
        assert world.certified == 5000
        assert world.told == ONE_EACH
        assert measured() == {("total", kind.value): 1.0 for kind, _ in ONE_EACH}
