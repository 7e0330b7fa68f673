"""What one conversation, one address and all together may take: time, memory, lines, places."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from structlog.testing import capture_logs
from tests.edge.held_clock import FAR, HeldClock, until
from tests.edge.mail_rig import HOST, KEPT, MAIL, TO, Desk, MailRig, Talk
from tests.edge.policy_rig import LOOPS
from tests.support_certs import Authority

from trinco.core.tlsrpt.arrival import Arrival
from trinco.edge.maild import MailLimits
from trinco.edge.mailroom import Memory, Share
from trinco.edge.mailtalk import Conversation

IN_A_MAIL = ("EHLO a", "MAIL FROM:<>", f"RCPT TO:<{TO}>", "DATA")
SMALL = 100_000


@pytest.fixture(params=list(LOOPS))
def loop_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def held() -> Iterator[HeldClock]:
    """The seconds of the mailbox."""
    with HeldClock().instead() as clock:
        yield clock


@contextmanager
def limited(loop_name: str, desk: Desk | None = None, **limits: Any) -> Iterator[MailRig]:
    with MailRig(desk or Desk(), loop_name=loop_name, limits=MailLimits(**limits)).running() as rig:
        yield rig
    assert (rig.faults, rig.tasks) == ([], 0)


def _enough(talk: Talk, octets: bytes) -> Callable[[], bool]:
    """Whether the other side has had enough of these octets, which come again each time that one asks."""

    def enough() -> bool:
        try:
            talk.send(octets)
        except ConnectionError:
            return True
        return False

    return enough


def _conversations() -> int:
    gc.collect()
    return sum(isinstance(each, Conversation) for each in gc.get_objects())


def _longest_turn(rig: MailRig, seconds: float) -> float:
    """The most processor time that the loop spent on one turn meanwhile: a busy machine makes no turn longer."""
    turns, ended = [], threading.Event()

    def turn(before: float | None) -> None:
        now = time.thread_time()
        turns.append(0.0 if before is None else now - before)
        if not ended.is_set():
            rig._loop.call_soon(turn, now)

    rig._loop.call_soon_threadsafe(turn, None)
    time.sleep(seconds)
    ended.set()
    assert len(turns) > 20
    return max(turns)


class TestSize:
    """RFC 1870: what is announced at EHLO holds, whatever MAIL says."""

    def test_as_large_as_announced(self, loop_name: str) -> None:
        with limited(loop_name, size=SMALL) as rig:
            assert rig.deliver(b"x" * (SMALL - 2) + b"\r\n") == KEPT

    @pytest.mark.parametrize("octets", [SMALL + 1, 2 * SMALL - 10])
    def test_larger(self, loop_name: str, octets: int) -> None:
        with limited(loop_name, size=SMALL) as rig:
            assert rig.deliver(b"x\r\n" * (octets // 3) + b"xxx\r\n") == b"552 5.3.4 The report is too large\r\n"
            assert rig.desk.arrivals == []

    def test_without_an_end(self, loop_name: str) -> None:
        with limited(loop_name, size=SMALL) as rig, rig.talk(*IN_A_MAIL) as talk:
            until(_enough(talk, b"x" * 10_000))
            assert rig.desk.arrivals == []

    def test_the_connection_goes_on(self, loop_name: str) -> None:
        with limited(loop_name, size=SMALL) as rig, rig.talk(*IN_A_MAIL) as talk:
            talk.send(b"x" * (SMALL + 1) + b"\r\n.\r\n")
            assert talk.reply().startswith(b"552 ")
            for line in IN_A_MAIL[1:]:
                talk.say(line)
            talk.send(MAIL + b".\r\n")
            assert talk.reply() == KEPT


class TestMemory:
    """All mails that are being received take no more than so much, and one address not all of it."""

    def test_as_a_value(self) -> None:
        memory = Memory(MailLimits(memory=10, memory_per_address=6))
        first, second = Share(memory, "a"), Share(memory, "b")
        assert [first.grow(6), first.grow(1), second.grow(5), second.grow(4)] == [True, False, False, True]
        assert memory.taken == 10
        first.release()
        first.release()
        assert (memory.taken, memory.fits("a", 6), memory.fits("a", 7), memory.fits("b", 3)) == (4, True, False, False)
        second.release()
        assert (memory.taken, dict(memory._taken)) == (0, {})

    def test_no_room_for_now(self, loop_name: str) -> None:
        with limited(loop_name, memory=SMALL, memory_per_address=SMALL) as rig, rig.talk(*IN_A_MAIL) as holding:
            holding.send(b"x" * (SMALL - 50))
            until(lambda: rig.taken > SMALL - 100)  # all but what may be the beginning of an end
            assert rig.deliver(b"y" * 100 + b"\r\n") == b"452 4.3.1 Too many reports at once, try again later\r\n"
            with rig.talk("EHLO a") as talk:
                assert talk.say("MAIL FROM:<> SIZE=1000").startswith(b"452 4.3.1 ")
            holding.send(b"\r\n.\r\n")
            assert holding.reply() == KEPT
            assert rig.deliver() == KEPT

    def test_what_the_desk_has_in_hand_counts(self, loop_name: str) -> None:
        enough = asyncio.Event()

        async def in_hand(_arrival: Arrival) -> None:
            await enough.wait()

        with limited(loop_name, Desk(deed=in_hand), memory=SMALL, memory_per_address=SMALL) as rig:
            with rig.talk(*IN_A_MAIL) as talk:
                talk.send(b"x" * (SMALL - 50) + b"\r\n.\r\n")
                until(lambda: rig.taken > SMALL - 100)  # all but what may be the beginning of an end
                assert rig.deliver(b"y" * 100 + b"\r\n").startswith(b"452 ")
                rig._loop.call_soon_threadsafe(enough.set)
                assert talk.reply() == KEPT
            assert rig.deliver(b"y" * 100 + b"\r\n") == KEPT

    def test_one_who_leaves_gives_it_back(self, loop_name: str) -> None:
        with limited(loop_name, memory=SMALL, memory_per_address=SMALL) as rig:
            for _ in range(3):
                with rig.talk(*IN_A_MAIL) as talk:
                    talk.send(b"x" * (SMALL - 50))
                until(lambda: rig.taken == 0)
            assert rig.deliver(b"y" * 1000 + b"\r\n") == KEPT


class TestTime:
    """Every wait has an end that no octet moves."""

    def test_for_a_command(self, held: HeldClock, loop_name: str) -> None:
        with limited(loop_name, command=0.5) as rig, rig.talk("EHLO a") as talk:
            took, said = held.ended_after(talk.connection, 0.125)
            assert (took >= 0.5, said) == (True, b"421 4.4.2 Too slow\r\n")

    def test_for_a_command_that_drips(self, held: HeldClock, loop_name: str) -> None:
        with limited(loop_name, command=0.5) as rig, rig.talk("EHLO a") as talk:
            assert held.until(_enough(talk, b"N"), 0.125) >= 0.5

    def test_for_a_mail_that_drips(self, held: HeldClock, loop_name: str) -> None:
        with limited(loop_name, data=0.5) as rig, rig.talk(*IN_A_MAIL) as talk:
            assert held.until(_enough(talk, b"x\r\n"), 0.125) >= 0.5
            assert rig.desk.arrivals == []

    def test_for_a_handshake(self, held: HeldClock, loop_name: str, tmp_path: object) -> None:
        context = Authority(tmp_path).server(HOST)  # type: ignore[arg-type]
        rig = MailRig(tls=lambda: context, loop_name=loop_name, limits=MailLimits(handshake=0.5))
        with rig.running(), rig.talk("EHLO a") as talk:
            assert talk.say("STARTTLS").startswith(b"220 ")
            took, said = held.ended_after(talk.connection, 0.125)
            assert (took >= 0.5, said) == (True, b"")
        assert (rig.faults, rig.tasks) == ([], 0)

    def test_a_handshake_that_breaks_off_leaves_nothing(self, loop_name: str, tmp_path: object) -> None:
        """asyncio tells nobody that such a connection is lost: what waits for that waits for half an hour."""
        context = Authority(tmp_path).server(HOST)  # type: ignore[arg-type]
        with MailRig(tls=lambda: context, loop_name=loop_name).running() as rig:
            for _ in range(20):
                with rig.talk("EHLO a") as talk:
                    assert talk.say("STARTTLS").startswith(b"220 ")
            until(lambda: _conversations() == 0)

    def test_commands_at_once_leave_the_loop_to_others(self, loop_name: str) -> None:
        """The name server and the policy host have the same loop."""
        with limited(loop_name, per_address=100, commands=10**6) as rig, ExitStack() as stack:
            for talk in [stack.enter_context(rig.talk("EHLO a")) for _ in range(8)]:
                talk.send(b"NOOP\r\n" * 10_000)
            longest = _longest_turn(rig, 1.0)
        assert longest < 0.2

    def test_in_all(self, held: HeldClock, loop_name: str) -> None:
        """Many seconds, since aiosmtpd beneath has an end of its own at twice as many, which no clock of ours holds."""
        with limited(loop_name, command=FAR, total=128.0) as rig, rig.talk("EHLO a") as talk:
            assert held.until(lambda: talk.say("NOOP") != b"250 OK\r\n", 32.0) >= 128.0


class TestCounts:
    """Commands, refusals and mails of a connection."""

    def test_twenty_refusals(self, loop_name: str) -> None:
        with limited(loop_name) as rig, rig.talk("EHLO a") as talk:
            replies = [talk.say("JUNK") for _ in range(20)]
            assert set(replies) == {b"502 5.5.1 No such command\r\n"}
            assert talk.rest() == b"421 4.7.0 Too much for one connection\r\n"

    def test_guesses_at_tokens(self, loop_name: str) -> None:
        with limited(loop_name, junk=5) as rig, rig.talk("EHLO a", "MAIL FROM:<>") as talk:
            assert [talk.say(f"RCPT TO:<guess{n}@{HOST}>")[:3] for n in range(5)] == [b"550"] * 5
            assert talk.rest().startswith(b"421 4.7.0 ")

    def test_commands_that_do_nothing(self, loop_name: str) -> None:
        with limited(loop_name, commands=30) as rig, rig.talk() as talk:
            talk.send(b"NOOP\r\n" * 100)
            assert talk.rest() == b"250 OK\r\n" * 30 + b"421 4.7.0 Too much for one connection\r\n"

    def test_mails(self, loop_name: str) -> None:
        with limited(loop_name, mails=3) as rig, rig.talk() as talk:
            mail = f"MAIL FROM:<>\r\nRCPT TO:<{TO}>\r\nDATA\r\n".encode() + MAIL + b".\r\n"
            talk.send(b"EHLO a\r\n" + mail * 5)
            assert talk.rest().endswith(KEPT + b"421 4.7.0 Too much for one connection\r\n")
            assert len(rig.desk.arrivals) == 3

    def test_a_line_without_an_end(self, loop_name: str) -> None:
        with limited(loop_name) as rig, rig.talk() as talk:
            talk.send(b"x" * 70_000)
            assert talk.rest() == b"500 5.5.6 The line is too long\r\n"

    def test_lines_in_the_log(self, loop_name: str) -> None:
        with limited(loop_name, log_lines=2) as rig, capture_logs() as lines:
            for _ in range(20):
                with rig.talk() as talk:
                    talk.say("GET / HTTP/1.1")
        assert 2 <= len(lines) <= 5


class TestPlaces:
    """The newcomer gets in, and whoever waited longest makes room."""

    def test_of_one_address(self, loop_name: str) -> None:
        with limited(loop_name, per_address=10) as rig, ExitStack() as stack:
            silent = [stack.enter_context(rig.talk("EHLO a")) for _ in range(30)]
            assert rig.deliver() == KEPT
            assert [talk.rest() for talk in silent[:20]] == [b""] * 20

    def test_of_all(self, loop_name: str) -> None:
        with limited(loop_name, connections=10) as rig, ExitStack() as stack:
            busy = stack.enter_context(rig.talk(*IN_A_MAIL))
            for _ in range(30):
                stack.enter_context(rig.talk("EHLO a"))
            busy.send(MAIL + b".\r\n")
            assert busy.reply() == KEPT  # whoever is in a mail is not the one who waits
