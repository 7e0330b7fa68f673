"""The sender's decision over any course of events: what must hold whatever DNS, HTTPS and the clock do."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

from hypothesis import example, given
from hypothesis import strategies as st

from trinco.core.errors import (
    DnsFailure,
    MultipleRecords,
    NoPolicy,
    NoRecord,
    PolicySyntaxError,
    PolicyTlsError,
    RecordSyntaxError,
)
from trinco.core.mtasts.discovery import NOTHING, Step, Verdict, decide
from trinco.core.mtasts.policy import Mode, Policy
from trinco.core.mtasts.reasons import TEXTS
from trinco.core.mtasts.record import Record

START = datetime(2026, 1, 1, tzinfo=UTC)

policies = st.builds(
    Policy,
    st.sampled_from(Mode),
    st.just(("mx.example.com",)),
    st.sampled_from([0, 60, 1_000, 86_400, 604_800]),
)
records = st.sampled_from(
    [Record("1"), Record("2"), NoRecord("x"), MultipleRecords("x"), RecordSyntaxError("x"), DnsFailure("x")]
)
fetches = policies | st.sampled_from([NoPolicy("x"), PolicyTlsError("x"), PolicySyntaxError("x")])
waits = st.sampled_from([0, 1, 59, 299, 300, 301, 3_000, 43_200, 86_400, 700_000])
courses = st.lists(st.tuples(waits, records, fetches), min_size=1, max_size=25)


class World:
    """A sender that drives `decide` as the module says, and notes what a sender in the right would know."""

    def __init__(self):
        self.now, self.cached = START, NOTHING
        self.fetched = None  # (policy, when): the last valid fetch
        self.attempts = []  # (id in DNS, when) of each fetch that failed
        self.rounds = []

    def deliver(self, wait, record, fetch):
        self.now += timedelta(seconds=wait)
        first = decide(self.now, self.cached)
        decision, asked = first, None
        if decision.step is Step.ASK:
            asked = record
            decision = decide(self.now, self.cached, asked)
        if decision.step is Step.FETCH:
            self.note(decision, fetch)
            decision = decide(self.now, self.cached, asked, fetch)
        self.cached = decision.keep
        self.rounds.append((first, decision, asked))
        return decision

    def note(self, decision, fetch):
        if isinstance(fetch, Policy):
            self.fetched = (fetch, self.now)
        else:
            self.attempts.append((decision.keep.announced, self.now))

    def in_force(self):
        """The policy that 3.3 says MUST be applied; None: none."""
        if self.fetched is None:
            return None
        policy, when = self.fetched
        return policy if self.now - when <= timedelta(seconds=policy.max_age) else None


class TestAnyCourse:
    """RFC 8461 3.3 and 5.1, over any course of answers."""

    @given(courses)
    def test_the_last_fetched_policy_applies_until_it_runs_out_and_no_other(self, course):
        world = World()
        for event in course:
            decision = world.deliver(*event)
            policy = world.in_force()
            binding = policy if policy and policy.mode is not Mode.NONE else None
            assert decision.policy == binding
            assert (decision.verdict is Verdict.POLICY) == (binding is not None)

    @given(courses)
    def test_a_round_ends(self, course):
        world = World()
        for event in course:
            assert world.deliver(*event).step is Step.DONE

    @given(courses)
    def test_unknown_only_when_dns_did_not_answer_and_nothing_is_held(self, course):
        world = World()
        for event in course:
            decision = world.deliver(*event)
            silent = isinstance(world.rounds[-1][2], DnsFailure)
            assert (decision.verdict is Verdict.UNKNOWN) == (silent and world.in_force() is None)

    @given(courses)
    def test_failed_fetches_of_one_id_are_five_minutes_apart(self, course):
        world = World()
        for event in course:
            world.deliver(*event)
        for (name, when), (later_name, later) in combinations(world.attempts, 2):
            assert name != later_name or later - when >= timedelta(minutes=5)

    @given(courses)
    @example([(0, Record("1"), NoPolicy("x")), (300, Record("1"), NoPolicy("x")), (301, Record("1"), NoPolicy("x"))])
    def test_deciding_again_changes_nothing_before_good_until(self, course):
        """The answer may be given again, without a thought, for as long as it says."""
        world = World()
        for event in course:
            decision = world.deliver(*event)
            if isinstance(world.rounds[-1][2], DnsFailure):
                continue
            moment = decision.good_until - timedelta(microseconds=1)
            if moment >= world.now:
                again = decide(moment, world.cached)
                assert (again.verdict, again.policy, again.step) == (decision.verdict, decision.policy, Step.DONE)

    @given(courses)
    def test_a_binding_policy_says_when_to_refresh_it(self, course):
        world = World()
        for event in course:
            decision = world.deliver(*event)
            assert (decision.refresh_at is None) == (world.cached.held is None)
            assert decision.good_until >= world.now

    @given(courses)
    def test_the_reason_chain_is_never_empty_and_ends_in_the_verdict(self, course):
        ends = {
            Verdict.POLICY: {"applies"},
            Verdict.NO_POLICY: {"no-policy", "mode-none"},
            Verdict.UNKNOWN: {"unknown"},
        }
        world = World()
        for event in course:
            world.deliver(*event)
        for first, last, _ in world.rounds:
            for decision in (first, last):
                assert decision.reasons[-1].key in ends[decision.verdict]
                assert all(reason.key in TEXTS for reason in decision.reasons)
