"""Who gets a place, who has to leave, and how much is written about it."""

from __future__ import annotations

import sys
from collections.abc import Hashable

from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from trinco.edge.limits import Limits, Log, Phase, Roster, origin


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Visitor:
    """A guest that leaves when it is told to, and remembers what it was told."""

    def __init__(self, name: str, origin: Hashable = "192.0.2.1") -> None:
        self.name = name
        self.origin = origin
        self.phase = Phase.HANDSHAKE
        self.told: list[str] = []

    def overdue(self, phase: Phase) -> None:
        self.told.append(phase.name)

    def evict(self) -> None:
        self.told.append("evicted")


LIMITS = Limits(handshake=10, header=8, idle=5, closing=2, total=60, connections=3, per_address=2)
LATER = ((Phase.CONTENT, LIMITS.content), (Phase.ANSWER, LIMITS.answer))


def entered(roster: Roster[Visitor], *visitors: Visitor) -> None:
    for visitor in visitors:
        roster.enter(visitor)


class TestDeadlines:
    """RELIABILITY row 16: each phase has a deadline, which what happens within the phase does not move."""

    def test_each_phase_ends_when_its_time_is_over(self) -> None:
        for phase, span in ((Phase.HANDSHAKE, 10), (Phase.HEADER, 8), (Phase.IDLE, 5), (Phase.CLOSING, 2), *LATER):
            clock = Clock()
            roster: Roster[Visitor] = Roster(LIMITS, clock)
            visitor = Visitor("a")
            roster.enter(visitor)
            roster.turn(visitor, phase)
            clock.now += span - 0.1
            roster.sweep()
            assert visitor.told == []
            clock.now += 0.1
            roster.sweep()
            assert visitor.told == [phase.name]

    def test_a_new_phase_has_its_own_time(self) -> None:
        clock = Clock()
        roster: Roster[Visitor] = Roster(LIMITS, clock)
        visitor = Visitor("a")
        roster.enter(visitor)
        clock.now += 9
        roster.turn(visitor, Phase.HEADER)
        clock.now += 7
        roster.sweep()
        assert visitor.told == []

    def test_the_whole_stay_ends_however_busy_it_was(self) -> None:
        clock = Clock()
        roster: Roster[Visitor] = Roster(LIMITS, clock)
        visitor = Visitor("a")
        roster.enter(visitor)
        for _ in range(14):
            clock.now += 4.3
            roster.turn(visitor, Phase.IDLE)
            roster.sweep()
        assert visitor.told == ["IDLE"]

    def test_one_who_stays_is_told_again_only_after_another_span(self) -> None:
        clock = Clock()
        roster: Roster[Visitor] = Roster(LIMITS, clock)
        visitor = Visitor("a")
        roster.enter(visitor)
        for _ in range(12):
            clock.now += 1
            roster.sweep()
        assert visitor.told == ["HANDSHAKE"]

    def test_one_who_left_is_told_nothing(self) -> None:
        clock = Clock()
        roster: Roster[Visitor] = Roster(LIMITS, clock)
        visitor = Visitor("a")
        roster.enter(visitor)
        roster.leave(visitor)
        roster.leave(visitor)
        roster.turn(visitor, Phase.IDLE)
        clock.now += 1000
        roster.sweep()
        assert (visitor.told, len(roster)) == ([], 0)


