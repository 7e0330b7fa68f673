"""The zone as the messages of a transfer (RFC 5936 section 2.2, RFC 1995 section 4), made one at a time.

A whole zone of 100,000 domains is some 40 MB on the wire. It is never there at once: a generator gives message after
message, each of which holds what fits in the 16 KiB that a compression pointer reaches (RFC 1035 section 4.1.4).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trinco.core.hosting import Publication, Zone
from trinco.edge import texts, wire
from trinco.edge.history import Difference, State
from trinco.edge.rdata import Parts, Rdata, name_parts, record
from trinco.edge.zone import MTA_STS, POLICY, TLSRPT, own_names, policy_target, soa

FULL = 15_360
"""Octets from which on a message takes no further name: all its names begin where a pointer reaches."""

Owned = tuple[bytes, Sequence[Parts]]
"""A name without the apex that ends it, and its records without their owner, to be joined by pointers to the apex."""


@dataclass(frozen=True, slots=True)
class Page:
    """The answer section of one message."""

    count: int
    records: bytes


def whole(publication: Publication) -> Iterator[Owned]:
    """AXFR: the SOA, everything else, and the SOA again (RFC 5936 section 2.2)."""
    zone, revision = publication.zone, publication.revision
    yield _soa(zone, revision)
    own = own_names(zone, revision)
    for name, records in own.items():
        rest = records[1:] if name == str(zone.base) else records
        if rest:
            yield _owned(zone, name, rest)
    yield from _hosted(zone, ((hosted, None) for hosted in publication.domains.values()))
    yield _soa(zone, revision)


def difference(publication: Publication, known: int, changed: Difference) -> Iterator[Owned]:
    """IXFR: what goes behind the old SOA, what comes behind the new one, all that between two new SOA (RFC 1995 4)."""
    zone, now = publication.zone, _soa(publication.zone, publication.revision)
    yield now
    yield _soa(zone, known)
    yield from _hosted(zone, changed)
    yield now
    yield from _hosted(zone, ((new, old) for old, new in changed))
    yield now


def newest(publication: Publication) -> Iterator[Owned]:
    """The SOA alone: there is nothing newer, or it is to be had by TCP (RFC 1995 sections 2 and 4)."""
    yield _soa(publication.zone, publication.revision)


def pages(owned: Iterable[Owned], apex: bytes, start: int) -> Iterator[Page]:
    """The records in messages. `start` is the offset in each message at which its answer section begins."""
    page = _Filling(apex, start)
    for prefix, records in owned:
        if page.full:
            yield page.done()
            page = _Filling(apex, start)
        page.add(prefix, records)
    yield page.done()


class _Filling:
    """A page that fills. Its first name ends in the whole apex, and that is where all others point to."""

    __slots__ = ("_apex", "_body", "_count", "_pointer", "_start")

    def __init__(self, apex: bytes, start: int) -> None:
        self._apex, self._start = apex, start
        self._body = bytearray()
        self._count = 0
        self._pointer = b""

    @property
    def full(self) -> bool:
        return self._start + len(self._body) >= FULL

    def add(self, prefix: bytes, records: Sequence[Parts]) -> None:
        at = self._start + len(self._body)
        pointer, apex = self._pointer, self._pointer
        if not pointer:
            self._pointer = pointer = _pointer(at + len(prefix))
            apex = self._apex
        owner = _pointer(at)
        self._body += prefix + apex + owner.join([pointer.join(parts) for parts in records])
        self._count += len(records)

    def done(self) -> Page:
        return Page(self._count, bytes(self._body))


def _pointer(at: int) -> bytes:
    return (0xC000 | at).to_bytes(2, "big")


def _soa(zone: Zone, revision: int) -> Owned:
    return _owned(zone, str(zone.base), (soa(zone, revision),))


def _owned(zone: Zone, name: str, records: Iterable[Rdata]) -> Owned:
    base = str(zone.base)
    prefix = name_parts(name, base)[0]
    return prefix, [record((b"",), rdata, zone.ttl, base) for rdata in dict.fromkeys(records)]


def _hosted(zone: Zone, pairs: Iterable[tuple[State, State]]) -> Iterator[Owned]:
    """What the first of each pair has below its label (`zone.all_names`) and the second has not."""
    base = str(zone.base)
    _, target = _owned(zone, base, policy_target(zone))
    policy, sts, tlsrpt = (wire.name(service)[:-1] for service in (POLICY, MTA_STS, TLSRPT))
    own = ((sts, texts.sts(zone.ttl)), (tlsrpt, texts.tlsrpt(zone.ttl)))
    for hosted, other in pairs:
        if hosted is None:
            continue
        label = _label(hosted.label)
        if other is None and target:
            yield label + policy, target
        for service, render in own:
            text = render(hosted)
            if text is not None and (other is None or render(other) != text):
                yield label + service, [(text[2:],)]


def _label(label: str) -> bytes:
    return b"%c%b" % (len(label), label.encode("ascii"))
