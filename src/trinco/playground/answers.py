"""An authoritative server's answer out of the made-up zones: pure, and deliberately plain.

Recursion is not done here: a CNAME is given as it stands (RFC 1034 section 4.3.2 step 3a, without following it), a name
below a delegation gets a referral, a name outside every zone REFUSED.
"""

from __future__ import annotations

from collections.abc import Iterable

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset

from trinco.playground.world import Found, Outcome, Record, World

TTL = 5
"""Seconds. Short, so that what a person publishes is seen at once."""


PAYLOAD = 1232
"""Octets over UDP that we take and give at most (the value of the DNS flag day 2020)."""


def question(query: dns.message.Message) -> tuple[str, str]:
    """The name (lower case, no final dot) and the type asked for; ("", "") for a query without a question."""
    if not query.question:
        return "", ""
    asked = query.question[0]
    return asked.name.to_text(omit_final_dot=True).lower(), dns.rdatatype.to_text(asked.rdtype)


def authoritative(query: dns.message.Message, world: World) -> dns.message.Message:
    """The answer of a server that holds these zones and nothing else."""
    reply = dns.message.make_response(query, our_payload=PAYLOAD)
    name, rtype = question(query)
    found = world.look_up(name, rtype)
    reply.set_rcode(rcode(found))
    if found.outcome not in (Outcome.FOREIGN, Outcome.REFERRAL):
        reply.flags |= dns.flags.AA
    fill(reply, found, world)
    return reply


def rcode(found: Found) -> dns.rcode.Rcode:
    """The response code that belongs to an outcome."""
    codes = {Outcome.NO_NAME: dns.rcode.NXDOMAIN, Outcome.FOREIGN: dns.rcode.REFUSED}
    return codes.get(found.outcome, dns.rcode.NOERROR)


def fill(reply: dns.message.Message, found: Found, world: World) -> None:
    """Put the records of an outcome into their sections."""
    if found.outcome in (Outcome.ANSWER, Outcome.ALIAS):
        reply.answer.extend(rrsets(found.records))
    elif found.outcome is Outcome.REFERRAL:
        reply.authority.extend(rrsets(found.records))
        reply.additional.extend(rrsets(_glue(found.records, world)))
    elif found.outcome in (Outcome.NO_DATA, Outcome.NO_NAME):
        reply.authority.extend(rrsets([world.soa(found.zone)]))


def _glue(servers: Iterable[Record], world: World) -> Iterable[Record]:
    """The addresses that stand beside a delegation, whether or not they lie below it."""
    for server in servers:
        host = server.value.rstrip(".")
        yield from world.held(host, "A")
        yield from world.held(host, "AAAA")


def rrsets(records: Iterable[Record]) -> list[dns.rrset.RRset]:
    """The records as dnspython's sets, in the order in which their names and types appear."""
    sets: dict[tuple[str, str], dns.rrset.RRset] = {}
    for record in records:
        rdata = record.rdata
        key = (record.name, record.type)
        if key not in sets:
            sets[key] = dns.rrset.RRset(dns.name.from_text(record.name), rdata.rdclass, rdata.rdtype)
        sets[key].add(rdata, TTL)
    return list(sets.values())