class TestRoom:
    """RELIABILITY row 16: a cap for an address and one in all; the newcomer enters and the longest idle one goes."""

    def test_an_address_makes_room_for_itself(self) -> None:
        roster: Roster[Visitor] = Roster(LIMITS, Clock())
        first, second, third = (Visitor(name) for name in "abc")
        entered(roster, first, second, third)
        assert ([v.told for v in (first, second, third)], list(roster)) == ([["evicted"], [], []], [second, third])

    def test_within_an_address_whoever_got_on_last_stays(self) -> None:
        roster: Roster[Visitor] = Roster(LIMITS, Clock())
        first, second, third = (Visitor(name) for name in "abc")
        entered(roster, first, second)
        roster.turn(first, Phase.HEADER)
        roster.enter(third)
        assert (first.told, second.told) == ([], ["evicted"])

    def test_all_together_the_idle_go_before_the_busy(self) -> None:
        clock = Clock()
        roster: Roster[Visitor] = Roster(LIMITS, clock)
        busy, idle, other, newcomer = (Visitor(name, name) for name in "abcd")
        entered(roster, busy, idle, other)
        clock.now += 1
        roster.turn(idle, Phase.IDLE)
        roster.enter(newcomer)
        assert [v.name for v in roster] == ["a", "c", "d"]
        assert idle.told == ["evicted"]

    def test_without_idle_ones_whoever_entered_a_phase_first_goes(self) -> None:
        clock = Clock()
        roster: Roster[Visitor] = Roster(LIMITS, clock)
        first, second, third, newcomer = (Visitor(name, name) for name in "abcd")
        entered(roster, first, second, third)
        clock.now += 1
        roster.turn(first, Phase.HEADER)
        roster.enter(newcomer)
        assert [v.name for v in roster] == ["a", "c", "d"]

    def test_whoever_is_owed_an_answer_goes_last(self) -> None:
        clock = Clock()
        roster: Roster[Visitor] = Roster(LIMITS, clock)
        owed, other, third, newcomer, last = (Visitor(name, name) for name in "abcde")
        entered(roster, owed, other, third)
        roster.turn(owed, Phase.ANSWER)
        clock.now += 1
        for visitor in (other, third):
            roster.turn(visitor, Phase.CONTENT)
        roster.enter(newcomer)
        assert [v.name for v in roster] == ["a", "c", "d"]
        for visitor in (third, newcomer):
            roster.turn(visitor, Phase.ANSWER)
        roster.enter(last)
        assert [v.name for v in roster] == ["c", "d", "e"]

    @given(st.lists(st.tuples(st.integers(0, 5), st.sampled_from("eliht"), st.integers(0, 5)), max_size=80))
    def test_never_more_than_allowed_and_nobody_is_forgotten(self, steps: list[tuple[int, str, int]]) -> None:
        clock = Clock()
        roster: Roster[Visitor] = Roster(LIMITS, clock)
        here: set[Visitor] = set()
        for who, step, phase in steps:
            clock.now += 0.5
            if step == "e":
                visitor = Visitor(str(who), who % 3)
                roster.enter(visitor)
                here.add(visitor)
            for visitor in [v for v in here if v.name == str(who) and step != "e"]:
                roster.leave(visitor) if step == "l" else roster.turn(visitor, Phase(phase))
                here -= {visitor} if step == "l" else set()
            here = {visitor for visitor in here if "evicted" not in visitor.told}
            assert set(roster) == here
            assert len(roster) == len(here) <= LIMITS.connections
            assert all(sum(v.origin == o for v in here) <= LIMITS.per_address for o in range(3))


class TestOrigin:
    """What one subscriber has is one origin: an IPv4 address, an IPv6 /64."""

    def test_ipv4_is_the_address(self) -> None:
        assert origin("192.0.2.1") != origin("192.0.2.2")
        assert origin("192.0.2.1") == origin("192.0.2.1")

    def test_ipv6_is_the_first_half(self) -> None:
        assert origin("2001:db8::1") == origin("2001:db8:0:0:ffff::2")
        assert origin("2001:db8::1") != origin("2001:db8:0:1::1")

    def test_a_mapped_address_is_the_ipv4_address(self) -> None:
        assert origin("::ffff:192.0.2.1") == origin("192.0.2.1")

    def test_a_scope_is_left_out(self) -> None:
        assert origin("fe80::1%eth0") == origin("fe80::2%eth1")

    @given(st.text(max_size=40))
    def test_nothing_raises(self, text: str) -> None:
        assert hash(origin(text)) is not None


class TestLog:
    """One line for bad input at most, and a few a second whatever strangers do."""

    def test_lines_beyond_the_ration_are_counted(self) -> None:
        clock = Clock()
        with capture_logs() as lines:
            log = Log(Limits(log_lines=2), clock)
            for number in range(5):
                log.line("bad", number=number)
            clock.now += 0.5
            log.line("bad", number=5)
        assert lines == [
            {"event": "bad", "number": 0, "log_level": "info"},
            {"event": "bad", "number": 1, "log_level": "info"},
            {"event": "bad", "number": 5, "withheld": 3, "log_level": "info"},
        ]

    def test_what_strangers_say_is_escaped_and_cut(self) -> None:
        with capture_logs() as lines:
            Log(Limits(), Clock()).line("bad", name=b"a\r\n\x1b[31m\xff" + b"x" * 200, text="ü\n" + "y" * 200)
        assert lines[0]["name"] == "a\\r\\n\\x1b[31m\\xff" + "x" * 91
        assert lines[0]["text"] == "\\xfc\\n" + "y" * 98

    def test_a_fault_says_where_without_a_traceback(self) -> None:
        with capture_logs() as lines:
            try:
                {}["gone"]
            except KeyError as fault:
                line = sys._getframe().f_lineno - 2
                Log(Limits(), Clock()).fault(fault)
        place = f"test_a_fault_says_where_without_a_traceback:{line}"
        expected = {"event": "connection_fault", "error": "KeyError('gone')", "where": place}
        assert lines == [{**expected, "log_level": "error"}]
