"""What an edge serves, in its three forms: the Publication, the name server's answers, the policy host's table."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Final

from trinco.core.hosting import Change, HostedDomain, Publication
from trinco.edge.answers import Answers
from trinco.edge.sni import Table

PORTION: Final = 256
"""Domains that are taken over before others have their turn in the event loop."""


class Serving:
    """`held`, `answers` and `table` say the same. It belongs to the event loop."""

    def __init__(self, publication: Publication) -> None:
        self.held = publication
        self.answers = Answers(publication)
        self.table = Table(publication)
        self.told: list[Callable[[Publication, Publication, Change], None]] = []
        """Called with what was held, what is, and what is different, when a change is in place, whole."""

    def takes_reports(self, token: str) -> bool:
        """Whether the domain with this label is served: a report token is the label of a domain."""
        hosted = self.held.domains.get(token)
        return hosted is not None and hosted.policy is not None

    async def take(self, change: Change) -> Change:
        """Take a change over, domain by domain: its body first, its id second. Gives what really became different.

        A domain is never seen half changed. Several are changed in portions, others have their turn in between.
        """
        before = self.held
        narrow = await asyncio.to_thread(difference, before, change) if change.whole else change
        self.held = before.apply(change)
        for portion in _portions(narrow):
            self.table.apply(portion)
            self.answers.apply(portion)
            await asyncio.sleep(0)
        for tell in self.told:
            tell(before, self.held, narrow)
        return narrow


def difference(held: Publication, whole: Change) -> Change:
    """What a `whole` change really changes of `held`: often little, as when the database was restored."""
    labels = {hosted.label for hosted in whole.changed}
    changed = [hosted for hosted in whole.changed if not _same(held.domains.get(hosted.label), hosted)]
    removed = [label for label in held.domains if label not in labels]
    return Change(whole.revision, whole.zone, tuple(changed), tuple(removed), whole.chains)


def _same(before: HostedDomain | None, now: HostedDomain) -> bool:
    """Whether nothing but the revision differs."""
    return before is not None and _content(before) == _content(now)


def _content(hosted: HostedDomain) -> tuple[object, ...]:
    return hosted.domain, hosted.policy, hosted.policy_id, hosted.tlsrpt, hosted.certificate


def _portions(change: Change) -> Iterator[Change]:
    """The change in parts, each of which leaves every domain whole. What goes comes first, so that a name is free."""
    yield Change(change.revision, change.zone, change.changed[:PORTION], change.removed, change.chains)
    for start in range(PORTION, len(change.changed), PORTION):
        yield Change(change.revision, change.zone, change.changed[start : start + PORTION])
