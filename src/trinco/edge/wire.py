"""DNS messages as bytes: reading a stranger's query and putting a reply together (RFC 1035 section 4, RFC 6891).

Only what an authoritative server needs: names stay in their wire form, records of a query are walked over and not
kept. No function here looks anything up.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

import msgspec

from trinco.core.errors import InputError

A, NS, CNAME, SOA, MX, TXT, AAAA, OPT, CAA = 1, 2, 5, 6, 15, 16, 28, 41, 257
TSIG, IXFR, AXFR, ANY = 250, 251, 252, 255
IN = 1

NOERROR, FORMERR, SERVFAIL, NXDOMAIN, NOTIMP, REFUSED, NOTAUTH = 0, 1, 2, 3, 4, 5, 9
BADVERS = 16
"""Extended RCODE of RFC 6891 section 6.1.3: its low four bits stand in the header, the others in OPT."""

QR, AUTHORITATIVE, TRUNCATED, RECURSION_DESIRED = 0x8000, 0x0400, 0x0200, 0x0100
OPCODE = 0x7800
DNSSEC_OK = 0x8000

HEADER = 12
"""Octets of a header; less is not a message."""
UDP_PLAIN = 512
"""What a client without EDNS takes by UDP (RFC 1035 section 2.3.4)."""
UDP_EDNS = 1232
"""What we take and send at most by UDP: fits IPv6's least MTU, so that nothing is fragmented (DNS flag day 2020)."""
TCP_MESSAGE = 65535
QUESTION_POINTER = b"\xc0\x0c"
"""Points to the name in the question, which always stands right behind the header."""
MAX_ADDITIONAL = 2
"""A query has at most OPT and a signature behind its question (RFC 6891, RFC 8945); more is work for nothing."""

_RECORD = struct.Struct("!HHIH")
_QUESTION = struct.Struct("!HH")


class MessageSyntaxError(InputError):
    """Not a query that can be read. `question` is what could be: the bytes to echo, or none."""

    def __init__(self, reason: str, question: bytes = b"") -> None:
        super().__init__(reason)
        self.question = question


class Edns(msgspec.Struct, frozen=True, gc=False):
    """The OPT record of a query: the sender's UDP size, the version, and whether DNSSEC records are welcome."""

    size: int
    version: int
    dnssec_ok: bool


class Query(msgspec.Struct, frozen=True, gc=False):
    """One readable query.

    `question` is name, type and class as they were asked, to be echoed with the case kept; `name` is the lower-cased
    wire name; `labels` are the offsets of its labels in `name`; `signature` is the offset of a TSIG record at its end.
    """

    question: bytes
    name: bytes
    labels: tuple[int, ...]
    type: int
    klass: int
    edns: Edns | None
    signature: int | None = None


def read_query(message: bytes) -> Query:
    """The query in `message`, which holds at least a header. Raises MessageSyntaxError."""
    questions, answers, authorities, additionals = struct.unpack_from("!HHHH", message, 4)
    if questions != 1:
        raise MessageSyntaxError("a query has one question (RFC 9619 section 4)")
    end, labels = _read_name(message)
    if end + _QUESTION.size > len(message):
        raise MessageSyntaxError("the question is cut off")
    type_, klass = _QUESTION.unpack_from(message, end)
    question = message[HEADER : end + _QUESTION.size]
    if answers or authorities > (type_ == IXFR) or additionals > MAX_ADDITIONAL:
        raise MessageSyntaxError("records where a query has none", question)
    records = list(_records(message, question, HEADER + len(question), authorities + additionals))
    edns = _read_edns(message, question, records, authorities)
    signature = records[-1].start if additionals and records[-1].type == TSIG else None
    return Query(question, message[HEADER:end].lower(), labels, type_, klass, edns, signature)


def _read_name(message: bytes) -> tuple[int, tuple[int, ...]]:
    """Where the question's name ends, and the offsets of its labels. No name is in front that it could point to."""
    at, offsets = HEADER, list[int]()
    while at < len(message):
        length = message[at]
        if length == 0:
            return at + 1, tuple(offsets)
        offsets.append(at - HEADER)
        at += 1 + length
        if length > 63 or at - HEADER > 254:
            break
    raise MessageSyntaxError("the question's name cannot be read")


