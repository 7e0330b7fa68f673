"""What retention removes, when, and how much of it in one turn."""

from __future__ import annotations

import importlib
from datetime import timedelta

import pytest
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.utils import timezone
from tests import support_web
from tests.support_panel import ANA, announced
from tests.support_reports import arrival, detail, digested, policy, report_json, reported, yesterday

from trinco.cli.report_inputs import Tally
from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.reports import retention, services
from trinco.panel.reports.models import ClosedDay, DailyTotal, RawReport, RawState, Report

DAY = timedelta(days=1)


def terms(organisation, raw_days=1000, row_days=30):
    services.set_retention(organisation=organisation, raw_days=raw_days, row_days=row_days, actor=ANA)


def totals():
    return list(DailyTotal.objects.everywhere().order_by("pk").values_list("day", "policy_type", "reports"))


def previewed(organisation, now):
    told = services.preview(organisation, services.retention_of(organisation), now)
    return told.raw_reports, told.reports, told.failure_rows


class TestImportsOfOldTimes:
    """A day goes once its reports, too, came as long ago: what is imported is not gone before it is looked at."""

    def test_it_stays_for_as_long_as_what_comes_now(self, domain, ours):
        terms(ours)
        body = report_json(policy(details=[detail()]), day=yesterday() - 90 * DAY)
        digested(arrival(body, channel=Channel.IMPORT), organisation=ours)
        now = timezone.now()
        assert previewed(ours, now) == (0, 0, 0)
        assert services.prune_due(now) == 0
        later = now + 31 * DAY
        assert previewed(ours, later) == (0, 1, 1)
        assert services.prune_due(later) == 1

    def test_the_day_goes_as_a_whole(self, domain, ours):
        terms(ours)
        for _ in range(2):
            reported(domain, day=yesterday() - 90 * DAY)
        Report.objects.everywhere().filter(pk=Report.objects.everywhere().first().pk).update(
            received_at=timezone.now() - 90 * DAY
        )
        assert services.prune_due(timezone.now()) == 0


class TestOfSeveral:
    """An arrival about several organisations' domains stays as long as any of them keeps its own."""

    @pytest.mark.parametrize(("others", "kept"), [(50, True), (20, False), (None, True)])
    def test_the_longest_holds(self, domain, ours, theirs, others, kept):
        other = announced(theirs, "outro.example")
        digested(arrival(report_json(policy(domain.name), policy(other.name)), domain))
        terms(ours, raw_days=30, row_days=1000)
        if others:
            terms(theirs, raw_days=others, row_days=1000)
        now = timezone.now() + 40 * DAY
        assert previewed(ours, now)[0] == (0 if kept else 1)
        assert services.prune_due(now) == (0 if kept else 1)
        assert services.prune_due(timezone.now() + 401 * DAY) == (1 if kept else 0)
        assert not RawReport.objects.everywhere().exists()


class TestPace:
    """A large portion that is too old at once goes in a few turns, each of some seconds."""

    @pytest.fixture
    def many(self, domain, ours, monkeypatch):
        monkeypatch.setattr(retention, "_SLICES_AT_ONCE", 1)
        digested(*(arrival(report_json(day=yesterday() - ago * DAY), domain) for ago in range(40, 45)))
        Report.objects.everywhere().update(received_at=timezone.now() - 40 * DAY)
        terms(ours)

    def test_a_turn_takes_as_much_as_it_has_time_for(self, many):
        assert services.prune_due(timezone.now()) == 5

    def test_and_no_more(self, many, monkeypatch):
        monkeypatch.setattr(retention, "_TURN", 0.0)
        assert [services.prune_due(timezone.now()) for _ in range(6)] == [1, 1, 1, 1, 1, 0]


class TestClosedDays:
    """A day is closed when retention removes its reports, and not because there happen to be none."""

    OLD = yesterday() - 90 * DAY

    @pytest.fixture
    def gone(self, domain, ours):
        reported(domain, day=self.OLD)
        Report.objects.everywhere().update(received_at=timezone.now() - 90 * DAY)
        terms(ours)
        assert services.prune(ours, timezone.now()) == 1
        return totals()

    def test_what_comes_later_is_late_and_says_so(self, domain, ours, gone):
        digested(arrival(report_json(day=self.OLD), channel=Channel.IMPORT), organisation=ours)
        late = RawReport.objects.everywhere().order_by("pk").last()
        told = "about a day whose reports were removed when they were too old"
        assert (late.state, late.reason) == (RawState.LATE, told)
        services.rebuild()
        late.refresh_from_db()
        assert (late.state, totals(), Report.objects.everywhere().count()) == (RawState.LATE, gone, 0)

    def test_what_is_new_beside_it_is_read(self, domain, ours, theirs, gone):
        other = announced(theirs, "outro.example")
        digested(arrival(report_json(policy(domain.name), policy(other.name), day=self.OLD), domain))
        assert RawReport.objects.everywhere().order_by("pk").last().state == RawState.DIGESTED
        assert [report.domain for report in Report.objects.everywhere()] == [other]

    def test_reports_that_were_lost_otherwise_close_nothing(self, domain):
        reported(domain, day=self.OLD)
        before = totals()
        Report.objects.everywhere().all().delete()
        services.rebuild()
        assert (totals(), Report.objects.everywhere().count()) == (before, 1)

    def test_days_that_went_before_there_was_a_table_for_it(self, domain, gone):
        reported(domain)
        ClosedDay.objects.everywhere().all().delete()
        migration = importlib.import_module("trinco.panel.reports.migrations.0008_days_that_went")
        for _ in range(2):
            migration.closed(MigrationLoader(None).project_state().apps, connection.schema_editor())
        assert list(ClosedDay.objects.everywhere().values_list("domain", "day")) == [(domain.pk, self.OLD)]

    def test_the_page_and_the_import_tell(self, domain, ours, gone):
        person = support_web.browser(support_web.owner_of(ours))
        assert "Too late" not in support_web.text_of(person.get("/reports/received/"))
        before = Tally(late=2)
        before.add(Tally(late=1))
        assert before.words == (
            "0 new, 0 repeated, 0 about other domains, 0 unreadable, 3 about days whose reports were removed"
        )
        digested(arrival(report_json(day=self.OLD), channel=Channel.IMPORT), organisation=ours)
        assert "Too late 1" in support_web.text_of(person.get("/reports/received/"))
        said = support_web.text_of(person.get("/reports/received/?state=late"))
        assert "about a day whose reports were removed when they were too old" in said
        assert "Try again" not in said
