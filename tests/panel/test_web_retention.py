"""How long reports are kept: what would go is said first, in numbers, and nothing goes before it is confirmed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.template.defaultfilters import filesizeformat
from django.test import Client
from django.utils import timezone
from tests import support_web
from tests.support_reports import reported

from trinco.panel.accounts.models import AuditEntry, Organisation, Role
from trinco.panel.domains.models import HostedDomain
from trinco.panel.reports import services
from trinco.panel.reports.models import RawReport, Report, Retention

PAGE = "/settings/reports/"


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    return support_web.ready(ours)


@pytest.fixture
def person(domain: HostedDomain) -> Client:
    return support_web.browser(support_web.owner_of(domain.organisation))


def aged(domain: HostedDomain, days: int) -> Report:
    """A report that came that long ago."""
    row = reported(domain, day=timezone.now().date() - timedelta(days=days))
    for model, key in ((RawReport, row.raw_id), (Report, row.pk)):
        model.objects.everywhere().filter(pk=key).update(received_at=timezone.now() - timedelta(days=days))
    return row


class TestTerms:
    def test_the_defaults(self, person: Client) -> None:
        form = person.get(PAGE).context["form"]
        assert form.initial == {"raw_days": 400, "row_days": 760}

    def test_what_would_go_is_said_and_nothing_goes(self, domain: HostedDomain, person: Client) -> None:
        aged(domain, 1)
        old = aged(domain, 40)
        assert old.raw is not None
        said = support_web.text_of(person.post(PAGE, {"raw_days": "30", "row_days": "30"}))
        size = filesizeformat(old.raw.size).replace("\xa0", " ")
        assert f"This would remove 1 raw report, {size}." in said
        assert "This would remove 1 report with its rows." in said
        assert (Report.objects.everywhere().count(), RawReport.objects.everywhere().count()) == (2, 2)
        assert Retention.objects.everywhere().count() == 0

    def test_nothing_that_old(self, domain: HostedDomain, person: Client) -> None:
        aged(domain, 1)
        said = support_web.text_of(person.post(PAGE, {"raw_days": "30", "row_days": "30"}))
        assert "Nothing is that old now." in said

    def test_confirmed_it_holds_and_the_worker_follows(self, domain: HostedDomain, person: Client) -> None:
        aged(domain, 1)
        aged(domain, 40)
        answer = person.post(PAGE, {"raw_days": "30", "row_days": "90", "confirm": "1"}, follow=True)
        assert "Saved. What is older goes bit by bit from now on" in support_web.text_of(answer)
        held = services.retention_of(domain.organisation)
        assert (held.raw_days, held.row_days) == (30, 90)
        services.prune_due(timezone.now())
        assert (Report.objects.everywhere().count(), RawReport.objects.everywhere().count()) == (2, 1)
        line = AuditEntry.objects.of(domain.organisation).get(action="reports.retention")
        assert (line.before["raw_days"], line.after["raw_days"]) == (400, 30)
        said = support_web.text_of(person.get("/activity/"))
        assert "How long reports are kept raw reports: 400 days → 30 days · reports: 760 days → 90 days" in said

    @pytest.mark.parametrize("days", ["0", "-1", "", "x", "١٢", "36501", "1e3"])
    def test_nonsense_is_refused(self, domain: HostedDomain, person: Client, days: str) -> None:
        answer = person.post(PAGE, {"raw_days": days, "row_days": "30", "confirm": "1"})
        assert answer.status_code == 200
        assert answer.context["form"].errors.keys() == {"raw_days"}
        assert Retention.objects.everywhere().count() == 0

    def test_it_counts_and_changes_the_own_organisation_alone(
        self, domain: HostedDomain, theirs: Organisation, person: Client
    ) -> None:
        aged(support_web.ready(theirs, "rival.example"), 40)
        said = support_web.text_of(person.post(PAGE, {"raw_days": "30", "row_days": "30"}))
        assert "Nothing is that old now." in said
        person.post(PAGE, {"raw_days": "30", "row_days": "30", "confirm": "1"})
        assert services.retention_of(theirs).raw_days == 400

    def test_a_viewer_has_no_such_page(self, domain: HostedDomain) -> None:
        viewer = support_web.browser(support_web.person("eva@example.com", domain.organisation, Role.VIEWER))
        assert viewer.get(PAGE).status_code == 403
        assert "How long they are kept" not in support_web.text_of(viewer.get("/reports/received/"))
