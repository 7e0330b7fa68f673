"""The sender's decision, rule by rule: RFC 8461 sections 3.1, 3.3, 5, 5.1, 6 and 10.2."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from trinco.core.errors import (
    DnsFailure,
    MultipleRecords,
    NoPolicy,
    NoRecord,
    PolicyHttpError,
    PolicySyntaxError,
    PolicyTlsError,
    RecordSyntaxError,
)
from trinco.core.mtasts.discovery import NOTHING, Cached, Decision, Failure, Held, Step, Verdict, decide
from trinco.core.mtasts.policy import Mode, Policy
from trinco.core.mtasts.reasons import TEXTS, Reason
from trinco.core.mtasts.record import Record

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
ENFORCE = Policy(Mode.ENFORCE, ("mx.example.com",), 604_800)
TESTING = Policy(Mode.TESTING, ("*.example.com",), 604_800)
NONE = Policy(Mode.NONE, (), 86_400)
GONE = [NoRecord("none"), MultipleRecords("two"), RecordSyntaxError("broken")]
FAILED = [
    (NoPolicy("no answer"), "sts-policy-fetch-error"),
    (PolicyHttpError("404"), "sts-policy-fetch-error"),
    (PolicyTlsError("expired"), "sts-webpki-invalid"),
    (PolicySyntaxError("no mode"), "sts-policy-invalid"),
]


def holding(policy=ENFORCE, age=HOUR, checked=HOUR, announced="1", failure=None) -> Cached:
    return Cached(Held(policy, "1", NOW - age), announced, NOW - checked, failure)


def keys(decision: Decision) -> list[str]:
    return [reason.key for reason in decision.reasons]


class TestFirstContact:
    """3: a sender looks up the TXT record, fetches the policy that it announces, and applies it."""

    def test_nothing_is_known(self):
        assert decide(NOW) == Decision(
            Verdict.UNKNOWN, None, Step.ASK, NOTHING, NOW, None, None, False, (Reason("unknown"),)
        )

    def test_a_record_is_there(self):
        known = Cached(None, "1", NOW)
        assert decide(NOW, NOTHING, Record("1")) == Decision(
            Verdict.UNKNOWN, None, Step.FETCH, known, NOW, None, None, False,
            (Reason("announced", ("1",)), Reason("nothing-held"), Reason("unknown")),
        )  # fmt: skip

    def test_the_policy_is_fetched(self):
        known = Cached(Held(ENFORCE, "1", NOW), "1", NOW)
        assert decide(NOW, Cached(None, "1", NOW), Record("1"), ENFORCE) == Decision(
            Verdict.POLICY, ENFORCE, Step.DONE, known, NOW + 5 * MINUTE, NOW + DAY, None, False,
            (
                Reason("announced", ("1",)),
                Reason("fetched", ("1", "2026-03-08T12:00:00+00:00")),
                Reason("applies", ("enforce",)),
            ),
        )  # fmt: skip

    @pytest.mark.parametrize("gone", GONE)
    def test_no_usable_record(self, gone):
        """3.1: with none, several or a broken one, senders MUST assume that there is no policy to discover."""
        decision = decide(NOW, NOTHING, gone)
        assert (decision.verdict, decision.step, decision.keep) == (
            Verdict.NO_POLICY,
            Step.DONE,
            Cached(None, None, NOW),
        )
        assert decision.good_until == NOW + 5 * MINUTE

    def test_dns_does_not_answer(self):
        """No answer is not "no record": deferring is safe, delivering without a policy is what an attacker wants."""
        decision = decide(NOW, NOTHING, DnsFailure("timed out"))
        assert decision == Decision(
            Verdict.UNKNOWN, None, Step.DONE, NOTHING, NOW, None, None, False,
            (Reason("dns-failure", ("timed out",)), Reason("unknown")),
        )  # fmt: skip

    def test_dns_stops_answering_after_it_once_announced(self):
        known = Cached(None, "1", NOW - HOUR)
        decision = decide(NOW, known, DnsFailure("timed out"))
        assert (decision.verdict, decision.step, decision.keep) == (Verdict.UNKNOWN, Step.DONE, known)

    @pytest.mark.parametrize(("error", "result_type"), FAILED)
    def test_the_fetch_fails(self, error, result_type):
        """3.3: no policy can be fetched and none is held: MUST deliver as though there were no MTA-STS. 6: reportable."""
        decision = decide(NOW, NOTHING, Record("1"), error)
        failure = Failure("1", NOW, 1, result_type)
        assert (decision.verdict, decision.policy, decision.step) == (Verdict.NO_POLICY, None, Step.DONE)
        assert (decision.keep, decision.result_type, decision.alert) == (
            Cached(None, "1", NOW, failure),
            result_type,
            False,
        )

    def test_a_policy_that_nothing_announces_is_not_used(self):
        decision = decide(NOW, NOTHING, NoRecord("none"), ENFORCE)
        assert (decision.verdict, decision.keep.held) == (Verdict.NO_POLICY, None)
        assert keys(decision) == ["no-record", "unannounced", "no-policy"]

    def test_checked_recently_and_there_was_none(self):
        decision = decide(NOW, Cached(None, None, NOW - 4 * MINUTE))
        assert (decision.verdict, decision.step, decision.good_until) == (Verdict.NO_POLICY, Step.DONE, NOW + MINUTE)
        assert keys(decision) == ["recently-none", "no-policy"]

    @pytest.mark.parametrize("checked", [NOW - 5 * MINUTE, NOW + MINUTE])
    def test_checked_too_long_ago_or_in_the_future(self, checked):
        assert decide(NOW, Cached(None, None, checked)).step is Step.ASK


class TestHeldPolicy:
    """3.3: a policy that was fetched and has not run out MUST be applied, whatever can be discovered now."""

    def test_it_applies_while_dns_is_asked(self):
        decision = decide(NOW, holding())
        assert (decision.verdict, decision.policy, decision.step) == (Verdict.POLICY, ENFORCE, Step.ASK)

    def test_it_applies_without_asking_when_dns_was_asked_recently(self):
        decision = decide(NOW, holding(checked=MINUTE))
        assert (decision.step, decision.good_until, decision.refresh_at) == (
            Step.DONE,
            NOW + 4 * MINUTE,
            NOW + 23 * HOUR,
        )
        assert keys(decision) == ["held", "recently", "applies"]

    def test_the_id_is_the_same(self):
        decision = decide(NOW, holding(), Record("1"))
        assert (decision.verdict, decision.step) == (Verdict.POLICY, Step.DONE)
        assert decision.keep == holding(checked=timedelta())

    @pytest.mark.parametrize("gone", [*GONE, DnsFailure("timed out")])
    def test_the_record_is_gone(self, gone):
        decision = decide(NOW, holding(), gone)
        assert (decision.verdict, decision.policy, decision.step) == (Verdict.POLICY, ENFORCE, Step.DONE)
        assert decision.keep.held == holding().held

    def test_dns_that_does_not_answer_is_soon_asked_again(self):
        decision = decide(NOW, holding(), DnsFailure("timed out"))
        assert (decision.good_until, decision.keep) == (NOW + timedelta(seconds=30), holding())

    @pytest.mark.parametrize(("error", "result_type"), FAILED)
    def test_a_new_one_cannot_be_fetched(self, error, result_type):
        """3.3: only a policy that was fetched and is valid replaces the one that is held. 3.3, 10.2: tell the admin."""
        decision = decide(NOW, holding(), Record("2"), error)
        assert (decision.verdict, decision.policy) == (Verdict.POLICY, ENFORCE)
        assert (decision.result_type, decision.alert) == (result_type, True)
        assert decision.keep == Cached(holding().held, "2", NOW, Failure("2", NOW, 1, result_type))
        assert keys(decision) == ["held", "announced", "fetch-failed", "applies"]

    def test_a_new_id_is_fetched_at_once(self):
        decision = decide(NOW, holding(), Record("2"))
        assert (decision.step, decision.policy) == (Step.FETCH, ENFORCE)
        assert decision.reasons[2] == Reason("new-id", ("1", "2"))

    def test_a_new_one_replaces_it(self):
        decision = decide(NOW, holding(), Record("2"), TESTING)
        assert (decision.policy, decision.keep) == (TESTING, Cached(Held(TESTING, "2", NOW), "2", NOW))

    def test_a_known_new_id_is_fetched_without_asking_again(self):
        assert decide(NOW, holding(checked=MINUTE, announced="2")).step is Step.FETCH


class TestModeNone:
    """5: with mode none, senders treat the domain as though it had no policy. 8.3, 10.2: no alerts on the way out."""

    def test_nothing_applies(self):
        decision = decide(NOW, holding(NONE), Record("1"))
        assert (decision.verdict, decision.policy, decision.keep.held.policy) == (Verdict.NO_POLICY, None, NONE)
        assert keys(decision)[-1] == "mode-none"

    def test_failures_are_no_alarm_and_not_reported_once_the_record_is_gone(self):
        decision = decide(NOW, holding(NONE, age=20 * HOUR), NoRecord("none"), NoPolicy("gone"))
        assert (decision.alert, decision.result_type) == (False, None)

    def test_failures_are_reported_while_a_record_announces_a_policy(self):
        """6: HTTPS fetch failures when a valid TXT record is present."""
        decision = decide(NOW, holding(NONE), Record("2"), NoPolicy("gone"))
        assert (decision.alert, decision.result_type) == (False, "sts-policy-fetch-error")

    def test_dns_that_does_not_answer_leaves_it_known(self):
        assert decide(NOW, holding(NONE), DnsFailure("x")).verdict is Verdict.NO_POLICY


class TestMaxAge:
    """3.2, 5.1: a policy applies until max_age has passed since its last fetch, and not a second longer."""

    AGE = timedelta(seconds=604_800)

    def test_the_last_second(self):
        decision = decide(NOW, holding(age=self.AGE), NoRecord("none"), NoPolicy("x"))
        assert (decision.verdict, decision.good_until) == (Verdict.POLICY, NOW)

    def test_the_second_after(self):
        decision = decide(NOW, holding(age=self.AGE + timedelta(seconds=1)), NoRecord("none"))
        assert (decision.verdict, decision.step, decision.keep) == (
            Verdict.NO_POLICY,
            Step.DONE,
            Cached(None, None, NOW),
        )
        assert keys(decision) == ["expired", "no-record", "no-policy"]

    def test_an_unchanged_id_does_not_stretch_it(self):
        """However often DNS says the same id, only a fetch makes the policy younger."""
        known, moment = holding(age=timedelta(), checked=timedelta()), NOW
        while moment <= NOW + self.AGE:
            known = decide(moment, known, Record("1"), NoPolicy("blocked")).keep
            assert known.held == Held(ENFORCE, "1", NOW)
            moment += 6 * HOUR
        decision = decide(moment, known, Record("1"), NoPolicy("blocked"))
        assert (decision.keep.held, decision.verdict) == (None, Verdict.NO_POLICY)

    def test_expired_and_announced_is_fetched_again(self):
        decision = decide(NOW, holding(age=8 * DAY), Record("1"))
        assert (decision.step, decision.verdict) == (Step.FETCH, Verdict.UNKNOWN)

    def test_expired_while_dns_does_not_answer(self):
        assert decide(NOW, holding(age=8 * DAY), DnsFailure("x")).verdict is Verdict.UNKNOWN

    def test_zero_applies_to_the_message_at_hand_alone(self):
        policy = replace(ENFORCE, max_age=0)
        decision = decide(NOW, NOTHING, Record("1"), policy)
        assert (decision.policy, decision.good_until) == (policy, NOW)
        assert decide(NOW + timedelta(seconds=1), decision.keep).policy is None

    def test_a_clock_that_was_set_back_does_not_stretch_it(self):
        """Fetched in what is now the future: it counts as fetched now, and that is remembered."""
        decision = decide(NOW, holding(age=-365 * DAY, checked=MINUTE))
        assert (decision.policy, decision.keep.held.fetched_at, keys(decision)[0]) == (ENFORCE, NOW, "clock")
        assert decide(NOW + self.AGE + MINUTE, decision.keep).policy is None


class TestRefresh:
    """3.3, 10.2: SHOULD refresh before a policy expires, about daily, whatever the state of the TXT record."""

    @pytest.mark.parametrize("record", [Record("1"), *GONE, DnsFailure("x")])
    def test_due_after_a_day(self, record):
        decision = decide(NOW, holding(age=DAY), record)
        assert (decision.step, decision.policy) == (Step.FETCH, ENFORCE)
        assert "refresh-due" in keys(decision)

    @pytest.mark.parametrize("record", [Record("1"), *GONE, DnsFailure("x")])
    def test_it_makes_the_policy_young_again_under_its_id(self, record):
        decision = decide(NOW, holding(age=DAY), record, TESTING)
        assert decision.keep.held == Held(TESTING, "1", NOW)

    def test_dns_first(self):
        assert decide(NOW, holding(age=DAY)).step is Step.ASK
        assert decide(NOW, holding(age=DAY, checked=MINUTE)).step is Step.FETCH

    @pytest.mark.parametrize(
        ("max_age", "due"),
        [
            (31_557_600, DAY),
            (172_800, DAY),
            (86_400, 12 * HOUR),
            (3_600, 30 * MINUTE),
            (600, 5 * MINUTE),
            (400, 5 * MINUTE),
            (60, MINUTE),
            (0, timedelta()),
        ],
    )
    def test_when(self, max_age, due):
        """Half of a short life; but not within five minutes, unless it ends sooner."""
        assert Held(replace(ENFORCE, max_age=max_age), "1", NOW).refresh_at == NOW + due

    def test_a_failed_refresh_alerts_and_waits(self):
        decision = decide(NOW, holding(age=DAY), Record("1"), NoPolicy("x"))
        assert (decision.policy, decision.alert, decision.refresh_at) == (ENFORCE, True, NOW + 5 * MINUTE)
        assert decision.keep.failure == Failure("1", NOW, 1, "sts-policy-fetch-error")

    def test_the_alert_is_for_the_failure_not_for_every_message_after_it(self):
        known = decide(NOW, holding(age=DAY), Record("1"), NoPolicy("x")).keep
        decision = decide(NOW + MINUTE, known)
        assert (decision.alert, decision.result_type) == (False, "sts-policy-fetch-error")


class TestRetry:
    """3.3: after a failed fetch, further attempts SHOULD wait five minutes or longer, per id."""

    @pytest.mark.parametrize(
        ("attempts", "wait"),
        [(1, 5 * MINUTE), (2, 10 * MINUTE), (3, 20 * MINUTE), (4, 40 * MINUTE), (5, HOUR), (999, HOUR)],
    )
    def test_the_wait_doubles_up_to_an_hour(self, attempts, wait):
        assert Failure("1", NOW, attempts, "x").retry_at == NOW + wait

    def test_too_soon(self):
        known = Cached(None, "1", NOW, Failure("1", NOW, 1, "sts-policy-fetch-error"))
        decision = decide(NOW + timedelta(seconds=299), known, Record("1"))
        assert (decision.step, decision.verdict, decision.result_type) == (
            Step.DONE,
            Verdict.NO_POLICY,
            "sts-policy-fetch-error",
        )
        assert decision.reasons[2] == Reason("waits", ("1", "2026-03-01T12:05:00+00:00"))

    def test_soon_enough(self):
        known = Cached(None, "1", NOW, Failure("1", NOW, 1, "x"))
        assert decide(NOW + 5 * MINUTE, known, Record("1")).step is Step.FETCH

    def test_another_id_need_not_wait(self):
        known = Cached(None, "1", NOW, Failure("1", NOW, 3, "x"))
        decision = decide(NOW, known, Record("2"))
        assert (decision.step, decision.result_type) == (Step.FETCH, None)
        assert decide(NOW, decision.keep, Record("2"), NoPolicy("x")).keep.failure.attempts == 1

    def test_attempts_are_counted_per_id(self):
        known = Cached(None, "1", NOW, Failure("1", NOW - HOUR, 3, "x"))
        assert decide(NOW, known, Record("1"), NoPolicy("x")).keep.failure.attempts == 4

    def test_success_forgets_the_failure(self):
        known = Cached(None, "1", NOW, Failure("1", NOW, 3, "x"))
        assert decide(NOW, known, Record("1"), ENFORCE).keep.failure is None

    def test_an_older_failure_is_over_when_its_id_is(self):
        """The owner went back to the id that is held: nothing is left to fetch, to wait for or to report."""
        known = holding(failure=Failure("2", NOW, 1, "sts-policy-invalid"), announced="2")
        decision = decide(NOW, known, Record("1"))
        assert (decision.step, decision.result_type, decision.refresh_at) == (Step.DONE, None, NOW + 23 * HOUR)

    def test_a_failure_in_the_future_does_not_block(self):
        known = Cached(None, "1", NOW, Failure("1", NOW + DAY, 1, "x"))
        assert decide(NOW, known, Record("1")).step is Step.FETCH


class TestReasons:
    """A decision says how it came about."""

    def test_each_reason_reads_as_words(self):
        decision = decide(NOW, holding(), Record("2"), PolicyHttpError("404"))
        assert [reason.text for reason in decision.reasons] == [
            "a policy of mode enforce is held under id 1 and applies until 2026-03-08T11:00:00+00:00",
            "DNS announces id 2",
            "the policy could not be fetched: 404 (sts-policy-fetch-error)",
            "the policy applies, in mode enforce",
        ]

    def test_no_text_is_left_over(self):
        for key, text in TEXTS.items():
            assert "{" not in Reason(key, ("one", "two", "three")).text
            assert text.isprintable()
