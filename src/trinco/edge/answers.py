"""Question and Publication in, answer out: the authoritative server without its sockets (RFC 1034 section 4.3.2).

The Publication's own table of hosted domains is all that is kept per customer; an answer is put together from it and
from sections that are rendered once per zone. The questions that senders ask take a short road (`shortcut`), which
gives what the long road gives: a property test holds the two together.

Choices within the standards:

- ANY gets one RRset of the name (RFC 8482 section 4.1), the SOA at the apex;
- another class than IN, a name outside the zone and any transfer are REFUSED (`transfer` has those of secondaries);
- a signed query gets a signed reply where we have keys (RFC 8945), and by UDP the SOA for IXFR (RFC 1995 section 2);
- a name with nothing yet is NODATA, never NXDOMAIN, which would deny everything below it (RFC 8020);
- only negative answers have an authority section; NS and MX bring the addresses of hosts in the zone while they fit;
- a query that cannot be read gets FORMERR with as much of its question as could be, one without a whole header nothing.
"""

from __future__ import annotations

from msgspec.structs import replace

from trinco.core.hosting import Change, HostedDomain, Publication
from trinco.edge import wire
from trinco.edge.sections import Node, Rendered, Rrset, render
from trinco.edge.shortcut import opt_key, shortcuts
from trinco.edge.tally import rcodes
from trinco.edge.tsig import Keys
from trinco.edge.wire import Edns, MessageSyntaxError, Query


class Answers:
    """What the zone answers, kept up to date by `apply`. Not for several threads: it belongs to one event loop."""

    __slots__ = ("_hosted", "_rendered", "_shortcuts", "keys", "rcodes")

    def __init__(self, publication: Publication) -> None:
        self.keys: Keys | None = None
        """The key that we share with secondaries; None: signatures are not looked at."""
        self.rcodes = rcodes()
        """How many replies had which response code. Whoever sends them counts."""
        self._hosted: dict[str, HostedDomain] = dict(publication.domains)
        self._rendered = render(publication.zone, publication.revision)
        self._shortcuts = shortcuts(publication.zone)

    def apply(self, change: Change) -> None:
        """Take over `change` in place. Each name changes from all of its old records to all of its new ones."""
        hosted = {} if change.whole else self._hosted
        for label in change.removed:
            hosted.pop(label, None)
        hosted.update((domain.label, domain) for domain in change.changed)
        self._hosted = hosted
        self._rendered = render(change.zone, change.revision)
        self._shortcuts = shortcuts(change.zone)

    def answer(self, query: bytes, *, tcp: bool = False) -> bytes | None:
        """The reply to a message of any content, or None: say nothing. Raises nothing, whatever the message."""
        try:
            label_end = query[12] + 1
            end = query.find(b"\0", label_end + 12) + 5
            question = query[12:end]
            name = question.lower()
            heads, render_for = self._shortcuts[name[label_end:]]
            hosted = self._hosted[name[1:label_end].decode("latin-1")]
            opt = query[end:]
            head, opt = heads[query[2:12] + opt_key(opt) if opt else query[2:12]]
            records = render_for(hosted)
        except LookupError:
            records = None
        if records is None:
            return self._answer(query, tcp)
        return query[:2] + head + question + records + opt

    def truncated(self, query: bytes) -> bytes | None:
        """An empty reply to `query` that sends the client to TCP, or None when it is no query that can be read."""
        if len(query) < wire.HEADER or query[2] & (wire.QR | wire.OPCODE) >> 8:
            return None
        try:
            return _truncated(query, wire.read_query(query))
        except MessageSyntaxError:
            return None

    def _answer(self, query: bytes, tcp: bool) -> bytes | None:  # noqa: FBT001
        """The long road."""
        if len(query) < wire.HEADER or query[2] & 0x80:
            return None
        if query[2] & 0x78:
            return _empty(query, wire.NOTIMP)
        try:
            asked = wire.read_query(query)
        except MessageSyntaxError as error:
            return _empty(query, wire.FORMERR, error.question)
        if asked.edns and asked.edns.version > 0:
            return wire.refused(query, asked, wire.BADVERS)
        limit = wire.TCP_MESSAGE if tcp else _udp_limit(asked.edns)
        if asked.signature and self.keys is not None:
            return self._signed(query, asked, limit, self.keys)
        return self._respond(query, asked, limit)

    def _signed(self, query: bytes, asked: Query, limit: int, keys: Keys) -> bytes:
        try:
            checked = keys.check(query, asked.signature or 0)
        except MessageSyntaxError:
            return _empty(query, wire.FORMERR, asked.question)
        if checked.error:
            return keys.refusal(wire.refused(query, asked, wire.NOTAUTH), checked)
        if asked.type == wire.IXFR and limit != wire.TCP_MESSAGE:
            asked = replace(asked, type=wire.SOA)
        return keys.sign(self._respond(query, asked, limit - keys.octets), checked)

    def _respond(self, query: bytes, asked: Query, limit: int) -> bytes:
        zone = self._rendered
        outside = len(asked.name) - len(zone.apex) not in asked.labels or not asked.name.endswith(zone.apex)
        if outside or asked.klass != wire.IN or asked.type in (wire.AXFR, wire.IXFR):
            return wire.refused(query, asked, wire.REFUSED)
        node = self._node(asked)
        if node is None:
            return _negative(query, asked, zone, wire.NXDOMAIN)
        return (
            _positive(query, asked, zone, found, limit)
            if (found := _find(node, asked.type))
            else _negative(query, asked, zone, wire.NOERROR)
        )

    def _node(self, asked: Query) -> Node | None:
        """What exists at the name, None: nothing does."""
        own = self._rendered.nodes.get(asked.name)
        if own is not None or len(asked.labels) < 2:
            return own
        service = self._rendered.services.get(asked.name[asked.labels[1] :])
        hosted = self._hosted.get(asked.name[1 : asked.labels[1]].decode("latin-1"))
        return service(hosted) if service and hosted else None


