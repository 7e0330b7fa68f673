"""One row for each event, however many names it touches and however long it lasts."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.conf import settings
from tests.fake_ca.authority import START
from tests.support_acme import FIRST, SECOND, configured
from tests.support_panel import live, sight

from trinco.net.acme_words import AccountRefused, CaUnavailable, Place, Registration
from trinco.panel.certificates import account as accounts
from trinco.panel.certificates import events, hosts, keeping
from trinco.panel.certificates.account import Site
from trinco.panel.certificates.models import Account, Certificate, Chain, Event, EventKind
from trinco.panel.domains.models import Finding, HostedDomain, RecordName, RecordSighting

pytestmark = pytest.mark.django_db
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
STAGING = "https://staging.example/dir"
SITES = (
    Site(Place(FIRST), Registration()),
    Site(Place(SECOND), Registration()),
    Site(Place(STAGING), Registration(), rehearsal=True),
)


def told() -> list[tuple[str, str, str, int, bool]]:
    """Kind, authority, domain, count, and whether it lasts."""
    rows = Event.objects.everywhere().select_related("domain").order_by("began_at", "pk")
    return [(e.kind, e.directory, e.domain.name if e.domain else "", e.count, e.ended_at is None) for e in rows]


def watch(now=START) -> int:
    return events.observe(now, SITES)


def away(now, error: CaUnavailable | None = None) -> Account:
    row = Account.objects.get_or_create(directory=FIRST)[0]
    accounts.away(row, error or CaUnavailable("first.example cannot be reached"), now)
    return row


def certified(domain: HostedDomain, ends, life=45 * DAY, **facts) -> Certificate:
    values = {"leaf": b"x", "chain": Chain.of([b"y"]), "sealed_key": b"z", "issuer": "CA", "directory": FIRST}
    times = {"not_before": ends - life, "not_after": ends, "renew_due_at": ends}
    return Certificate.objects.everywhere().create(domain=domain, **{**values, **times, **facts})


class TestAuthority:
    """An authority that is away is one event, refreshed while it lasts, and closed when it is over."""

    def test_it_is_opened_counted_and_closed(self, db):
        away(START)
        assert watch() == 1
        row = away(START + MINUTE)
        assert watch(START + MINUTE) == 0
        assert told() == [("away", FIRST, "", 2, True)]
        accounts.answered(row, None)
        assert watch(START + 5 * MINUTE) == 0
        assert watch(START + HOUR) == 1
        assert told() == [("away", FIRST, "", 2, False)]
        assert Event.objects.everywhere().get().ended_at == START + MINUTE

    def test_a_short_answer_in_between_makes_no_second_one(self, db):
        row = away(START)
        watch()
        accounts.answered(row, None)
        watch(START + MINUTE)
        away(START + 10 * MINUTE)
        watch(START + 10 * MINUTE)
        assert told() == [("away", FIRST, "", 1, True)]

    def test_after_an_hour_the_second_is_in_use(self, db):
        Account.objects.create(directory=SECOND)
        away(START)
        watch(START + HOUR)
        assert told() == [("away", FIRST, "", 1, True), ("second", SECOND, "", 1, True)]

    def test_an_account_that_is_refused_is_another_thing(self, db):
        away(START, AccountRefused("it has terms of service"))
        watch()
        assert told() == [("account", FIRST, "", 1, True)]

    def test_a_limit_lasts_as_long_as_it_says(self, db):
        Account.objects.create(directory=FIRST, limited_until=START + HOUR, limit_problem="too many for a.example")
        watch()
        assert told() == [("limited", FIRST, "", 1, True)]
        assert watch(START + HOUR) == 1

    def test_one_that_is_no_longer_in_the_settings_says_nothing(self, db):
        Account.objects.create(directory="https://gone.example/dir", away_since=START)
        assert watch() == 0


class TestHurry:
    """RFC 9773 section 4.1: a window in the past asks for renewal at once, as before a mass revocation."""

    @pytest.fixture(autouse=True)
    def _account(self, db):
        Account.objects.create(directory=FIRST)

    def test_all_of_one_authority_are_one_event(self, ours):
        for number in range(3):
            domain = live(ours, f"d{number}.example")
            certified(domain, START + 40 * DAY, hurried_at=START, ask_due_at=START + DAY)
        watch()
        assert told() == [("revoked", FIRST, "", 3, True)]

    def test_it_is_over_when_all_are_renewed_and_everybody_was_asked_about(self, ours):
        row = certified(live(ours), START + 40 * DAY, hurried_at=START, ask_due_at=START + DAY)
        watch()
        Certificate.objects.everywhere().filter(pk=row.pk).update(ask_due_at=None)
        watch(START + DAY)
        assert told() == [("revoked", FIRST, "", 1, True)]
        watch(START + 27 * HOUR)
        assert told() == [("revoked", FIRST, "", 1, False)]


class TestNames:
    """A name's trouble is its owner's, and most names' trouble is one."""

    def failing(self, ours, count: int) -> None:
        for number in range(count):
            domain = live(ours, f"d{number}.example")
            keeping.postpone(domain, "no route", START)
            keeping.postpone(domain, "no route", START)

    def test_a_first_failure_is_none(self, ours):
        keeping.postpone(live(ours), "no route", START)
        assert watch() == 0

    def test_the_second_is_until_it_is_had(self, ours):
        self.failing(ours, 1)
        watch()
        assert told() == [("failing", "", "d0.example", 2, True)]
        HostedDomain.objects.everywhere().get().issuance_attempt.delete()
        watch(START + MINUTE)
        assert told() == [("failing", "", "d0.example", 2, False)]

    def test_twenty_at_once_are_one_event(self, ours):
        self.failing(ours, events.MANY)
        watch()
        assert told() == [("many", "", "", events.MANY, True)]

    def test_the_customers_own_record_is_named(self, ours):
        domain = live(ours)
        sight(domain)
        sightings = RecordSighting.objects.everywhere().filter(domain=domain, record=RecordName.MTA_STS)
        sightings.update(finding=Finding.CAA_FORBIDS, seen='correio.example CAA 0 issue ";"')
        watch()
        assert told() == [("caa", "", "correio.example", 1, True)]
        assert Event.objects.everywhere().get().detail == 'correio.example CAA 0 issue ";"'

    @pytest.mark.parametrize(
        ("life", "left", "soon"),
        [
            (45 * DAY, 8 * DAY, False),
            (45 * DAY, 6 * DAY, True),
            (160 * HOUR, 48 * HOUR, False),
            (160 * HOUR, 26 * HOUR, True),
        ],
    )
    def test_what_ends_soon_is_told_by_its_life(self, ours, life, left, soon):
        certified(live(ours), START + left, life)
        watch()
        assert told() == ([("ending", "", "correio.example", 1, True)] if soon else [])

    def test_while_the_authority_is_away_that_is_the_event(self, ours):
        certified(live(ours), START + DAY)
        away(START)
        watch()
        assert told() == [("away", FIRST, "", 1, True)]

    def test_unless_there_is_a_second_that_could_have_renewed_it(self, ours):
        Account.objects.create(directory=SECOND)
        certified(live(ours), START + DAY)
        away(START)
        watch(START + HOUR)
        assert told() == [
            ("away", FIRST, "", 1, True),
            ("second", SECOND, "", 1, True),
            ("ending", "", "correio.example", 1, True),
        ]

    def test_a_limit_that_one_name_met_hides_no_other(self, ours):
        certified(live(ours), START + DAY)
        Account.objects.create(directory=FIRST, limited_until=START + DAY)
        watch()
        assert [kind for kind, *_ in told()] == ["limited", "ending"]


class TestOurOwn:
    def test_our_own_hosts(self, monkeypatch, db):
        configured(monkeypatch)
        for _ in range(2):
            hosts.postpone(hosts.names(settings.CONFIG), "no route", START)
        watch()
        assert told() == [("own", "", "", 2, True)]


class TestWhoSees:
    """Findings of a tenant's domain are that tenant's; those of the authority are everybody's."""

    def test_each_its_own_and_what_is_everybodys(self, ours, theirs):
        certified(live(ours), START + DAY)
        certified(live(theirs, "caixa.example"), START + DAY)
        watch()
        away(START)
        watch(START + MINUTE)
        seen = [[(e.kind, e.domain and e.domain.name) for e in events.visible(who)] for who in (ours, theirs)]
        assert seen == [
            [(EventKind.AWAY, None), (EventKind.ENDING, "correio.example")],
            [(EventKind.AWAY, None), (EventKind.ENDING, "caixa.example")],
        ]
