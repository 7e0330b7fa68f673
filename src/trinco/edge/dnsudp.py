"""DNS by UDP: as many datagrams at a time as wait, answered in the event loop's own turn, without a task for any."""

from __future__ import annotations

import socket
from collections.abc import Callable

import structlog

from trinco.edge.answers import Answers
from trinco.edge.batches import Batch, batch
from trinco.edge.mmsg import SLOTS
from trinco.edge.ratelimit import RateLimiter, Verdict
from trinco.edge.tally import SILENCE

ROUNDS = 4
"""Batches in one turn of the event loop, so that others who live on it get theirs (256 datagrams, about 2 ms)."""

_log = structlog.get_logger("trinco.edge")


def reader(sock: socket.socket, answers: Answers, limiter: RateLimiter | None) -> Callable[[], None]:
    """What the event loop is to call when `sock`, which does not block, can be read. `limiter` None: no limit."""
    return Reader(batch(sock), answers, limiter)


class Reader:
    """One UDP socket. What a datagram can cause happens inside `_serve`, which no datagram makes fail."""

    def __init__(self, waiting: Batch, answers: Answers, limiter: RateLimiter | None) -> None:
        self._batch, self._answer, self._truncated = waiting, answers.answer, answers.truncated
        self._limiter = limiter
        self._rcodes = answers.rcodes

    def __call__(self) -> None:
        if self._limiter is not None:
            self._limiter.tick()
        for _ in range(ROUNDS):
            if self._serve(self._batch.receive()) < SLOTS:
                return

    def _serve(self, count: int) -> int:
        """Answer the datagrams that were received; the names are local because they are looked up for each."""
        batch, answer, limiter, rcodes = self._batch, self._answer, self._limiter, self._rcodes
        memory, lengths, sizes, sources, mask = batch.memory, batch.lengths, batch.sizes, batch.sources, batch.mask
        unanswered = []
        for slot, start in enumerate(batch.starts[:count]):
            query = memory[start : start + lengths[slot]].tobytes()
            try:
                reply = answer(query)
                if limiter is not None and reply is not None:
                    reply = self._limited(limiter, query, reply, sources[slot] & mask)
            except Exception:  # noqa: BLE001 - the outermost loop of all datagrams
                _log.exception("dns.query_failed", transport="udp")
                reply = None
            if reply is None:
                unanswered.append(slot)
                continue
            rcodes[reply[3] & 15] += 1
            sizes[slot] = size = len(reply)
            memory[start : start + size] = reply
        rcodes[SILENCE] += len(unanswered)
        batch.send(count, unanswered)
        return count

    def _limited(self, limiter: RateLimiter, query: bytes, reply: bytes, source: int) -> bytes | None:
        """What the limiter leaves of a reply to the network that `source` stands for."""
        verdict = limiter.check(source, reply)
        if verdict is _SEND:
            return reply
        return self._truncated(query) if verdict is _TRUNCATE else None


_SEND, _TRUNCATE = Verdict.SEND, Verdict.TRUNCATE
