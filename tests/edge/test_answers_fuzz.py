"""Any message at all: nothing is raised, every reply can be read, and both roads give the same."""

from __future__ import annotations

import gc
import random
import time
from pathlib import Path
from statistics import quantiles

import dns.message
import pytest
from dnszone import BASE, LABEL, LONG, PUBLICATION, WAITING
from hypothesis import given, settings
from hypothesis import strategies as st

from trinco.edge import shortcut, wire
from trinco.edge.answers import Answers

ANSWERS = Answers(PUBLICATION)
OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
NAMES = (
    BASE,
    *(f"{label}.{service}.{BASE}" for label in (LABEL, LONG, WAITING) for service in ("policy", "mta-sts", "tlsrpt")),
    f"nobody.policy.{BASE}",
    f"ns1.{BASE}",
    f"policy.{BASE}",
    "elsewhere.example",
    "",
)
TYPES = (wire.A, wire.AAAA, wire.TXT, wire.CAA, wire.SOA, wire.NS, wire.MX, wire.ANY, wire.IXFR, wire.OPT, 0, 65, 1000)
TAILS = (
    b"",
    OPT,
    OPT[:7] + b"\x80\0\0\0",
    OPT[:3] + b"\x02\0" + OPT[5:],
    OPT[:9] + b"\0\x0c\0\x0a\0\x08abcdefgh",
    OPT[:9] + b"\0\x0c\0\x0a\0\x09abcdefgh",
    OPT[:6] + b"\1" + OPT[7:],
    OPT + OPT,
    OPT[:-1],
    b"\0",
)


def message(name: str, type_: int, header: bytes, tail: bytes) -> bytes:
    return header + wire.name(name) + type_.to_bytes(2, "big") + b"\0\1" + tail


headers = st.builds(
    lambda id_, flags, counts: id_ + flags + b"".join(count.to_bytes(2, "big") for count in counts),
    st.binary(min_size=2, max_size=2),
    st.sampled_from([b"\0\0", b"\1\0", b"\1\x20", b"\1\x10", b"\0\x30", b"\2\0", b"\1\x40", b"\x80\0", b"\x28\0"]),
    st.tuples(
        st.sampled_from([1, 1, 1, 0, 2]), st.sampled_from([0, 0, 1]), st.sampled_from([0, 0, 1]), st.integers(0, 2)
    ),
)
messages = st.builds(message, st.sampled_from(NAMES), st.sampled_from(TYPES), headers, st.sampled_from(TAILS))


