"""Pacing by the authority's limits, what people are told of it, and renewals that the authority asks for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.fake_ca.authority import DAY, HOUR, Authority, Clock, Habits
from tests.support_acme import FIRST, SECOND, STAGING, Bureau, configured
from tests.support_panel import edge, live, sight

from trinco.net.acme import certificate_id
from trinco.panel.certificates import orders
from trinco.panel.certificates.models import Certificate, HostCertificate, Order
from trinco.panel.certificates.queue import Expected, estimates
from trinco.panel.certificates.services import current
from trinco.panel.domains.models import Finding

pytestmark = pytest.mark.django_db


@pytest.fixture
def bureau(monkeypatch) -> Bureau:
    """Four new orders in three hours, one of which our own hosts have taken."""
    configured(monkeypatch, acme_orders=4)
    clock = Clock()
    edge(acknowledged=2**40)
    bureau = Bureau(clock, {FIRST: Authority(clock, habits=Habits(new_orders=4))})
    assert bureau.settle() == 1
    clock.go(minutes=10)
    return bureau


@pytest.fixture
def ca(bureau) -> Authority:
    return bureau.authorities[FIRST]


def got(bureau: Bureau) -> int:
    """How many policy hosts have a certificate."""
    bureau.settle()
    return Certificate.objects.everywhere().values("domain").distinct().count()


class TestPace:
    """Let's Encrypt counts 300 new orders in 3 hours of one account; they are spread, and never refused."""

    def test_as_many_as_the_limit_allows(self, ours, bureau, ca):
        for number in range(9):
            live(ours, f"d{number}.example")
        counts = [got(bureau)]
        for _ in range(40):
            bureau.clock.go(minutes=5)
            counts.append(got(bureau))
        assert sorted(set(counts)) == [3, 4, 7]
        assert [counts.index(count) for count in (4, 7)] == [34, 36]  # three hours after our own hosts, and the first
        assert ca.refused == {}

    def test_in_the_order_of_arrival(self, ours, bureau, ca):
        domains = [live(ours, f"d{number}.example") for number in range(5)]
        bureau.settle()
        assert [order.names[0] for order in ca.orders[1:]] == [domain.policy_host for domain in domains[:3]]

    def test_renewals_come_before_newcomers_and_the_one_that_ends_first_before_all(self, ours, bureau, ca):
        ca.habits = Habits(new_orders=4, renewal_info=False)
        first, second = live(ours, "first.example"), live(ours, "second.example")
        bureau.settle()
        bureau.clock.go(days=31)
        late = Certificate.objects.everywhere()
        late.filter(domain=second).update(not_after=bureau.clock() + DAY, renew_due_at=bureau.clock())
        late.filter(domain=first).update(renew_due_at=bureau.clock())
        HostCertificate.objects.update(due_at=bureau.clock() + DAY)
        live(ours, "new.example")
        before = len(ca.orders)
        bureau.settle()
        names = [order.names[0] for order in ca.orders[before:]]
        assert names == ["mta-sts.second.example", "mta-sts.first.example", "mta-sts.new.example"]

    def test_a_name_that_failed_five_times_within_the_hour_is_left_alone(self, ours, bureau, ca):
        domain = live(ours)
        ca.prove = lambda _host, _token, _print: "no"
        for _ in range(6):
            bureau.settle()
            domain.issuance_attempt.delete() if hasattr(domain, "issuance_attempt") else None
            domain = type(domain).objects.everywhere().get(pk=domain.pk)
        assert ca.refused == {}
        assert Order.objects.everywhere().filter(domain=domain).count() <= 5


class TestStaging:
    """What has failed three times is tried in the staging environment first: failures there count against no limit."""

    @pytest.fixture
    def staging(self, bureau) -> Authority:
        return bureau.authorities.setdefault(STAGING, Authority(bureau.clock, "Staging"))

    def failed(self, bureau, ca, times: int) -> None:
        ca.prove = lambda _host, _token, _print: "no"
        for _ in range(times):
            bureau.settle()
            bureau.settle()  # what staging gave is asked for at once
            bureau.clock.go(days=1)

    def test_a_name_that_never_failed_is_not(self, ours, bureau, staging):
        live(ours)
        assert bureau.settle() == 1
        assert staging.orders == []

    def test_its_authority_is_not_asked_while_staging_refuses(self, ours, bureau, ca, staging):
        live(ours)
        staging.prove = lambda _host, _token, _print: "not there either"
        self.failed(bureau, ca, 6)
        assert (len(ca.orders), len(staging.orders)) == (1 + 3, 3)

    def test_what_it_gives_is_not_served_and_the_authority_is_asked_at_once(self, ours, bureau, ca, staging):
        domain = live(ours)
        self.failed(bureau, ca, 3)
        ca.prove = Authority(bureau.clock).prove
        assert (bureau.settle(), bureau.settle()) == (0, 1)
        assert current(domain).issuer == ca.title
        assert [order.names for order in staging.orders] == [(domain.policy_host,)]

    def test_it_is_asked_again_after_each_further_failure(self, ours, bureau, ca, staging):
        live(ours)
        self.failed(bureau, ca, 6)
        assert (len(ca.orders), len(staging.orders)) == (1 + 6, 3)

    def test_one_that_is_away_holds_nothing_up(self, ours, bureau, ca, staging):
        domain = live(ours)
        self.failed(bureau, ca, 3)
        ca.prove, staging.away = Authority(bureau.clock).prove, True
        for _ in range(8):
            bureau.settle(3)
            bureau.clock.go(minutes=30)
        assert current(domain).issuer == ca.title

    def test_our_own_hosts_are_tried_there_as_well(self, bureau, ca, staging):
        HostCertificate.objects.update(due_at=bureau.clock())
        self.failed(bureau, ca, 4)
        assert [order.names for order in staging.orders] == [tuple(HostCertificate.objects.get().names)]


