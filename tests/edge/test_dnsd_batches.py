"""Batches of datagrams: by recvmmsg and sendmmsg, and one by one."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator

import pytest

from trinco.edge import batches, mmsg
from trinco.edge.batches import Batch, OneByOne
from trinco.edge.mmsg import DATAGRAM, SLOTS
from trinco.edge.ratelimit import network

Kind = Callable[[socket.socket], Batch]

pytestmark = pytest.mark.usefixtures("supported")


@pytest.fixture
def supported() -> None:
    assert mmsg.available(), "Linux on a 64-bit machine has both calls"


@pytest.fixture(params=[mmsg.Batch, OneByOne])
def kind(request: pytest.FixtureRequest) -> Kind:
    return request.param  # type: ignore[no-any-return]


def pair(family: int, host: str) -> tuple[socket.socket, socket.socket]:
    """A bound socket that does not block, and a client of it."""
    server, client = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
    server.setblocking(False)
    server.bind((host, 0))
    client.settimeout(60)
    client.bind((host, 0))
    client.connect(server.getsockname())
    return server, client


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def sockets(request: pytest.FixtureRequest) -> Iterator[tuple[socket.socket, socket.socket]]:
    server, client = pair(*request.param)
    with server, client:
        yield server, client


def received(batch: Batch, count: int) -> list[bytes]:
    """The datagrams of one batch once there are that many in it."""
    deadline, got = time.monotonic() + 60, 0
    while (got := got or batch.receive()) == 0 and time.monotonic() < deadline:
        time.sleep(0.001)
    assert got == count
    return [bytes(batch.memory[start : start + batch.lengths[at]]) for at, start in enumerate(batch.starts[:got])]


def reply(batch: Batch, count: int, words: dict[int, bytes]) -> None:
    for at, word in words.items():
        start = batch.starts[at]
        batch.memory[start : start + len(word)] = word
        batch.sizes[at] = len(word)
    batch.send(count, [at for at in range(count) if at not in words])


def came_from_port_0(batch: Batch, slot: int) -> None:
    """Make it seem so; an ordinary client cannot send from there."""
    if isinstance(batch, mmsg.Batch):
        batch._names[32 * slot + 2 : 32 * slot + 4] = b"\0\0"
    else:
        host, _, *more = batch._peers[slot]
        batch._peers[slot] = (host, 0, *more)


class TestBatch:
    """Slot by slot: what came, from whom, and what goes back."""

    def test_nothing_waits(self, sockets: tuple[socket.socket, socket.socket], kind: Kind) -> None:
        assert kind(sockets[0]).receive() == 0

    def test_datagrams_come_in_order_and_replies_go_back(
        self, sockets: tuple[socket.socket, socket.socket], kind: Kind
    ) -> None:
        server, client = sockets
        batch = kind(server)
        for word in (b"one", b"", b"three"):
            client.send(word)
        assert received(batch, 3) == [b"one", b"", b"three"]
        reply(batch, 3, {0: b"ONE", 1: b"a longer one", 2: b""})
        assert [client.recv(100) for _ in range(3)] == [b"ONE", b"a longer one", b""]

    def test_the_memory_is_used_again(self, sockets: tuple[socket.socket, socket.socket], kind: Kind) -> None:
        server, client = sockets
        batch = kind(server)
        for word in (b"a long first datagram", b"short"):
            client.send(word)
            assert received(batch, 1) == [word]
            reply(batch, 1, {0: word * 3})
            assert client.recv(100) == word * 3

    def test_no_more_than_fit(self, sockets: tuple[socket.socket, socket.socket], kind: Kind) -> None:
        server, client = sockets
        batch = kind(server)
        for at in range(SLOTS + 3):
            client.send(bytes((at,)))
        assert received(batch, SLOTS) == [bytes((at,)) for at in range(SLOTS)]
        assert received(batch, 3) == [bytes((at,)) for at in range(SLOTS, SLOTS + 3)]

    def test_what_is_too_large_is_cut(self, sockets: tuple[socket.socket, socket.socket], kind: Kind) -> None:
        server, client = sockets
        batch = kind(server)
        client.send(b"x" * 5000)
        client.send(b"next")
        assert received(batch, 2) == [b"x" * DATAGRAM, b"next"]

    @pytest.mark.parametrize("answered", [[], [0], [4], [1, 3], [0, 1, 4], [0, 1, 2, 3, 4]])
    def test_slots_without_a_reply(
        self, sockets: tuple[socket.socket, socket.socket], kind: Kind, answered: list[int]
    ) -> None:
        server, client = sockets
        batch = kind(server)
        for at in range(5):
            client.send(bytes((at,)))
        received(batch, 5)
        reply(batch, 5, {at: b"to %d" % at for at in answered})
        client.send(b"")
        received(batch, 1)
        reply(batch, 1, {0: b"end"})
        assert [client.recv(100) for _ in range(len(answered) + 1)] == [*(b"to %d" % at for at in answered), b"end"]

    def test_a_reply_that_cannot_be_sent_is_passed_over(
        self, sockets: tuple[socket.socket, socket.socket], kind: Kind
    ) -> None:
        """Nothing can be sent to port 0, from which a stranger may well send."""
        server, client = sockets
        batch = kind(server)
        for at in range(4):
            client.send(bytes((at,)))
        received(batch, 4)
        for at in (0, 2, 3):
            came_from_port_0(batch, at)
        reply(batch, 4, dict.fromkeys(range(4), b"reply"))
        assert client.recv(100) == b"reply"
        client.settimeout(0.05)
        with pytest.raises(TimeoutError):
            client.recv(100)

    def test_the_network_is_that_of_the_sender(self, kind: Kind) -> None:
        """One number for 127.0.0.0/24, another for its neighbour, as for the plain way."""
        server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        server.setblocking(False)
        server.bind(("127.0.0.1", 0))
        batch, seen = kind(server), {}
        for host in ("127.0.0.5", "127.0.0.6", "127.0.1.5", "127.1.0.5"):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                client.bind((host, 0))
                client.sendto(b"x", server.getsockname())
                received(batch, 1)
                seen[host] = batch.sources[0] & batch.mask
        server.close()
        plain = {host: network(socket.AF_INET, host) for host in seen}
        hosts = list(seen)
        assert [[seen[a] == seen[b] for a in hosts] for b in hosts] == [
            [plain[a] == plain[b] for a in hosts] for b in hosts
        ]

    def test_other_systems_have_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mmsg.sys, "platform", "darwin")
        assert mmsg._calls.__wrapped__() is None

    def test_libraries_without_the_calls_have_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mmsg.ctypes, "CDLL", lambda name: object())
        assert mmsg._calls.__wrapped__() is None

    def test_the_best_there_is(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            assert isinstance(batches.batch(sock), mmsg.Batch)
            monkeypatch.setattr(mmsg, "available", lambda: False)
            assert isinstance(batches.batch(sock), OneByOne)

    def test_only_where_the_calls_are_known(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(mmsg, "_calls", lambda: None)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock, pytest.raises(OSError, match="recvmmsg"):
            mmsg.Batch(sock)