@st.composite
def recased(draw: st.DrawFn) -> bytes:
    """A message with any letters of its name in the other case."""
    whole = bytearray(draw(messages))
    for at in draw(st.lists(st.integers(12, len(whole) - 1), max_size=12)):
        whole[at] ^= 0x20 if chr(whole[at]).isalpha() else 0
    return bytes(whole)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """A message with some octets changed, taken out, put in, or its end cut off."""
    whole = bytearray(draw(messages))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, max(0, len(whole) - 1)))
        whole[at : at + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(whole[: draw(st.integers(0, len(whole)))] if draw(st.booleans()) else whole)


class OnlyShort(Answers):
    """An Answers whose long road is closed."""

    __slots__ = ()

    def _answer(self, query: bytes, tcp: bool) -> bytes | None:
        raise AssertionError("the long road was taken")


def without_shortcuts() -> Answers:
    answers = Answers(PUBLICATION)
    answers._shortcuts = {}
    return answers


class TestBothRoads:
    """The short road gives what the long road gives."""

    long_road = without_shortcuts()

    @settings(max_examples=600, deadline=None)
    @given(st.one_of(recased(), mutated()))
    def test_same_reply(self, whole: bytes) -> None:
        assert ANSWERS.answer(whole) == self.long_road.answer(whole)

    @pytest.mark.parametrize("service", ["policy", "mta-sts", "tlsrpt"])
    @pytest.mark.parametrize("type_", TYPES)
    @pytest.mark.parametrize("tail", TAILS[:5])
    def test_same_reply_to_what_senders_ask(self, service: str, type_: int, tail: bytes) -> None:
        for flags in (b"\0\0", b"\1\0", b"\1\x20", b"\0\x10"):
            head = b"id" + flags + b"\0\1\0\0\0\0\0" + bytes((bool(tail),))
            whole = message(f"{LABEL}.{service}.{BASE}", type_, head, tail)
            assert ANSWERS.answer(whole) == self.long_road.answer(whole)

    def test_the_short_road_is_taken(self) -> None:
        taken = OnlyShort(PUBLICATION)
        head = b"id\1\0\0\1\0\0\0\0\0"
        for service, type_ in (("mta-sts", wire.TXT), ("tlsrpt", wire.TXT), ("policy", wire.A), ("policy", wire.CAA)):
            for tail in TAILS[:5]:
                whole = message(f"{LABEL}.{service}.{BASE}", type_, head + bytes((bool(tail),)), tail)
                assert taken.answer(whole)

    @given(st.binary(max_size=40))
    def test_only_a_sound_opt_has_a_key(self, data: bytes) -> None:
        known = {key[10:] for key in shortcut.heads(1)}
        sound = len(data) >= 11 and data[:3] == OPT[:3] and data[9:11] == (len(data) - 11).to_bytes(2, "big")
        if shortcut.opt_key(data) in known and data:
            assert sound
            assert wire.sound_options(data[11:])


class TestAnyMessage:
    """RFC 1035 leaves no message undefined: it is answered, refused, or met with silence; never with a fault of ours."""

    @settings(max_examples=600, deadline=None)
    @given(st.one_of(mutated(), st.binary(max_size=80)), st.booleans())
    def test_a_reply_can_be_read_and_belongs_to_its_query(self, whole: bytes, tcp: bool) -> None:
        reply = ANSWERS.answer(whole, tcp=tcp)
        if reply is None:
            assert len(whole) < 12 or whole[2] & 0x80
            return
        read = dns.message.from_wire(reply)
        assert reply[:2] == whole[:2]
        assert len(reply) <= 1232 or tcp
        assert read.flags & 0x8000
        if read.rcode() != 1:
            assert not read.question or reply[12 : 12 + len(wire.read_query(whole).question)] in whole

    @settings(max_examples=300, deadline=None)
    @given(mutated())
    def test_truncated_reply_can_be_read(self, whole: bytes) -> None:
        if (reply := ANSWERS.truncated(whole)) is not None:
            assert dns.message.from_wire(reply).flags & 0x0200

    def test_fifty_thousand_mutated_packets(self) -> None:
        outcome = bombard(50_000, seed=1)
        assert outcome.raised == 0
        assert min(outcome.rcodes[rcode] for rcode in (0, 1, 3, 4, 5)) > 100


class Bombarded:
    """What came of many mutated packets."""

    def __init__(self) -> None:
        self.raised = self.silent = 0
        self.rcodes = [0] * 16
        self.seconds: list[float] = []


def bombard(count: int, seed: int) -> Bombarded:
    """Seeded mutations of ordinary queries, as many as that, and how each was met."""
    dice, outcome = random.Random(seed), Bombarded()
    ordinary = [
        message(name, type_, b"id\1\0\0\1\0\0\0\0\0" + bytes((bool(tail),)), tail)
        for name in NAMES
        for type_ in TYPES
        for tail in TAILS
    ]
    for _ in range(count):
        packet = bytearray(dice.choice(ordinary))
        for _ in range(dice.randrange(4)):
            at = dice.randrange(len(packet))
            packet[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
            packet = packet or bytearray(b"x")
        _strike(outcome, bytes(packet))
    return outcome


def _strike(outcome: Bombarded, packet: bytes) -> None:
    started = time.perf_counter()
    try:
        reply = ANSWERS.answer(packet)
    except Exception:  # noqa: BLE001 - what is counted here
        outcome.raised += 1
        return
    outcome.seconds.append(time.perf_counter() - started)
    if reply is None:
        outcome.silent += 1
    else:
        outcome.rcodes[reply[3] & 15] += 1


def resident() -> int:
    """KiB of this process in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


@pytest.mark.slow
class TestAMillion:
    """10^6 mutated packets: no exception, no grown memory, and each answered in a moment."""

    @pytest.mark.timeout(600)
    def test_no_exception_and_no_growth(self) -> None:
        bombard(100_000, seed=2)
        gc.collect()
        before = resident()
        raised, slowest = 0, 0.0
        for seed in range(3, 13):
            outcome = bombard(100_000, seed)
            raised += outcome.raised
            slowest = max(slowest, quantiles(outcome.seconds, n=100)[98])
        del outcome
        gc.collect()
        print(f"raised {raised}, RSS {before} -> {resident()} KiB, p99 {slowest * 1e6:.0f} us")
        assert raised == 0
        assert resident() - before < 4096
        assert slowest < 0.05
