"""Which policies this edge has seen itself serve: fetched back over HTTPS through its own public listener.

What the gate in the panel needs is a word on every domain whose body is newer than its announced id (RFC 8461 section
8.1: body first, id second). So at the start those are fetched, and of all others a sample, which shows that the
listener, the keys and the roots are in order; later every domain whose body or certificate changed. A domain without a
certificate cannot be fetched by anybody and counts as failing until it has one.
"""

from __future__ import annotations

import asyncio
import hashlib
import heapq
import random
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import structlog

from trinco.core.errors import TrincoError
from trinco.core.hosting import Change, HostedDomain, Publication
from trinco.core.names import Domain

log = structlog.get_logger("trinco.edge")

SAMPLE: Final = 32
"""Domains that are fetched at the start although their policy is announced."""
BATCH: Final = 128
"""Domains between two acknowledgements."""
AT_ONCE: Final = 8
TRIES: Final = 2
"""A fetch may meet the middle of a change: what fails once is tried again before it counts."""
_HASH_DIGITS: Final = 8  # of the body's SHA-256, at the end of an id (core.mtasts.ids)
_NO_CERTIFICATE: Final = "no certificate"

Fetch = Callable[[Domain], Awaitable[bytes]]
"""Raises TrincoError."""


class _Turn(NamedTuple):
    """Since which revision a domain waits, and how often it was tried."""

    revision: int
    tries: int


class Proofs:
    """What is still to be fetched, and what could not be."""

    def __init__(self, fetch: Fetch, held: Callable[[], Publication], admit: Callable[[], bool]) -> None:
        self._fetch = fetch
        self._held = held
        self._admit = admit
        self._pending: dict[str, _Turn] = {}
        self._failing: set[str] = set()

    @property
    def failing(self) -> Sequence[str]:
        """Labels whose policy cannot be fetched from this edge, sorted."""
        return sorted(self._failing)

    @property
    def unfinished(self) -> bool:
        """Whether `step` has something to do."""
        return bool(self._pending)

    @property
    def possible(self) -> bool:
        """Whether anything can be fetched: not while the fence is shut."""
        return self._admit()

    def proven(self, revision: int) -> int:
        """Of the revisions up to this one, the newest that is proven together with all before it."""
        return min(revision, *(turn.revision - 1 for turn in self._pending.values()), revision)

    async def begin(self, publication: Publication) -> None:
        """Take in what is served from the start. Until then nothing is proven; what changes meanwhile goes first."""
        for hosted in await asyncio.to_thread(_first_to_be_seen, publication):
            if self._held().domains.get(hosted.label) is hosted:
                self._pending.setdefault(hosted.label, _Turn(hosted.revision, 0))

    def change(self, before: Mapping[str, HostedDomain], change: Change) -> None:
        """Take in what is served now; `before` is what was served until now."""
        for label in (*change.removed, *(hosted.label for hosted in change.changed if hosted.policy is None)):
            self._pending.pop(label, None)
            self._failing.discard(label)
        self._await(
            hosted
            for hosted in change.changed
            if hosted.policy is not None and self._is_to_be_seen(before.get(hosted.label), hosted)
        )

    async def step(self) -> None:
        """Fetch the next batch, oldest revisions first."""
        batch = heapq.nsmallest(BATCH, self._pending.items(), key=lambda item: item[1])
        room = asyncio.Semaphore(AT_ONCE)
        found = await asyncio.gather(*(self._settle(label, turn, room) for label, turn in batch))
        problems = [problem for problem in found if problem and problem[1] != _NO_CERTIFICATE]
        if problems:
            label, reason = problems[0]
            log.warning("policy_not_served", domains=len(problems), first=label, reason=reason)

    async def again(self) -> None:
        """Try some of the failing ones once more: what was wrong may lie outside, as a missing root does."""
        found = [self._held().domains.get(label) for label in self.failing]
        candidates = [hosted for hosted in found if hosted is not None and hosted.certificate is not None]
        for hosted in random.sample(candidates, min(AT_ONCE, len(candidates))):
            if await self._problem(hosted) is None:
                self._failing.discard(hosted.label)

    def _await(self, domains: Iterable[HostedDomain]) -> None:
        self._pending.update((hosted.label, _Turn(hosted.revision, 0)) for hosted in domains)

    def _is_to_be_seen(self, before: HostedDomain | None, now: HostedDomain) -> bool:
        if before is None or now.label in self._failing or now.label in self._pending:
            return True
        return (before.policy, before.certificate) != (now.policy, now.certificate)

    async def _settle(self, label: str, turn: _Turn, room: asyncio.Semaphore) -> tuple[str, str] | None:
        """Fetch one and draw the conclusion, unless it has changed again. Gives the label and what is wrong."""
        async with room:
            problem = await self._problem(self._held().domains.get(label))
        if self._pending.get(label) != turn or (problem and not self._admit()):
            return None
        if problem not in (None, _NO_CERTIFICATE) and turn.tries + 1 < TRIES:
            self._pending[label] = _Turn(turn.revision, turn.tries + 1)
            return None
        del self._pending[label]
        if problem is None:
            self._failing.discard(label)
            return None
        self._failing.add(label)
        return label, problem

    async def _problem(self, hosted: HostedDomain | None) -> str | None:
        if hosted is None or hosted.certificate is None:
            return _NO_CERTIFICATE
        try:
            body = await self._fetch(hosted.domain)
        except TrincoError as error:
            return str(error)
        return None if body == hosted.policy else "another policy is served"


def _first_to_be_seen(publication: Publication) -> list[HostedDomain]:
    """Those whose id is still to be announced, and a sample of the others."""
    served = [hosted for hosted in publication.domains.values() if hosted.policy is not None]
    sample = random.sample(served, min(SAMPLE, len(served)))
    return [*sample, *(hosted for hosted in served if not is_announced(hosted))]


def is_announced(hosted: HostedDomain) -> bool:
    """Whether the announced id is that of the body: ids end in the beginning of the body's hash."""
    if hosted.policy is None or hosted.policy_id is None:
        return False
    return hosted.policy_id.endswith(hashlib.sha256(hosted.policy).hexdigest()[:_HASH_DIGITS])
