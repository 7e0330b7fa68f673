"""The short road of `answers`: the questions of senders, answered by three slices and three look-ups.

A reply here is the query's id, a header known beforehand, the question as it was asked, and the records. Whatever is
not exactly a usual question about a usual type of a hosted label is left to the long road, which gives the same reply.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import product

from trinco.core.hosting import Zone
from trinco.edge import texts, wire
from trinco.edge.rdata import Rdata, record
from trinco.edge.sections import ASKED
from trinco.edge.texts import Render
from trinco.edge.zone import MTA_STS, POLICY, TLSRPT, policy_target

MAX_RECORDS = 200
"""Octets of records that fit any client behind the longest question: 512 - 12 - (255 + 4) - 11, rounded."""

BARE_OPT = 11
"""Octets of an OPT record without options."""

Heads = Mapping[bytes, tuple[bytes, bytes]]
"""By header of the query (without its id) and OPT (without its size): header of the reply, likewise, and its OPT."""


def shortcuts(zone: Zone) -> dict[bytes, tuple[Heads, Render]]:
    """By what stands behind the label in a question (rest of the name, type, class): headers and the answer section.

    The keys are lower-cased as a whole; no octet of the types and the class used here is a capital letter, so that no
    other question looks alike.
    """
    base, one = str(zone.base), heads(1)
    found: dict[bytes, tuple[Heads, Render]] = {
        _behind_label(MTA_STS, base, wire.TXT): (one, texts.sts(zone.ttl)),
        _behind_label(TLSRPT, base, wire.TXT): (one, _short(texts.tlsrpt(zone.ttl))),
    }
    for type_ in (wire.A, wire.AAAA, wire.CAA):
        group = [rdata for rdata in policy_target(zone) if type_ == rdata.TYPE]
        records = b"".join(_record(rdata, zone.ttl) for rdata in group)
        if group and len(records) <= MAX_RECORDS:
            found[_behind_label(POLICY, base, type_)] = (heads(len(group)), _always(records))
    return found


def _behind_label(service: str, base: str, type_: int) -> bytes:
    return wire.name(f"{service}.{base}") + type_.to_bytes(2, "big") + wire.IN.to_bytes(2, "big")


def heads(answers: int) -> Heads:
    """The usual headers of queries: RD, AD and CD either way, OPT of version 0 with or without DO, or no OPT."""
    return dict(_heads(answers))


def opt_key(opt: bytes) -> bytes:
    """What `Heads` knows an OPT record by: without its size and its options, which change nothing. Unsound: no key."""
    if (
        len(opt) > BARE_OPT
        and opt[9:11] == (len(opt) - BARE_OPT).to_bytes(2, "big")
        and wire.sound_options(opt[BARE_OPT:])
    ):
        opt = opt[:9] + b"\0\0"
    return opt[:3] + opt[5:]


def _heads(answers: int) -> Iterator[tuple[bytes, tuple[bytes, bytes]]]:
    for recursion, low, edns in product((0, 1), (0, 0x10, 0x20, 0x30), (None, False, True)):
        opt = wire.opt_record(None if edns is None else wire.Edns(wire.UDP_EDNS, 0, edns))
        asked = bytes((recursion, low, 0, 1, 0, 0, 0, 0, 0, bool(opt)))
        given = bytes((0x84 | recursion, 0, 0, 1, 0, answers, 0, 0, 0, bool(opt)))
        yield asked + opt_key(opt), (given, opt)


def _record(rdata: Rdata, ttl: int) -> bytes:
    """A record that needs no pointer to the apex."""
    (data,) = record(ASKED, rdata, ttl, "")
    return data


def _always(records: bytes) -> Render:
    return lambda _: records


def _short(render: Render) -> Render:
    """Without the records that are too long for this road."""
    return lambda hosted: found if (found := render(hosted)) and len(found) <= MAX_RECORDS else None
