"""The same zone, the same questions: where NSD and Knot agree with each other, we agree with them.

Ours may differ from what both say in the ways of `DELIBERATE`, each with its reason, and in nothing else. Where the two
differ (RELIABILITY: unparsable questions, records in a query's answer section, OPT not owned by the root) ours has only
to be a sane reply, which test_answers_messages pins down.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import dns.exception
import dns.message
import dns.rdatatype
import pytest
from bench import nameservers
from dnszone import BASE, LABEL, LONG, PUBLICATION
from tests.support import needs

from trinco.core.hosting import Publication
from trinco.edge import wire
from trinco.edge.answers import Answers
from trinco.edge.zonefile import zone_file

ZONE = Publication(7, PUBLICATION.zone, {label: PUBLICATION.domains[label] for label in (LABEL, LONG)})
"""Without the domain that has no records yet: a zone file cannot say that its names exist."""

NAMES = (
    BASE,
    BASE.upper(),
    *(f"{label}.{service}.{BASE}" for label in (LABEL, LONG) for service in ("policy", "mta-sts", "tlsrpt")),
    *(f"{service}.{BASE}" for service in ("policy", "mta-sts", "tlsrpt", "deep")),
    f"LABEL.policy.{BASE}",
    f"{LABEL.upper()}.Mta-Sts.{BASE}",
    *(f"{host}.{BASE}" for host in ("ns1", "ns2.deep", "reports", "hostmaster", "*", "*.policy", "x.ns1", "nobody")),
    f"below.{LABEL}.policy.{BASE}",
    *("example", "elsewhere.example", "ns.elsewhere.example", "xtrinco.example", "trinco.example.test", ""),
)
TYPES = (1, 2, 5, 6, 12, 13, 15, 16, 28, 33, 35, 43, 46, 47, 48, 50, 52, 61, 64, 65, 99, 249, 250, 253, 254, 255, 257)
TYPES = (*TYPES, 1000, 32768, 65280, 65535)
OPT = b"\0\0\x29\x04\xd0\0\0\0\0\0\0"
TAILS = (
    b"",
    OPT,
    OPT[:7] + b"\x80\0\0\0",
    OPT[:3] + b"\x02\0" + OPT[5:],
    OPT[:3] + b"\xff\xff" + OPT[5:],
    OPT[:9] + b"\0\x0c\0\x0a\0\x08abcdefgh",
    OPT[:9] + b"\0\x06\xfd\xe9\0\2ab",
    OPT[:6] + b"\1" + OPT[7:],
    OPT[:6] + b"\xff\x80" + OPT[8:],
)
SILENCE = "silence"
PORTS = 32
CHUNK, PACE = 100, 0.14
"""Messages at a time, few enough for the buffer of a server that is held up, and the seconds between two such parts."""
PATIENCE = 60.0


@dataclass(frozen=True)
class Reply:
    """What is compared of a reply; `records` are the answer's, or the authority's when there is no answer."""

    rcode: int
    flags: int
    edns: int
    records: frozenset[str]


def reply(message: bytes | None) -> Reply | str:
    if message is None:
        return SILENCE
    try:
        read = dns.message.from_wire(message)
    except dns.exception.DNSException as error:
        return f"unreadable: {error}"
    sets = read.answer or read.authority
    return Reply(read.rcode(), read.flags, read.edns, frozenset(line for rrset in sets for line in _lines(rrset)))


def _lines(rrset: object) -> list[str]:
    return str(rrset).lower().split("\n")


class Peer:
    """One name server on loopback, asked many questions at once from many ports, among which its processes share them."""

    def __init__(self, port: int) -> None:
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(PORTS)]
        self.poll = select.poll()
        self.last = 0
        for sock in self.sockets:
            sock.connect(("127.0.0.1", port))
            self.poll.register(sock, select.POLLIN)

    def close(self) -> None:
        for sock in self.sockets:
            sock.close()

    def ask(self, messages: Sequence[bytes]) -> dict[bytes, bytes]:
        """The replies by id. What has none gets none: a question behind it, from the same port, was answered."""
        self.last = (self.last + 1) % 0x8000
        last = struct.pack("!H", 0x8000 + self.last) + message(BASE, 6, 1, 0, b"")[2:]
        for at, each in enumerate(messages):
            self.sockets[at % PORTS].send(each)
        replies: dict[bytes, bytes] = {}
        waiting, ends = {sock.fileno(): sock for sock in self.sockets}, time.monotonic() + PATIENCE
        while waiting:
            assert time.monotonic() < ends
            for sock in waiting.values():
                sock.send(last)
            self._hear(replies, waiting, last[:2])
        return replies

    def _hear(self, replies: dict[bytes, bytes], waiting: dict[int, socket.socket], last: bytes) -> None:
        """Take what comes, until all have answered the last question or nothing comes for a second."""
        by_number = {sock.fileno(): sock for sock in self.sockets}
        while waiting and (ready := self.poll.poll(1000)):
            for number, _ in ready:
                got = by_number[number].recv(65535)
                replies[got[:2]] = got
                if got[:2] == last:
                    waiting.pop(number, None)


@pytest.fixture(scope="module")
def peers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Peer, Peer]]:
    """NSD and Knot, serving our zone file."""
    needs("nsd")
    needs("knotd")
    zone = tmp_path_factory.mktemp("zone") / "zone"
    zone.write_text(zone_file(ZONE))
    nsd = nameservers.nsd(tmp_path_factory.mktemp("nsd"), BASE, zone, processes=8)
    knot = nameservers.knot(tmp_path_factory.mktemp("knot"), BASE, zone)
    with running(nsd, zone.with_name("nsd.log")) as one, running(knot, zone.with_name("knot.log")) as other:
        yield one, other


@contextmanager
def running(server: nameservers.NameServer, log: Path) -> Iterator[Peer]:
    """The server's process until the block ends."""
    with log.open("wb") as output:
        process = subprocess.Popen(server.argv, stdout=output, stderr=output)
    peer = Peer(server.port)
    try:
        _await(server, process, log)
        yield peer
    finally:
        peer.close()
        process.terminate()
        process.wait(60)


