"""What the made-up senders saw: plausible, always the same, and in keeping with what the playground's probes find."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from tests.playground.senders_rig import NOW, customer, held

from trinco.core.tlsrpt.report import Report
from trinco.playground.senders import SENDERS, Manner, Sender
from trinco.playground.senders_story import View, told

TODAY = NOW.date()
BY_MANNER = {sender.manner: sender for sender in SENDERS}


def report(name: str, day: date, sender: Sender = SENDERS[0], occasion: str = "") -> Report | None:
    return told(View(sender, customer(name), held(name), day, occasion))


def reports(name: str, days: int = 21, *senders: Sender) -> list[Report]:
    """Of the days that ended before today."""
    every = ((TODAY - timedelta(days=age), sender) for age in range(1, days + 1) for sender in senders or SENDERS)
    return [found for day, sender in every if (found := report(name, day, sender))]


def failures(found: list[Report]) -> Counter[tuple[str, str, int]]:
    """Failed sessions by result, MX and days ago."""
    counts: Counter[tuple[str, str, int]] = Counter()
    for each in found:
        for one in each.policies:
            for detail in one.failure_details:
                key = (detail.result_type, detail.receiving_mx_hostname, (TODAY - each.start.date()).days)
                counts[key] += detail.failed_session_count
    return counts


class TestTheSame:
    def test_every_time(self) -> None:
        assert reports("correio.example") == reports("correio.example")

    def test_but_not_on_every_occasion(self) -> None:
        one, other = report("correio.example", TODAY, occasion="1"), report("correio.example", TODAY, occasion="2")
        assert one is not None
        assert other is not None
        assert one.report_id != other.report_id


class TestPlausible:
    def test_a_weekend_is_quieter(self) -> None:
        days = {each.start.weekday(): each.totals["sts"] for each in reports("correio.example", 7, SENDERS[0])}
        assert 0 < days[6].successful_session_count * 2 < days[2].successful_session_count

    def test_a_sender_is_silent_one_day_in_three_weeks_or_so(self) -> None:
        missing = 84 - len(reports("correio.example", 84, SENDERS[0]))
        assert 1 <= missing <= 8

    def test_summary_and_details_agree(self) -> None:
        for name in ("correio.example", "escola.example", "hospital.example", "jornal.example"):
            assert {one.difference for each in reports(name) for one in each.policies} <= {0, None}

    def test_who_takes_no_mail_has_no_reports(self) -> None:
        assert reports("parado.example") == []

    def test_the_policy_is_the_one_of_the_day(self) -> None:
        modes = [each.policies[0].policy_string[1] for each in reports("correio.example", 63, SENDERS[0])]
        assert set(modes) == {"mode: enforce", "mode: testing"}
        assert modes == sorted(modes)  # the newest first

    def test_one_sender_goes_on_with_an_older_one(self) -> None:
        halfway = held("correio.example")[1].since.date() + timedelta(days=3)
        assert [
            (report("correio.example", halfway, BY_MANNER[manner]) or pytest.fail("silent"))
            .policies[0]
            .policy_string[1]
            for manner in (Manner.POSTFIX, Manner.MAIL_RU)
        ] == ["mode: enforce", "mode: testing"]

    def test_who_knows_no_policy_says_so(self) -> None:
        small = reports("correio.example", 5, BY_MANNER[Manner.SMALL])
        new = told(View(SENDERS[0], customer("novo.example"), (), TODAY, "1"))
        assert new is not None
        assert {one.policy_type for each in [*small, new] for one in each.policies} == {"no-policy-found"}


class TestIncidents:
    """An incident of last week, small noises, and a domain that is ready for enforce."""

    def test_a_certificate_of_last_week(self) -> None:
        found = failures(reports("correio.example"))
        mx2 = [found[("certificate-expired", "mx2.correio.example", age)] for age in (8, 7, 6, 5, 4)]
        assert mx2[0] == 0 < mx2[1] < mx2[2]
        assert (mx2[3] > mx2[1], mx2[4]) == (True, 0)
        assert {result for result, _, _ in found} == {"certificate-expired"}

    def test_several_senders_saw_it(self) -> None:
        days = (TODAY - timedelta(days=age) for age in (7, 6, 5))
        saw = {
            found.submitter
            for day in days
            for each in SENDERS
            if (found := report("correio.example", day, each)) and found.failed
        }
        assert len(saw) >= 4

    def test_nothing_failed_at_the_one_that_is_ready(self) -> None:
        assert not any(each.failed for each in reports("atlantico.example"))
        assert len({each.start for each in reports("atlantico.example")}) >= 14

    @pytest.mark.parametrize(
        ("name", "mx", "result_type"),
        [
            ("hospital.example", "mx2.hospital.example", "starttls-not-supported"),
            ("biblioteca.example", "mx1.biblioteca.example", "certificate-host-mismatch"),
            ("escola.example", "mx2.escola.example", "certificate-expired"),
        ],
    )
    def test_what_the_probes_find_is_what_senders_find(self, name: str, mx: str, result_type: str) -> None:
        found = failures(reports(name, 14))
        assert {(result, host) for result, host, _ in found if host} == {(result_type, mx)}

    def test_the_expired_certificate_has_just_expired(self) -> None:
        assert {age for _, mx, age in failures(reports("escola.example")) if mx} <= {1, 2, 3}

    def test_an_mx_outside_the_policy_in_microsofts_words(self) -> None:
        details = [
            detail
            for each in reports("jornal.example", 7, BY_MANNER[Manner.MICROSOFT])
            for detail in each.policies[0].failure_details
        ]
        assert {(one.result_type, one.failure_reason_code, one.receiving_mx_hostname) for one in details} == {
            ("validation-failure", "MX_HOSTS_MISMATCH", "")
        }

    def test_dane_counts_the_same_sessions_again(self) -> None:
        for each in reports("jornal.example", 14, BY_MANNER[Manner.MICROSOFT]):
            sts, tlsa = (total.successful_session_count + total.failed_session_count for total in each.totals.values())
            assert sts == tlsa

    def test_now_and_then_the_policy_could_not_be_fetched(self) -> None:
        found = failures(reports("jornal.example", 35, BY_MANNER[Manner.MAIL_RU]))
        assert 0 < sum(count for (result, _, _), count in found.items() if result == "sts-policy-fetch-error") < 12
