"""What senders tell of a domain, as evidence for enforce and as trouble: the counted reports of the last weeks."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone, translation
from tests import support_web
from tests.support_checks_rows import NAME, ready_domain, reported
from tests.support_panel import ANA, edge
from tests.support_reports import detail, policy
from tests.support_reports import reported as told_of

from trinco.core.mtasts.policy import Mode, Policy
from trinco.panel.accounts.models import Organisation
from trinco.panel.checks import status as statuses
from trinco.panel.checks.readiness import Gate, readiness
from trinco.panel.checks.reported import Failing, reported_of
from trinco.panel.checks.status import Status
from trinco.panel.domains.models import HostedDomain, Level, State
from trinco.panel.policies import services as policies
from trinco.panel.reports.models import DailyTotal, Trust
from trinco.panel.web.presenters.status import action_for, status_view

HOST = f"mx1.{NAME}"


@pytest.fixture
def domain(ours: Organisation) -> HostedDomain:
    """Everything is as it should be, and nobody has reported yet."""
    domain = ready_domain(ours)
    DailyTotal.objects.everywhere().all().delete()
    return domain


def fresh(domain: HostedDomain) -> HostedDomain:
    return HostedDomain.objects.everywhere().get(pk=domain.pk)


def gate(domain: HostedDomain) -> Gate:
    return readiness(fresh(domain), timezone.now())[-1]


def status(domain: HostedDomain) -> Status:
    return statuses.status(fresh(domain), timezone.now())


def enforce(domain: HostedDomain) -> None:
    policies.publish(domain=domain, policy=Policy(Mode.ENFORCE, (HOST,), 604_800), actor=ANA)
    edge()
    policies.announce_due(timezone.now())


def fails(domain: HostedDomain, count: int, result_type: str, mx: str, *, last: int = 1) -> None:
    """The details of the failures of one day."""
    reported(domain, count, sessions=count, last=last, policy_type="sts", result_type=result_type, mx=mx, reports=1)


class TestEvidence:
    """UX, page 3: "14 days with failures below 0.5 %", day N of 14. What nobody vouches for is no evidence."""

    def test_nobody_has_reported(self, domain: HostedDomain) -> None:
        assert gate(domain) == Gate("reports", False, reason="no-report")
        assert status(domain) == Status(Level.OK, "testing")

    @pytest.mark.parametrize(("days", "passed"), [(1, False), (13, False), (14, True), (20, True)])
    def test_so_many_days(self, domain: HostedDomain, days: int, passed: bool) -> None:
        reported(domain, *[4] * days)
        assert gate(domain) == Gate("reports", passed, days)
        assert status(domain).problem == ("ready" if passed else "testing")

    def test_a_day_at_the_limit_begins_the_count_anew(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 14, 5, 0, 0)
        assert gate(domain) == Gate("reports", False, 2)

    def test_one_session_among_a_few_ends_nothing(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 13, sessions=80)
        reported(domain, 1, sessions=25, last=0)
        assert gate(domain) == Gate("reports", True, 14)

    def test_a_few_sessions_that_all_fail_do(self, domain: HostedDomain) -> None:
        reported(domain, *[4] * 14, sessions=4)
        assert gate(domain) == Gate("reports", False, 0)

    def test_a_few_failures_each_day_are_too_many_together(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 10, *[4] * 4, sessions=100)
        assert gate(domain) == Gate("reports", False, 0)

    def test_days_without_a_report_neither_count_nor_break_the_row(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 7, last=1)
        reported(domain, *[0] * 7, last=12)
        assert gate(domain) == Gate("reports", True, 14)

    def test_old_reports_are_no_evidence_of_now(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 14, last=15)
        assert gate(domain) == Gate("reports", False, reason="reports-old")

    def test_what_nobody_vouches_for_does_not_count(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 14, trust=Trust.NONE)
        reported(domain, *[0] * 14, trust=Trust.HTTPS)
        assert gate(domain).reason == "no-report"

    def test_https_counts_where_the_owner_says_so(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 14, trust=Trust.HTTPS)
        HostedDomain.objects.everywhere().update(trust_https=True)
        assert gate(domain).passed

    def test_several_senders_of_a_day_are_one_day(self, domain: HostedDomain) -> None:
        reported(domain, 0, 0, submitter="a.example")
        reported(domain, 0, 10, submitter="b.example")
        assert gate(domain) == Gate("reports", False, 0)

    def test_sums_by_type_and_details_are_not_sessions(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 3)
        reported(domain, 500, policy_type="sts")
        fails(domain, 500, "certificate-expired", HOST)
        assert gate(domain) == Gate("reports", False, 3)

    def test_a_domain_that_asks_for_none(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 14)
        HostedDomain.objects.everywhere().update(tlsrpt=False)
        assert gate(domain) == Gate("reports", False, reason="reports-off")

    def test_how_far_it_is(self, domain: HostedDomain) -> None:
        reported(domain, 0, 0)
        with translation.override("en"):
            assert gate(domain).note == "day 2 of 14"
            assert Gate("reports", True, 20).note == "day 14 of 14"
            assert Gate("reports", False, reason="no-report").note.startswith("No report yet")


class TestTrouble:
    """Failures of the last reported days want attention; in enforce senders hold mail back, which is critical."""

    def trouble(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 10, 40, 60)
        fails(domain, 30, "certificate-expired", f"mx2.{NAME}")
        fails(domain, 10, "starttls-not-supported", f"mx3.{NAME}")

    @pytest.mark.parametrize(("mode", "level"), [("testing", Level.ATTENTION), ("enforce", Level.CRITICAL)])
    def test_it_names_server_and_result_worst_first(self, domain: HostedDomain, mode: str, level: Level) -> None:
        self.trouble(domain)
        if mode == "enforce":
            enforce(domain)
        hosts = (f"mx2.{NAME}", f"mx3.{NAME}")
        assert status(domain) == Status(level, "reports-failing", hosts=hosts, seen="certificate-expired")

    def test_in_words(self, domain: HostedDomain) -> None:
        self.trouble(domain)
        with translation.override("en"):
            view = status_view(domain, status(domain))
            action = action_for(domain, view)
        assert view.short == "mx2: certificate-expired"
        assert view.sentence == f"Senders report failed sessions at mx2.{NAME}, mx3.{NAME}: certificate-expired"
        assert view.advice.startswith("The mail server's certificate has expired. Renew the certificate")
        assert action is not None
        assert action.href == f"/reports/?domain={NAME}"

    def test_what_holds_no_mail_back_is_not_critical(self, domain: HostedDomain) -> None:
        reported(domain, 40)
        fails(domain, 40, "sts-policy-fetch-error", "")
        enforce(domain)
        assert status(domain) == Status(Level.ATTENTION, "reports-failing", seen="sts-policy-fetch-error")

    def test_failures_without_details(self, domain: HostedDomain) -> None:
        reported(domain, 40)
        found = status(domain)
        assert found == Status(Level.ATTENTION, "reports-failing")
        with translation.override("en"):
            assert status_view(domain, found).sentence == "Senders report failed sessions, and give no details"

    def test_a_strangers_words_are_shown_plain(self, domain: HostedDomain) -> None:
        reported(domain, 40)
        fails(domain, 40, "odd\u202e-word", "")
        with translation.override("en"):
            assert status_view(domain, status(domain)).short == "odd?-word"

    @pytest.mark.parametrize("days", [(4,), (4, 0, 0), (12, 900, 0, 0, 0)])
    def test_chance_and_what_is_over_are_no_trouble(self, domain: HostedDomain, days: tuple[int, ...]) -> None:
        reported(domain, *days, sessions=3000)
        assert status(domain).problem == "testing"

    def test_four_failures_of_a_few_sessions_are_chance(self, domain: HostedDomain) -> None:
        reported(domain, 2, 1, 1, sessions=5)
        assert status(domain).problem == "testing"

    def test_trouble_of_last_month_is_over(self, domain: HostedDomain) -> None:
        reported(domain, 500, last=15)
        assert status(domain).problem == "testing"

    def test_nobody_who_is_not_believed_makes_trouble(self, domain: HostedDomain) -> None:
        """PROTOCOL 5: anyone can post "999,999 failures"."""
        reported(domain, 999_999, sessions=999_999, trust=Trust.NONE)
        reported(domain, 999_999, sessions=999_999, trust=Trust.HTTPS)
        assert status(domain).problem == "testing"

    def test_what_is_seen_from_here_comes_first(self, domain: HostedDomain) -> None:
        self.trouble(domain)
        support_web.probed(domain, HOST, "not-offered")
        assert status(domain).problem == "mx-tls"

    def test_failures_of_other_days_are_not_named(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 5, 40)
        fails(domain, 40, "certificate-expired", HOST)
        fails(domain, 900, "starttls-not-supported", HOST, last=6)
        today = timezone.now().date()
        assert reported_of([domain], today)[domain.pk].failing == (Failing("certificate-expired", HOST, 40),)

    def test_a_domain_that_is_not_served_is_not_asked_about(
        self, domain: HostedDomain, django_assert_num_queries: object
    ) -> None:
        domain.state = State.SETUP
        with django_assert_num_queries(0):  # type: ignore[operator]
            assert reported_of([domain], timezone.now().date()) == {}

    def test_many_domains_cost_three_queries(self, domain: HostedDomain, django_assert_num_queries: object) -> None:
        rows = [domain, *(ready_domain(domain.organisation, f"d{number}.example") for number in range(4))]
        for row in rows:
            DailyTotal.objects.everywhere().filter(domain=row).delete()
            self.trouble(row)
        with django_assert_num_queries(3):  # type: ignore[operator]
            found = reported_of(rows, timezone.now().date())
        assert {len(each.failing) for each in found.values()} == {2}


class TestEachSender:
    """PROTOCOL 5: anyone can sign. No sender hides what others saw, and none alone is believed for ever."""

    def test_millions_of_successes_hide_no_failures(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 14, sessions=10_000_000, submitter="huge.example")
        reported(domain, 0, 40, sessions=50, submitter="small.example")
        fails(domain, 40, "certificate-expired", HOST)
        assert gate(domain) == Gate("reports", False, 0)
        found = status(domain)
        senders = ("small.example",)
        assert found == Status(
            Level.ATTENTION, "reports-failing", hosts=(HOST,), seen="certificate-expired", senders=senders
        )
        with translation.override("en"):
            advice = status_view(domain, found).advice
        assert advice.startswith("Reported by small.example, while others met no such trouble on the same days. The")

    def test_nor_those_of_many_who_saw_a_few_each(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 14, sessions=10_000_000, submitter="huge.example")
        for number in range(10):
            reported(domain, 4, sessions=20, submitter=f"s{number}.example")
        assert gate(domain) == Gate("reports", False, 0)
        assert status(domain) == Status(Level.ATTENTION, "reports-failing")

    @pytest.mark.parametrize(
        "crowd",
        [
            [{"reports": 500}],
            [{"submitter": f"n{number}.huge.example"} for number in range(50)],
        ],
        ids=["in many reports", "under many names"],
    )
    def test_nor_hides_it_who_says_so_often(self, domain: HostedDomain, crowd: list[dict[str, object]]) -> None:
        for columns in crowd:
            reported(domain, *[0] * 14, **{"submitter": "huge.example", "sessions": 10_000_000, **columns})
        for number in range(10):
            reported(domain, 4, sessions=20, submitter=f"s{number}.example")
        assert gate(domain) == Gate("reports", False, 0)
        assert status(domain) == Status(Level.ATTENTION, "reports-failing")

    def test_many_who_met_nothing_outweigh_a_few_failures(self, domain: HostedDomain) -> None:
        for number in range(10):
            reported(domain, *[0] * 14, sessions=10_000_000, submitter=f"good{number}.example")
        for number in range(10):
            reported(domain, 4, sessions=20, submitter=f"s{number}.example")
        assert gate(domain) == Gate("reports", True, 14)
        assert status(domain).level == Level.READY

    def test_failures_in_small_parts_under_many_names_are_one_senders(self, domain: HostedDomain) -> None:
        reported(domain, *[0] * 20, submitter="good.example")
        for number in range(25):
            reported(domain, *[4] * 20, sessions=4, submitter=f"n{number}.liar.example")
        assert gate(domain) == Gate("reports", True, 20)
        assert status(domain).senders == ("n0.liar.example",)

    def test_a_flood_about_one_domain_takes_nothing_from_anothers(
        self, domain: HostedDomain, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("trinco.panel.checks.reported._SENDERS", 3)
        other = ready_domain(domain.organisation, "flooded.example")
        for number in range(9):
            reported(other, 900, submitter=f"n{number}.liar.example")
        reported(domain, *[0] * 14, sessions=10_000_000, submitter="huge.example")
        reported(domain, 5, sessions=1000, submitter="small.example")
        found = reported_of([other, domain], timezone.now().date())
        assert [one.submitter for one in found[domain.pk].told] == ["small.example"]

    def test_one_against_the_others_is_never_critical(self, domain: HostedDomain) -> None:
        enforce(domain)
        reported(domain, 0, 0, submitter="good.example")
        reported(domain, 900, 900, submitter="a.liar.example")
        reported(domain, 900, 900, submitter="b.liar.example")
        assert status(domain).level == Level.ATTENTION
        reported(domain, 900, submitter="another.example")
        assert status(domain).level == Level.CRITICAL

    @pytest.mark.parametrize(("days", "passed"), [(14, False), (15, True), (20, True)])
    def test_and_holds_enforce_back_for_two_weeks(self, domain: HostedDomain, days: int, passed: bool) -> None:
        reported(domain, *[0] * 20, submitter="good.example")
        reported(domain, *[900] * days, submitter="liar.example")
        assert gate(domain).passed is passed
        assert status(domain).senders == ("liar.example",)

    @pytest.mark.parametrize("senders", [("a.example.org", "b.example.net"), ("banco.com.br", "outro.com.br")])
    def test_two_who_agree_hold_it_back_for_ever(self, domain: HostedDomain, senders: tuple[str, str]) -> None:
        """Below `com.br` each name is somebody else's, as below `com`."""
        for sender in senders:
            reported(domain, *[900] * 20, submitter=sender)
        reported(domain, *[0] * 20, submitter="good.example")
        assert gate(domain) == Gate("reports", False, 0)

    def test_one_whom_nobody_contradicts_does_as_well(self, domain: HostedDomain) -> None:
        reported(domain, *[900] * 20)
        assert gate(domain) == Gate("reports", False, 0)
        assert status(domain).senders == ()


def test_what_failed_weeks_ago_is_not_named(domain: HostedDomain) -> None:
    today = timezone.now().date()
    for ago, failed, mx in ((1, 6, "mx-now.example"), (25, 5_000, "mx-old.example")):
        told = policy(successful=100, details=[detail("validation-failure", failed, receiving_mx_hostname=mx)])
        told_of(domain, told, day=today - timedelta(days=ago))
    assert [row.mx for row in reported_of([domain], today)[domain.pk].failing] == ["mx-now.example"]


def test_counts_beyond_any_real_report(domain: HostedDomain) -> None:
    """Counts are a stranger's numbers up to 2^63-1."""
    most = 2**63 - 1
    for sender in ("a.example", "b.example"):
        reported(domain, most, sessions=most, submitter=sender)
        fails_of = {"policy_type": "sts", "result_type": "certificate-expired", "mx": HOST, "submitter": sender}
        reported(domain, most, sessions=most, **fails_of)
    assert status(domain) == Status(Level.ATTENTION, "reports-failing", hosts=(HOST,), seen="certificate-expired")
