"""The newest revision, whole, and what the last changes did to the zone: what a secondary may be given (RFC 1995).

A step is kept for each change that was taken over: for every label what it had in DNS before and after, and nothing of
policies and certificates. Steps are kept up to a bound; a secondary that is further behind gets the whole zone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from trinco.core.hosting import Change, HostedDomain, Publication, same_records
from trinco.edge.zone import serial

LABELS: Final = 10_000
"""Changes of labels that are kept, over all steps."""
STEPS: Final = 10_000

Before = Mapping[str, HostedDomain | None]


@dataclass(frozen=True, slots=True)
class Difference:
    """What is to be removed from a zone, and what is to be added then."""

    removed: tuple[HostedDomain, ...]
    added: tuple[HostedDomain, ...]


@dataclass(frozen=True, slots=True)
class _Step:
    serial: int
    """Of the zone before."""
    before: Before
    after: Before


class History:
    """What was served, up to the newest revision. It belongs to the event loop."""

    def __init__(self, publication: Publication, labels: int = LABELS) -> None:
        self.publication = publication
        self.told: list[Callable[[], None]] = []
        """Called when there is a newer revision."""
        self._bound = labels
        self._size = 0
        self._steps: deque[_Step] = deque()

    def take(self, before: Publication, now: Publication, narrow: Change) -> None:
        """A change was taken over; `narrow` is what of it became different.

        Nothing is handed out as a difference from before a change of the zone itself. A revision in which nothing
        became different stands for that too: another edge was started with other settings (`panel.feeds`).
        """
        if self._follows(before, now, narrow):
            step = _step(before, now, narrow)
            self._steps.append(step)
            self._size += len(step.before)
        else:
            self._steps.clear()
            self._size = 0
        self.publication = now
        self._trim()
        for tell in self.told:
            tell()

    def since(self, known: int) -> Difference | None:
        """What became different since that serial; None: that is not known (any more)."""
        before: dict[str, HostedDomain | None] = {}
        after: dict[str, HostedDomain | None] = {}
        for step in reversed(self._steps):
            before.update(step.before)
            for label, new in step.after.items():
                after.setdefault(label, new)
            if step.serial == known:
                break
        else:
            return None
        removed = [old for label, old in before.items() if old is not None and old != after[label]]
        added = [new for label, new in after.items() if new is not None and new != before[label]]
        return Difference(tuple(removed), tuple(added))

    def _follows(self, before: Publication, now: Publication, narrow: Change) -> bool:
        something = bool(narrow.changed or narrow.removed)
        same_zone = same_records(before.zone, now.zone)
        return something and same_zone and self.publication.revision == before.revision != now.revision

    def _trim(self) -> None:
        while self._steps and (self._size > self._bound or len(self._steps) > STEPS):
            self._size -= len(self._steps.popleft().before)


def _step(before: Publication, now: Publication, narrow: Change) -> _Step:
    labels = dict.fromkeys((*narrow.removed, *(hosted.label for hosted in narrow.changed)))
    pairs = {label: (_slim(before.domains.get(label)), _slim(now.domains.get(label))) for label in labels}
    different = {label: pair for label, pair in pairs.items() if pair[0] != pair[1]}
    return _Step(
        serial(before.revision),
        {label: old for label, (old, _) in different.items()},
        {label: new for label, (_, new) in different.items()},
    )


def _slim(hosted: HostedDomain | None) -> HostedDomain | None:
    """What DNS says of it, and nothing else."""
    if hosted is None:
        return None
    return HostedDomain(hosted.domain, hosted.label, 0, policy_id=hosted.policy_id, tlsrpt=hosted.tlsrpt)
