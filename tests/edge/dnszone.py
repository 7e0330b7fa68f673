"""A zone with everything a zone of ours can have, and what the DNS tests do with it."""

from __future__ import annotations

from dataclasses import dataclass, field

import dns.edns
import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rdatatype

from trinco.core.hosting import HostedDomain, NameServer, Publication, Zone
from trinco.core.names import Domain
from trinco.edge.answers import Answers

BASE = "trinco.example"
LABEL = "aaaaaaaaaaaaaaaaaaaaaaaaa2"
WAITING = "waitingwaitingwaitingwait2"
"""The label of a domain that has no record yet."""
LONG = "longlonglonglonglonglong22"
"""The label of a domain with a TLSRPT record of several strings."""

ZONE = Zone(
    base=Domain.trusted(BASE),
    nameservers=(
        NameServer("ns1.trinco.example", ("192.0.2.11", "2001:db8::11")),
        NameServer("ns2.deep.trinco.example", ("192.0.2.12",)),
        NameServer("ns.elsewhere.example"),
    ),
    policy_addresses=("192.0.2.5", "192.0.2.6", "2001:db8::5"),
    panel_addresses=("192.0.2.1", "2001:db8::1"),
    reports_host="reports.trinco.example",
    reports_addresses=("192.0.2.3", "2001:db8::3"),
    reports_mx=((10, "reports.trinco.example"), (20, "mx.elsewhere.example")),
    caa=("ca.example; validationmethods=http-01", "other.example"),
)


def hosted(label: str, **more: object) -> HostedDomain:
    return HostedDomain(Domain.trusted(f"{label[:8]}.example"), label, 1, **more)  # type: ignore[arg-type]


def text(length: int) -> str:
    """A TLSRPT record of that many octets."""
    start = "v=TLSRPTv1; rua=mailto:"
    return start + "r" * (length - len(start))


PUBLICATION = Publication(
    7,
    ZONE,
    {
        LABEL: hosted(LABEL, policy_id="20260101T000000Z0a1b2c3d", tlsrpt=f"v=TLSRPTv1; rua=mailto:{LABEL}@{BASE}"),
        WAITING: hosted(WAITING),
        LONG: hosted(LONG, policy_id="1", tlsrpt=text(600)),
    },
)

SOA = f"{BASE}. 300 IN SOA ns1.{BASE}. hostmaster.{BASE}. 7 3600 600 1209600 300"


@dataclass(frozen=True)
class Said:
    """A whole reply in words; records are sorted, since a set has no order."""

    rcode: str
    flags: str
    answer: list[str] = field(default_factory=list)
    authority: list[str] = field(default_factory=list)
    additional: list[str] = field(default_factory=list)


def query(name: str, rdtype: str = "A", **more: object) -> dns.message.QueryMessage:
    """A question as dig asks it, without EDNS unless told; RD clear."""
    more.setdefault("use_edns", False)
    return dns.message.make_query(name, rdtype, flags=0, **more)  # type: ignore[arg-type]


def ask(answers: Answers, question: dns.message.Message | bytes, *, tcp: bool = False) -> dns.message.Message:
    """The reply as dnspython reads it, which must belong to the question."""
    wire = question if isinstance(question, bytes) else question.to_wire()
    reply = answers.answer(wire, tcp=tcp)
    assert reply is not None
    assert reply[:2] == wire[:2]
    return dns.message.from_wire(reply)


def said(reply: dns.message.Message) -> Said:
    sections = ([line for rrset in section for line in rrset.to_text().split("\n")] for section in reply.sections[1:])
    rcode, flags = dns.rcode.to_text(reply.rcode()), dns.flags.to_text(reply.flags)
    return Said(rcode, flags, *map(sorted, sections))
