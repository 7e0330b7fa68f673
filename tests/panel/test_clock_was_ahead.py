"""A clock was two days ahead for a while, and is right again: nothing that was written meanwhile is waited for."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.support_panel import ANA, announced, hosted, live, sight_mx
from tests.support_reports import reported

from trinco.panel.checks import schedule
from trinco.panel.checks import services as checks
from trinco.panel.domains.models import HostedDomain, MxSighting, State
from trinco.panel.reports import services
from trinco.panel.reports.models import Copy, Recipient

pytestmark = pytest.mark.django_db
AHEAD = timedelta(days=2)
WHO = "postmaster@correio.example"


class TestChecks:
    """A row says when it is due; what is due later than anything ever waits is due now."""

    def test_a_look(self, domain):
        now = timezone.now()
        HostedDomain.objects.everywhere().update(check_due_at=now + AHEAD)
        assert [each.name for each in schedule.take(now, 5)] == [domain.name]
        assert schedule.take(now, 5) == []

    def test_a_look_that_is_far_off_is_waited_for(self, domain):
        now = timezone.now()
        HostedDomain.objects.everywhere().update(check_due_at=now + timedelta(hours=1))
        assert schedule.take(now, 5) == []
        HostedDomain.objects.everywhere().update(check_due_at=now + timedelta(days=1))
        assert [each.name for each in schedule.take(now, 5)] == [domain.name]
        leaving = {"state": State.LEAVING, "check_due_at": now + timedelta(days=1)}
        HostedDomain.objects.everywhere().update(**leaving)
        assert schedule.take(now, 5) == []

    def test_a_probe(self, ours):
        domain, now = live(ours), timezone.now()
        sight_mx(domain, "mx1.correio.example")
        MxSighting.objects.everywhere().update(probe_due_at=now + AHEAD)
        assert schedule.take_hosts(now, 5) == ["mx1.correio.example"]
        assert schedule.take_hosts(now, 5) == []

    def test_a_look_that_a_person_asks_for(self, ours):
        domain, now = hosted(ours), timezone.now()
        HostedDomain.objects.everywhere().update(checked_at=now + AHEAD, check_due_at=now + timedelta(hours=1))
        assert checks.check_now(domain)
        assert [each.name for each in schedule.take(timezone.now(), 5)] == [domain.name]

    def test_a_page_that_is_open(self, ours):
        domain, now = hosted(ours), timezone.now()
        HostedDomain.objects.everywhere().update(checked_at=now + AHEAD, check_due_at=now + timedelta(hours=1))
        checks.watch(domain)
        assert [each.name for each in schedule.take(timezone.now(), 5)] == [domain.name]


class TestMail:
    """A mail waits two hours at most."""

    def test_a_copy(self, domain):
        now = timezone.now()
        Recipient.objects.everywhere().create(domain=domain, address=WHO, confirmed_at=now)
        reported(domain)
        assert Copy.objects.everywhere().update(due_at=now + AHEAD) == 1
        assert services.forward_due(now) == 1

    def test_a_question(self, domain):
        now = timezone.now()
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        Recipient.objects.everywhere().update(due_at=now + AHEAD)
        assert services.forward_due(now) == 1

    def test_one_that_is_asked_once_more(self, domain):
        now = timezone.now()
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        Recipient.objects.everywhere().update(asked_at=now + AHEAD)
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        assert services.forward_due(now) == 1

    def test_the_question_of_another_domain(self, domain, theirs):
        now = timezone.now()
        services.add_recipient(domain=domain, address=WHO, actor=ANA)
        Recipient.objects.everywhere().update(asked_at=now + AHEAD)
        services.add_recipient(domain=announced(theirs, "outro.example"), address=WHO, actor=ANA)
        assert services.forward_due(now) == 1
        assert services.forward_due(now) == 0