def _await(server: nameservers.NameServer, process: subprocess.Popen[bytes], log: Path) -> None:
    ready, deadline = server.ready(BASE), time.monotonic() + 60
    while not ready():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def message(name: str, type_: int, klass: int, flags: int, tail: bytes) -> bytes:
    head = struct.pack("!HHHHHH", 0, flags, 1, 0, 0, bool(tail))
    return head + wire.name(name) + struct.pack("!HH", type_, klass) + tail


def valid() -> list[bytes]:
    """Every name with every type, plain and with each kind of OPT in turn."""
    turns = [tail for tail in TAILS for _ in range(3)]
    questions = [message(name, type_, 1, 0x0100, b"") for name in NAMES for type_ in TYPES]
    return questions + [
        message(name, type_, 1, 0x0100, turns[(at + type_) % len(turns)])
        for at, name in enumerate(NAMES)
        for type_ in TYPES
    ]


def odd() -> list[bytes]:
    """Readable, but not what anybody should ask."""
    flags = [opcode << 11 for opcode in range(16)] + [1 << bit for bit in range(11)]
    found = [
        message(name, 6, 1, flag, tail) for name in (BASE, f"x.{BASE}", "a.b") for flag in flags for tail in TAILS[:3]
    ]
    return found + [message(name, 16, klass, 0, b"") for name in NAMES[:12] for klass in (0, 2, 3, 4, 254, 255, 9)]


def mutated(count: int) -> list[bytes]:
    """Seeded mutations of valid questions: octets changed, taken out, put in, ends cut off."""
    dice, questions = random.Random(8482), valid()
    found = []
    for _ in range(count):
        packet = bytearray(dice.choice(questions))
        for _ in range(dice.choice((1, 1, 2, 3))):
            at = dice.randrange(2, len(packet))
            packet[at : at + dice.randrange(3)] = dice.randbytes(dice.randrange(3))
        cut = dice.randrange(8) == 0
        found.append(bytes(packet[: dice.randrange(len(packet))] if cut else packet))
    return [packet for packet in found if len(packet) >= 2]


