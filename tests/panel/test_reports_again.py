"""What is filed again: to whom it was filed, whatever has changed since. Imports: to whom the name was at the time."""

from __future__ import annotations

from datetime import timedelta

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
