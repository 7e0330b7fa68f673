"""DNS by UDP: as many datagrams at a time as wait, answered in the event loop's own turn, without a task for any."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress

import structlog

from trinco.edge import mmsg
from trinco.edge.answers import Answers
from trinco.edge.ratelimit import RateLimiter, Verdict, network

ROUNDS = 4
"""Batches in one turn of the event loop, so that others who live on it get theirs (256 datagrams, about 2 ms)."""

_SEND = Verdict.SEND  # looked up for every datagram

_log = structlog.get_logger("trinco.edge")


class Responder:
    """The one guarded function around everything that a datagram can cause. `limiter` None: no limit."""

    def __init__(self, answers: Answers, limiter: RateLimiter | None) -> None:
        self._answer, self._truncated, self._limiter = answers.answer, answers.truncated, limiter

    def reply(self, query: bytes, source: int) -> bytes | None:
        """The reply to `query` from the network that `source` stands for, or None: say nothing."""
        try:
            reply = self._answer(query)
            if self._limiter is None or reply is None or (verdict := self._limiter.check(source, reply)) is _SEND:
                return reply
            return self._truncated(query) if verdict is Verdict.TRUNCATE else None
        except Exception:  # noqa: BLE001 - the outermost loop of all datagrams
            _log.exception("dns.query_failed", transport="udp")
            return None

    def tick(self) -> None:
        """To be called once per turn."""
        if self._limiter is not None:
            self._limiter.tick()


def reader(sock: socket.socket, responder: Responder) -> Callable[[], None]:
    """What the event loop is to call when `sock`, which does not block, can be read."""
    return BatchReader(sock, responder) if mmsg.available() else PlainReader(sock, responder)


class BatchReader:
    """With recvmmsg and sendmmsg."""

    def __init__(self, sock: socket.socket, responder: Responder) -> None:
        self._batch, self._responder = mmsg.Batch(sock), responder

    def __call__(self) -> None:
        self._responder.tick()
        for _ in range(ROUNDS):
            if self._serve(self._batch.receive()) < mmsg.SLOTS:
                return

    def _serve(self, count: int) -> int:
        batch, reply_to = self._batch, self._responder.reply
        memory, lengths, sizes, sources, mask = batch.memory, batch.lengths, batch.sizes, batch.sources, batch.mask
        unanswered = []
        for slot, start in enumerate(batch.starts[:count]):
            query = memory[start : start + lengths[slot]].tobytes()
            reply = reply_to(query, sources[slot] & mask)
            if reply is None:
                unanswered.append(slot)
                continue
            sizes[slot] = size = len(reply)
            memory[start : start + size] = reply
        batch.send(count, unanswered)
        return count


class PlainReader:
    """Datagram by datagram, where the system has no better."""

    def __init__(self, sock: socket.socket, responder: Responder) -> None:
        self._socket, self._responder = sock, responder

    def __call__(self) -> None:
        self._responder.tick()
        for _ in range(ROUNDS * mmsg.SLOTS):
            try:
                query, peer = self._socket.recvfrom(mmsg.DATAGRAM)
            except OSError:
                return
            self._answer(query, peer)

    def _answer(self, query: bytes, peer: tuple[str, int]) -> None:
        reply = self._responder.reply(query, network(self._socket.family, peer[0]))
        if reply is None:
            return
        with suppress(OSError):
            self._socket.sendto(reply, peer)