def _read_edns(message: bytes, question: bytes, records: list[_Record], authorities: int) -> Edns | None:
    """The OPT record among the additional ones, of which there may be one (RFC 6891 section 6.1.1)."""
    if (records[-1].end if records else HEADER + len(question)) != len(message):
        raise MessageSyntaxError("octets behind the last record", question)
    found = [record for record in records if record.type == OPT]
    if not found:
        return None
    if len(found) > 1 or found[0] not in records[authorities:] or not _sound_opt(message, found[0]):
        raise MessageSyntaxError("an OPT record that cannot be read", question)
    opt = found[0]
    return Edns(opt.klass, opt.ttl >> 16 & 0xFF, bool(opt.ttl & DNSSEC_OK))


class _Record(msgspec.Struct, frozen=True, gc=False):
    """Where a record of the query stands in it; `data` is the offset of its RDATA."""

    start: int
    data: int
    end: int
    type: int
    klass: int
    ttl: int


def _records(message: bytes, question: bytes, at: int, count: int) -> Iterator[_Record]:
    for _ in range(count):
        fixed = _skip_name(message, at)
        if fixed + _RECORD.size > len(message):
            raise MessageSyntaxError("a record is cut off", question)
        type_, klass, ttl, length = _RECORD.unpack_from(message, fixed)
        data = fixed + _RECORD.size
        if data + length > len(message):
            raise MessageSyntaxError("a record's data is cut off", question)
        yield _Record(at, data, data + length, type_, klass, ttl)
        at = data + length


def _skip_name(message: bytes, at: int) -> int:
    """The offset behind the name at `at`; past the end: unreadable. A pointer is not followed, but must lead back."""
    while at < len(message):
        length = message[at]
        if length >= 0xC0:
            target = int.from_bytes(message[at : at + 2], "big") & 0x3FFF
            return at + 2 if HEADER <= target < at else len(message)
        at += 1 + length
        if length == 0:
            return at
        if length > 63:
            break
    return len(message)


def _sound_opt(message: bytes, opt: _Record) -> bool:
    """Whether OPT is owned by the root and its options fill its data exactly (RFC 6891 section 6.1.2)."""
    return message[opt.start] == 0 and sound_options(message[opt.data : opt.end])


def sound_options(data: bytes) -> bool:
    """Whether this RDATA of OPT is a row of whole options."""
    at = 0
    while at + 4 <= len(data):
        at += 4 + int.from_bytes(data[at + 2 : at + 4], "big")
    return at == len(data)


def opt_record(edns: Edns | None, rcode: int = NOERROR) -> bytes:
    """Our OPT: present when the query had one (RFC 6891 section 7), version 0, DO copied, no option echoed."""
    if edns is None:
        return b""
    flags = DNSSEC_OK if edns.dnssec_ok else 0
    return b"\0" + _RECORD.pack(OPT, UDP_EDNS, rcode >> 4 << 24 | flags, 0)


def reply_flags(query: bytes, flags: int) -> int:
    """The header flags of a reply: opcode and RD copied, all else (Z, AD, CD, RA) clear but for `flags`."""
    asked = query[2] << 8 | query[3]
    return QR | asked & (OPCODE | RECURSION_DESIRED) | flags


def assemble(query: bytes, flags: int, question: bytes, counts: tuple[int, int, int], records: bytes) -> bytes:
    """A reply: the query's id, `flags` as `reply_flags` gives them, the question echoed, and the records counted."""
    return b"%b%b%b%b" % (query[:2], struct.pack("!HHHHH", flags, 1 if question else 0, *counts), question, records)


def refused(query: bytes, asked: Query, rcode: int) -> bytes:
    """A reply without records: REFUSED, BADVERS and their like."""
    opt = opt_record(asked.edns, rcode)
    return assemble(query, reply_flags(query, rcode & 0xF), asked.question, (0, 0, bool(opt)), opt)


def name(host: str) -> bytes:
    """The wire form of a host name in A-labels, with or without its final dot; "" or "." is the root."""
    labels = [label.encode("ascii") for label in host.split(".") if label]
    return b"".join(bytes((len(label),)) + label for label in labels) + b"\0"
