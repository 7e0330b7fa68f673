"""The newest revision, whole, and what the last changes did to the zone: what a secondary may be given (RFC 1995).

A step is kept for each change that was taken over: for every label what it had in DNS before and after, and nothing of
policies and certificates. Steps are kept up to a bound; a secondary that is further behind gets the whole zone.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from trinco.core.hosting import Change, HostedDomain, Publication, same_records
from trinco.edge.zone import serial

LABELS: Final = 10_000
"""Changes of labels that are kept, over all steps."""
STEPS: Final = 10_000

State = HostedDomain | None
"""What a label has in DNS; None: it is not there."""
Difference = tuple[tuple[State, State], ...]
"""What labels had, and what they have."""


@dataclass(frozen=True, slots=True)
class _Step:
    serial: int
    """Of the zone before."""
    before: Mapping[str, State]
    after: Mapping[str, State]


class History:
    """What was served, up to the newest revision. It belongs to the event loop."""

    def __init__(self, publication: Publication, labels: int = LABELS) -> None:
        self.publication = publication
        self.told: list[Callable[[], None]] = []
        """Called when there is a newer revision."""
        self._bound = labels
        self._size = 0
        self._steps: deque[_Step] = deque()
        self._mixed = _mixed(publication.revision, publication.domains.values())

    def take(self, before: Publication, now: Publication, narrow: Change) -> None:
        """A change was taken over; `narrow` is what of it became different.

        A secondary may come to us with a serial that it has from another edge, where that serial must be the same
        zone. So what came before is forgotten when the zone itself changed, here or, as a revision in which nothing
        became different says, at another edge that was started with other settings (`panel.feeds`); and around a
        revision that was read while the next one was written.
        """
        if self._knows(before, now, narrow):  # a look at everything, or a lease that was had again
            self.publication = now
            return
        mixed = _mixed(now.revision, narrow.changed)
        if self._follows(before, now, narrow) and not mixed and not self._mixed:
            step = _step(before, now, narrow)
            self._steps.append(step)
            self._size += len(step.before)
        else:
            self._steps.clear()
            self._size = 0
        self.publication, self._mixed = now, mixed
        self._trim()
        for tell in self.told:
            tell()

    def since(self, known: int) -> Difference | None:
        """What became different since that serial; None: that is not known (any more)."""
        before: dict[str, State] = {}
        after: dict[str, State] = {}
        for step in reversed(self._steps):
            before.update(step.before)
            for label, new in step.after.items():
                after.setdefault(label, new)
            if step.serial == known:
                break
        else:
            return None
        return tuple((old, after[label]) for label, old in before.items() if old != after[label])

    def _knows(self, before: Publication, now: Publication, narrow: Change) -> bool:
        same = self.publication.revision == before.revision == now.revision and same_records(before.zone, now.zone)
        return same and not (narrow.changed or narrow.removed)

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


def _mixed(revision: int, domains: Iterable[HostedDomain]) -> bool:
    """Whether some of it is of a later revision already: another edge may hold this one without that."""
    return any(hosted.revision > revision for hosted in domains)


def _slim(hosted: State) -> State:
    """What DNS says of it, and nothing else."""
    if hosted is None:
        return None
    return HostedDomain(hosted.domain, hosted.label, 0, policy_id=hosted.policy_id, tlsrpt=hosted.tlsrpt)
