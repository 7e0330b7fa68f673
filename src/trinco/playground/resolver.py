"""A resolver's answer in the made-up internet: customers' zones from memory, Trinco's own zone by asking Trinco.

The whole chain of a CNAME is given, as a resolver does (RFC 1034 section 5.2.2). The rest of the world does not exist:
NXDOMAIN, so that nothing ever leaves this machine.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from trinco.playground.answers import PAYLOAD, fill, question, rcode, rrsets
from trinco.playground.world import Outcome, Record, World

MAX_CHAIN = 8
PATIENCE = 2.0
"""Seconds that Trinco's name server is given to answer."""

Ask = Callable[[str, str], Awaitable[dns.message.Message]]
"""Asks the name server of a delegated zone; raises OSError or DNSException when it does not answer."""


def asking(host: str, port: int) -> Ask:
    """Ask the name server at this address, over UDP and, when truncated, over TCP."""

    async def ask(name: str, rtype: str) -> dns.message.Message:
        query = dns.message.make_query(name, rtype, use_edns=0)
        query.flags &= ~dns.flags.RD
        reply, _ = await dns.asyncquery.udp_with_fallback(query, host, timeout=PATIENCE, port=port)
        return reply

    return ask


async def resolve(query: dns.message.Message, world: World, ask: Ask) -> dns.message.Message:
    """The answer of a resolver that knows these zones and, by `ask`, the zone below the one delegation."""
    reply = dns.message.make_response(query, recursion_available=True, our_payload=PAYLOAD)
    name, rtype = question(query)
    for _ in range(MAX_CHAIN):
        found = world.look_up(name, rtype)
        if found.outcome is Outcome.REFERRAL:
            await _delegated(reply, name, rtype, ask)
            return reply
        if found.outcome is Outcome.FOREIGN:
            return _nowhere(reply)
        fill(reply, found, world)
        reply.set_rcode(rcode(found))
        if found.outcome is not Outcome.ALIAS:
            return reply
        name = found.records[0].value.rstrip(".").lower()
    reply.set_rcode(dns.rcode.SERVFAIL)
    return reply


async def _delegated(reply: dns.message.Message, name: str, rtype: str, ask: Ask) -> None:
    try:
        theirs = await ask(name, rtype)
    except (OSError, dns.exception.DNSException):
        reply.set_rcode(dns.rcode.SERVFAIL)
        return
    reply.answer.extend(theirs.answer)
    reply.authority.extend(theirs.authority)
    reply.set_rcode(theirs.rcode())


def _nowhere(reply: dns.message.Message) -> dns.message.Message:
    """There is no such name (or, for the root itself, no such type)."""
    root = not reply.question or reply.question[0].name == dns.name.root
    reply.set_rcode(dns.rcode.NOERROR if root else dns.rcode.NXDOMAIN)
    reply.authority.extend(rrsets([Record("", "SOA", ". . 1 3600 600 1209600 60")]))
    return reply
