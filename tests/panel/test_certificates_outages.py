"""What authorities do at the worst moment: nothing that is served ends while somebody would have given the next one."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from django.utils import timezone
from tests.fake_ca.authority import HOUR, Authority, Clock, Habits, Problem
from tests.support_acme import FIRST, SECOND, STAGING, Bureau, configured
from tests.support_panel import edge, live

from trinco.config import ConfigError, load
from trinco.net.acme import certificate_id
from trinco.net.acme_words import CaUnavailable
from trinco.panel import clock
from trinco.panel import metrics as panel_metrics
from trinco.panel.accounts.actors import CLI
from trinco.panel.certificates import own, queue
from trinco.panel.certificates.authority import OWN, RETIRED
from trinco.panel.certificates.models import (
    Account,
    Attempt,
    Certificate,
    Event,
    EventKind,
    HostCertificate,
    Order,
    Stage,
)
from trinco.panel.certificates.services import current
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.policies.models import EdgeNode

pytestmark = pytest.mark.django_db


@pytest.fixture
def bureau(monkeypatch) -> Bureau:
    """Our own hosts have theirs for the time being."""
    configured(monkeypatch)
    clock = Clock()
    edge(acknowledged=2**40)
    EdgeNode.objects.update(lease_until=clock() + timedelta(days=4000))
    bureau = Bureau(clock, {FIRST: Authority(clock)})
    bureau.settle()
    HostCertificate.objects.update(due_at=clock() + timedelta(days=4000), ask_due_at=None)
    return bureau


@pytest.fixture
def ca(bureau) -> Authority:
    return bureau.authorities[FIRST]


def due(bureau: Bureau, domain) -> datetime:
    """A certificate, and the moment at which the next one is wanted. When it ends."""
    bureau.settle()
    bureau.clock.now = current(domain).renew_due_at + HOUR
    return current(domain).not_after


def days(bureau: Bureau, number: int) -> None:
    for _ in range(number * 2):
        bureau.settle(6)
        bureau.clock.go(hours=12)


def begun(bureau: Bureau) -> None:
    """An order that its authority has, and does not finish yet."""
    bureau.turn()
    bureau.clock.go(seconds=5)
    bureau.turn()


def failing_thrice(bureau: Bureau, ca: Authority) -> None:
    """It fails for a moment, and gives again."""
    ca.prove = lambda *_: "a moment's trouble"
    for _ in range(3):
        bureau.settle(6)
        bureau.clock.go(hours=3)
    ca.prove = lambda *_: ""


class TestStagingInTheWay:
    """Staging is asked where there is time: what is served never ends because of it."""

    @pytest.fixture
    def staging(self, bureau) -> Authority:
        return bureau.authorities.setdefault(STAGING, Authority(bureau.clock, "Staging"))

    def test_it_refuses_for_ever(self, ours, bureau, ca, staging):
        domain = live(ours)
        ends = due(bureau, domain)
        staging.prove = lambda *_: "staging always refuses"
        failing_thrice(bureau, ca)
        days(bureau, 14)
        assert current(domain).not_after > ends

    def test_its_limit_holds_nobody_back(self, ours, bureau, ca, staging):
        def limit(*_) -> None:
            raise Problem(429, "rateLimited", "too many", timedelta(days=60))

        domain = live(ours)
        staging._limit_orders = limit
        failing_thrice(bureau, ca)
        bureau.settle()
        bureau.settle()
        assert current(domain).issuer == ca.title

    def test_it_goes_away_in_the_middle_of_an_order(self, ours, bureau, ca, staging):
        domain = live(ours)
        staging.habits = Habits(processing=HOUR)
        failing_thrice(bureau, ca)
        begun(bureau)
        staging.away = True
        bureau.clock.go(hours=1)
        bureau.settle()
        bureau.settle()
        assert current(domain).issuer == ca.title

    @pytest.mark.parametrize(
        ("one", "other"),
        [("", "STAGING_"), ("", "FALLBACK_"), ("FALLBACK_", "STAGING_")],
    )
    def test_it_is_no_authority_that_is_named_already(self, one, other):
        with pytest.raises(ConfigError, match="each names an authority of its own"):
            load({f"TRINCO_ACME_{each}DIRECTORY": FIRST for each in (one, other)})


class TestAwayForGood:
    """An authority that goes away with an order of ours keeps no name from the other one."""

    @pytest.mark.parametrize("handed_in", [False, True])
    def test_the_other_one_is_asked(self, ours, bureau, ca, handed_in):
        second = bureau.authorities.setdefault(SECOND, Authority(bureau.clock, "Second CA"))
        domain = live(ours)
        due(bureau, domain)
        ca.habits = Habits(processing=HOUR)
        begun(bureau)
        Order.objects.everywhere().filter(ended_at=None).update(stage=Stage.FINALIZED if handed_in else Stage.TOLD)
        ca.away = True
        reached = []
        for _ in range(20):
            bureau.settle(6)
            reached.append(len(second.orders))
            bureau.clock.go(hours=1)
        assert (reached.index(1) > 6, current(domain).issuer) == (handed_in, "Second CA")

    def test_the_only_one_is_waited_for(self, ours, bureau, ca):
        bureau.authorities.setdefault(STAGING, Authority(bureau.clock, "Staging"))
        live(ours)
        ca.habits = Habits(processing=HOUR)
        begun(bureau)
        ca.away = True
        for _ in range(10):
            bureau.settle(6)
            bureau.clock.go(hours=1)
        assert Order.objects.everywhere().filter(domain__isnull=False).count() == 1


class TestLimits:
    """What an authority says is bounded: no word of it holds a name back for longer than a day."""

    def test_retry_after_thirty_years(self, ours, bureau, ca, monkeypatch):
        def limit(*_) -> None:
            raise Problem(429, "rateLimited", "too many", timedelta(days=11000))

        domain = live(ours)
        with monkeypatch.context() as patch:
            patch.setattr(ca, "_limit_orders", limit)
            bureau.settle()
        assert domain.issuance_attempt.due_at == bureau.clock() + timedelta(days=1)
        bureau.clock.go(days=1)
        assert bureau.settle() == 1

    def test_a_renewal_that_is_refused_as_one_is_counted(self, ours, bureau, ca, monkeypatch):
        for number in range(6):
            live(ours, f"d{number}.example")
        bureau.settle()
        configured(monkeypatch, acme_orders=4)
        held = Certificate.objects.everywhere()
        ca.replaced |= {certificate_id(bytes(row.leaf)) for row in held}
        bureau.clock.now = max(held.values_list("renew_due_at", flat=True)) + HOUR
        before, taken = len(ca.orders), []
        for _ in range(4):
            bureau.settle()
            taken.append(len(ca.orders) - before)
            bureau.clock.go(hours=1)
        assert taken == [4, 4, 4, 6]


class TestClockThatWentBack:
    """A clock that was two days ahead leaves moments in the tables that nobody waits for."""

    AHEAD = timedelta(days=2)

    @pytest.mark.parametrize("moment", ["lease_until", "step_at"])
    def test_an_order_goes_on(self, ours, bureau, moment):
        domain = live(ours)
        bureau.turn()
        Order.objects.everywhere().filter(ended_at=None).update(**{moment: bureau.clock() + self.AHEAD})
        bureau.clock.go(minutes=5)
        bureau.turn()
        bureau.settle()
        assert current(domain) is not None

    def test_an_authority_is_asked(self, ours, bureau):
        domain = live(ours)
        Account.objects.update(paused_until=bureau.clock() + self.AHEAD)
        assert (bureau.settle(), current(domain) is None) == (1, False)

    def test_a_domain_is_tried_again(self, ours, bureau):
        domain = live(ours)
        later = bureau.clock() + self.AHEAD
        Attempt.objects.everywhere().create(domain=domain, due_at=later, failures=1, problem="x")
        assert bureau.settle() == 1

    def test_our_own_hosts_are_tried_again(self, bureau):
        HostCertificate.objects.update(due_at=bureau.clock() + self.AHEAD, failures=1, problem="x")
        assert bureau.settle() == 1

    def test_an_authority_is_asked_when_to_renew(self, ours, bureau):
        live(ours)
        bureau.settle()
        Certificate.objects.everywhere().update(ask_due_at=bureau.clock() + self.AHEAD)
        assert bureau.ask() == 1

    def test_neither_orders_nor_failures_count_that_are_still_to_come(self, ours, bureau, monkeypatch):
        domain = live(ours)
        later = bureau.clock() + self.AHEAD
        order = Order.objects.everywhere().get()
        for _ in range(5):
            order.pk, order.host, order.names = None, domain.policy_host, [domain.policy_host]
            order.stage, order.asked_at, order.ended_at = Stage.FAILED, later, later
            order.save()
        configured(monkeypatch, acme_orders=3)
        assert bureau.settle() == 1


class TestRenewalInformationAway:
    """Where renewal information alone is away (RFC 9773 section 4.3.3), orders go on as ever."""

    def test_the_authority_counts_as_there(self, ours, bureau, ca, monkeypatch):
        def out(*_) -> None:
            raise Problem(503, "serverInternal", "no renewal information today")

        second = bureau.authorities.setdefault(SECOND, Authority(bureau.clock, "Second CA"))
        live(ours)
        bureau.settle()
        monkeypatch.setattr(ca, "window", out)
        for _ in range(6):
            bureau.clock.go(minutes=30)
            bureau.ask()
        account = Account.objects.get(directory=FIRST)
        assert (account.away_since, account.paused_until) == (None, None)
        other = live(ours, "outro.example")
        assert (bureau.settle(), current(other).issuer, second.orders) == (1, ca.title, [])

    def test_a_certificate_without_an_id_is_renewed_as_a_new_one(self, ours, bureau, ca, monkeypatch):
        def nameless(_leaf: bytes) -> str:
            raise ValueError("no authority key identifier")

        domain = live(ours)
        due(bureau, domain)
        monkeypatch.setattr(queue, "certificate_id", nameless)
        assert (bureau.settle(), ca.orders[-1].replaces) == (1, "")


class TestWhatNobodyServes:
    """Numbers and events are about what is served: nothing else can be mended."""

    def numbers(self, bureau) -> dict[str, float]:
        metrics = panel_metrics._certificates(bureau.clock())
        return {sample.name: sample.value for metric in metrics for sample in metric.samples if not sample.labels}

    def test_a_domain_that_is_gone_is_not_counted(self, ours, bureau):
        domain = live(ours)
        bureau.settle()
        Attempt.objects.everywhere().create(domain=domain, due_at=bureau.clock(), failures=2, problem="x")
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(state=State.GONE)
        Certificate.objects.everywhere().update(not_after=bureau.clock() - HOUR)
        told = self.numbers(bureau)
        left = HostCertificate.objects.get().not_after - bureau.clock()
        assert told["trinco_certificates_least_seconds"] == left.total_seconds()
        assert told["trinco_certificates_failing"] == 0

    def test_a_name_that_the_reports_host_had_is_forgotten(self, bureau):
        facts = {"names": ["reports.old.example"], "failures": 3, "problem": "x", "due_at": bureau.clock()}
        HostCertificate.objects.create(host="reports.old.example", **facts)
        bureau.watch()
        assert not Event.objects.everywhere().filter(kind=EventKind.OWN).exists()
        HostCertificate.objects.update(due_at=bureau.clock())
        assert (bureau.settle(), HostCertificate.objects.count()) == (1, 1)


class TestRemoved:
    """A certificate that its owner takes out is served until the next one is there."""

    def test_one_that_is_about_to_end_does_not_take_its_place(self, ours, bureau):
        domain, now = live(ours), timezone.now()
        bureau.settle()
        row = current(domain)
        row.not_after, row.renew_due_at = now + timedelta(minutes=5), now - HOUR
        row.save()
        row.pk, row.directory = None, OWN
        row.not_after, row.renew_due_at = now + timedelta(days=300), now + timedelta(days=290)
        row.save()
        assert own.remove(domain=domain, actor=CLI)
        assert (current(domain).pk, current(domain).directory) == (row.pk, RETIRED)


class TestHalfAway:
    """An authority that answers the first question of a step and not the next is away, however often it is asked."""

    def test_the_other_one_is_asked(self, ours, bureau, ca, monkeypatch):
        second = bureau.authorities[SECOND] = Authority(bureau.clock, "Second CA")
        domain = live(ours)

        def gone(*_given: object) -> None:
            raise CaUnavailable("503")

        monkeypatch.setattr(ca, "finalize", gone)
        for _ in range(8 * 12):
            bureau.settle(3)
            bureau.clock.go(minutes=10)
        assert (current(domain).issuer, len(second.issued)) == ("Second CA", 1)


class TestWaived:
    """Challenges wait for the edges that an authority may ask, and no longer: an edge that lags and whose addresses are
    out of DNS is not among them."""

    def test_a_new_domain_does_not_wait_for_it(self, ours, bureau):
        lagging = edge("edge2", acknowledged=1)
        EdgeNode.objects.update(settled=2**40)
        domain = live(ours)
        assert bureau.settle() == 0
        EdgeNode.objects.filter(pk=lagging.pk).update(waived_at=clock.now() - HOUR, settled=1)
        bureau.clock.go(minutes=15)
        assert (bureau.settle(), current(domain).issuer) == (1, bureau.authorities[FIRST].title)
