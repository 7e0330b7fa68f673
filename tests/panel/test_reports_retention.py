"""What retention removes, when, and how much of it in one turn."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.support_panel import ANA, announced
from tests.support_reports import arrival, detail, digested, policy, report_json, reported, yesterday

from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.reports import retention, services
from trinco.panel.reports.models import RawReport, Report

DAY = timedelta(days=1)


def terms(organisation, raw_days=1000, row_days=30):
    services.set_retention(organisation=organisation, raw_days=raw_days, row_days=row_days, actor=ANA)


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
