"""Certificates by ACME, from due rows, at a scripted authority."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from django.conf import settings
from tests.fake_ca.authority import DAY, HOUR, Authority, Clock, Habits, Problem
from tests.support_acme import FIRST, SECOND, Bureau, Killed, configured, killed_at, pending
from tests.support_panel import edge, live, sight

from trinco.panel import rendering
from trinco.panel.certificates import hosts, orders
from trinco.panel.certificates.models import Account, AccountKey, Attempt, Certificate, HostCertificate, Order, Stage
from trinco.panel.certificates.services import current, issue_due
from trinco.panel.domains.models import Finding, HostedDomain, State
from trinco.panel.domains.services import newest_revision
from trinco.panel.seal import Seal

pytestmark = pytest.mark.django_db
MINUTE = timedelta(minutes=1)


@pytest.fixture
def bureau(monkeypatch) -> Bureau:
    """One authority, and an edge that has everything."""
    configured(monkeypatch)
    clock = Clock()
    edge(acknowledged=2**40)
    return Bureau(clock, {FIRST: Authority(clock)})


@pytest.fixture
def ca(bureau) -> Authority:
    return bureau.authorities[FIRST]


def orders_of(host: str) -> list[Order]:
    return list(Order.objects.everywhere().filter(host=host).order_by("pk"))


def problems() -> list[str]:
    return list(Attempt.objects.everywhere().values_list("problem", flat=True))


class TestOrder:
    """Exactly `mta-sts.<verified domain>`, a new P-256 key each time, sealed before anybody is asked."""

    def test_a_live_domain_gets_one(self, ours, bureau, ca):
        domain = live(ours)
        assert bureau.settle() == 2
        certificate = current(domain)
        leaf = x509.load_der_x509_certificate(bytes(certificate.leaf))
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["mta-sts.correio.example"]
        assert (certificate.issuer, certificate.directory) == ("Fake CA", FIRST)
        assert certificate.not_after == leaf.not_valid_after_utc
        assert certificate.chain.issuers == ca.chain(0)[1:]

    def test_the_key_rests_sealed_and_belongs_to_the_leaf(self, ours, bureau):
        domain = live(ours)
        bureau.settle()
        certificate = current(domain)
        key = Seal.of(settings.SEAL_KEY).open(bytes(certificate.sealed_key), "mta-sts.correio.example")
        public = serialization.load_der_private_key(key, None).public_key()
        assert public == x509.load_der_x509_certificate(bytes(certificate.leaf)).public_key()
        (order,) = orders_of("mta-sts.correio.example")
        assert (order.stage, bytes(order.sealed_key), bytes(order.csr)) == (Stage.DONE, b"", b"")

    def test_our_own_hosts_get_one_as_well(self, ours, bureau):
        assert bureau.settle() == 1
        held = HostCertificate.objects.get()
        assert (held.host, held.issuer, held.directory) == (settings.CONFIG.reports_host, "Fake CA", FIRST)
        assert bureau.settle() == 0

    def test_exactly_the_domains_that_are_served(self, ours, bureau, ca):
        live(ours)
        gone = live(ours, "gone.example")
        gone.state = State.GONE
        gone.save()
        bureau.settle()
        assert sorted(order.names for order in ca.orders) == [
            ("mta-sts.correio.example",),
            (settings.CONFIG.reports_host,),
        ]

    @pytest.mark.parametrize("finding", [Finding.CAA_FORBIDS, Finding.ELSEWHERE, Finding.MISSING])
    def test_nobody_is_asked_for_what_was_seen_to_fail(self, ours, bureau, finding):
        domain = live(ours)
        sight(domain, finding)
        bureau.settle()
        assert orders_of("mta-sts.correio.example") == []
        sight(domain)
        assert bureau.settle() == 1

    def test_a_domain_that_leaves_meanwhile_is_let_go(self, ours, bureau):
        domain = live(ours)
        bureau.turn()
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(state=State.GONE)
        bureau.clock.go(minutes=1)
        bureau.settle()
        assert [order.problem for order in orders_of("mta-sts.correio.example")] == ["no longer wanted"]
        assert problems() == []

    def test_a_profile_where_it_is_offered(self, ours, bureau, ca):
        ca.habits = Habits(lives={"": 45 * DAY, "shortlived": timedelta(hours=160)})
        bureau.profile = "shortlived"
        domain = live(ours)
        bureau.settle()
        assert current(domain).not_after - bureau.clock() == timedelta(hours=160)
        bureau.profile = "unheard-of"
        live(ours, "outro.example")
        assert bureau.settle() == 1

    def test_one_that_lives_shorter_than_the_one_before_is_served_at_once(self, ours, bureau, ca):
        domain = live(ours)
        bureau.settle()
        ca.life_of = lambda _order: timedelta(hours=160)
        Certificate.objects.everywhere().update(renew_due_at=bureau.clock())
        bureau.settle()
        assert current(domain).not_after == bureau.clock() + timedelta(hours=160)

    def test_what_the_development_ca_issued_is_replaced_at_once(self, ours, bureau, ca, monkeypatch):
        domain = live(ours)
        configured(monkeypatch, acme_directory="")
        assert (issue_due(bureau.clock()), hosts.issue_due(bureau.clock())) == (1, 1)
        assert current(domain).issuer == "Trinco development CA"
        configured(monkeypatch)
        assert bureau.settle() == 2
        assert (current(domain).issuer, HostCertificate.objects.get().issuer) == ("Fake CA", "Fake CA")
        assert bureau.settle() == 0


class TestAccount:
    """One key for all authorities; its thumbprint is what the edges answer with."""

    def test_it_is_made_once_and_sealed(self, ours, bureau, ca):
        live(ours)
        bureau.settle()
        key = AccountKey.objects.get()
        assert list(ca.accounts) == [key.thumbprint]
        plain = Seal.of(settings.SEAL_KEY).open(bytes(key.sealed_key), "acme-account")
        assert plain not in bytes(key.sealed_key)
        assert Account.objects.get().url == "account-1"

    def test_the_edges_get_its_thumbprint(self, ours, bureau):
        zone, before = settings.CONFIG.zone, newest_revision()
        live(ours)
        bureau.settle()
        assert rendering.since(zone, before).zone.thumbprint == AccountKey.objects.get().thumbprint

    def test_no_challenge_is_met_before_every_edge_can_meet_it(self, ours, bureau, ca):
        domain = live(ours)
        behind = edge("edge2", acknowledged=domain.revision - 1)
        bureau.settle(5)
        assert [(order.stage, ca.orders[int(order.url)].told) for order in pending()] == [(Stage.PLACED, set())] * 2
        edge("edge2", acknowledged=2**40)
        bureau.clock.go(minutes=5)
        assert bureau.settle() == 2
        behind.delete()

    def test_terms_of_service_are_the_operators_to_agree_to(self, ours, bureau):
        bureau.agreed = False
        live(ours)
        bureau.settle(3)
        assert "TRINCO_ACME_TERMS_AGREED=on (https://ca.example/terms)" in Account.objects.get().problem
        assert problems() == []  # it is no name's fault
        bureau.agreed = True
        bureau.clock.go(minutes=6)
        assert bureau.settle() == 2

    def test_an_account_there_already_is_the_operators_to_have(self, ours, bureau, ca):
        ca.habits = Habits(binding_required=True)
        live(ours)
        bureau.settle(3)
        assert "TRINCO_ACME_EAB_KID" in Account.objects.get().problem
        assert problems() == []

    def test_an_account_that_is_refused_costs_no_name_an_attempt(self, ours, bureau, ca, monkeypatch):
        monkeypatch.setattr(ca, "register", lambda *_a, **_o: (_ for _ in ()).throw(Problem(403, "unauthorized", "no")))
        live(ours)
        bureau.settle(3)
        assert (Account.objects.get().problem, problems()) == ("it gives us no account: no", [])

    def test_an_account_that_the_authority_forgot_is_made_anew(self, ours, bureau, ca):
        live(ours)
        bureau.settle()
        ca.accounts.clear()
        live(ours, "outro.example")
        bureau.turn()
        bureau.clock.go(minutes=2)
        assert bureau.settle() == 1


class TestCrash:
    """A kill at any moment: no second order, no lost key, and the next turn goes on."""

    @pytest.mark.parametrize("reuses", [True, False])
    @pytest.mark.parametrize("point", orders.POINTS)
    def test_at_each_point(self, ours, bureau, ca, point, reuses):
        ca.habits = Habits(reuses=reuses, processing=timedelta(seconds=3))
        domain = live(ours)
        with killed_at(bureau, point), pytest.raises(Killed):
            bureau.settle()
        bureau.clock.go(minutes=11)  # its lease is over
        bureau.settle()
        names = [order.names for order in ca.orders]
        assert sorted(names) == sorted(set(names))
        assert [len(order.csrs) for order in ca.orders] == [1, 1]
        assert Certificate.objects.everywhere().filter(domain=domain).count() == 1
        assert pending() == []

    def test_two_workers_never_move_one_order_at_a_time(self, ours, bureau):
        live(ours)
        queue_desk = bureau.desk
        bureau.turn()
        (order, *_) = pending()
        assert orders._claimed(order.pk, queue_desk.now) is not None
        assert orders._claimed(order.pk, queue_desk.now) is None

    def test_a_worker_that_lost_its_lease_writes_nothing(self, ours, bureau):
        live(ours)
        bureau.turn()
        (row, *_) = pending()
        first = orders._claimed(row.pk, bureau.clock())
        second = orders._claimed(row.pk, bureau.clock.go(minutes=11))
        with pytest.raises(orders.Superseded):
            orders._write(first, problem="late")
        orders._write(second, problem="in time")
        row.refresh_from_db()
        assert row.problem == "in time"


class TestRefusal:
    """A failure waits 1, 10 and 100 minutes, then a day each time, and the owner reads what the authority said."""

    def test_a_name_that_cannot_be_proven(self, ours, bureau, ca):
        ca.prove = lambda host, _token, _print: "" if host.startswith("reports") else f"{host}: connection refused"
        domain = live(ours)
        waits = []
        for _ in range(5):
            bureau.settle()
            attempt = Attempt.objects.everywhere().get(domain=domain)
            waits.append(attempt.due_at - bureau.clock())
            assert attempt.problem == "mta-sts.correio.example: connection refused"
            bureau.clock.now = attempt.due_at
        assert waits == [MINUTE, 10 * MINUTE, 100 * MINUTE, DAY, DAY]
        assert len(ca.orders) == 6
        assert ca.refused["rateLimited"] == 0

    def test_success_forgets(self, ours, bureau, ca):
        ca.prove = lambda _host, _token, _print: "no"
        domain = live(ours)
        bureau.settle()
        ca.prove = lambda _host, _token, _print: ""
        bureau.clock.go(minutes=2)
        assert bureau.settle() == 2
        assert not Attempt.objects.everywhere().filter(domain=domain).exists()

    def test_the_authority_says_when_it_gives_more(self, ours, bureau, ca):
        ca.habits = Habits(new_orders=1)  # fewer than the setting says
        domain = live(ours)
        bureau.settle()
        attempt = Attempt.objects.everywhere().get(domain=domain)
        assert (attempt.failures, attempt.due_at) == (0, ca.orders[0].made_at + 3 * HOUR)
        bureau.clock.now = attempt.due_at
        assert bureau.settle() == 1

    def test_a_certificate_of_another_key_is_not_taken(self, ours, bureau, ca, monkeypatch):
        domain = live(ours)
        monkeypatch.setattr(ca, "chain", lambda _number: (ca.root_der, ca.root_der))
        ca.root_der = ca.root.public_bytes(serialization.Encoding.DER)
        bureau.settle()
        assert "another key" in problems()[0]
        assert current(domain) is None


class TestOutage:
    """An authority that is away is left alone, longer each time; nobody's failures are counted."""

    def test_one_request_for_all_and_the_names_do_not_suffer(self, ours, bureau, ca):
        for number in range(5):
            live(ours, f"d{number}.example")
        ca.away = True
        for _ in range(2 * 24 * 2):
            bureau.turn()
            bureau.clock.go(minutes=30)
        assert ca.requests < 2 * 24 + 10
        assert problems() == []
        account = Account.objects.get()
        assert (account.away_since, account.problem) == (
            bureau.clock() - 2 * DAY,
            "The service is down for maintenance",
        )
        ca.away = False
        bureau.clock.go(hours=1)
        assert bureau.settle() == 6
        account.refresh_from_db()
        assert (account.away_since, account.failures, account.problem) == (None, 0, "")

    def test_an_order_under_way_goes_on_when_it_is_back(self, ours, bureau, ca):
        domain = live(ours)
        bureau.turn()
        ca.away = True
        bureau.clock.go(seconds=5)
        bureau.turn()
        assert len(pending()) == 2
        ca.away = False
        bureau.clock.go(minutes=2)
        bureau.settle()
        assert current(domain) is not None
        assert len(ca.orders) == 2

    def test_the_second_authority_is_asked_after_an_hour(self, ours, bureau, ca):
        second = bureau.authorities[SECOND] = Authority(bureau.clock, "Second CA")
        domain = live(ours)
        ca.away = True
        for _ in range(8):
            bureau.settle(3)
            bureau.clock.go(minutes=15)
        assert current(domain).issuer == "Second CA"
        assert list(second.accounts) == [AccountKey.objects.get().thumbprint]

    def test_and_in_turn_for_a_name_that_the_first_keeps_refusing(self, ours, bureau, ca):
        bureau.authorities[SECOND] = Authority(bureau.clock, "Second CA")
        ca.prove = lambda _host, _token, _print: "never"
        domain = live(ours)
        for _ in range(4):
            bureau.settle()
            bureau.clock.go(minutes=101)
        assert current(domain).issuer == "Second CA"

    def test_clocks_that_differ_are_written_down(self, ours, bureau):
        live(ours)
        bureau.turn()
        bureau.talks(bureau.desk.sites[0], Account.objects.get(), bureau.clock()).skew = timedelta(days=2)
        bureau.settle()
        assert Account.objects.get().skew_seconds == 2 * 86400
