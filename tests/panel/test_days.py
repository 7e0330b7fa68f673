"""The days of an organisation: always the sum of the daily totals, whoever writes those and whatever becomes of them.

Runs on SQLite here and on PostgreSQL by test_postgresql_reports.py.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support_panel import ANA, announced, hosted, organisation
from tests.support_reports import detail, policy, reported

from trinco.panel.accounts.models import Organisation
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import days, gathering, services
from trinco.panel.reports.day_models import OrganisationDay, UnsummedDomain
from trinco.panel.reports.models import DailyTotal, Report, Trust
from trinco.panel.web import overview

DAY = date(2026, 11, 20)
MOST = 2**63 - 1
COUNTS = ("successful_session_count", "failed_session_count", "reports")
Sums = dict[tuple[Any, ...], tuple[int, ...]]


def row(domain: HostedDomain, day: date = DAY, **told: Any) -> DailyTotal:
    """A total that is not saved yet: of google.com, verified, of all sessions unless told otherwise."""
    facts = {"trust": Trust.DKIM, "submitter": "google.com", "successful_session_count": 7, "reports": 1, **told}
    return DailyTotal(organisation=domain.organisation, domain=domain, day=day, **facts)


def totals(*rows: DailyTotal) -> None:
    DailyTotal.objects.everywhere().bulk_create(rows)


def added(rows: Any) -> Sums:
    sums: defaultdict[tuple[Any, ...], list[int]] = defaultdict(lambda: [0] * 4)
    for key, counts in rows:
        for at, count in enumerate(counts):
            sums[key][at] += count
    return {key: tuple(counts) for key, counts in sums.items() if any(counts)}


def kept() -> Sums:
    """What the table of days says."""
    found = OrganisationDay.objects.everywhere().values_list(*days._KEY, *COUNTS, "totals")
    return added((each[:5], each[5:]) for each in found)


def recounted() -> Sums:
    """The same, counted from the daily totals one by one."""
    return added(
        (
            (
                each.organisation_id, each.day, each.trust, each.submitter,
                each.domain_id if each.trust == Trust.HTTPS else None,
            ),
            (*(getattr(each, name) for name in COUNTS), 1),
        )
        for each in DailyTotal.objects.everywhere().filter(policy_type="", result_type="")
    )  # fmt: skip


def folded() -> int:
    """Rows that are left when all are folded."""
    while days.fold_due(timezone.now()):
        assert kept() == recounted()
    return OrganisationDay.objects.everywhere().count()


@pytest.fixture
def other(ours: Organisation) -> HostedDomain:
    return announced(ours, "outro.example")


class TestSums:
    """A page about all domains shows the same numbers as the totals of each, added up."""

    def test_of_what_is_digested(self, domain, other):
        for trust in Trust:
            reported(domain, policy(details=[detail(failed=2)]), trust=trust)
            reported(other, policy(other.name, "tlsa"), policy(other.name), trust=trust)
        reported(domain, report_id="same")
        reported(domain, policy(successful=44), report_id="same")  # the larger is counted in its place
        assert len(kept()) == 5
        assert kept() == recounted()

    def test_after_a_rebuild(self, domain, other):
        reported(domain)
        reported(other, policy(other.name))
        DailyTotal.objects.everywhere().update(successful_session_count=77)
        assert kept() == recounted()
        services.rebuild()
        assert kept() == recounted()
        assert [counts[0] for counts in kept().values()] == [20]

    def test_after_retention(self, domain, ours):
        old = timezone.now() - timedelta(days=90)
        reported(domain, day=old.date())
        before = kept()
        Report.objects.everywhere().update(received_at=old)
        services.set_retention(organisation=ours, raw_days=30, row_days=30, actor=ANA)
        assert services.prune_due(timezone.now()) == 1
        assert kept() == recounted() == before

    def test_of_a_domain_that_moves(self, domain, other, theirs):
        totals(row(domain), row(other), row(domain, trust=Trust.HTTPS))
        DailyTotal.objects.everywhere().filter(domain=domain).update(organisation=theirs)
        assert kept() == recounted()
        assert {key[0] for key in kept()} == {other.organisation_id, theirs.pk}

    def test_of_a_domain_that_is_deleted(self, domain, other):
        gone = hosted(domain.organisation, "velho.example")
        totals(row(gone), row(gone, trust=Trust.HTTPS), row(other))
        gone.delete()
        assert kept() == recounted()
        assert (folded(), len(kept())) == (1, 1)

    def test_there_is_no_newest_day_where_all_is_gone(self, domain):
        totals(row(domain), row(domain, DAY + timedelta(days=1)))
        assert overview.last_reported(domain.organisation) == DAY + timedelta(days=1)
        DailyTotal.objects.everywhere().filter(day__gt=DAY).delete()
        assert overview.last_reported(domain.organisation) == DAY
        DailyTotal.objects.everywhere().all().delete()
        assert overview.last_reported(domain.organisation) is None


STEPS = st.lists(
    st.fixed_dictionaries(
        {
            "deed": st.sampled_from(["add", "add", "change", "remove", "fold"]),
            "at": st.integers(0, 1),
            "ago": st.integers(0, 1),
            "trust": st.sampled_from(Trust.values),
            "policy_type": st.sampled_from(["", "", "sts"]),
            "successful_session_count": st.one_of(st.integers(0, 9), st.just(MOST)),
        }
    ),
    max_size=20,
)


@pytest.mark.django_db
class TestWhatever:
    """Whatever is written, in whatever order, and folded in between."""

    @settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(steps=STEPS)
    def test_the_sum_is_that_of_the_totals(self, domain: HostedDomain, other: HostedDomain, steps: Any) -> None:
        DailyTotal.objects.everywhere().all().delete()
        for each in steps:
            self.done(each, (domain, other)[each["at"]])
            assert kept() == recounted()
        folded()
        assert not OrganisationDay.objects.everywhere().filter(folded=False).exists()

    @staticmethod
    def done(each: dict[str, Any], domain: HostedDomain) -> None:
        key = {"domain": domain, "day": DAY - timedelta(days=each["ago"]), "trust": each["trust"]}
        rows = DailyTotal.objects.everywhere().filter(**key, policy_type=each["policy_type"])
        count = each["successful_session_count"]
        if each["deed"] == "fold":
            days.fold_due(timezone.now())
        elif each["deed"] == "remove":
            rows.delete()
        elif rows.exists():
            rows.update(successful_session_count=count)
        elif each["deed"] == "add":
            told = {"policy_type": each["policy_type"], "successful_session_count": count}
            totals(row(domain, key["day"], trust=each["trust"], **told))


class TestFolding:
    """The rows of a day become one: a page reads as few as there are senders."""

    def test_one_for_each_day_and_sender(self, domain, other):
        totals(row(domain), row(other), row(domain, DAY - timedelta(days=1)), row(domain, submitter="mail.test"))
        assert OrganisationDay.objects.everywhere().count() == 4
        assert folded() == 3
        totals(row(other, submitter="mail.test"))
        assert folded() == 3

    def test_of_those_by_https_one_for_each_domain(self, domain, other):
        totals(row(domain, trust=Trust.HTTPS), row(other, trust=Trust.HTTPS))
        assert folded() == 2

    def test_what_is_gone_leaves_nothing(self, domain):
        totals(row(domain))
        assert folded() == 1
        DailyTotal.objects.everywhere().all().delete()
        assert folded() == 0

    def test_in_portions(self, domain, monkeypatch):
        monkeypatch.setattr(days, "AT_ONCE", 3)
        totals(*(row(domain, submitter=f"{number % 2}.test", mx=str(number)) for number in range(17)))
        assert [days.fold_due(timezone.now()) for _ in range(3)] == [12, 5, 0]
        assert (folded(), kept()) == (2, recounted())

    def test_what_no_column_holds_together_stands_apart(self, domain, other):
        totals(row(domain, successful_session_count=MOST), row(other, successful_session_count=MOST))
        assert (folded(), kept()) == (2, recounted())
        totals(row(other, mx="x"))
        assert kept() == recounted()
        folded()
        DailyTotal.objects.everywhere().filter(successful_session_count=MOST).delete()
        assert folded() == 1
        assert [counts[0] for counts in kept().values()] == [7]

    def test_what_comes_beside_a_liar_is_folded_nevertheless(self, domain, other):
        totals(row(domain, successful_session_count=MOST))
        for number in range(5):
            totals(row(other, mx=str(number)))
            assert folded() <= 2

    def test_what_two_workers_wrote_first_becomes_one(self, domain, other):
        totals(row(domain), row(other))
        OrganisationDay.objects.everywhere().update(folded=True)
        totals(row(hosted(domain.organisation, "novo.example")))
        assert folded() == 1

    def test_by_https_no_row_of_other_domains_is_looked_at(self, domain, other):
        totals(*(row(each, trust=Trust.HTTPS) for each in (domain, other)))
        folded()
        totals(row(other, trust=Trust.HTTPS, mx="x"))
        with CaptureQueriesContext(connection) as asked:
            days.fold_due(timezone.now())
        (locking,) = [
            each["sql"] for each in asked if "WHERE" in each["sql"] and "submitter" in each["sql"].split("WHERE")[1]
        ]
        with connection.cursor() as cursor:
            cursor.execute(locking)
            assert len(cursor.fetchall()) == 1
        assert kept() == recounted()


class TestGathering:
    """RELIABILITY 3, Upgrade: what is older than the table of days is added up once, and nothing twice."""

    @pytest.fixture
    def old(self, domain, other):
        """Two domains as the migration finds them, and one that comes later."""
        UnsummedDomain.objects.everywhere().bulk_create(UnsummedDomain(domain=each) for each in (domain, other))
        totals(row(domain), row(other), row(other, trust=Trust.HTTPS), row(other, policy_type="sts"))
        assert kept() == {}
        totals(row(hosted(domain.organisation, "novo.example")))
        return len(recounted()), len(kept())

    def test_what_is_old_and_what_comes_meanwhile(self, old, domain, other, monkeypatch):
        monkeypatch.setattr(gathering, "AT_ONCE", 1)
        told = []

        def stopped(done: int, of: int) -> None:
            told.append((done, of))
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            gathering.gather(stopped)
        for each in (domain, other):  # the one is gathered, and the other is not
            DailyTotal.objects.everywhere().filter(domain=each).update(successful_session_count=1000)
            totals(row(each, submitter="mail.test"))
        DailyTotal.objects.everywhere().filter(trust=Trust.HTTPS).delete()
        gathering.gather(lambda done, of: told.append((done, of)))
        assert (kept(), told) == (recounted(), [(1, 2), (1, 1)])

    def test_twice_is_once(self, old):
        assert old == (2, 1)
        for _ in range(2):
            gathering.gather()
            assert kept() == recounted()

    def test_counts_that_no_column_holds_together(self, old, domain, other):
        DailyTotal.objects.everywhere().update(successful_session_count=MOST, failed_session_count=MOST)
        gathering.gather()
        assert kept() == recounted()

    def test_a_domain_that_is_deleted_before_its_turn(self, old):
        gone = HostedDomain.objects.everywhere().get(name="novo.example")
        UnsummedDomain.objects.everywhere().create(domain=gone)
        OrganisationDay.objects.everywhere().all().delete()
        gone.delete()
        gathering.gather()
        assert kept() == recounted()


@pytest.mark.django_db(transaction=True)
class TestSeveralAtOnce:
    """A job that was begun twice brings `trinco migrate` about twice: nothing is added up twice."""

    def test_each_domain_is_added_up_once(self, monkeypatch):
        monkeypatch.setattr(gathering, "AT_ONCE", 2)
        whose = organisation()
        domains = [announced(whose, f"{number}.example") for number in range(6)]
        OrganisationDay.objects.everywhere().all().delete()
        UnsummedDomain.objects.everywhere().bulk_create(UnsummedDomain(domain=each) for each in domains)
        totals(*(row(each, DAY - timedelta(days=ago)) for each in domains for ago in range(9)))
        together, left = Barrier(4), []

        def work() -> None:
            together.wait(60)
            gathering.gather()
            left.append(UnsummedDomain.objects.everywhere().count())
            connection.close()

        threads = [Thread(target=work) for _ in range(4)]
        for each in threads:
            each.start()
        for each in threads:
            each.join(60)
        assert left == [0, 0, 0, 0]
        assert kept() == recounted()


def test_the_triggers_are_there(db: None) -> None:
    """A migration that has SQLite make the table of totals anew would lose them."""
    asked = {
        "sqlite": "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'reports_dailytotal'",
        "postgresql": "SELECT tgname FROM pg_trigger WHERE tgrelid = 'reports_dailytotal'::regclass AND NOT tgisinternal",
    }
    with connection.cursor() as cursor:
        cursor.execute(asked[connection.vendor])
        assert {name for (name,) in cursor.fetchall()} == {
            f"trinco_day_{event}" for event in ("insert", "change", "move", "delete")
        }
