"""What is filed again: to whom it was filed, whatever has changed since. Imports: to whom the name was at the time."""

from __future__ import annotations

import zlib
from datetime import UTC, datetime, time, timedelta

import pytest
from django.utils import timezone
from tests.support_panel import announced, sight_mx
from tests.support_reports import arrival, digested, policy, report_json, yesterday

from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.domains.models import HostedDomain, MxSighting, State
from trinco.panel.reports import services
from trinco.panel.reports.models import DailyTotal, PolicyRow, RawReport, Report

HOST = "mx1.correio.example"
DAY = timedelta(days=1)


def filed():
    rows = PolicyRow.objects.everywhere().order_by("pk")
    return list(rows.values_list("report__domain", "policy_type", "policy_domain"))


def totals():
    return sorted(DailyTotal.objects.everywhere().values_list("domain", "policy_type", "successful_session_count"))


def leave(domain, ago=timedelta(0)):
    HostedDomain.objects.everywhere().filter(pk=domain.pk).update(state=State.GONE, gone_at=timezone.now() - ago)


class TestFiledBefore:
    """A rebuild gives a report back to whom it was filed: no look at DNS of today says whose it was."""

    @pytest.fixture
    def tlsa(self, domain):
        sight_mx(domain, HOST)
        digested(arrival(report_json(policy(HOST, "tlsa")), domain))
        assert filed() == [(domain.pk, "tlsa", HOST)]
        return totals()

    def unchanged(self, domain, before):
        services.rebuild()
        assert (filed(), totals()) == ([(domain.pk, "tlsa", HOST)], before)
        assert RawReport.objects.everywhere().get().state == "digested"
        assert services.own_part(Report.objects.everywhere().get()) is not None

    def test_tlsa_alone_after_the_mx_has_changed(self, domain, tlsa):
        MxSighting.objects.everywhere().update(host="mx.elsewhere.example")
        self.unchanged(domain, tlsa)

    def test_tlsa_alone_after_the_domain_has_gone(self, domain, tlsa):
        leave(domain)
        self.unchanged(domain, tlsa)

    def test_older_than_the_domain_that_has_gone(self, domain, ours):
        old = report_json(day=yesterday() - 300 * DAY)
        digested(arrival(old, channel=Channel.IMPORT), organisation=ours)
        before = filed(), totals()
        assert before[0] == [(domain.pk, "sts", "correio.example")]
        leave(domain)
        services.rebuild()
        assert (filed(), totals()) == before

    def test_one_that_came_twice(self, domain, tlsa):
        """The second brought nothing, and is still the domain's: "about other domains" would be said of its own."""
        body = RawReport.objects.everywhere().get()
        digested(arrival(zlib.decompress(body.body), domain))
        MxSighting.objects.everywhere().update(host="mx.elsewhere.example")
        services.rebuild()
        told = RawReport.objects.everywhere().order_by("pk").values_list("state", "reason", "mixed")
        assert list(told) == [("digested", "", False), ("repeated", "", False)]
        assert totals() == tlsa

    def test_one_that_an_earlier_rebuild_has_called_foreign(self, domain, tlsa):
        body = RawReport.objects.everywhere().get()
        digested(arrival(zlib.decompress(body.body), domain))
        twice = RawReport.objects.everywhere().exclude(pk=body.pk)
        twice.update(state="foreign", mixed=True)
        MxSighting.objects.everywhere().update(host="mx.elsewhere.example")
        services.rebuild()
        assert list(twice.values_list("state", "mixed")) == [("repeated", False)]
        assert totals() == tlsa


class TestBetweenTwoOwners:
    """What is told of a former owner's last day is not for whoever comes after them."""

    @pytest.fixture
    def left(self, domain):
        """When the first owner left: at noon, four days ago."""
        at = datetime.combine(yesterday() - 3 * DAY, time(12), UTC)
        state = {"verified_at": at - 300 * DAY, "state": State.GONE, "gone_at": at}
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(**state)
        return at

    def succeed(self, theirs):
        later = announced(theirs, "correio.example")
        HostedDomain.objects.everywhere().filter(pk=later.pk).update(verified_at=timezone.now() - DAY)

    def test_an_import_about_the_day_on_which_they_left(self, domain, ours, theirs, left):
        self.succeed(theirs)
        digested(arrival(report_json(day=left.date()), channel=Channel.IMPORT), organisation=ours)
        assert filed() == [(domain.pk, "sts", "correio.example")]

    def test_one_that_came_late_and_is_read_later_still(self, domain, theirs, left):
        late = arrival(report_json(day=left.date()), domain, received_at=left + timedelta(hours=20))
        services.take([late])
        self.succeed(theirs)
        digested()
        assert filed() == [(domain.pk, "sts", "correio.example")]

    def test_once_the_name_is_somebody_elses_what_comes_is_theirs(self, domain, theirs, left):
        self.succeed(theirs)
        digested(arrival(report_json(day=left.date()), domain))
        assert [row[0] for row in filed()] == [HostedDomain.objects.everywhere().get(organisation=theirs).pk]


class TestImports:
    """An import is filed as if it had come at the end of what it is about."""

    def test_a_name_that_has_changed_hands(self, domain, ours, theirs):
        began = timezone.now() - 400 * DAY
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(verified_at=began)
        leave(domain, ago=100 * DAY)
        later = announced(theirs, "correio.example")
        HostedDomain.objects.everywhere().filter(pk=later.pk).update(verified_at=timezone.now() - 90 * DAY)
        for ago in (200, 3):
            body = report_json(day=yesterday() - ago * DAY)
            digested(arrival(body, channel=Channel.IMPORT), organisation=ours)
        assert [row[0] for row in filed()] == [domain.pk, later.pk]
        digested(arrival(report_json(day=yesterday() - 95 * DAY), channel=Channel.IMPORT), organisation=ours)
        assert [row[0] for row in filed()] == [domain.pk, later.pk, later.pk]
