"""NAME
    transfer - our zone for the name servers that others ask: the hidden primary

DESCRIPTION
    `Transfers` answers AXFR and IXFR by TCP from the Publication in memory: a row of messages of some 16 KiB, made one
    at a time while the client takes them. One transfer is of one revision, whatever is taken over meanwhile. IXFR gives
    the difference where the past changes are known (`edge.history`), else the whole zone. Secondaries hear of each new
    revision by NOTIFY (`edge.notify`).

PROTOCOL
    RFC 5936 (AXFR), RFC 1995 (IXFR; versions condensed into one, section 6), RFC 8945 (TSIG). IXFR by UDP gets the
    SOA alone, signed: who is behind comes by TCP. There is one zone, so there is no catalog of zones (RFC 9432).

SECURITY
    A transfer is for addresses that are listed, with a signature of the key that we share: others are REFUSED before
    anything is computed, and a wrong signature gets NOTAUTH with the error of RFC 8945. Transfers are limited in all
    and per address; one that is not read ends as any idle connection does, and any ends after `seconds`.

DIAGNOSTICS
    dns.transfer (what went out, to whom), dns.transfer_refused (a listed secondary with a wrong signature, or too many
    at once).

BUGS
    Secondaries answer NXDOMAIN for names that exist without records, where we answer NODATA: a zone that is transferred
    cannot say that such a name exists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import dns.exception
import dns.xfr
import structlog

from trinco.core.hosting import Publication
from trinco.edge import wire, zonewire
from trinco.edge.answers import Answers
from trinco.edge.history import History
from trinco.edge.peers import is_later
from trinco.edge.tsig import Checked, Keys
from trinco.edge.zone import serial

log = structlog.get_logger("trinco.edge")

_TYPES: Final = {type_.to_bytes(2, "big") for type_ in (wire.AXFR, wire.IXFR)}


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of this there may be at a time; `seconds` for one transfer."""

    transfers: int = 16
    per_address: int = 4
    seconds: float = 600.0


class Transfers:
    """The zone for `addresses`, with `keys`. `answers` has all that is no transfer."""

    def __init__(
        self, history: History, answers: Answers, keys: Keys, addresses: frozenset[str], bounds: Bounds = Bounds()
    ) -> None:
        self._history, self._answers, self._keys = history, answers, keys
        self._addresses = addresses
        self.bounds: Final = bounds
        self._under_way: Counter[str] = Counter()

    @staticmethod
    def asked(message: bytes) -> bool:
        """Whether this looks like a question for a transfer."""
        end = message.find(b"\0", wire.HEADER)
        return end > 0 and message[end + 1 : end + 3] in _TYPES and not message[2] & 0xF8

    def replies(self, message: bytes, address: str) -> Iterator[bytes]:
        """The messages that answer a question for a transfer. To be closed when it is not taken to its end."""
        if address not in self._addresses:
            yield from self._plainly(message)
            return
        try:
            query = wire.read_query(message)
            checked = self._keys.check(message, query.signature) if query.signature else None
        except wire.MessageSyntaxError:
            yield from self._plainly(message)
            return
        if checked is None or query.type not in (wire.AXFR, wire.IXFR):
            yield from self._plainly(message)
        elif checked.error:
            log.warning("dns.transfer_refused", to=address, reason="signature", error=checked.error)
            yield self._keys.refusal(wire.refused(message, query, wire.NOTAUTH), checked)
        else:
            yield from self._keys.signed(self._admitted(message, query, checked, address), checked)

    def _plainly(self, message: bytes) -> Iterator[bytes]:
        """What anybody gets: mostly REFUSED."""
        reply = self._answers.answer(message, tcp=True)
        return iter((reply,) if reply else ())

    def _admitted(self, message: bytes, query: wire.Query, checked: Checked, address: str) -> Iterator[bytes]:
        publication = self._history.publication
        if query.klass != wire.IN or query.name != wire.name(str(publication.zone.base)):
            yield wire.refused(message, query, wire.NOTAUTH)
            return
        if self._under_way.total() >= self.bounds.transfers or self._under_way[address] >= self.bounds.per_address:
            log.warning("dns.transfer_refused", to=address, reason="too many at once")
            yield wire.refused(message, query, wire.SERVFAIL)
            return
        with self._counted(address):
            kind, owned = self._content(publication, query, checked)
            log.info("dns.transfer", to=address, kind=kind, serial=serial(publication.revision))
            start = wire.HEADER + len(query.question)
            for page in zonewire.pages(owned, query.name, start):
                yield _message(message, query, page)

    @contextmanager
    def _counted(self, address: str) -> Iterator[None]:
        self._under_way[address] += 1
        try:
            yield
        finally:
            self._under_way[address] -= 1
            if not self._under_way[address]:
                del self._under_way[address]

    def _content(
        self, publication: Publication, query: wire.Query, checked: Checked
    ) -> tuple[str, Iterator[zonewire.Owned]]:
        """What kind of transfer it is, and its records."""
        if query.type == wire.AXFR:
            return "whole", zonewire.whole(publication)
        known = _known(checked)
        if known is None or not is_later(publication.revision, known):
            return "nothing newer", zonewire.newest(publication)
        changed = self._history.since(known)
        if changed is None:
            return "whole instead of a difference", zonewire.whole(publication)
        return "difference", zonewire.difference(publication, known, changed)


def _known(checked: Checked) -> int | None:
    """The serial that the client of an IXFR has (RFC 1995 section 3)."""
    try:
        return dns.xfr.extract_serial_from_query(checked.message)
    except (KeyError, ValueError, dns.exception.DNSException):
        return None


def _message(message: bytes, query: wire.Query, page: zonewire.Page) -> bytes:
    opt = wire.opt_record(query.edns)
    flags = wire.reply_flags(message, wire.AUTHORITATIVE)
    return wire.assemble(message, flags, query.question, (page.count, 0, bool(opt)), page.records + opt)