class TestAdvice:
    """The authority says when (RFC 9773); such renewals say what they replace, and no limit counts them."""

    def test_it_is_asked_and_a_moment_chosen_by_chance(self, ours, bureau, ca):
        domain = live(ours)
        bureau.settle()
        bureau.clock.go(hours=1)
        assert bureau.ask() == 2
        row = current(domain)
        start, end = ca.window(certificate_id(bytes(row.leaf)))
        assert (row.window_start, row.window_end, row.renew_due_at) == (start, end, start + (end - start) / 2)
        assert row.ask_due_at == bureau.clock() + 6 * HOUR

    def test_the_same_window_keeps_its_moment(self, ours, bureau):
        domain = live(ours)
        bureau.settle()
        bureau.clock.go(hours=1)
        bureau.ask()
        chosen = current(domain).renew_due_at
        bureau.jitter = lambda: 0.0
        bureau.clock.go(hours=7)
        assert bureau.ask() == 0
        assert (current(domain).renew_due_at, current(domain).ask_due_at) == (chosen, bureau.clock() + 6 * HOUR)

    @pytest.mark.parametrize(
        ("said", "waits"), [(timedelta(seconds=5), timedelta(minutes=1)), (3 * DAY, DAY), (2 * HOUR, 2 * HOUR)]
    )
    def test_how_often_it_says_within_bounds(self, ours, bureau, ca, said, waits):
        ca.habits = Habits(new_orders=4, ask_again=said)
        domain = live(ours)
        bureau.settle()
        bureau.clock.go(hours=1)
        bureau.ask()
        assert current(domain).ask_due_at == bureau.clock() + waits

    def test_a_window_near_the_end_is_not_waited_for(self, ours, bureau, ca):
        domain = live(ours)
        bureau.settle()
        row = current(domain)
        ca.windows[certificate_id(bytes(row.leaf))] = (row.not_after - HOUR, row.not_after)
        bureau.clock.go(hours=1)
        bureau.ask()
        assert current(domain).renew_due_at == row.not_after - DAY

    def test_mass_revocation(self, ours, bureau, ca):
        domains = [live(ours, f"d{number}.example") for number in range(9)]
        while got(bureau) < 9:
            bureau.clock.go(hours=1)
        before = {domain.pk: bytes(current(domain).leaf) for domain in domains}
        assert ca.revoke_all() == 10
        bureau.clock.go(hours=6)
        bureau.ask()
        assert bureau.settle() == 10  # more than the limit in one go
        assert {domain.pk for domain in domains if bytes(current(domain).leaf) != before[domain.pk]} == set(before)
        assert [order.replaces != "" for order in ca.orders[-10:]] == [True] * 10
        assert ca.refused == {}

    def test_what_was_replaced_elsewhere_is_ordered_anew(self, ours, bureau, ca):
        domain = live(ours)
        bureau.settle()
        ca.replaced.add(certificate_id(bytes(current(domain).leaf)))
        Certificate.objects.everywhere().update(renew_due_at=bureau.clock())
        bureau.settle()
        assert (ca.refused["alreadyReplaced"], len(ca.issued)) == (1, 3)

    def test_nothing_is_said_to_replace_another_authoritys_certificate(self, ours, bureau, ca):
        second = bureau.authorities[SECOND] = Authority(bureau.clock, "Second CA")
        domain = live(ours)
        bureau.settle()
        ca.away = True
        Certificate.objects.everywhere().update(renew_due_at=bureau.clock())
        for _ in range(8):
            bureau.settle(3)
            bureau.clock.go(minutes=15)
        assert current(domain).issuer == "Second CA"
        assert [order.replaces for order in second.orders] == [""]

    def test_an_authority_that_is_away_is_asked_three_times_within_the_hour(self, ours, bureau, ca):
        for number in range(3):
            live(ours, f"d{number}.example")
        bureau.settle()
        ca.away, asked = True, ca.requests
        bureau.clock.go(hours=2)
        bureau.ask()
        bureau.ask()
        assert ca.requests == asked + 3

    def test_it_is_never_asked_about_what_has_ended(self, ours, bureau, ca):
        live(ours)
        bureau.settle()
        asked = ca.requests
        bureau.clock.go(days=46)
        bureau.ask()
        assert ca.requests == asked


def expected(domain, now) -> Expected | None:
    return estimates([domain.pk], now).get(domain.pk)


class TestEstimate:
    """Importing 10,000 domains shows a queue with an estimate."""

    def test_who_is_before_and_when_it_is_ones_turn(self, ours, bureau):
        now = bureau.clock()
        domains = [live(ours, f"d{number:02}.example") for number in range(12)]
        own = Order.objects.everywhere().get().asked_at
        told = [expected(domain, now) for domain in domains]
        assert [(each.before, each.ordered) for each in told] == [(number, False) for number in range(12)]
        window = orders.WINDOW
        turns = [now, now, now, own + window, *[now + window] * 3, own + 2 * window, *[now + 2 * window] * 3]
        assert [each.at for each in told[:11]] == turns

    def test_while_it_is_obtained(self, ours, bureau):
        domain = live(ours)
        bureau.turn()
        assert expected(domain, bureau.clock()) == Expected(True, 0, bureau.clock())

    def test_nothing_for_one_that_has_one_or_cannot_have_one(self, ours, bureau):
        domain, forbidden = live(ours), live(ours, "outro.example")
        sight(forbidden, Finding.CAA_FORBIDS)
        bureau.settle()
        assert [expected(each, bureau.clock()) for each in (domain, forbidden)] == [None, None]
