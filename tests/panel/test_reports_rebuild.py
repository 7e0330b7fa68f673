"""Working everything out anew from the raw reports. Runs on SQLite here and on PostgreSQL by test_postgresql_reports.py."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from tests.support_panel import ANA, announced
from tests.support_reports import STS, arrival, day_of, detail, digested, mail, policy, report_json, reported

from trinco.core.tlsrpt.arrival import Channel
from trinco.panel.accounts.models import AuditEntry
from trinco.panel.domains.models import HostedDomain, State
from trinco.panel.reports import parts, services
from trinco.panel.reports.errors import RetentionOutOfRange
from trinco.panel.reports.models import (
    Copy,
    DailyTotal,
    FailureRow,
    PolicyRow,
    RawReport,
    Recipient,
    Report,
    Trust,
)

OLD = day_of("2026-03-01")


def everything():
    """All that a rebuild may change, without the keys of what it writes anew."""
    tables = []
    for model in (RawReport, Report, PolicyRow, FailureRow, DailyTotal):
        names = [field.attname for field in model._meta.concrete_fields]
        own_key = model in (PolicyRow, FailureRow, DailyTotal)
        names = [name for name in names if not (own_key and name in ("id", "policy_id"))]
        tables.append(sorted(map(repr, model.objects.everywhere().values_list(*names))))
    return tables


@pytest.fixture
def history(domain, theirs):
    """Reports of every trust, a conflict, a copy, one about two domains, one of nobody's."""
    announced(theirs, "outro.example")
    for trust in Trust:
        reported(domain, policy(details=[detail(failed=2)], strings=STS), trust=trust, day=OLD.date())
    reported(domain, policy(successful=3), report_id="same")
    reported(domain, policy(successful=4), report_id="same")
    both = report_json(policy("correio.example"), policy("outro.example", details=[detail()]))
    digested(arrival(both, domain), arrival(both, domain, channel=Channel.HTTPS))
    digested(arrival(report_json(policy("nobody.example")), domain))
    return everything()


class TestRebuild:
    """The rebuild gives the same rows and the same totals from the raw reports, with the verdicts that were kept."""

    def test_where_nothing_is_wrong_nothing_changes(self, history):
        counts = services.rebuild()
        assert everything() == history
        assert (counts.raw_reports, counts.reports_added, counts.reports_removed) == (9, 0, 0)

    def test_what_was_lost_or_broken_is_as_before(self, history):
        DailyTotal.objects.everywhere().update(successful_session_count=77)
        FailureRow.objects.everywhere().filter(failed_session_count=2).delete()
        PolicyRow.objects.everywhere().update(applied="untold", policy_type="x")
        services.rebuild()
        assert everything() == history

    def test_even_reports_that_are_gone(self, history, domain):
        """All but the copies' number, and the keys."""
        Report.objects.everywhere().filter(domain=domain).delete()
        DailyTotal.objects.everywhere().filter(domain=domain).delete()
        before = {(total[6:]) for total in history[4]}
        services.rebuild()
        assert {(total[6:]) for total in everything()[4]} == before
        assert Report.objects.everywhere().filter(domain=domain).count() == 7

    def test_for_one_domain(self, history, domain):
        DailyTotal.objects.everywhere().update(successful_session_count=77)
        services.rebuild(domain)
        others = DailyTotal.objects.everywhere().exclude(domain=domain, result_type="")
        assert {total.successful_session_count for total in DailyTotal.objects.everywhere().filter(domain=domain)} != {
            77
        }
        assert others.filter(domain__name="outro.example", result_type="").exists()

    def test_it_may_be_stopped_and_begun_again(self, history):
        class Stopped(Exception):
            pass

        def stop(done, of):
            told.append((done, of))
            if len(told) == 2:
                raise Stopped

        told = []
        DailyTotal.objects.everywhere().update(successful_session_count=77)
        with pytest.raises(Stopped):
            services.rebuild(progress=stop)
        services.rebuild(progress=lambda done, of: told.append((done, of)))
        assert everything() == history
        assert told[0][0] == 0
        assert told[-1][0] == told[-1][1]

    def test_a_new_rule_takes_the_place_of_the_old(self, history, monkeypatch):
        """Another way to tell equal reports apart, as a later version may have: no report is there twice."""
        before = history[4]
        monkeypatch.setattr(parts, "content", lambda report: parts.hashlib.sha256(repr(report).encode()).hexdigest())
        counts = services.rebuild()
        assert counts.reports_added == counts.reports_removed == 8
        assert everything()[4] == before
        monkeypatch.undo()
        services.rebuild()
        assert everything()[4] == before

    def test_no_recipient_gets_an_old_report(self, history, domain):
        Recipient.objects.everywhere().create(domain=domain, address="a@correio.example", confirmed_at=timezone.now())
        Report.objects.everywhere().all().delete()
        services.rebuild()
        assert not Copy.objects.everywhere().exists()

    def test_a_name_that_changed_hands_keeps_its_reports_with_whose_they_were(self, history, domain, theirs):
        HostedDomain.objects.everywhere().filter(pk=domain.pk).update(state=State.GONE, gone_at=timezone.now())
        later = announced(theirs, "correio.example")
        services.rebuild()
        assert everything()[1] == history[1]
        assert not Report.objects.everywhere().filter(domain=later).exists()


