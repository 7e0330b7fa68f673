"""Many at once: people, workers, and edges. Runs on SQLite here and on PostgreSQL by test_postgresql.py."""

from __future__ import annotations

import threading

import pytest
from django.db import connection
from django.utils import timezone
from tests.support_panel import ANA, announced, edge, hosted, live, organisation, sight, standing, versions

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts import audit
from trinco.panel.accounts.services import record
from trinco.panel.certificates.models import Certificate
from trinco.panel.certificates.services import issue_due
from trinco.panel.domains import services as domains
from trinco.panel.domains.errors import AlreadyAdded
from trinco.panel.domains.models import HostedDomain, Revision, State
from trinco.panel.policies import services
from trinco.panel.policies.errors import Conflict

pytestmark = pytest.mark.django_db(transaction=True)


def together(*deeds):
    """Do all deeds at the same moment, each in a thread; give back what each returned or raised."""
    start, results = threading.Barrier(len(deeds)), [None] * len(deeds)

    def do(number, deed):
        start.wait(60)
        try:
            results[number] = deed()
        except Exception as error:  # noqa: BLE001 - the outermost loop of a thread
            results[number] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=do, args=pair) for pair in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def changed(number):
    return Policy(Mode.TESTING, (f"mx{number}.example",), 86_400)


class TestPublishing:
    """Two people who publish at once never share a number or an id, and the second is told when it matters."""

    def test_every_one_gets_its_own_number_and_id(self):
        domain = announced(organisation())

        def publish(number):
            return lambda: services.publish(
                domain=HostedDomain.objects.everywhere().get(pk=domain.pk), policy=changed(number), actor=ANA
            )

        results = together(*(publish(number) for number in range(6)))
        history = versions(domain)
        assert sorted(version.number for version in results) == list(range(2, 8))
        assert [version.number for version in history] == list(range(1, 8))
        ids = [version.policy_id for version in history]
        assert ids == sorted(set(ids))
        revisions = [version.revision for version in history]
        assert revisions == sorted(set(revisions))

    def test_of_those_who_looked_at_the_same_version_one_wins(self):
        domain = announced(organisation())

        def publish(number):
            row = HostedDomain.objects.everywhere().get(pk=domain.pk)
            return lambda: services.publish(domain=row, policy=changed(number), actor=ANA, expected_number=1)

        results = together(*(publish(number) for number in range(4)))
        assert sorted(type(result).__name__ for result in results) == ["Conflict"] * 3 + ["PolicyVersion"]
        assert {result.number for result in results if isinstance(result, Conflict)} == {2}

    def test_two_panic_buttons_and_single_deeds_never_wait_for_each_other(self):
        ours = organisation()
        fleet = [live(ours, f"d{number}.example") for number in range(12)]
        rows = list(HostedDomain.objects.of(ours))

        def many(mode):
            return lambda: services.publish_many(organisation=ours, domains=rows[::-1], mode=mode, actor=ANA)

        def one(number):
            return lambda: domains.set_tlsrpt(domain=rows[number], on=False, actor=ANA)

        results = together(many(Mode.NONE), many(Mode.NONE), one(11), one(0), many(Mode.NONE))
        assert [result for result in results if isinstance(result, Exception)] == []
        assert {standing(domain).current.mode for domain in fleet} == {"none"}
        assert {len(versions(domain)) for domain in fleet} == {2}


class TestAccounts:
    def test_an_address_has_one_account(self):
        results = together(*[lambda: organisation("ana@example.com")] * 4)
        assert sorted(type(result).__name__ for result in results) == ["AccountExists"] * 3 + ["Organisation"]