@dataclass(frozen=True)
class Case:
    """One message, its question as far as it can be read, what both peers say, and what we say."""

    message: bytes
    theirs: Reply | str
    ours: Reply | str

    @property
    def asked(self) -> wire.Query | None:
        try:
            return wire.read_query(self.message) if len(self.message) >= 12 else None
        except wire.MessageSyntaxError:
            return None

    def is_type(self, *types: int) -> bool:
        return self.asked is not None and self.asked.type in types

    def refused(self) -> bool:
        return isinstance(self.ours, Reply) and self.ours.rcode == wire.REFUSED


DELIBERATE: dict[str, Callable[[Case], bool]] = {
    # Both say NOTIMP to AXFR by UDP and NOTAUTH to transfers of what is no apex; a transfer is refused here in any form.
    "transfers are refused": lambda case: case.is_type(wire.AXFR, wire.IXFR) and case.refused(),
}


def differences(peers: tuple[Peer, Peer], messages: Sequence[bytes]) -> tuple[int, Counter[str], list[Case]]:
    """On how many messages NSD and Knot agree, our deliberate differences by name, and the others."""
    cases = agreed(peers, messages)
    doubtful = [case for case in cases if case.ours != case.theirs]
    deliberate = Counter(name for case in doubtful if (name := reason(case)))
    others = [case for case in doubtful if not reason(case)]
    for _ in range(3):
        time.sleep(1.1 if others else 0)
        others = [case for case in agreed(peers, [case.message for case in others]) if case.ours != case.theirs]
    return len(cases), deliberate, others


def reason(case: Case) -> str | None:
    return next((name for name, applies in DELIBERATE.items() if applies(case)), None)


def agreed(peers: tuple[Peer, Peer], messages: Sequence[bytes]) -> list[Case]:
    """What both say alike. Paced, since NSD says nothing to more than some 100 faults a second and process."""
    answers, found = Answers(ZONE), []
    for start in range(0, len(messages), CHUNK):
        part = [struct.pack("!H", at + 1) + each[2:] for at, each in enumerate(messages[start : start + CHUNK])]
        nsd, knot = (peer.ask(part) for peer in peers)
        pairs = [(each, reply(nsd.get(each[:2])), reply(knot.get(each[:2]))) for each in part]
        found += [Case(each, one, reply(answers.answer(each))) for each, one, other in pairs if one == other]
        time.sleep(PACE)
    return found


def shown(cases: Sequence[Case]) -> str:
    lines = [f"{case.message.hex()} {case.asked}\n  both {case.theirs}\n  ours {case.ours}" for case in cases[:20]]
    return f"{len(cases)} differ:\n" + "\n".join(lines)


class TestBesideNsdAndKnot:
    """RFC 1034, 1035, 2308 and 6891 as two independent servers read them."""

    def test_valid_questions(self, peers: tuple[Peer, Peer]) -> None:
        messages = valid()
        alike, _, others = differences(peers, messages)
        assert not others, shown(others)
        assert alike > len(messages) * 0.9

    def test_odd_questions(self, peers: tuple[Peer, Peer]) -> None:
        alike, _, others = differences(peers, odd())
        assert not others, shown(others)
        assert alike > 100

    def test_mutated_questions(self, peers: tuple[Peer, Peer]) -> None:
        alike, _, others = differences(peers, mutated(3000))
        assert not others, shown(others)
        assert alike > 800

    def test_the_deliberate_differences_are_met(self, peers: tuple[Peer, Peer]) -> None:
        """A difference that no longer shows is to be taken off the list."""
        asked = [message(name, type_, 1, 0, b"") for name in NAMES for type_ in (wire.ANY, wire.AXFR, wire.IXFR)]
        _, deliberate, others = differences(peers, asked)
        assert not others, shown(others)
        assert set(deliberate) == set(DELIBERATE)