class TestRetention:
    """Totals stay for ever; days whose reports are gone are never worked out again, nor counted into."""

    def test_a_rebuild_leaves_the_totals_of_days_that_went(self, history, ours, domain):
        totals = everything()[4]
        services.set_retention(organisation=ours, raw_days=1000, row_days=30, actor=ANA)
        old = Report.objects.everywhere().filter(day=OLD.date())
        old.update(received_at=OLD)
        now = timezone.now()
        told = services.preview(ours, services.retention_of(ours), now)
        assert (told.raw_reports, told.reports, told.failure_rows) == (0, 4, 4)
        assert services.prune(ours, now) == 4
        assert not old.exists()
        services.rebuild()
        assert everything()[4] == totals
        assert not old.exists()

    def test_what_comes_again_later_is_not_counted_again(self, ours, domain):
        body = mail(report_json(day=OLD.date()))
        digested(arrival(body, domain))
        totals = everything()[4]
        Report.objects.everywhere().update(received_at=OLD)
        services.set_retention(organisation=ours, raw_days=1000, row_days=30, actor=ANA)
        services.prune(ours, timezone.now())
        digested(arrival(body, domain))
        assert everything()[4] == totals
        assert list(RawReport.objects.everywhere().order_by("pk").values_list("state", flat=True)) == [
            "digested",
            "late",
        ]

    def test_the_terms(self, ours, domain):
        assert (services.retention_of(ours).raw_days, services.retention_of(ours).row_days) == (400, 760)
        for days in ((0, 1), (1, 0), (1, 36_501)):
            with pytest.raises(RetentionOutOfRange):
                services.set_retention(organisation=ours, raw_days=days[0], row_days=days[1], actor=ANA)
        for _ in range(2):
            services.set_retention(organisation=ours, raw_days=30, row_days=90, actor=ANA)
        (line,) = AuditEntry.objects.of(ours).filter(action="reports.retention")
        assert (line.before, line.after) == ({"raw_days": 400, "row_days": 760}, {"raw_days": 30, "row_days": 90})

    def test_the_worker_goes_by_each_organisations_own_terms(self, ours, theirs, domain):
        """The others' by the defaults; what still waits to be read is never too old."""
        other = announced(theirs, "outro.example")
        now = timezone.now()
        day = (now - timedelta(days=100)).date()
        for whose in (domain, other):
            digested(arrival(report_json(policy(whose.name), day=day), whose))
        for model in (RawReport, Report):
            model.objects.everywhere().update(received_at=now - timedelta(days=99))
        services.take([arrival(report_json(), domain, received_at=now - timedelta(days=99))])
        services.set_retention(organisation=ours, raw_days=30, row_days=90, actor=ANA)
        assert services.prune_due(now) == 2
        assert services.prune_due(now) == 0
        assert [report.domain for report in Report.objects.everywhere()] == [other]
        states = RawReport.objects.everywhere().order_by("pk").values_list("organisation", "state")
        assert list(states) == [(theirs.pk, "digested"), (ours.pk, "pending")]
        later = now + timedelta(days=800)
        assert services.prune_due(later) == 2

    def test_raw_reports_go_and_their_rows_stay(self, history, ours, theirs):
        reports, totals = everything()[1], everything()[4]
        later = timezone.now() + timedelta(days=401)
        services.set_retention(organisation=ours, raw_days=400, row_days=3000, actor=ANA)
        told = services.preview(ours, services.retention_of(ours), later)
        sizes = sum(RawReport.objects.of(ours).values_list("size", flat=True))
        assert (told.raw_reports, told.octets, told.reports) == (9, sizes, 0)
        assert services.prune_due(later) == 9
        assert RawReport.objects.everywhere().count() == 0
        services.rebuild()
        assert (len(everything()[1]), everything()[4]) == (len(reports), totals)