class TestDomains:
    def test_a_name_is_added_once(self):
        ours = organisation()
        results = together(*[lambda: hosted(ours)] * 4)
        assert sorted(type(result).__name__ for result in results) == ["AlreadyAdded"] * 3 + ["HostedDomain"]
        assert all(isinstance(result, HostedDomain | AlreadyAdded) for result in results)

    def test_a_name_has_one_owner(self):
        claims = [hosted(organisation(f"p{number}@example.com")) for number in range(4)]
        for claim in claims:
            sight(claim)
        assert together(*[lambda claim=claim: domains.mark_live(claim) for claim in claims]) == [True] * 4
        states = HostedDomain.objects.everywhere().values_list("state", flat=True)
        assert sorted(states) == [State.GONE] * 3 + [State.LIVE]

    def test_the_same_proof_twice_is_one_deed(self):
        domain = hosted(organisation())
        sight(domain)
        rows = [HostedDomain.objects.everywhere().get(pk=domain.pk) for _ in range(4)]
        results = together(*[lambda row=row: domains.mark_live(row) for row in rows])
        assert sorted(results) == [False, False, False, True]


class TestWorkers:
    """Several workers share the rows: each deed is done once."""

    def test_one_certificate_each(self):
        ours = organisation()
        for number in range(6):
            live(ours, f"d{number}.example")
        now = timezone.now()
        results = together(*[lambda: issue_due(now)] * 3)
        issued = Certificate.objects.everywhere().values_list("domain", flat=True)
        assert (sum(results), len(issued), len(set(issued))) == (6, 6, 6)

    def test_one_announcement_each(self):
        ours = organisation()
        fleet = [live(ours, f"d{number}.example") for number in range(6)]
        edge()
        before, now = Revision.objects.get(pk=1).number, timezone.now()
        results = together(*[lambda: services.announce_due(now)] * 3)
        assert sum([*results, services.announce_due(now)]) == 6
        assert all(standing(domain).announced for domain in fleet)
        assert before < Revision.objects.get(pk=1).number <= before + 4

    def test_an_announcement_never_overtakes_a_change(self):
        domain = announced(organisation())
        for number in range(8):
            row = HostedDomain.objects.everywhere().get(pk=domain.pk)
            edge()  # has all but what comes now
            together(
                lambda row=row, number=number: services.publish(domain=row, policy=changed(number), actor=ANA),
                lambda: services.announce_due(timezone.now()),
            )
            told = standing(domain)
            assert told.announced != told.current


class TestRevision:
    """Revisions become visible in their order: an edge that asks for what came after N misses nothing."""

    def test_none_is_skipped_or_given_twice(self):
        ours = organisation()
        fleet = [live(ours, f"d{number}.example") for number in range(4)]
        before, seen, over = Revision.objects.get(pk=1).number, [], threading.Event()

        def watch():
            held = before
            while not over.is_set():
                newest = Revision.objects.get(pk=1).number
                rows = HostedDomain.objects.everywhere().filter(revision__gt=held, revision__lte=newest)
                seen.extend((row.pk, row.revision) for row in rows)
                held = newest
            return held

        def change(domain):
            def deed():
                for on in (False, True) * 4:
                    domains.set_tlsrpt(domain=domain, on=on, actor=ANA)

            return deed

        def changes():
            results = together(*[change(domain) for domain in fleet])
            over.set()
            return results

        results = together(watch, changes)
        assert [error for error in results[1] if isinstance(error, Exception)] == []
        assert Revision.objects.get(pk=1).number == before + 32
        last = {domain.pk: HostedDomain.objects.everywhere().get(pk=domain.pk).revision for domain in fleet}
        held = {pk for pk, revision in seen if revision == last[pk]}
        late = {pk for pk, revision in last.items() if revision > results[0]}
        assert held | late == set(last)


class TestLog:
    """Two who write at once come one after the other in the chain."""

    def test_the_chain_stays_whole(self):
        ours, theirs = organisation(), organisation("rui@example.net")

        def deed(number):
            whose = (ours, theirs)[number % 2]
            return lambda: [
                record(organisation=whose, actor=ANA, action="domain.added", subject=f"{number}.example")
                for _ in range(5)
            ]

        together(*(deed(number) for number in range(8)))
        assert [(audit.verify(each).lines, audit.verify(each).broken) for each in (ours, theirs)] == [(20, None)] * 2