def _find(node: Node, type_: int) -> Rrset | None:
    """The RRset of that type; for ANY the first one."""
    return next(iter(node.values()), None) if type_ == wire.ANY else node.get(type_)


def _udp_limit(edns: Edns | None) -> int:
    """Octets that this client takes by UDP: at least 512, at most what never gets fragmented (RFC 6891 section 6.2)."""
    return min(max(edns.size, wire.UDP_PLAIN), wire.UDP_EDNS) if edns else wire.UDP_PLAIN


def _positive(query: bytes, asked: Query, zone: Rendered, found: Rrset, limit: int) -> bytes:
    """The RRset with its additional addresses, without them where they do not fit, or TC alone (RFC 2181 section 9)."""
    apex, opt = _apex(asked, zone), wire.opt_record(asked.edns)
    answer = apex.join(found.answer.parts)
    room = limit - wire.HEADER - len(asked.question) - len(opt) - len(answer)
    if room < 0:
        return _truncated(query, asked)
    additional = apex.join(found.additional.parts)
    extra, count = (additional, found.additional.count) if len(additional) <= room else (b"", 0)
    flags = wire.reply_flags(query, wire.AUTHORITATIVE)
    counts = (found.answer.count, 0, count + bool(opt))
    return wire.assemble(query, flags, asked.question, counts, answer + extra + opt)


def _negative(query: bytes, asked: Query, zone: Rendered, rcode: int) -> bytes:
    """NODATA or NXDOMAIN: the SOA says for how long (RFC 2308 section 3). Fits 512 octets behind any question."""
    opt = wire.opt_record(asked.edns)
    flags = wire.reply_flags(query, wire.AUTHORITATIVE | rcode)
    soa = _apex(asked, zone).join(zone.negative.parts)
    return wire.assemble(query, flags, asked.question, (0, zone.negative.count, bool(opt)), soa + opt)


def _apex(asked: Query, zone: Rendered) -> bytes:
    """A pointer to the zone's name, which ends the name in the question."""
    return (0xC000 | wire.HEADER + len(asked.name) - len(zone.apex)).to_bytes(2, "big")


def _empty(query: bytes, rcode: int, question: bytes = b"") -> bytes:
    """A reply to what could not be read further: a header and the question if it was readable."""
    return wire.assemble(query, wire.reply_flags(query, rcode), question, (0, 0, 0), b"")


def _truncated(query: bytes, asked: Query) -> bytes:
    opt = wire.opt_record(asked.edns)
    flags = wire.reply_flags(query, wire.AUTHORITATIVE | wire.TRUNCATED)
    return wire.assemble(query, flags, asked.question, (0, 0, bool(opt)), opt)
